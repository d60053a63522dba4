//! Two people, each behind a NAT: where it maps kindly, sound goes from NAT to NAT without a relay. The NATs live in user
//! space on addresses of 127.0.0.0/8, so this needs no root; where only 127.0.0.1 is loopback (macOS) it says so and passes.
#![cfg(feature = "calls")]

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/relays.rs"]
mod relays;
#[expect(dead_code, reason = "each test uses a part")]
#[path = "../../client-sdk/tests/support/world.rs"]
mod world;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

use chapar_client::{
    calls::{Call, CallOptions},
    protocol::call::{CandidateType, PathKind},
};
use chapar_loadtest::{
    media::{
        person::{Ear, Pair, Setting, Tone},
        setup::{self, Connected},
    },
    nat::{Mapping, Nat, Seen},
};
use relays::{Relay, SECRET, common, relay, server};
use tokio::time::{sleep, timeout};
use world::{PATIENCE, Server};

struct World {
    relay: Relay,
    at: SocketAddr,
    _server: Server,
    pair: Pair,
}

/// `None` where there is no NAT to be had.
async fn world(mapping: Mapping, relay_only: bool, first_port: u16) -> Option<World> {
    if let Err(error) = Nat::start(mapping) {
        eprintln!("SKIPPED: only 127.0.0.1 is loopback here, and a NAT needs an address beside it: {error}");
        return None;
    }
    // The relay is in public, not in anybody's private network.
    let socket = std::net::UdpSocket::bind("127.0.0.2:0").expect("bound");
    let at = socket.local_addr().expect("bound");
    drop(socket);
    let relay = relay(at, first_port);
    let server = server(&["--relay", "off", "--relays", &format!("far@Here=turn:{at}"), "--relay-secret", SECRET]);
    let setting = Setting { relay_only, nat: Some(mapping), ..Setting::default() };
    let pair = Pair::new(&common(&server, at), setting, 1).await.expect("two people");
    Some(World { relay, at, _server: server, pair })
}

impl World {
    fn seen(&self) -> [Seen; 2] {
        [&self.pair.caller, &self.pair.callee].map(|person| person.nat.as_ref().expect("a NAT").seen())
    }

    fn public(&self) -> [std::net::IpAddr; 2] {
        [&self.pair.caller, &self.pair.callee].map(|person| person.nat.as_ref().expect("a NAT").public)
    }
}

/// How media travels, once it does so over a path as asked for.
async fn travels(call: &Call, path: PathKind) -> (CandidateType, CandidateType) {
    let mut stats = call.stats();
    let known = stats.wait_for(|it| it.as_ref().is_some_and(|it| it.path == path));
    let measured = timeout(PATIENCE, known).await.expect("over such a path").expect("alive");
    measured.as_ref().map(|it| (it.local, it.remote)).unwrap_or_default()
}

/// Both hear for so long from now on, without a silence.
async fn both_hear_on(connected: &Connected, long: Duration) {
    let since = Instant::now();
    let both = async {
        while !connected.ears.iter().all(|ear| ear.back_since(since).is_some()) || since.elapsed() < long {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, both).await.expect("both hear");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn talk_from_nat_to_nat_without_the_relay() {
    let Some(mut world) = world(Mapping::EndpointIndependent, false, 44_000).await else { return };
    let (connected, _) = setup::connect(&mut world.pair).await.expect("connected");
    for call in [&connected.to_callee, &connected.at_callee] {
        assert_eq!(travels(call, PathKind::Direct).await, (CandidateType::Srflx, CandidateType::Srflx));
    }
    let ([her_nat, his_nat], [hers, his]) = (world.public(), world.seen());
    assert!(hers.destinations.iter().any(|to| to.ip() == his_nat), "{hers:?}");
    assert!(his.destinations.iter().any(|to| to.ip() == her_nat), "{his:?}");
    // The proof: the relay is gone, and they talk on.
    world.relay.process.kill().expect("killed");
    world.relay.process.wait().expect("ended");
    both_hear_on(&connected, Duration::from_secs(4)).await;
    for call in [&connected.to_callee, &connected.at_callee] {
        assert_eq!(travels(call, PathKind::Direct).await, (CandidateType::Srflx, CandidateType::Srflx));
    }
    setup::end(connected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn talk_over_the_relay_where_a_nat_shows_everybody_another_port() {
    let Some(mut world) = world(Mapping::AddressAndPortDependent, false, 44_300).await else { return };
    let (connected, _) = setup::connect(&mut world.pair).await.expect("connected");
    for call in [&connected.to_callee, &connected.at_callee] {
        travels(call, PathKind::RelayUdp).await;
    }
    both_hear_on(&connected, Duration::from_secs(2)).await;
    setup::end(connected).await;
}

/// The relay and the ports at which it relays.
fn only_to_the_relay(seen: &Seen, relay: SocketAddr) {
    let ips: BTreeSet<_> = seen.destinations.iter().map(SocketAddr::ip).collect();
    assert_eq!(ips, BTreeSet::from([relay.ip()]), "{seen:?}");
    assert_eq!(seen.destinations, BTreeSet::from([relay]), "not even to the other side's ports at the relay");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_the_relay_hears_of_them_in_a_relay_only_call() {
    let Some(mut world) = world(Mapping::EndpointIndependent, true, 44_600).await else { return };
    let (connected, _) = setup::connect(&mut world.pair).await.expect("connected");
    for call in [&connected.to_callee, &connected.at_callee] {
        let types = travels(call, PathKind::RelayUdp).await;
        assert_eq!(types, (CandidateType::Relay, CandidateType::Relay));
    }
    both_hear_on(&connected, Duration::from_secs(2)).await;
    for seen in world.seen() {
        only_to_the_relay(&seen, world.at);
        assert_eq!((seen.bindings, seen.dropped), (0, 0), "nobody asks for an address that must not be told: {seen:?}");
    }
    setup::end(connected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_callee_alone_can_ask_for_that_with_the_accept() {
    let Some(mut world) = world(Mapping::EndpointIndependent, false, 44_900).await else { return };
    let (ears, callee) = ([Ear::default(), Ear::default()], world.pair.callee.id().expect("known"));
    let sound = (Tone::new(440.0), ears[0].clone());
    let calling = world.pair.caller.calls.call(callee, sound.0, sound.1, CallOptions::default());
    let to_callee = calling.await.expect("it is on its way");
    let at_callee = timeout(PATIENCE, world.pair.callee.incoming.next()).await.expect("it rings").expect("a call");
    // Until now the callee's client had no reason not to look: it has sockets of its own, and knows its NAT.
    let asked = async {
        while world.seen().iter().any(|seen| seen.bindings == 0) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asked).await.expect("both have asked how they are seen");
    at_callee.accept(Tone::new(660.0), ears[1].clone(), CallOptions { relay_only: true });
    let connected = Connected { to_callee, at_callee, ears };
    for call in [&connected.to_callee, &connected.at_callee] {
        let types = travels(call, PathKind::RelayUdp).await;
        assert_eq!(types, (CandidateType::Relay, CandidateType::Relay));
    }
    both_hear_on(&connected, Duration::from_secs(2)).await;
    for seen in world.seen() {
        only_to_the_relay(&seen, world.at);
    }
    setup::end(connected).await;
}
