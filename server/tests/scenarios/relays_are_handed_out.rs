//! A node without settings relays: two people get credentials for a call, and hear each other through the relay.

use std::time::{Duration, Instant};

use chapar_protocol::{
    ErrorCode,
    call::{CallAsk, CallId, CallMedia, RelayRoundTrip},
    command::{AskCall, CallInvite, CallRelays, CallServers, GetRelays},
};
use tokio::{net::TcpStream, time::sleep};
use uuid::Uuid;

use crate::support::{
    Device, http,
    turn::{Turn, place},
    within,
    world::{Plan, World},
};

fn call() -> CallId {
    CallId(Uuid::new_v4())
}

/// A call that rings, of which the caller's and the callee's devices may have credentials.
async fn ring(from: &Device, to: &Device) -> CallId {
    let call_id = call();
    from.must(invite(call_id, to)).await;
    call_id
}

fn invite(call_id: CallId, to: &Device) -> CallInvite {
    CallInvite { call_id, user_id: to.id(), media: CallMedia::Voice, relay_only: false, offer: None }
}

/// Two people who may call each other, connected to a node.
async fn pair(world: &World, node: usize) -> [Device; 2] {
    let [one, other] = world.people().await;
    world.direct(&one, &other).await;
    one.connect(world.at(node)).await;
    other.connect(world.at(node)).await;
    [one, other]
}

async fn servers(device: &Device, call_id: CallId) -> CallServers {
    device.must(CallRelays { call_id, round_trips: Vec::new() }).await
}

#[tokio::test]
async fn two_people_hear_each_other_through_the_relay_of_the_node() {
    let world = Plan::single().start().await;
    let [one, other] = pair(&world, 0).await;
    let relays = one.must(GetRelays {}).await.relays;
    assert_eq!(relays.len(), 1, "{relays:?}");
    assert!(relays[0].stun[0].starts_with("stun:127.0.0.1:"), "{relays:?}");

    let call_id = ring(&one, &other).await;
    let (mine, theirs) = (servers(&one, call_id).await, servers(&other, call_id).await);
    let (mine, theirs) = (&mine.servers[0], &theirs.servers[0]);
    assert_eq!(mine.name, relays[0].name);
    assert_ne!(mine.username, theirs.username, "bound to the person");
    assert!(mine.username.contains(&call_id.0.as_simple().to_string()), "and to the call");

    let mut by_udp = Turn::by_udp(mine).await;
    let stream = TcpStream::connect(place(theirs, "turn:", "tcp")).await.expect("connected");
    let mut by_tcp = Turn::over(stream, theirs);
    let (first, second) = (by_udp.allocate().await.expect("allocated"), by_tcp.allocate().await.expect("allocated"));
    by_udp.permit(second).await.expect("permitted");
    by_tcp.permit(first).await.expect("permitted");
    by_udp.send(second, "سلام".as_bytes()).await;
    assert_eq!(by_tcp.receive().await, (first, "سلام".as_bytes().to_vec()));
    by_tcp.send(first, b"hello").await;
    assert_eq!(by_udp.receive().await, (second, b"hello".to_vec()));
}

#[tokio::test]
async fn credentials_of_another_person_or_secret_open_nothing() {
    let world = Plan::single().start().await;
    let [one, other] = pair(&world, 0).await;
    let good = servers(&one, ring(&one, &other).await).await.servers[0].clone();
    for username in [
        good.username.replacen(&format!(":{}:", one.id().0), &format!(":{}:", one.id().0 + 1), 1),
        good.username.replacen(|c: char| c.is_ascii_hexdigit(), "9", 1),
        good.username.rsplit_once(':').expect("has parts").0.to_owned(),
    ] {
        assert_ne!(username, good.username);
        let mut forged = good.clone();
        forged.username = username;
        assert_eq!(Turn::by_udp(&forged).await.allocate().await, Err(401), "{}", forged.username);
    }
    let mut turn = Turn::by_udp(&good).await;
    turn.allocate().await.expect("the true ones do");
    // Nothing else on this machine can be reached through it.
    let node = world.at(0);
    assert_eq!(turn.permit("127.0.0.2:80".parse().expect("an address")).await, Err(403));
    assert_eq!(turn.permit("10.0.0.1:80".parse().expect("an address")).await, Err(403));
    assert_eq!(turn.permit(std::net::SocketAddr::from(([192, 168, 1, 1], node.port()))).await, Err(403));
}

#[tokio::test]
async fn relays_elsewhere_stand_beside_the_own_one_and_the_nearest_comes_first() {
    let far = "qom@Qom=turn:192.0.2.7:3478?transport=udp turns:turn.example.org:443?transport=tcp";
    let world =
        Plan::single().flags(&["--relays", far, "--relay-name", "here", "--relay-region", "Tehran"]).start().await;
    let [one, other] = pair(&world, 0).await;
    let relays = one.must(GetRelays {}).await.relays;
    let names: Vec<(&str, &str)> = relays.iter().map(|it| (it.name.as_str(), it.region.as_str())).collect();
    assert_eq!(names, [("here", "Tehran"), ("qom", "Qom")]);
    assert_eq!(relays[1].stun, ["stun:192.0.2.7:3478"]);
    let ms = |here: u32, qom: u32| {
        vec![RelayRoundTrip { relay: "here".into(), ms: here }, RelayRoundTrip { relay: "qom".into(), ms: qom }]
    };
    let call_id = ring(&one, &other).await;
    for (round_trips, first) in [(ms(80, 20), "qom"), (ms(20, 80), "here")] {
        let told = one.must(CallRelays { call_id, round_trips }).await;
        assert_eq!(told.servers[0].name, first);
        assert_eq!(told.servers.len(), 2);
    }
    let many = vec![RelayRoundTrip { relay: "x".into(), ms: 1 }; 65];
    let refused = one.refused(CallRelays { call_id, round_trips: many }).await;
    assert_eq!(refused.code, ErrorCode::TooLarge);
}

#[tokio::test]
async fn a_node_without_a_relay_says_so_with_an_empty_list() {
    let world = Plan::single().flags(&["--relay", "off"]).start().await;
    let [one, other] = pair(&world, 0).await;
    assert!(one.must(GetRelays {}).await.relays.is_empty());
    assert!(servers(&one, ring(&one, &other).await).await.servers.is_empty());
}

#[tokio::test]
async fn who_asks_for_credentials_all_the_time_is_told_to_wait() {
    let world = Plan::single().start().await;
    let [one, other] = pair(&world, 0).await;
    let call_id = ring(&one, &other).await;
    let mut refused = None;
    for _ in 0..60 {
        if let Err(failure) = one.call(&CallRelays { call_id, round_trips: Vec::new() }).await {
            refused = Some(failure);
            break;
        }
    }
    let refused = format!("{:?}", refused.expect("a limit"));
    assert!(refused.contains("RateLimited"), "{refused}");
}

#[tokio::test]
async fn the_relay_of_a_node_that_died_is_named_no_longer_within_ten_seconds() {
    let mut world = Plan::pair().start().await;
    let [one, other] = pair(&world, 1).await;
    let call_id = ring(&one, &other).await;
    let both = within("both relays", async {
        loop {
            let relays = one.must(GetRelays {}).await.relays;
            if relays.len() == 2 {
                return relays;
            }
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let near: Vec<RelayRoundTrip> = both.iter().map(|it| RelayRoundTrip { relay: it.name.clone(), ms: 10 }).collect();
    let told = one.must(CallRelays { call_id, round_trips: near.clone() }).await.servers;
    assert_eq!(told.len(), 2);
    // Nobody set a secret: the credentials of one node open the relays of both.
    for server in &told {
        Turn::by_udp(server).await.allocate().await.unwrap_or_else(|code| panic!("{code} at {}", server.name));
    }
    world.nodes[0].kill();
    let died = Instant::now();
    let left = within("one relay", async {
        loop {
            let left = one.must(CallRelays { call_id, round_trips: near.clone() }).await.servers;
            if left.len() == 1 {
                return left;
            }
            // As often as a client may ask.
            sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    assert!(died.elapsed() < Duration::from_secs(10), "{:?}", died.elapsed());
    Turn::by_udp(&left[0]).await.allocate().await.expect("the living one is left");
}

#[tokio::test]
async fn what_was_handed_out_for_a_call_ends_with_it() {
    let world = Plan::pair().start().await;
    let [one, other] = pair(&world, 0).await;
    let [third, fourth] = pair(&world, 0).await;
    let (ending, going_on) = (ring(&one, &other).await, ring(&third, &fourth).await);
    let both = within("both relays", async {
        loop {
            let told = servers(&one, ending).await.servers;
            if told.len() == 2 {
                return told;
            }
            sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    let mut in_it = Vec::new();
    for server in &both {
        let mut turn = Turn::by_udp(server).await;
        turn.allocate().await.expect("allocated");
        in_it.push(turn);
    }
    let mut elsewhere = Turn::by_udp(&servers(&third, going_on).await.servers[0]).await;
    elsewhere.allocate().await.expect("allocated");
    one.must(AskCall { call_id: ending, ask: CallAsk::HangUp }).await;
    // At the relay of the node that ended it, and at that of the other node.
    for mut turn in in_it {
        within("the end of the allocation", async {
            while turn.refresh().await.is_ok() {
                sleep(Duration::from_millis(200)).await;
            }
        })
        .await;
        assert_eq!(turn.allocate().await, Err(403), "the credentials open nothing any more");
    }
    elsewhere.refresh().await.expect("another call goes on");
    let refused = one.refused(CallRelays { call_id: ending, round_trips: Vec::new() }).await;
    assert_eq!(refused.code, ErrorCode::CallEnded, "and there are no more");
}

#[tokio::test]
async fn without_a_call_of_ones_own_there_are_no_credentials() {
    let world = Plan::single().start().await;
    let [one, other] = pair(&world, 0).await;
    let [stranger, _] = pair(&world, 0).await;
    let ask = |call_id| CallRelays { call_id, round_trips: Vec::new() };
    assert_eq!(one.refused(ask(call())).await.code, ErrorCode::CallNotFound, "no such call");
    let ringing = ring(&one, &other).await;
    assert_eq!(stranger.refused(ask(ringing)).await.code, ErrorCode::CallNotFound, "another's");
    for device in [&one, &other] {
        assert_eq!(servers(device, ringing).await.servers.len(), 1, "while it rings");
    }
    one.must(AskCall { call_id: ringing, ask: CallAsk::HangUp }).await;
    assert_eq!(one.refused(ask(ringing)).await.code, ErrorCode::CallEnded);
    // Right behind the invite, without waiting for its answer, as clients do.
    for _ in 0..20 {
        let call_id = call();
        let (invite, relays) = (invite(call_id, &other), ask(call_id));
        let (invited, given) = tokio::join!(one.call(&invite), one.call(&relays));
        invited.expect("it rings");
        given.expect("the call is found");
        one.must(AskCall { call_id, ask: CallAsk::HangUp }).await;
        // As often as a client may ask.
        sleep(Duration::from_millis(500)).await;
    }
    // To measure takes none.
    assert_eq!(stranger.must(GetRelays {}).await.relays.len(), 1);
}

#[tokio::test]
async fn the_nodes_metrics_tell_of_its_relay() {
    let world = Plan::single().flags(&["--relay-name", "qom-1", "--relay-region", "Qom"]).start().await;
    let [one, other] = pair(&world, 0).await;
    Turn::by_udp(&servers(&one, ring(&one, &other).await).await.servers[0]).await.allocate().await.expect("allocated");
    let told = http::get(world.at(0), "/metrics").await.body;
    for line in [
        r#"chapar_relay_allocations_total{relay="qom-1",region="Qom"} 1"#,
        r#"chapar_relay_live_allocations{relay="qom-1",region="Qom"} 1"#,
        "chapar_connections 2",
    ] {
        assert!(told.lines().any(|it| it == line), "{line} in {told}");
    }
    assert!(told.ends_with("\n# EOF\n") && told.matches("# EOF").count() == 1, "{told}");
}
