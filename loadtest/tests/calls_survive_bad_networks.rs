//! Calls between two clients of the SDK where the network loses, changes and breaks; and over coturn in the place of our relay.
//!
//! `turnserver` comes with Debian's package `coturn`. Where it is missing, the test that needs it says so and passes; with
//! `CHAPAR_REQUIRE_COTURN` set it fails.
#![cfg(feature = "calls")]

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/relays.rs"]
mod relays;
#[expect(dead_code, reason = "each test uses a part")]
#[path = "../../client-sdk/tests/support/world.rs"]
mod world;

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use chapar_client::{calls::Emoji, protocol::call::PathKind};
use chapar_loadtest::{
    impair::Link,
    media::{
        CallSetup, CallSwitch, CallsCommon, Way,
        person::{Pair, Setting},
        setup, switch,
    },
};
use relays::{Relay, SECRET, common, free_address, relay, relay_of, server};
use tokio::time::{sleep, timeout};
use world::{PATIENCE, Server};

fn with_relay() -> (Server, SocketAddr) {
    let relay = free_address();
    (server(&["--relay", &relay.to_string(), "--relay-allow", "127.0.0.0/8"]), relay)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_connect_where_every_tenth_packet_is_lost_on_each_leg() {
    let (server, relay) = with_relay();
    let common = CallsCommon { loss: 0.1, delay: 20, jitter: 10, ..common(&server, relay) };
    let figures = setup::run(&CallSetup { common, way: Way::Relay, calls: 3 }).await.expect("it runs");
    assert!(figures.passed, "{}", figures.figures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_network_in_mid_call_is_healed() {
    let (server, relay) = with_relay();
    // One change on each side.
    let args = CallSwitch { common: common(&server, relay), calls: 2 };
    let figures = switch::run(&args).await.expect("it runs");
    assert!(figures.passed, "{}", figures.figures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_moves_when_its_relay_is_killed() {
    let (first, second) = (free_address(), free_address());
    let mut relays = [Some(relay(first, 41_000)), Some(relay(second, 42_000))];
    let others = format!("first@Here=turn:{first},second@Here=turn:{second}");
    let server = server(&["--relay", "off", "--relays", &others, "--relay-secret", SECRET]);
    let setting = Setting { relay_only: true, ..Setting::default() };
    let mut pair = Pair::new(&common(&server, first), setting, 1).await.expect("two people");
    let (connected, _) = setup::connect(&mut pair).await.expect("connected");
    let (_, used) = relay_of(&connected.to_callee).await;
    let used = used.expect("a relay");
    let before = connected.to_callee.emoji();
    assert!(matches!(before, Emoji::Shown(_)));
    drop(relays[usize::from(used == "second")].take());
    let killed = std::time::Instant::now();
    let back = async {
        while !connected.ears.iter().all(|ear| ear.was_silent(killed) && ear.back_since(killed).is_some()) {
            assert!(connected.to_callee.view().over.is_none(), "the call ended: {:?}", connected.to_callee.view());
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, back).await.expect("they hear each other over the other relay");
    let mut stats = connected.to_callee.stats();
    let moved = stats.wait_for(|it| it.as_ref().is_some_and(|it| it.relay.as_ref().is_some_and(|now| *now != used)));
    timeout(PATIENCE, moved).await.expect("it is the other relay").expect("alive");
    assert_eq!(connected.to_callee.emoji(), before, "the same connection, by another way");
    setup::end(connected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coturn_can_stand_in_for_our_relay() {
    let program =
        ["/usr/bin/turnserver", "/usr/local/bin/turnserver"].into_iter().find(|it| std::path::Path::new(it).exists());
    let Some(program) = program else {
        assert!(std::env::var_os("CHAPAR_REQUIRE_COTURN").is_none(), "turnserver of coturn is not installed");
        eprintln!("SKIPPED: turnserver is not installed (Debian: coturn)");
        return;
    };
    let address = free_address();
    let directory = tempfile::tempdir().expect("a directory");
    let port = address.port().to_string();
    let mut coturn = Command::new(program);
    coturn
        .args(["-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--realm=chapar", "--use-auth-secret"])
        .args(["--allow-loopback-peers", "--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout", "--lt-cred-mech"])
        .arg(format!("--listening-port={port}"))
        .arg(format!("--static-auth-secret={SECRET}"))
        .args(["--min-port=43000", "--max-port=43200"])
        .arg(format!("--pidfile={}", directory.path().join("pid").display()))
        .arg(format!("--userdb={}", directory.path().join("db").display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let coturn = Relay { process: coturn.spawn().expect("turnserver starts"), _directory: directory };
    for (transport, path) in [("udp", PathKind::RelayUdp), ("tcp", PathKind::RelayTcp)] {
        let others = format!("coturn@Here=turn:{address}?transport={transport}");
        let server = server(&["--relay", "off", "--relays", &others, "--relay-secret", SECRET]);
        let setting = Setting { relay_only: true, ..Setting::default() };
        let mut pair = Pair::new(&common(&server, address), setting, 1).await.expect("two people");
        let (connected, _) = setup::connect(&mut pair).await.expect("connected");
        assert_eq!(relay_of(&connected.to_callee).await, (path, Some("coturn".to_owned())));
        setup::end(connected).await;
    }
    drop(coturn);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_arrives_through_loss_and_jitter() {
    let (server, relay) = with_relay();
    let setting = Setting { relay_only: true, legs: Some(Link::new(0.1, 50, 40)), ..Setting::default() };
    let mut pair = Pair::new(&common(&server, relay), setting, 3).await.expect("two people");
    let (connected, _) = setup::connect(&mut pair).await.expect("connected");
    sleep(Duration::from_secs(12)).await;
    let heard = connected.at_callee.stats().borrow().clone().expect("measured");
    let played = heard.played;
    // Two legs lose 19 % together; most of it is repaired by copies and FEC.
    let all = played.played + played.fec + played.concealed;
    assert!(played.copies > all / 20, "few copies were needed: {played:?}");
    assert!(played.concealed < all / 8, "too much is missing: {played:?}");
    setup::end(connected).await;
}
