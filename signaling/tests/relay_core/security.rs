//! The hostile cases, one by one.

use std::sync::Arc;

use chapar_signaling::relay::{
    config::Limits, core::Whose, counters::Counter, ledger::Revoked, outputs::Transport, rate::Rate,
};
use stun_types::{
    attribute::{AttributeStaticType, MessageIntegrity, Nonce, UnknownAttributes},
    message::{BINDING, Message, MessageWrite, MessageWriteExt, MessageWriteVec},
};
use turn_types::{
    attribute::{ChannelNumber, DontFragment, Lifetime, RequestedTransport, XorPeerAddress},
    message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH},
};

use crate::client::{
    Client, Relay, START, Sent, call_id, channel, config, indication, peer_address, raw, tuple, unsigned,
};

#[test]
fn no_form_of_an_inner_address_becomes_a_peer() {
    let mut relay = Relay::new();
    let (mut four, mut six) = (Client::new("1.2.3.4:1", "42"), Client::new("[2a01:1::1]:1", "43"));
    four.allocate(&mut relay);
    let family = turn_types::attribute::RequestedAddressFamily::new(turn_types::AddressFamily::IPV6);
    assert_eq!(six.allocate_with(&mut relay, &[&family]).code, 0);
    for peer in [
        "127.0.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::ffff:127.0.0.1",
        "::",
        "::1",
        "::127.0.0.1",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "::ffff:10.0.0.1",
    ] {
        for client in [&mut four, &mut six] {
            assert_eq!(client.permit(&mut relay, &[peer]), 403, "{peer}");
            assert_eq!(
                client.permit(&mut relay, &["8.8.8.8", peer]),
                if client.username.contains("42") { 403 } else { 443 }
            );
            let at = peer_address(peer).to_string();
            assert_eq!(client.bind(&mut relay, 0x4000, &at), 403, "{peer}");
            assert!(relay.input(client.tuple, &indication(&at, b"x")).is_empty(), "{peer}");
        }
    }
    assert_eq!(four.permit(&mut relay, &["::ffff:8.8.8.8"]), 443, "IPv4 in IPv6 clothes");
    assert_eq!(six.permit(&mut relay, &["::ffff:8.8.8.8"]), 443);
    assert!(relay.input(four.tuple, &indication("8.8.8.8:1", b"x")).is_empty(), "no half of a refused request counts");
    assert!(relay.count(Counter::ForbiddenPeers) > 80);
}

#[test]
fn the_relays_own_machine_is_reached_on_relayed_ports_only() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:1", "42");
    client.allocate(&mut relay);
    assert_eq!(client.permit(&mut relay, &["5.5.5.5"]), 0, "the other side's relayed address may be here");
    assert_eq!(relay.input(client.tuple, &indication("5.5.5.5:55000", b"x")).len(), 1);
    for port in [22, 3478, 5432, 49_999, 60_000] {
        let own = format!("5.5.5.5:{port}");
        assert!(relay.input(client.tuple, &indication(&own, b"x")).is_empty(), "{own}");
        assert_eq!(client.bind(&mut relay, 0x4000, &own), 403, "{own}");
    }
    let mut config = config();
    config.policy.deny.push("8.8.8.0/24".parse().unwrap());
    let mut relay = Relay::with(config);
    client.allocate(&mut relay);
    assert_eq!(client.permit(&mut relay, &["8.8.8.8"]), 403, "the operator's back ends");
}

#[test]
fn what_stands_after_the_integrity_does_not_count() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:1", "42");
    client.allocate(&mut relay);
    // An on-path attacker appends LIFETIME 0 to a good Refresh, and mends the header's length.
    let mut request = client.sign(REFRESH, &[]);
    request.extend([0x00, 0x0d, 0x00, 0x04, 0, 0, 0, 0]);
    let length = u16::try_from(request.len() - 20).unwrap();
    request[2..4].copy_from_slice(&length.to_be_bytes());
    let reply = client.send(&mut relay, &request).unwrap();
    assert_eq!(reply.code, 0);
    assert_eq!(reply.message().attribute::<Lifetime>().unwrap().seconds(), 600);
    assert_eq!(relay.core.allocations(), 1);
    // The same with a peer for a permission.
    let mut request = client.sign(CREATE_PERMISSION, &[]);
    let peer = XorPeerAddress::new(peer_address("8.8.8.8"), Message::from_bytes(&request).unwrap().transaction_id());
    request.extend(stun_types::prelude::AttributeWrite::to_raw(&peer).to_bytes());
    let length = u16::try_from(request.len() - 20).unwrap();
    request[2..4].copy_from_slice(&length.to_be_bytes());
    assert_eq!(client.send(&mut relay, &request).unwrap().code, 400);
}

#[test]
fn of_two_peers_in_a_channel_bind_or_an_indication_the_first_counts() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:1", "42");
    let relayed = client.allocate(&mut relay);
    let mut message = Message::builder_request(CHANNEL_BIND, MessageWriteVec::new());
    let transaction = message.transaction_id();
    message.add_attribute(&ChannelNumber::new(0x4000)).unwrap();
    message.add_attribute(&XorPeerAddress::new(peer_address("8.8.8.8:1"), transaction)).unwrap();
    message.add_attribute(&XorPeerAddress::new(peer_address("127.0.0.1:2"), transaction)).unwrap();
    let request = client.finish(message);
    assert_eq!(client.send(&mut relay, &request).unwrap().code, 0);
    let to = |sent: Vec<Sent>| match &sent[..] {
        [Sent::Peer { to, from, .. }] if *from == relayed => to.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(to(relay.input(client.tuple, &channel(0x4000, b"x"))), "8.8.8.8:1");

    let mut message = Message::builder_indication(turn_types::message::SEND, MessageWriteVec::new());
    let transaction = message.transaction_id();
    message.add_attribute(&XorPeerAddress::new(peer_address("8.8.8.8:1"), transaction)).unwrap();
    message.add_attribute(&XorPeerAddress::new(peer_address("8.8.4.4:2"), transaction)).unwrap();
    message.add_attribute(&turn_types::attribute::Data::new(b"x")).unwrap();
    assert_eq!(to(relay.input(client.tuple, &message.finish())), "8.8.8.8:1");
}

#[test]
fn every_peer_of_a_create_permission_is_installed() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:1", "42");
    client.allocate(&mut relay);
    assert_eq!(client.permit(&mut relay, &["8.8.8.8", "8.8.4.4", "9.9.9.9", "8.8.8.8"]), 0);
    for peer in ["8.8.8.8:1", "8.8.4.4:2", "9.9.9.9:3"] {
        assert_eq!(relay.input(client.tuple, &indication(peer, b"x")).len(), 1, "{peer}");
    }
}

#[test]
fn a_stranger_costs_no_memory_and_gets_no_more_than_three_times_what_it_sent() {
    let mut config = config();
    config.realm = "r".repeat(chapar_signaling::relay::config::MAX_REALM);
    let mut relay = Relay::with(config);
    let transport = RequestedTransport::new(17);
    let plain = |method, attributes: &[&dyn stun_types::prelude::AttributeWrite]| {
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        for attribute in attributes {
            message.add_attribute(*attribute).unwrap();
        }
        message.finish()
    };
    for n in 0..20_000_u32 {
        let from = tuple(&format!("{}.{}.{}.7:{}", 1 + n % 200, n / 200 % 256, n / 51_200, 1000 + n % 60_000));
        let request = match n % 5 {
            0 => plain(ALLOCATE, &[&transport]),
            1 => plain(REFRESH, &[]),
            2 => plain(BINDING, &[]),
            3 => plain(stun_types::message::Method::new(0x7ff), &[]),
            _ => plain(CREATE_PERMISSION, &[&raw(0x0001, &[0; 40]), &raw(0x7abc, b"?")]),
        };
        for sent in relay.input(from, &request) {
            let Sent::Client(to, reply) = sent else { panic!("{sent:?}") };
            assert_eq!(to, from);
            assert!(reply.len() <= 3 * request.len(), "{} for {}", reply.len(), request.len());
        }
    }
    assert!(relay.count(Counter::Challenged) >= 4_000, "a real Allocate is answered");
    assert_eq!((relay.core.allocations(), relay.ledger.accounts()), (0, 0));
    assert_eq!(relay.core.next_timer(), None, "nothing to remember");
}

#[test]
fn one_source_gets_so_many_challenges_a_second() {
    let mut config = config();
    config.limits = Limits { challenges: Rate::with_burst_seconds(10, 2), ..Limits::default() };
    let mut relay = Relay::with(config);
    let ask = |relay: &mut Relay, host: u8| {
        let client = Client::new(&format!("1.2.3.{host}:1"), "42");
        let request = unsigned(ALLOCATE, &[&RequestedTransport::new(17)]).finish();
        client.send(relay, &request).is_some()
    };
    assert_eq!((0..100).filter(|_| ask(&mut relay, 4)).count(), 20);
    assert!(ask(&mut relay, 5), "another is not hurt");
    relay.pass(1);
    assert_eq!((0..100).filter(|_| ask(&mut relay, 4)).count(), 10);
    assert_eq!(relay.count(Counter::Suppressed), 170);
}

#[test]
fn a_challenge_is_little_more_than_twice_its_request() {
    let mut config = config();
    config.realm = "chapar".to_owned();
    let mut relay = Relay::with(config);
    let client = Client::new("1.2.3.4:1", "42");
    let request = unsigned(ALLOCATE, &[&RequestedTransport::new(17)]).finish();
    let sent = relay.input(client.tuple, &request);
    let [Sent::Client(_, reply)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((request.len(), reply.len()), (28, 60));
    let answered = (0..3_000).filter(|_| client.send(&mut relay, &request).is_some()).count();
    assert!(answered <= 1_000, "{answered} of a burst from one address");
}

#[test]
fn however_often_it_is_refreshed_an_allocation_ends_with_its_age() {
    let mut config = config();
    config.limits = Limits { max_age: 7_200, ..Limits::default() };
    let mut relay = Relay::with(config);
    let mut client = Client::new("1.2.3.4:1", "42");
    client.allocate(&mut relay);
    for _ in 0..14 {
        relay.pass(500);
        assert_eq!(
            client.ask(&mut relay, REFRESH, &[&Lifetime::new(600)]).code,
            0,
            "its credential is long out of date"
        );
    }
    assert_eq!(relay.core.allocations(), 1);
    relay.pass(201);
    assert_eq!(relay.core.allocations(), 0);
    assert_eq!(client.ask(&mut relay, REFRESH, &[&Lifetime::new(600)]).code, 401, "and its credential opens no other");
    let mut fresh = Client::until("1.2.3.4:1", "42", START + 7_200 + 3_600);
    assert_eq!(fresh.allocate_with(&mut relay, &[]).code, 0, "who relays on asks anew");
}

#[test]
fn a_nonce_is_fresh_and_its_clients_own() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:1", "42");
    client.allocate(&mut relay);
    let nonce = client.nonce.clone();
    relay.pass(500);
    assert_eq!(client.ask(&mut relay, REFRESH, &[&Lifetime::new(3_600)]).code, 0);
    assert_eq!(client.nonce, nonce);
    relay.pass(3_200);
    let reply = client.send(&mut relay, &client.sign(REFRESH, &[])).unwrap();
    assert_eq!(reply.code, 438);
    assert!(reply.has(Nonce::TYPE) && !reply.has(MessageIntegrity::TYPE));

    let mut other = Client::new("1.2.3.5:1", "42");
    other.nonce = client.nonce.clone();
    assert_eq!(other.send(&mut relay, &other.sign(REFRESH, &[])).unwrap().code, 438);
    let mut neighbour = Client::new("1.2.3.4:2", "42");
    neighbour.nonce = client.nonce.clone();
    assert_eq!(neighbour.send(&mut relay, &neighbour.sign(REFRESH, &[])).unwrap().code, 438, "another port");
    other.nonce = String::new();
    assert_eq!(other.send(&mut relay, &other.sign(REFRESH, &[])).unwrap().code, 438);
}

#[test]
fn a_credential_is_good_for_nobody_else_and_no_other_time() {
    let mut relay = Relay::new();
    let good = Client::new("1.2.3.4:1", "42:call-1");
    for username in [
        format!("{}:43:call-1", START + 3_600),
        format!("{}:42:call-2", START + 3_600),
        format!("{}:42", START + 3_600),
        format!("{}:42:call-1", START + 7_200),
        String::from("42"),
    ] {
        let mut client = Client::new("1.2.3.4:1", "42:call-1");
        client.username.clone_from(&username);
        assert_eq!(client.allocate_with(&mut relay, &[]).code, 401, "{username}");
    }
    for expires in [START - 1, START, START + 90_000] {
        assert_eq!(Client::until("1.2.3.4:1", "42", expires).allocate_with(&mut relay, &[]).code, 401, "{expires}");
    }
    let mut wrong = Client::new("1.2.3.4:1", "42:call-1");
    wrong.password.push('x');
    assert_eq!(wrong.allocate_with(&mut relay, &[]).code, 401);
    let mut good = good;
    assert_eq!(good.allocate_with(&mut relay, &[]).code, 0);
}

#[test]
fn another_user_cannot_touch_an_allocation_even_from_the_same_five_tuple() {
    let mut relay = Relay::new();
    let mut owner = Client::new("1.2.3.4:1", "42");
    owner.allocate(&mut relay);
    let mut other = Client::new("1.2.3.4:1", "43");
    assert_eq!(other.ask(&mut relay, REFRESH, &[&Lifetime::new(0)]).code, 441);
    assert_eq!(other.permit(&mut relay, &["8.8.8.8"]), 441);
    assert_eq!(other.bind(&mut relay, 0x4000, "8.8.8.8:1"), 441);
    assert_eq!(other.allocate_with(&mut relay, &[]).code, 437);
    let mut forged = Client::new("1.2.3.4:1", "42");
    forged.password = "guess".to_owned();
    assert_eq!(forged.ask(&mut relay, REFRESH, &[&Lifetime::new(0)]).code, 401);
    assert_eq!(relay.core.allocations(), 1);
    let mut elsewhere = Client::new("1.2.3.4:2", "42");
    assert_eq!(elsewhere.ask(&mut relay, REFRESH, &[]).code, 437, "the owner, but another 5-tuple");
}

#[test]
fn quotas_hold_for_a_user_over_all_shards_and_for_an_address_over_all_users() {
    let mut config = config();
    config.limits = Limits { allocations_per_user: 3, allocations_per_address: 5, ..Limits::default() };
    let mut relay = Relay::with(config.clone());
    let mut shard = Relay::shard(config, Arc::clone(&relay.ledger));
    let codes: Vec<u16> = (1..=5)
        .map(|n| Client::new(&format!("1.2.3.{n}:1"), "42").allocate_with([&mut relay, &mut shard][n % 2], &[]).code)
        .collect();
    assert_eq!(codes, [0, 0, 0, 486, 486]);
    let codes: Vec<u16> = (1..=7)
        .map(|n| Client::new(&format!("[2a01:1:1:1::{n}]:1"), &n.to_string()).allocate_with(&mut relay, &[]).code)
        .collect();
    assert_eq!(codes, [0, 0, 0, 0, 0, 486, 486], "a /64 is one subscriber");
    assert_eq!(relay.count(Counter::OverQuota) + shard.count(Counter::OverQuota), 4);
    // What ends makes room: after ten minutes nobody has refreshed.
    relay.pass(601);
    shard.pass(601);
    assert_eq!(Client::new("1.2.3.9:1", "42").allocate_with(&mut relay, &[]).code, 0);
    assert_eq!(relay.core.allocations() + shard.core.allocations(), 1);
    assert!(relay.ledger.accounts() <= 2, "idle accounts are forgotten");
}

#[test]
fn the_tables_of_one_allocation_are_bounded() {
    let mut config = config();
    config.limits = Limits { permissions: 10, channels: 5, ..Limits::default() };
    let mut relay = Relay::with(config);
    let mut client = Client::new("1.2.3.4:1", "42");
    client.allocate(&mut relay);
    let codes: Vec<u16> = (0..7).map(|n| client.bind(&mut relay, 0x4000 + n, &format!("8.8.8.{n}:1"))).collect();
    assert_eq!(codes, [0, 0, 0, 0, 0, 508, 508]);
    assert_eq!(client.permit(&mut relay, &["9.9.9.1", "9.9.9.2", "9.9.9.3", "9.9.9.4", "9.9.9.5", "9.9.9.6"]), 508);
    assert!(relay.input(client.tuple, &indication("9.9.9.1:1", b"x")).is_empty(), "all or none");
    assert_eq!(client.permit(&mut relay, &["9.9.9.1", "9.9.9.2", "9.9.9.3", "9.9.9.4", "9.9.9.5"]), 0);
    assert_eq!(client.permit(&mut relay, &["9.9.9.6"]), 508);
    relay.pass(301);
    assert_eq!(client.permit(&mut relay, &["9.9.9.6"]), 0, "what has expired makes room");
}

#[test]
fn the_cache_of_replies_is_bounded() {
    let mut config = config();
    config.limits = Limits { replies: 100, ..Limits::default() };
    let mut relay = Relay::with(config);
    let mut client = Client::new("1.2.3.4:1", "42");
    client.allocate(&mut relay);
    let first = client.sign(REFRESH, &[&Lifetime::new(0)]);
    assert_eq!(client.send(&mut relay, &first).unwrap().code, 0);
    assert_eq!(client.send(&mut relay, &first).unwrap().code, 0);
    for _ in 0..100 {
        assert_eq!(client.ask(&mut relay, REFRESH, &[]).code, 437);
    }
    assert_eq!(client.send(&mut relay, &first).unwrap().code, 437, "pushed out by a hundred others");
}

#[test]
fn a_reply_is_repeated_for_the_same_request_only() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:1", "42");
    client.allocate(&mut relay);
    let request = client.sign(REFRESH, &[]);
    client.send(&mut relay, &request).unwrap();
    // The same transaction id with other contents and no proof gets no signed reply.
    let mut forged = request.clone();
    forged[request.len() - 1] ^= 1;
    let reply = client.send(&mut relay, &forged).unwrap();
    assert_eq!(reply.code, 401);
    assert!(!reply.has(MessageIntegrity::TYPE));
    // Nor does the same request from another address.
    assert_eq!(Client::new("1.2.3.9:1", "42").send(&mut relay, &request).unwrap().code, 438);
}

#[test]
fn a_revoked_user_or_call_loses_its_allocations_and_gets_none() {
    let mut relay = Relay::new();
    let mut banned = Client::new("1.2.3.4:1", "42:c1");
    let (mut friend, mut stream) = (Client::new("1.2.3.5:1", "43:c1"), Client::new("1.2.3.6:1", "42:c2"));
    stream.tuple.transport = Transport::Tls;
    for client in [&mut banned, &mut friend, &mut stream] {
        client.allocate(&mut relay);
    }
    let user = Revoked::User("42".to_owned());
    relay.ledger.revoke(&user, START + 100, relay.now);
    relay.core.revoke(&Whose::Of(Arc::new([user].into_iter().collect())), &mut relay.out);
    assert_eq!(relay.drive(), vec![Sent::Hangup(stream.tuple)]);
    assert_eq!((relay.core.allocations(), relay.open.len()), (1, 1));
    assert_eq!(banned.allocate_with(&mut relay, &[]).code, 403);
    let call = Revoked::Call(call_id("c1").0.as_simple().to_string());
    relay.ledger.revoke(&call, START + 100, relay.now);
    relay.core.revoke(&Whose::Of(Arc::new([call].into_iter().collect())), &mut relay.out);
    relay.drive();
    assert_eq!(relay.core.allocations(), 0);
    assert_eq!(friend.allocate_with(&mut relay, &[]).code, 403);
    relay.pass(101);
    assert_eq!(banned.allocate_with(&mut relay, &[]).code, 0, "until the time that was said");
}

#[test]
fn what_is_not_understood_is_refused_and_not_guessed_at() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:1", "42");
    let reply =
        client.allocate_with(&mut relay, &[&DontFragment::new(), &raw(0x7abc, b"?"), &raw(0xfabc, b"optional")]);
    assert_eq!(reply.code, 420);
    let unknown = reply.message().attribute::<UnknownAttributes>().unwrap();
    assert!(unknown.has_attribute(DontFragment::TYPE) && unknown.has_attribute(0x7abc.into()));
    assert!(!unknown.has_attribute(0xfabc.into()));
    assert_eq!(client.ask(&mut relay, ALLOCATE, &[]).code, 400, "without a transport");
    assert_eq!(client.ask(&mut relay, ALLOCATE, &[&RequestedTransport::new(6)]).code, 442);
    assert_eq!(client.allocate_with(&mut relay, &[&raw(0x0017, &[9, 0, 0, 0])]).code, 440, "no such family");
    assert_eq!(client.allocate_with(&mut relay, &[&raw(0x000d, &[1])]).code, 400, "a crooked LIFETIME");
    client.allocate(&mut relay);
    assert_eq!(client.ask(&mut relay, CREATE_PERMISSION, &[]).code, 400);
    assert_eq!(
        client.ask(&mut relay, CREATE_PERMISSION, &[&raw(XorPeerAddress::TYPE.value(), &[0, 3, 0, 0])]).code,
        400
    );
    assert_eq!(client.ask(&mut relay, CHANNEL_BIND, &[&ChannelNumber::new(0x4000)]).code, 400);
    let mut responses = client.sign(REFRESH, &[]);
    responses[0] |= 0x01;
    assert!(client.send(&mut relay, &responses).is_none(), "a response to nothing");
}
