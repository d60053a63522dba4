//! The only node is killed in mid-call, and its memory is gone. Once it is back both sides end the call by themselves.

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/sound.rs"]
mod sound;
#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use std::time::{Duration, Instant};

use chapar_client::{
    calls::{CallOptions, Calls, CallsOptions, View},
    protocol::{call::EndReason, call::Standing},
};
use sound::{Ear, Tone};
use tokio::time::timeout;
use world::{PATIENCE, Server, person};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_both_sides_end_it_once_it_is_back() {
    let settings = ["--relay", "off", "--call-loopback", "true"];
    let mut server = Server::start_with(&settings);
    let (sara, reza) = (person(&server.url, "sara").await, person(&server.url, "reza").await);
    let (at_sara, _rings) = Calls::start(&sara, CallsOptions::default()).await.expect("listens");
    let (_at_reza, mut incoming) = Calls::start(&reza, CallsOptions::default()).await.expect("listens");
    let callee = reza.me().expect("signed in").id;
    sara.open_direct(callee).await.expect("opened");
    // Whoever has not answered does not ring.
    reza.open_direct(sara.me().expect("signed in").id).await.expect("opened");
    let mut here =
        at_sara.call(callee, Tone::new(440.0), Ear::default(), CallOptions::default()).await.expect("it rings");
    let mut there = timeout(PATIENCE, incoming.next()).await.expect("it rings").expect("a call");
    there.accept(Tone::new(660.0), Ear::default(), CallOptions::default());
    let talks =
        |view: &View| view.hears && matches!(view.state.as_ref().map(|it| &it.standing), Some(Standing::InCall(_)));
    for call in [&mut here, &mut there] {
        assert_eq!(timeout(PATIENCE, call.until(talks)).await, Ok(true), "{:?}", call.view());
    }
    server.stop("KILL");
    server.start_again(&settings);
    for (client, call) in [(&sara, &mut here), (&reza, &mut there)] {
        client.hurry();
        client.online().await.expect("back");
        let back = Instant::now();
        assert_eq!(timeout(PATIENCE, call.until(|view| view.over.is_some())).await, Ok(true));
        assert_eq!(call.view().over, Some(Some(EndReason::NodeLost)));
        assert!(back.elapsed() < Duration::from_secs(10), "{:?}", back.elapsed());
    }
}
