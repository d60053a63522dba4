//! Calls between two people with real sound, through the real server and its relay.

#[path = "support/sound.rs"]
mod sound;
#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use chapar_client::{
    Client,
    calls::{Call, CallOptions, Calls, CallsOptions, Emoji, Incoming, View},
    protocol::{
        UserId,
        call::{CallMedia, EndReason, MediaPhase, PathKind, Standing},
    },
};
use sound::{Ear, Tone};
use tokio::time::{sleep, timeout};
use world::{PATIENCE, Server, person};

const SARAS: f64 = 440.0;
const REZAS: f64 = 660.0;

struct Person {
    client: Client,
    calls: Calls,
    incoming: Incoming,
    ear: Ear,
}

impl Person {
    async fn new(url: &str, handle: &str, options: CallsOptions) -> Self {
        Self::of(person(url, handle).await, options).await
    }

    async fn of(client: Client, options: CallsOptions) -> Self {
        let (calls, incoming) = Calls::start(&client, options).await.expect("listens");
        Self { client, calls, incoming, ear: Ear::default() }
    }

    fn id(&self) -> UserId {
        self.client.me().expect("signed in").id
    }

    async fn call(&self, callee: &Self, hertz: f64) -> Call {
        self.client.open_direct(callee.id()).await.expect("opened");
        // Whoever has not answered does not ring.
        callee.client.open_direct(self.id()).await.expect("opened");
        let sound = (Tone::new(hertz), self.ear.clone());
        self.calls.call(callee.id(), sound.0, sound.1, CallOptions::default()).await.expect("it is on its way")
    }

    async fn rings(&mut self) -> Call {
        timeout(PATIENCE, self.incoming.next()).await.expect("it rings").expect("a call")
    }

    fn accept(&self, call: &Call, hertz: f64) {
        call.accept(Tone::new(hertz), self.ear.clone(), CallOptions::default());
    }
}

fn server() -> Server {
    let port = free_port();
    let relay = format!("127.0.0.1:{port}");
    Server::start_with(&["--relay", &relay, "--relay-allow", "127.0.0.0/8", "--call-loopback", "true"])
}

/// Below the ports that the system hands out, so that no socket of a test beside this one takes it meanwhile. The relay
/// listens on UDP and TCP.
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

fn active(view: &View) -> bool {
    let phase = view.state.as_ref().map(|state| &state.standing);
    matches!(phase, Some(Standing::InCall(in_call)) if in_call.phase == MediaPhase::Active)
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

async fn ends(call: &mut Call, reason: EndReason) {
    sees(call, "the end", |view| view.over.is_some()).await;
    assert_eq!(call.view().over, Some(Some(reason)));
}

/// Sara calls, Reza accepts, both hear each other and see the same emoji.
async fn connect(sara: &Person, reza: &mut Person) -> (Call, Call) {
    let mut to_reza = sara.call(reza, SARAS).await;
    let mut at_reza = reza.rings().await;
    sees(&mut to_reza, "it rings there", |view| {
        matches!(view.state.as_ref().map(|s| &s.standing), Some(Standing::Calling { ringing: true, .. }))
    })
    .await;
    assert_eq!(reza.ear.frames(), 0, "nothing is heard before the accept");
    reza.accept(&at_reza, REZAS);
    sees(&mut to_reza, "active", active).await;
    sees(&mut at_reza, "active", active).await;
    hears(&sara.ear, REZAS).await;
    hears(&reza.ear, SARAS).await;
    let shown = |view: &View| matches!(view.emoji, Emoji::Shown(_));
    sees(&mut to_reza, "emoji", shown).await;
    sees(&mut at_reza, "emoji", shown).await;
    assert_eq!(to_reza.emoji(), at_reza.emoji());
    (to_reza, at_reza)
}

async fn path(call: &Call) -> PathKind {
    let mut stats = call.stats();
    let known = stats.wait_for(|it| it.as_ref().is_some_and(|it| it.path != PathKind::Unknown));
    let measured = timeout(PATIENCE, known).await.expect("measured").expect("alive");
    measured.as_ref().map(|it| it.path).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_hear_each_other_directly_and_one_hangs_up() {
    let server = server();
    let sara = Person::new(&server.url, "sara", CallsOptions::default()).await;
    let mut reza = Person::new(&server.url, "reza", CallsOptions::default()).await;
    let (mut to_reza, mut at_reza) = connect(&sara, &mut reza).await;
    assert_eq!(path(&to_reza).await, PathKind::Direct);

    to_reza.mute(true);
    sees(
        &mut at_reza,
        "muted",
        |view| matches!(view.state.as_ref().map(|s| &s.standing), Some(Standing::InCall(it)) if it.theirs.muted),
    )
    .await;
    timeout(PATIENCE, async {
        while reza.ear.share(SARAS) > 0.0 {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("silence");
    to_reza.mute(false);
    hears(&reza.ear, SARAS).await;

    at_reza.hang_up();
    ends(&mut to_reza, EndReason::HungUp).await;
    ends(&mut at_reza, EndReason::HungUp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_hear_each_other_over_the_relay_alone() {
    let server = server();
    let options = CallsOptions { relay_only: true, ..CallsOptions::default() };
    let sara = Person::new(&server.url, "sara", options.clone()).await;
    let mut reza = Person::new(&server.url, "reza", CallsOptions::default()).await;
    let (mut to_reza, at_reza) = connect(&sara, &mut reza).await;
    assert!(at_reza.view().state.is_some_and(|state| state.relay_only && state.media == CallMedia::Voice));
    assert_eq!((path(&to_reza).await, path(&at_reza).await), (PathKind::RelayUdp, PathKind::RelayUdp));
    to_reza.hang_up();
    ends(&mut to_reza, EndReason::HungUp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn declined_busy_cancelled_and_forbidden_are_told_apart() {
    let server = server();
    let sara = Person::new(&server.url, "sara", CallsOptions::default()).await;
    let mut reza = Person::new(&server.url, "reza", CallsOptions::default()).await;
    let stranger = Person::new(&server.url, "nobody", CallsOptions::default()).await;
    let mut to_reza = sara.call(&reza, SARAS).await;
    reza.rings().await.decline();
    ends(&mut to_reza, EndReason::Declined).await;
    let mut to_reza = sara.call(&reza, SARAS).await;
    reza.rings().await.busy();
    ends(&mut to_reza, EndReason::Busy).await;
    let mut to_reza = sara.call(&reza, SARAS).await;
    let mut at_reza = reza.rings().await;
    to_reza.hang_up();
    ends(&mut to_reza, EndReason::Cancelled).await;
    ends(&mut at_reza, EndReason::Cancelled).await;
    let refused = stranger.calls.call(reza.id(), Tone::new(SARAS), Ear::default(), CallOptions::default()).await;
    let Err(chapar_client::Error::Server(error)) = refused else { panic!("a stranger may not call") };
    assert_eq!(error.code, chapar_client::protocol::ErrorCode::CallForbidden);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_device_answers_and_another_takes_over() {
    let server = server();
    let sara = Person::new(&server.url, "sara", CallsOptions::default()).await;
    let mut phone = Person::new(&server.url, "reza", CallsOptions::default()).await;
    let second = Client::builder(&server.url).sign_in("reza", "a long password").await.expect("signed in");
    second.online().await.expect("online");
    let mut desk = Person::of(second, CallsOptions::default()).await;

    let mut to_reza = sara.call(&phone, SARAS).await;
    let (mut at_phone, mut at_desk) = (phone.rings().await, desk.rings().await);
    phone.accept(&at_phone, REZAS);
    sees(&mut at_desk, "silence at the desk", |view| view.over == Some(None)).await;
    sees(&mut to_reza, "active", active).await;
    hears(&sara.ear, REZAS).await;
    let before = to_reza.emoji();

    let devices = phone.client.get_devices().await.expect("listed").devices;
    let to = devices.iter().find(|device| !device.current).expect("the desk").id;
    at_phone.transfer(to);
    let mut at_desk = desk.rings().await;
    at_desk.take_over(Tone::new(880.0), desk.ear.clone());
    sees(&mut at_desk, "active at the desk", active).await;
    sees(&mut at_phone, "silence at the phone", |view| view.over == Some(None)).await;
    hears(&sara.ear, 880.0).await;
    hears(&desk.ear, SARAS).await;
    let shown = |view: &View| matches!(view.emoji, Emoji::Shown(_));
    sees(&mut to_reza, "emoji", shown).await;
    sees(&mut at_desk, "emoji", shown).await;
    assert_eq!(to_reza.emoji(), at_desk.emoji());
    assert_ne!(to_reza.emoji(), before, "another device, another certificate");
    to_reza.hang_up();
    ends(&mut at_desk, EndReason::HungUp).await;
}
