//! The SDK talks with another implementation of WebRTC: the crate `webrtc`, with an ICE agent, DTLS, SRTP and RTP of its own,
//! through the real server and its relay, with real Opus. What both make of the standards wrongly in the same way would go
//! unseen between two SDKs.

#[path = "support/other.rs"]
mod other;
#[path = "support/sound.rs"]
mod sound;
#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use chapar_client::{
    Client,
    calls::{Call, CallOptions, Calls, CallsOptions, Emoji, View},
    protocol::call::{EndReason, MediaPhase, PathKind, Standing},
};
use other::{Heard, Other, Past};
use sound::{Ear, Tone};
use tokio::time::{sleep, timeout};
use webrtc::ice_transport::ice_candidate_type::RTCIceCandidateType::Relay;
use world::{PATIENCE, Server, person};

/// The tone of the SDK, and that of the other phone.
const SARAS: f64 = 440.0;
const REZAS: f64 = 660.0;

async fn two_people() -> (Server, Client, Client) {
    let relay = format!("127.0.0.1:{}", free_port());
    let server = Server::start_with(&["--relay", &relay, "--relay-allow", "127.0.0.0/8", "--call-loopback", "true"]);
    let (sara, reza) = (person(&server.url, "sara").await, person(&server.url, "reza").await);
    // Whoever has not answered does not ring.
    sara.open_direct(reza.me().expect("signed in").id).await.expect("opened");
    reza.open_direct(sara.me().expect("signed in").id).await.expect("opened");
    (server, sara, reza)
}

/// Below the ports that the system hands out. The relay listens on UDP and TCP.
fn free_port() -> u16 {
    let free = |port: &u16| {
        let address = ("127.0.0.1", *port);
        std::net::UdpSocket::bind(address).is_ok() && std::net::TcpListener::bind(address).is_ok()
    };
    std::iter::repeat_with(|| 20_000 + rand::random::<u16>() % 10_000).find(free).expect("a port is free")
}

async fn sees(call: &mut Call, what: &str, seen: impl FnMut(&View) -> bool) {
    let found = timeout(PATIENCE, call.until(seen)).await;
    assert!(found == Ok(true), "never: {what}; {:?}", call.view());
}

/// Waits until one tone fills the ear.
async fn hears(ear: &Ear, hertz: f64) {
    let heard = async {
        while ear.share(hertz) < 0.8 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(PATIENCE, heard).await.is_ok(), "only {:.2} of it is {hertz} Hz", ear.share(hertz));
}

/// The SDK's network changes: ICE restarts, with another offer and another answer, and they hear each other again.
async fn they_talk_after_a_restart(call: &mut Call, sara: &Ear, reza: &Heard) {
    call.network_changed();
    let again = |it: &View| {
        let standing = it.state.as_ref().map(|state| &state.standing);
        matches!(standing, Some(Standing::InCall(it)) if it.generation > 1 && it.phase == MediaPhase::Active)
    };
    sees(call, "another generation", again).await;
    // For longer than the SDK takes to notice that a path is dead.
    they_hear_more(sara, reza, 3).await;
    assert!(call.view().hears);
}

/// So many seconds more of sound on both sides, and of the right sound: packets of the SDK hold up to three frames of 20 ms.
async fn they_hear_more(sara: &Ear, reza: &Heard, seconds: usize) {
    let (frames, packets) = (sara.frames() + 50 * seconds, reza.packets() + 50 * seconds / 3);
    let more = async {
        while sara.frames() < frames || reza.packets() < packets {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(PATIENCE, more).await.is_ok(), "{} frames, {} packets", sara.frames(), reza.packets());
    hears(sara, REZAS).await;
    hears(&reza.ear, SARAS).await;
}

/// Both hear each other for a while, over this kind of path; the same four emoji are returned that the SDK shows.
async fn they_talk(call: &mut Call, sara: &Ear, reza: &Heard, path: PathKind) -> [&'static str; 4] {
    let active = |it: &View| {
        let standing = it.state.as_ref().map(|state| &state.standing);
        matches!(standing, Some(Standing::InCall(it)) if it.phase == MediaPhase::Active)
    };
    sees(call, "active", active).await;
    hears(sara, REZAS).await;
    hears(&reza.ear, SARAS).await;
    they_hear_more(sara, reza, 1).await;
    let mut stats = call.stats();
    let measured = stats.wait_for(|it| it.as_ref().is_some_and(|it| it.path == path && it.bit_rate_in > 0));
    timeout(PATIENCE, measured).await.expect("such a path").expect("alive");
    sees(call, "emoji", |view| matches!(view.emoji, Emoji::Shown(_))).await;
    let Emoji::Shown(emoji) = call.emoji() else { unreachable!("was waited for") };
    emoji
}

async fn end(call: &mut Call, past: tokio::task::JoinHandle<Past>) -> Past {
    let past = timeout(PATIENCE, past).await.expect("in time").expect("the other phone did not fail");
    sees(call, "the end", |view| view.over.is_some()).await;
    assert_eq!((call.view().over, past.reason), (Some(Some(EndReason::HungUp)), EndReason::HungUp));
    assert!(past.trickled > 0, "candidates came one by one: {past:?}");
    assert!(past.generations > 1, "{past:?}");
    past
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_calls_and_the_sdk_answers() {
    let (_server, sara, reza) = two_people().await;
    let (_calls, mut incoming) = Calls::start(&sara, CallsOptions::default()).await.expect("listens");
    let phone = Other::new(&reza, REZAS);
    let heard = phone.heard.clone();
    let past = tokio::spawn(phone.calls(sara.me().expect("signed in").id, false));
    let mut call = timeout(PATIENCE, incoming.next()).await.expect("it rings").expect("a call");
    let ear = Ear::default();
    assert_eq!((ear.frames(), heard.packets()), (0, 0), "nothing is heard before the accept");
    call.accept(Tone::new(SARAS), ear.clone(), CallOptions::default());
    let emoji = they_talk(&mut call, &ear, &heard, PathKind::Direct).await;
    they_talk_after_a_restart(&mut call, &ear, &heard).await;
    call.hang_up();
    let past = end(&mut call, past).await;
    assert_eq!(past.emoji, Some(emoji), "both have computed the same");
    assert!(past.path.is_some_and(|path| !path.contains(&Relay)), "{past:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_calls_over_the_relay_alone_and_it_answers() {
    let (_server, sara, reza) = two_people().await;
    let options = CallsOptions { relay_only: true, ..CallsOptions::default() };
    let (calls, _incoming) = Calls::start(&sara, options).await.expect("listens");
    let phone = Other::new(&reza, REZAS);
    let heard = phone.heard.clone();
    let past = tokio::spawn(phone.answers(false));
    let (ear, callee) = (Ear::default(), reza.me().expect("signed in").id);
    let mut call =
        calls.call(callee, Tone::new(SARAS), ear.clone(), CallOptions::default()).await.expect("it is on its way");
    let emoji = they_talk(&mut call, &ear, &heard, PathKind::RelayUdp).await;
    they_talk_after_a_restart(&mut call, &ear, &heard).await;
    assert!(call.view().state.is_some_and(|state| state.relay_only));
    call.hang_up();
    let past = end(&mut call, past).await;
    assert_eq!(past.emoji, Some(emoji), "both have computed the same");
    assert_eq!(past.path, Some([Relay; 2]));
}
