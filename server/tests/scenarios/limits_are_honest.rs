//! Whoever is told to wait and waits exactly that long is served.

use std::time::{Duration, Instant};

use chapar_protocol::{ErrorCode, Seq, account::SignedIn, command::History};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Failure, device::message, http, world::Plan};

#[tokio::test]
async fn for_those_who_send_too_much() {
    let world = Plan::single().limited().start().await;
    let [writer, calm] = world.people().await;
    let group = world.group(&writer, &[&calm]).await;
    writer.connect(world.at(0)).await;
    calm.connect(world.at(0)).await;
    let start = Instant::now();
    let mut under_way = JoinSet::new();
    let refused = loop {
        assert!(start.elapsed() < Duration::from_secs(20), "no limit was met");
        while under_way.len() < 60 {
            let writer = writer.clone();
            let message = message(group, "again and again");
            under_way.spawn(async move {
                let failure = writer.call(&message).await.err()?;
                Some((message, failure))
            });
        }
        let outcome = under_way.join_next().await.expect("60 are under way").expect("no panic");
        if let Some((message, failure)) = outcome {
            let Failure::Refused(error) = failure else { panic!("{failure:?}") };
            break (message, error);
        }
    };
    let (message, error) = refused;
    assert_eq!(error.code, ErrorCode::RateLimited);
    // Others are not held up by it.
    calm.say(group, "may I?").await;
    while under_way.join_next().await.is_some() {}
    // The last who was refused knows how long.
    let wait = match writer.call(&message).await {
        Ok(_) => return,
        Err(Failure::Refused(error)) => error.retry_after_ms.expect("a time to wait"),
        Err(Failure::Lost) => panic!("disconnected"),
    };
    tokio::time::sleep(Duration::from_millis(wait.into())).await;
    writer.must(message).await;
}

#[tokio::test]
async fn for_those_who_guess_passwords() {
    let world = Plan::single().limited().start().await;
    let register = json!({ "handle": "guarded", "password": "the right password" });
    let _: SignedIn = http::post(world.at(0), "/api/v1/register", None, &register).await.expect("made");
    let wrong = json!({ "handle": "guarded", "password": "a wrong password" });
    let mut tries = 0;
    let error = loop {
        let error = http::post::<_, SignedIn>(world.at(0), "/api/v1/sign-in", None, &wrong).await.err().expect("wrong");
        if error.code != ErrorCode::InvalidCredentials {
            break error;
        }
        tries += 1;
        assert!(tries < 200, "guessing is free");
    };
    assert_eq!(error.code, ErrorCode::RateLimited, "{error:?}");
    let wait = error.retry_after_ms.expect("a time to wait");
    tokio::time::sleep(Duration::from_millis(wait.into())).await;
    let right = json!({ "handle": "guarded", "password": "the right password" });
    http::post::<_, SignedIn>(world.at(0), "/api/v1/sign-in", None, &right).await.expect("waited as told");
}

#[tokio::test]
async fn for_those_who_would_lock_somebody_out() {
    let world = Plan::single().limited().flags(&["--trusted-proxies", "127.0.0.1"]).start().await;
    let right = json!({ "handle": "guarded", "password": "the right password" });
    let wrong = json!({ "handle": "guarded", "password": "a wrong password" });
    let _: SignedIn = http::post_from(world.at(0), "/api/v1/register", "192.0.2.1", &right).await.expect("made");
    let tries = |address: &'static str| {
        let (node, wrong) = (world.at(0), wrong.clone());
        async move { http::post_from::<_, SignedIn>(node, "/api/v1/sign-in", address, &wrong).await.err().expect("wrong") }
    };
    let mut codes = Vec::new();
    for _ in 0..12 {
        codes.push(tries("198.51.100.7").await.code);
    }
    assert!(codes.contains(&ErrorCode::RateLimited), "{codes:?}");
    // A neighbour of the account's own address is another person: the owner is not locked out by it.
    for _ in 0..12 {
        tries("192.0.2.2").await;
    }
    assert_eq!(tries("192.0.2.2").await.code, ErrorCode::RateLimited);
    for address in ["192.0.2.1", "203.0.113.9", "2001:db8::7"] {
        let signed_in = http::post_from::<_, SignedIn>(world.at(0), "/api/v1/sign-in", address, &right).await;
        signed_in.unwrap_or_else(|error| panic!("from {address}: {error:?}"));
    }
}

#[tokio::test]
async fn for_those_who_read_without_end() {
    // 128 KiB a second, and 2 MiB at once.
    let world = Plan::single().limited().flags(&["--messages-per-second", "1"]).start().await;
    let [reader, calm] = world.people().await;
    let group = world.group(&reader, &[]).await;
    let others = world.group(&calm, &[]).await;
    for _ in 0..4 {
        http::call(world.at(0), reader.token(), &message(group, &"و".repeat(4096))).await.expect("stored");
    }
    reader.connect(world.at(0)).await;
    calm.connect(world.at(0)).await;
    let page = |chat_id| History { chat_id, seq: Seq(1), before: 0, after: 200 };
    let mut pages = 0;
    let error = loop {
        match reader.call(&page(group)).await {
            Ok(_) => pages += 1,
            Err(Failure::Refused(error)) => break error,
            Err(Failure::Lost) => panic!("disconnected"),
        }
        assert!(pages < 1000, "32 MiB and no limit");
    };
    assert!(pages > 50, "{pages} pages of 32 KiB are no burst");
    assert_eq!(error.code, ErrorCode::RateLimited, "after {pages} pages: {error:?}");
    calm.must(page(others)).await;
    tokio::time::sleep(Duration::from_millis(error.retry_after_ms.expect("says when").into())).await;
    reader.must(page(group)).await;
}
