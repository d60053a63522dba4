//! Redis is killed, held, or away from the beginning.

#[path = "support/bus.rs"]
mod bus;
#[path = "support/redis.rs"]
mod redis;

use std::time::{Duration, Instant};

use bus::{Node, bytes};
use chapar_server::bus::{Away, Topic};
use redis::Redis;

const CHAT: Topic = Topic::Chat(1);
const OTHER: Topic = Topic::Chat(2);

#[tokio::test]
async fn redis_killed_and_restarted_in_mid_traffic() {
    let mut redis = Redis::start().await;
    let (mut one, mut two) = (Node::start(&redis.url(), 1), Node::start(&redis.url(), 2));
    one.connected().await;
    two.connected().await;
    one.bus.subscribe(&[CHAT]).await.unwrap();
    two.bus.subscribe(&[CHAT]).await.unwrap();
    for _ in 0..500 {
        one.bus.publish(CHAT, bytes("before"));
    }
    two.message().await;
    redis.kill();
    one.disconnected().await;
    two.disconnected().await;
    one.bus.publish(CHAT, bytes("lost"));
    one.bus.publish(OTHER, bytes("lost"));
    one.bus.publish(OTHER, bytes("lost"));
    two.bus.unsubscribe(&[CHAT]);
    assert_eq!(two.bus.subscribe(&[OTHER]).await, Err(Away));

    redis.up().await;
    assert_eq!(one.resynchronise().await, Some(vec![CHAT, OTHER]));
    assert_eq!(two.resynchronise().await, Some(vec![]));
    // At this moment everything wanted is subscribed, and nothing else.
    let channels: Vec<String> = redis.ask(&["PUBSUB", "NUMSUB", "chapar:c:1", "chapar:c:2"]).await;
    assert_eq!(channels, ["chapar:c:1", "1", "chapar:c:2", "1"]);
    one.bus.publish(CHAT, bytes("nobody wants it"));
    one.bus.publish(OTHER, bytes("after"));
    assert_eq!(two.message().await, (OTHER, bytes("after")));
    two.bus.publish(CHAT, bytes("back"));
    assert_eq!(one.message().await, (CHAT, bytes("back")));
}

#[tokio::test]
async fn away_is_said_quickly() {
    let mut redis = Redis::start().await;
    let node = Node::start(&redis.url(), 1);
    node.connected().await;
    redis.stop();
    let asked = Instant::now();
    assert_eq!(node.bus.subscribe(&[CHAT]).await, Err(Away));
    assert!(asked.elapsed() < Duration::from_millis(1500), "held: {:?}", asked.elapsed());
    redis.kill();
    node.disconnected().await;
    let asked = Instant::now();
    assert_eq!(node.bus.subscribe(&[CHAT]).await, Err(Away));
    assert!(asked.elapsed() < Duration::from_millis(100), "killed: {:?}", asked.elapsed());
}

#[tokio::test]
async fn a_redis_that_holds_its_breath_is_noticed() {
    let redis = Redis::start().await;
    let (mut one, mut two) = (Node::start(&redis.url(), 1), Node::start(&redis.url(), 2));
    one.connected().await;
    two.connected().await;
    two.bus.subscribe(&[CHAT]).await.unwrap();
    redis.stop();
    let held = Instant::now();
    two.disconnected().await;
    assert!(held.elapsed() < Duration::from_secs(6), "noticed after {:?}", held.elapsed());
    one.disconnected().await;
    one.bus.publish(CHAT, bytes("lost"));
    redis.go_on();
    assert_eq!(one.resynchronise().await, Some(vec![CHAT]));
    two.resynchronise().await;
    one.bus.publish(CHAT, bytes("after"));
    assert_eq!(two.message().await, (CHAT, bytes("after")));
}

#[tokio::test]
async fn redis_that_comes_after_the_nodes_finds_their_wishes() {
    let mut redis = Redis::down(&[]);
    let (mut one, mut two) = (Node::start(&redis.url(), 1), Node::start(&redis.url(), 2));
    assert_eq!(two.bus.subscribe(&[CHAT]).await, Err(Away));
    one.bus.publish(CHAT, bytes("too early"));
    redis.up().await;
    assert_eq!(one.resynchronise().await, Some(vec![CHAT]));
    assert_eq!(two.resynchronise().await, Some(vec![]));
    one.bus.publish(CHAT, bytes("in time"));
    assert_eq!(two.message().await, (CHAT, bytes("in time")));
}

#[tokio::test]
async fn redis_that_throws_a_connection_out_is_joined_again() {
    let redis = Redis::start().await;
    let (one, mut two) = (Node::start(&redis.url(), 1), Node::start(&redis.url(), 2));
    one.connected().await;
    two.connected().await;
    two.bus.subscribe(&[CHAT]).await.unwrap();
    redis.ask::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    assert_eq!(two.resynchronise().await, Some(vec![]));
    assert!(two.hears(&one, CHAT, "again").await);
}
