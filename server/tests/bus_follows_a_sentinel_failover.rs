//! The master dies, the Sentinels choose another, the nodes go there.

#[path = "support/bus.rs"]
mod bus;
#[path = "support/redis.rs"]
mod redis;

use bus::{Node, bytes};
use chapar_server::bus::Topic;
use redis::Sentinels;

const CHAT: Topic = Topic::Chat(1);

#[tokio::test]
async fn the_master_is_killed() {
    let mut redis = Sentinels::start().await;
    let (mut one, mut two) = (Node::start(&redis.url(), 1), Node::start(&redis.url(), 2));
    one.connected().await;
    two.connected().await;
    two.bus.subscribe(&[CHAT]).await.unwrap();
    one.bus.publish(CHAT, bytes("before"));
    assert_eq!(two.message().await, (CHAT, bytes("before")));

    redis.servers[0].kill();
    one.disconnected().await;
    one.bus.publish(CHAT, bytes("lost"));
    assert_eq!(one.resynchronise().await, Some(vec![CHAT]));
    two.resynchronise().await;
    let role: (String, i64, ::redis::Value) = redis.servers[1].ask(&["ROLE"]).await;
    assert_eq!(role.0, "master");
    one.bus.publish(CHAT, bytes("after"));
    assert_eq!(two.message().await, (CHAT, bytes("after")));
}

#[tokio::test]
async fn a_failover_without_a_death_leaves_nobody_on_the_old_master() {
    let redis = Sentinels::start().await;
    let (mut one, mut two) = (Node::start(&redis.url(), 1), Node::start(&redis.url(), 2));
    one.connected().await;
    two.connected().await;
    two.bus.subscribe(&[CHAT]).await.unwrap();
    redis.sentinels[0].ask::<()>(&["SENTINEL", "FAILOVER", "main"]).await;
    one.resynchronise().await;
    two.resynchronise().await;
    one.bus.publish(CHAT, bytes("after"));
    assert_eq!(two.message().await, (CHAT, bytes("after")));
    let channels: Vec<String> = redis.servers[1].ask(&["PUBSUB", "CHANNELS", "chapar:*"]).await;
    assert_eq!(channels, ["chapar:c:1"]);
}
