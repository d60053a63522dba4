//! Sharded pub/sub on a Redis Cluster: each topic lives on the master of its slot.

#[path = "support/bus.rs"]
mod bus;
#[path = "support/redis.rs"]
mod redis;

use bus::{Node, bytes};
use chapar_server::bus::Topic;
use redis::{Cluster, wait_for};

const CHATS: i64 = 60;

fn topics() -> Vec<Topic> {
    (0..CHATS).map(Topic::Chat).collect()
}

async fn all_are_heard(one: &Node, two: &mut Node) {
    for topic in topics() {
        assert!(two.hears(one, topic, "hello").await, "{topic:?} is not heard");
    }
}

#[tokio::test]
async fn each_topic_travels_over_its_own_master() {
    let cluster = Cluster::start(false).await;
    let (one, mut two) = (Node::start(&cluster.url(), 1), Node::start(&cluster.url(), 2));
    one.connected().await;
    two.connected().await;
    two.bus.subscribe(&topics()).await.unwrap();
    for topic in topics() {
        one.bus.publish(topic, bytes("hello"));
    }
    let mut heard = Vec::new();
    for _ in topics() {
        heard.push(two.message().await.0);
    }
    heard.sort_by_key(|topic| format!("{topic:?}"));
    let mut expected = topics();
    expected.sort_by_key(|topic| format!("{topic:?}"));
    assert_eq!(heard, expected);
    for master in &cluster.masters {
        let channels: Vec<String> = master.ask(&["PUBSUB", "SHARDCHANNELS"]).await;
        assert!(!channels.is_empty() && channels.len() < topics().len(), "a share: {}", channels.len());
    }
}

#[tokio::test]
async fn a_master_dies_and_its_replica_takes_over() {
    let mut cluster = Cluster::start(true).await;
    let (one, mut two) = (Node::start(&cluster.url(), 1), Node::start(&cluster.url(), 2));
    one.connected().await;
    two.connected().await;
    two.bus.subscribe(&topics()).await.unwrap();
    all_are_heard(&one, &mut two).await;

    cluster.masters[1].kill();
    one.disconnected().await;
    two.resynchronise().await;
    one.connected().await;
    all_are_heard(&one, &mut two).await;
    let taken: Vec<String> = cluster.replicas[1].ask(&["PUBSUB", "SHARDCHANNELS"]).await;
    assert!(!taken.is_empty(), "the new master holds its share");

    // The old one comes back as a replica, which changes nothing.
    cluster.masters[1].up().await;
    wait_for("the old master is a replica", async || {
        cluster.masters[1].ask::<String>(&["INFO", "replication"]).await.contains("role:slave")
    })
    .await;
    all_are_heard(&one, &mut two).await;
}

#[tokio::test]
async fn a_slot_moves_to_another_master() {
    let cluster = Cluster::start(false).await;
    let (one, mut two) = (Node::start(&cluster.url(), 1), Node::start(&cluster.url(), 2));
    one.connected().await;
    two.connected().await;
    two.bus.subscribe(&topics()).await.unwrap();
    let slot: u16 = cluster.masters[0].ask(&["CLUSTER", "KEYSLOT", "chapar:c:1"]).await;
    let slot = slot.to_string();
    let mut owner = 0;
    for (index, master) in cluster.masters.iter().enumerate() {
        let channels: Vec<String> = master.ask(&["PUBSUB", "SHARDCHANNELS", "chapar:c:1"]).await;
        if !channels.is_empty() {
            owner = index;
        }
    }
    let target = (owner + 1) % 3;
    let id: String = cluster.masters[target].ask(&["CLUSTER", "MYID"]).await;
    for index in [target, owner, (owner + 2) % 3] {
        cluster.masters[index].ask::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]).await;
    }
    wait_for("the subscription has moved", async || {
        let channels: Vec<String> = cluster.masters[target].ask(&["PUBSUB", "SHARDCHANNELS", "chapar:c:1"]).await;
        channels.len() == 1
    })
    .await;
    two.resynchronise().await;
    // The publisher finds out by being refused, or by asking; what it lost until then it says.
    let published = async || {
        one.bus.publish(Topic::Chat(1), bytes("hello"));
        one.bus.figures().published > 0
    };
    wait_for("the publisher has followed", published).await;
    all_are_heard(&one, &mut two).await;
}
