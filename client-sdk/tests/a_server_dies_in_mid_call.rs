//! The only node is killed in mid-call, and its memory is gone. Once it is back both sides end the call by themselves.

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/sound.rs"]
mod sound;
#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use chapar_client::{
    calls::{
        CallOptions, Calls, CallsOptions, View,
        audio::{AudioSource, Frame},
    },
    protocol::{call::EndReason, call::Standing},
};
use sound::{Ear, Tone};
use tokio::time::timeout;
use world::{PATIENCE, Server, person};

/// A microphone of which is seen whether it is still open.
struct Microphone(Tone, #[expect(dead_code, reason = "gone with the microphone")] Arc<()>);

impl Microphone {
    fn open(hertz: f64) -> (Self, Weak<()>) {
        let open = Arc::new(());
        let seen = Arc::downgrade(&open);
        (Self(Tone::new(hertz), open), seen)
    }
}

impl AudioSource for Microphone {
    fn next(&mut self, frame: &mut Frame) {
        self.0.next(frame);
    }
}

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
    let ((saras, saras_open), (rezas, rezas_open)) = (Microphone::open(440.0), Microphone::open(660.0));
    let mut here = at_sara.call(callee, saras, Ear::default(), CallOptions::default()).await.expect("it rings");
    let mut there = timeout(PATIENCE, incoming.next()).await.expect("it rings").expect("a call");
    there.accept(rezas, Ear::default(), CallOptions::default());
    let talks =
        |view: &View| view.hears && matches!(view.state.as_ref().map(|it| &it.standing), Some(Standing::InCall(_)));
    for call in [&mut here, &mut there] {
        assert_eq!(timeout(PATIENCE, call.until(talks)).await, Ok(true), "{:?}", call.view());
    }
    server.stop("KILL");
    server.start_again(&settings);
    for (client, call, open) in [(&sara, &mut here, saras_open), (&reza, &mut there, rezas_open)] {
        client.hurry();
        client.online().await.expect("back");
        let back = Instant::now();
        assert_eq!(timeout(PATIENCE, call.until(|view| view.over.is_some())).await, Ok(true));
        assert_eq!(call.view().over, Some(Some(EndReason::NodeLost)));
        let closes = async {
            while open.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(timeout(PATIENCE, closes).await.is_ok(), "the microphone stays open");
        assert!(back.elapsed() < Duration::from_secs(10), "{:?}", back.elapsed());
    }
}
