//! SIGTERM: the node says goodbye, finishes what it has begun, and its people go on at the other one.

use std::time::{Duration, Instant};

use chapar_protocol::{CloseCode, Event};
use chapar_server::fanout::parcel::Parcel;
use futures_util::StreamExt;

use crate::support::{Signal, Traffic, audit::all_equal, device::message, http, within, world::Plan};

#[tokio::test]
async fn and_nothing_is_lost() {
    let mut world = Plan::pair().flags(&["--drain-seconds", "3", "--reconnect-spread-ms", "700"]).start().await;
    let people: [_; 4] = world.people().await;
    let [idle] = world.people().await;
    let group = world.group(&people[0], &[&people[1], &people[2], &people[3]]).await;
    idle.connect(world.at(0)).await;
    let traffic = Traffic::start(&people, group, 4, Duration::ZERO, &world.routes());
    traffic.more(200).await;

    world.nodes[0].signal(Signal::TERM);
    let wait = idle
        .event("the goodbye", |event| match event {
            Event::Drain(drain) => Some(drain.reconnect_after_ms),
            _ => None,
        })
        .await;
    assert!(wait <= 700, "{wait} ms");
    assert_eq!(idle.ended().await, Some(CloseCode::Drain.number()));
    let status = world.nodes[0].end(Duration::from_secs(10)).await.expect("it ends");
    assert!(status.success(), "{status}");
    traffic.more(200).await;
    let written = traffic.finish().await;
    assert!(http::try_request(world.at(0), "GET", "/healthz", None, None).await.is_err(), "it still listens");
    all_equal(world.at(1), group, &people).await.proves(&written);
}

#[tokio::test]
async fn nobody_new_is_let_in_while_it_drains() {
    let mut world = Plan::single().flags(&["--drain-seconds", "30"]).start().await;
    let [one, late] = world.people().await;
    one.connect(world.at(0)).await;
    world.nodes[0].signal(Signal::TERM);
    one.event("the goodbye", |event| matches!(event, Event::Drain(_)).then_some(())).await;
    if let Ok(ready) = http::try_request(world.at(0), "GET", "/readyz", None, None).await {
        assert_eq!(ready.status, 503, "a load balancer must send people elsewhere");
    }
    assert!(late.try_connect(world.at(0)).await.is_err(), "somebody came in");
    // Once everybody has left there is nothing to wait for.
    one.cut().await;
    assert!(world.nodes[0].end(Duration::from_secs(10)).await.is_some_and(|status| status.success()));
}

/// A message waits for a chat that somebody has locked while the node stops: it is stored and told, and then comes the goodbye,
/// after which nobody looks for what the node may not have told.
#[tokio::test]
async fn the_goodbye_comes_after_the_last_word() {
    let mut world = Plan::pair().flags(&["--drain-seconds", "0"]).start().await;
    let [writer, reader] = world.people().await;
    let chat = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(1)).await;
    let client = redis::Client::open(world.redis().url()).expect("an address");
    let mut heard = client.get_async_pubsub().await.expect("connected");
    heard.psubscribe("chapar:*").await.expect("subscribed");
    let heard = heard.into_on_message().filter_map(async |said| {
        // The node's id, and the parcel.
        let parcel = Parcel::decode(said.get_payload_bytes().get(8..)?.to_vec().into())?;
        match parcel {
            Parcel::Change(change) if change.news.frame.contains("the last word") => Some("the last word"),
            Parcel::Goodbye(_) => Some("goodbye"),
            _ => None,
        }
    });
    let mut heard = std::pin::pin!(heard);

    let holder = world.database.meanwhile(&format!("SELECT id FROM chats WHERE id = {chat} FOR UPDATE"));
    let last = message(chat, "the last word");
    let release = async {
        let waits =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let asked = async {
            while world.database.sql(waits).trim() == "0" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within("the message to wait for the chat", asked).await;
        world.nodes[0].signal(Signal::TERM);
        writer.event("the drain", |event| matches!(event, Event::Drain(_)).then_some(())).await;
        // A goodbye that is said too early is said now.
        let early = tokio::time::timeout(Duration::from_millis(500), heard.next()).await;
        world.database.end_meanwhile();
        early.ok().flatten()
    };
    let (_, early) = tokio::join!(writer.call(&last), release);
    drop(holder);
    let mut order: Vec<&str> = early.into_iter().collect();
    while order.len() < 2 {
        order.extend(within(&format!("what the node says after {order:?}"), heard.next()).await);
    }
    assert_eq!(order, ["the last word", "goodbye"]);
    reader.sees(chat, "the last word").await;
    assert!(world.nodes[0].end(Duration::from_secs(15)).await.is_some_and(|status| status.success()));
}

/// The relays are told through Redis, for which they wait up to 2 s.
#[tokio::test]
async fn and_people_are_told_at_once_though_redis_hangs() {
    let mut world = Plan::pair().flags(&["--drain-seconds", "3"]).start().await;
    let [person] = world.people().await;
    person.connect(world.at(0)).await;
    world.redis().stop();
    // Until the node waits for an answer.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    world.nodes[0].signal(Signal::TERM);
    person.event("the goodbye", |event| matches!(event, Event::Drain(_)).then_some(())).await;
    let told = began.elapsed();
    assert_eq!(person.ended().await, Some(CloseCode::Drain.number()));
    let ended = world.nodes[0].end(Duration::from_secs(30)).await;
    world.redis().go_on();
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    assert!(told < Duration::from_millis(1500), "told after {told:?}");
    let log = world.nodes[0].log();
    let line = |what: &str| log.find(what).unwrap_or_else(|| panic!("no line {what:?} in\n{log}"));
    assert!(line("draining") < line("drained"));
}

#[tokio::test]
async fn as_soon_as_it_says_that_it_listens() {
    for _ in 0..3 {
        let mut world = Plan::single().start().await;
        world.nodes[0].signal(Signal::TERM);
        let ended = world.nodes[0].end(Duration::from_secs(30)).await;
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    }
}
