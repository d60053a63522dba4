//! Checking a password is made to be slow. Many at once must cost those who sign in, not those who chat.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use chapar_protocol::{ChatId, ErrorCode, account::SignedIn};
use serde_json::json;

use crate::support::{Device, http, world::Plan};

/// The median of so many round trips.
async fn median_send(writer: &Device, chat: ChatId) -> Duration {
    let mut took = Vec::new();
    for n in 0..100 {
        let start = Instant::now();
        writer.say(chat, &format!("{n}")).await;
        took.push(start.elapsed());
    }
    took.sort();
    took[took.len() / 2]
}

#[tokio::test]
async fn and_those_who_flood_are_told_when_to_come_back() {
    let world = Plan::single().start().await;
    let [writer, reader] = world.people().await;
    let chat = world.direct(&writer, &reader).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    let register = json!({ "handle": "somebody", "password": "their long password" });
    let _: SignedIn = http::post(world.at(0), "/api/v1/register", None, &register).await.expect("registered");
    let calm = median_send(&writer, chat).await;

    let (stop, turned_away) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let flood: Vec<_> = (0..32)
        .map(|n| {
            let (stop, turned_away, node) = (stop.clone(), turned_away.clone(), world.at(0));
            tokio::spawn(async move {
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    count += 1;
                    // Known and unknown people, wrong passwords.
                    let handle = if n % 2 == 0 { "somebody".to_owned() } else { format!("nobody_{n}_{count}") };
                    let sign_in = json!({ "handle": handle, "password": "a wrong password" });
                    let error =
                        http::post::<_, SignedIn>(node, "/api/v1/sign-in", None, &sign_in).await.err().expect("wrong");
                    match error.code {
                        ErrorCode::RateLimited | ErrorCode::Overloaded => {
                            assert!(error.retry_after_ms.is_some_and(|wait| wait > 0), "{error:?}");
                            turned_away.fetch_add(1, Ordering::Relaxed);
                            // Far less than it was told, as a rude client would.
                            tokio::time::sleep(Duration::from_millis(10)).await;
                        }
                        ErrorCode::InvalidCredentials => {}
                        _ => panic!("{error:?}"),
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let flooded = median_send(&writer, chat).await;
    stop.store(true, Ordering::Relaxed);
    for one in flood {
        one.await.expect("no panic");
    }

    reader.sees(chat, "99").await;
    assert!(turned_away.load(Ordering::Relaxed) > 0, "nobody was turned away");
    // Generous: the flood itself takes a core from this machine too.
    let bound = calm * 15 + Duration::from_millis(50);
    assert!(flooded < bound, "a message took {calm:?} in the calm and {flooded:?} in the flood");
}

#[tokio::test]
async fn and_whoever_knows_the_password_comes_in_from_a_network_that_is_quiet() {
    let world = Plan::single().flags(&["--trusted-proxies", "127.0.0.1", "--hash-concurrency", "1"]).start().await;
    let node = world.at(0);
    let register = json!({ "handle": "somebody", "password": "their long password" });
    let _: SignedIn = http::post_from(node, "/api/v1/register", "203.0.113.5", &register).await.expect("registered");
    // What one hash takes on this machine, now.
    let start = Instant::now();
    let _: SignedIn = http::post_from(node, "/api/v1/sign-in", "203.0.113.5", &register).await.expect("calm");
    let calm = start.elapsed();
    let stop = Arc::new(AtomicBool::new(false));
    let flood: Vec<_> = (0..100)
        .map(|n| {
            let stop = stop.clone();
            tokio::spawn(async move {
                let (address, mut count) = (format!("198.51.{}.{n}", n % 40), 0);
                while !stop.load(Ordering::Relaxed) {
                    count += 1;
                    let sign_in = json!({ "handle": format!("nobody_{n}_{count}"), "password": "a wrong password" });
                    let outcome = http::post_from::<_, SignedIn>(node, "/api/v1/sign-in", &address, &sign_in).await;
                    let error = outcome.err().expect("wrong");
                    if error.code != ErrorCode::InvalidCredentials {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    // From where they have been, from the same street, from elsewhere: all at the first try.
    let mut slowest = Duration::ZERO;
    for address in ["203.0.113.5", "203.0.113.77", "192.0.2.9", "2001:db8::1"] {
        let start = Instant::now();
        let outcome = http::post_from::<_, SignedIn>(node, "/api/v1/sign-in", address, &register).await;
        outcome.unwrap_or_else(|error| panic!("from {address}: {error:?}"));
        slowest = slowest.max(start.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    for one in flood {
        one.await.expect("no panic");
    }
    println!("in within {slowest:?}, in the calm {calm:?}");
    // The hash under way, one's own, and a machine that a hundred clients keep busy; 64 wait before those who are not let past.
    assert!(slowest < Duration::from_secs(3), "{calm:?} in the calm, {slowest:?} in the flood");
}
