//! Whoever is told to wait and waits exactly that long is served.

use std::time::{Duration, Instant};

use chapar_protocol::{ErrorCode, account::SignedIn};
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
