//! One account says `hello` on two hundred sockets at once, again and again. Others are welcomed as if nobody did.

use std::time::{Duration, Instant};

use chapar_protocol::{ErrorCode, command::Hello};
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::support::{Device, RawSocket, World, world::Plan};

async fn hello(world: &World, device: &Device) -> Duration {
    let mut socket = RawSocket::connect(world.at(0)).await;
    let hello = Hello { token: device.token().to_owned(), resume: None };
    let asked = Instant::now();
    socket.call(1, &hello).await.expect("welcome");
    asked.elapsed()
}

#[tokio::test]
async fn others_are_welcomed_meanwhile() {
    // As from very many addresses.
    let world =
        Plan::single().flags(&["--max-connections-per-address", "100000", "--max-connections", "100000"]).start().await;
    let [greedy, friend, other] = world.people().await;
    // So that a welcome is worth some work.
    for _ in 0..100 {
        world.group(&greedy, &[&friend]).await;
    }
    let (enough, stop) = watch::channel(false);
    let flood = join_all((0..200).map(|_| {
        let (world, greedy, mut stop) = (&world, &greedy, stop.clone());
        async move {
            let mut welcomed = 0_u32;
            while !*stop.borrow() {
                let mut socket = RawSocket::connect(world.at(0)).await;
                let hello = Hello { token: greedy.token().to_owned(), resume: None };
                let outcome = tokio::select! {
                    outcome = socket.call(1, &hello) => outcome,
                    _ = stop.changed() => break,
                };
                match outcome {
                    Ok(_) => welcomed += 1,
                    Err(error) => {
                        assert!(matches!(error.code, ErrorCode::Overloaded | ErrorCode::RateLimited), "{error:?}");
                        assert!(error.retry_after_ms.is_some(), "{error:?}");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
            welcomed
        }
    }));
    let honest = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut took = Vec::new();
        for _ in 0..40 {
            took.push(hello(&world, &other).await);
        }
        enough.send(true).expect("heard");
        took.sort_unstable();
        took
    };
    let (welcomed, took) = futures_util::join!(flood, honest);
    let (half, most) = (took[took.len() / 2], took[took.len() * 95 / 100]);
    println!("hello of another meanwhile: p50 {half:?}, p95 {most:?}; {} of the flood", welcomed.iter().sum::<u32>());
    assert!(welcomed.iter().sum::<u32>() > 0, "the account itself is served, too");
    assert!(most < Duration::from_millis(500), "p95 {most:?}");
}
