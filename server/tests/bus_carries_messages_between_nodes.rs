//! Two nodes and one Redis, on a good day.

#[path = "support/bus.rs"]
mod bus;
#[path = "support/redis.rs"]
mod redis;

use bus::{Node, bytes};
use bytes::Bytes;
use chapar_server::bus::{Away, Bus, BusEvent, Topic};
use redis::{Redis, wait_for};
use tokio::sync::mpsc;

#[tokio::test]
async fn a_message_reaches_the_other_node_and_not_its_sender() {
    let redis = Redis::start().await;
    let (mut one, mut two) = (Node::start(&redis.url(), 1), Node::start(&redis.url(), 2));
    one.connected().await;
    two.connected().await;
    let topics = [Topic::Chat(7), Topic::User(-7), Topic::Presence(i64::MAX), Topic::Node];
    one.bus.subscribe(&topics).await.unwrap();
    two.bus.subscribe(&topics).await.unwrap();

    for topic in topics {
        one.bus.publish(topic, bytes("from one"));
        assert_eq!(two.message().await, (topic, bytes("from one")));
    }
    two.bus.publish(Topic::Chat(7), bytes("from two"));
    // Had its own publications come back, they would have come first.
    assert_eq!(one.message().await, (Topic::Chat(7), bytes("from two")));
    assert_eq!(one.bus.figures().published, 4);
}

#[tokio::test]
async fn a_confirmed_subscription_misses_nothing_that_follows() {
    let redis = Redis::start().await;
    let (one, mut two) = (Node::start(&redis.url(), 1), Node::start(&redis.url(), 2));
    one.connected().await;
    two.connected().await;
    for id in 0..500 {
        two.bus.subscribe(&[Topic::Chat(id)]).await.unwrap();
        one.bus.publish(Topic::Chat(id), bytes("x"));
    }
    for id in 0..500 {
        assert_eq!(two.message().await.0, Topic::Chat(id));
    }
}

#[tokio::test]
async fn many_subscribe_at_once_and_all_are_confirmed() {
    let redis = Redis::start().await;
    let node = Node::start(&redis.url(), 1);
    node.connected().await;
    let callers = (0..200).map(|caller| {
        let topics: Vec<_> = (0..50).map(|chat| Topic::Chat(caller * 25 + chat)).collect();
        let bus = &node.bus;
        async move { bus.subscribe(&topics).await }
    });
    for answer in futures_util::future::join_all(callers).await {
        assert_eq!(answer, Ok(()));
    }
    let channels: Vec<String> = redis.ask(&["PUBSUB", "CHANNELS", "chapar:c:*"]).await;
    assert_eq!(channels.len(), 199 * 25 + 50);
}

#[tokio::test]
async fn after_unsubscribing_a_node_hears_nothing_and_costs_redis_nothing() {
    let redis = Redis::start().await;
    let (one, mut two) = (Node::start(&redis.url(), 1), Node::start(&redis.url(), 2));
    one.connected().await;
    two.connected().await;
    two.bus.subscribe(&[Topic::Chat(1), Topic::Chat(2)]).await.unwrap();
    two.bus.unsubscribe(&[Topic::Chat(1)]);
    wait_for("the channel is gone", async || redis.ask::<Vec<String>>(&["PUBSUB", "CHANNELS"]).await == ["chapar:c:2"])
        .await;
    one.bus.publish(Topic::Chat(1), bytes("unheard"));
    one.bus.publish(Topic::Chat(2), bytes("heard"));
    assert_eq!(two.message().await, (Topic::Chat(2), bytes("heard")));

    for _ in 0..100 {
        two.bus.unsubscribe(&[Topic::Chat(2)]);
        two.bus.subscribe(&[Topic::Chat(2)]).await.unwrap();
    }
    one.bus.publish(Topic::Chat(2), bytes("still heard"));
    assert_eq!(two.message().await, (Topic::Chat(2), bytes("still heard")));
    assert_eq!(two.bus.figures().links_lost, 0);
}

#[tokio::test]
async fn a_node_alone_needs_no_redis() {
    let (sender, mut events) = mpsc::channel(1);
    let bus = Bus::start(None, 1, sender).unwrap();
    assert_eq!(bus.subscribe(&[Topic::Node]).await, Ok(()));
    bus.publish(Topic::Node, bytes("nobody"));
    assert!(bus.is_connected());
    assert!(events.recv().await.is_none(), "there is nobody to send anything");
}

#[tokio::test]
async fn a_bus_that_is_dropped_leaves_redis_and_its_listener() {
    let redis = Redis::start().await;
    let Node { bus, mut events } = Node::start(&redis.url(), 1);
    wait_for("the bus is connected", async || bus.is_connected()).await;
    bus.subscribe(&[Topic::Node]).await.unwrap();
    drop(bus);
    let end = tokio::time::timeout(std::time::Duration::from_secs(5), events.recv()).await;
    assert!(end.expect("the events end").is_none());
    wait_for("the connections are closed", async || {
        redis.ask::<String>(&["INFO", "clients"]).await.contains("connected_clients:1\r")
    })
    .await;
}

#[tokio::test]
async fn a_bad_url_is_refused_and_an_absent_redis_is_not() {
    let (sender, _events) = mpsc::channel::<BusEvent>(1);
    assert!(Bus::start(Some("mysql://here"), 1, sender.clone()).is_err());
    let absent = Redis::down(&[]);
    let bus = Bus::start(Some(&absent.url()), 1, sender).unwrap();
    assert_eq!(bus.subscribe(&[Topic::Node]).await, Err(Away));
    assert!(!bus.is_connected());
}

#[tokio::test]
async fn a_flood_that_nobody_takes_is_dropped_and_said() {
    const FLOOD: usize = 20_000;
    let redis = Redis::start().await;
    let (one, mut two) = (Node::start(&redis.url(), 1), Node::with_queue(&redis.url(), 2, 100));
    one.connected().await;
    two.connected().await;
    two.bus.subscribe(&[Topic::Chat(1)]).await.unwrap();
    for _ in 0..FLOOD {
        one.bus.publish(Topic::Chat(1), bytes("flood"));
    }
    wait_for("all is published", async || one.bus.figures().published == FLOOD as u64).await;
    wait_for("all has arrived or overflowed", async || {
        let figures = two.bus.figures();
        figures.received + figures.overflowed == FLOOD as u64
    })
    .await;
    assert_eq!(two.bus.figures().received, 100, "what the queue holds, and no more");

    for _ in 0..100 {
        two.message().await;
    }
    assert_eq!(two.resynchronise().await, Some(vec![]));
    one.bus.publish(Topic::Chat(1), bytes("after"));
    assert_eq!(two.message().await, (Topic::Chat(1), bytes("after")));
}

/// 128 MiB in 512 payloads: few for a queue that only counts, and what a person could make of long messages.
#[tokio::test]
async fn long_messages_that_nobody_takes_are_dropped_and_said() {
    const COUNT: usize = 512;
    let long = Bytes::from(vec![b'x'; 256 << 10]);
    let redis = Redis::start().await;
    let (one, mut two) = (Node::start(&redis.url(), 1), Node::start(&redis.url(), 2));
    one.connected().await;
    two.connected().await;
    two.bus.subscribe(&[Topic::Chat(1), Topic::Chat(2)]).await.unwrap();
    for sent in 1..=COUNT {
        one.bus.publish(Topic::Chat(1), long.clone());
        // Redis closes a listener that lags: this is about the queue behind it.
        wait_for("it is there", async || {
            let figures = two.bus.figures();
            figures.received + figures.overflowed == sent as u64
        })
        .await;
    }
    let received = usize::try_from(two.bus.figures().received).expect("few");
    assert!((250..=256).contains(&received), "{received}");
    assert_eq!(two.bus.figures().links_lost, 0);
    for _ in 0..received {
        assert_eq!(two.message().await.0, Topic::Chat(1));
    }
    let BusEvent::Resynchronise { missed, .. } = two.next().await else { panic!("it is not said") };
    assert_eq!(missed, Some(vec![Topic::Chat(1)]), "Chat 2 has lost nothing");
    one.bus.publish(Topic::Chat(2), bytes("after"));
    loop {
        match two.next().await {
            BusEvent::Message { payload, .. } => break assert_eq!(payload, "after"),
            // Once a second while messages are dropped.
            BusEvent::Resynchronise { missed, .. } => assert_eq!(missed, Some(vec![Topic::Chat(1)])),
            BusEvent::Company => {}
        }
    }
}

#[tokio::test]
async fn more_than_the_outbox_holds_is_remembered_by_topic() {
    let redis = Redis::start().await;
    let mut node = Node::start(&redis.url(), 1);
    node.connected().await;
    // On this single thread the publisher cannot run between these.
    for id in 0..40_000 {
        node.bus.publish(Topic::Chat(id), bytes("x"));
    }
    let unsent = node.resynchronise().await.expect("few enough to remember");
    assert_eq!(unsent.len(), 40_000 - 32_768);
    wait_for("the rest is published", async || node.bus.figures().published == 32_768).await;
    for id in 0..60_000 {
        node.bus.publish(Topic::Chat(id), bytes("x"));
    }
    assert_eq!(node.resynchronise().await, None, "too many to remember");
}
