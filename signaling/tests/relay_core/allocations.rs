//! What an ordinary client does.

use chapar_signaling::relay::{
    config::{Limits, RelayedAddress},
    core::Whose,
    counters::Counter,
    outputs::Transport,
    rate::Rate,
};
use stun_types::attribute::{AttributeStaticType, XorMappedAddress};
use turn_types::{
    AddressFamily,
    attribute::{Data, EvenPort, Lifetime, RequestedAddressFamily, ReservationToken, XorPeerAddress},
    message::{ALLOCATE, REFRESH},
};

use crate::client::{Client, Relay, Sent, channel, config, first_of, indication};
use stun_types::message::Message;

const PEER: &str = "8.8.4.4:7000";

#[test]
fn a_client_sends_and_hears_by_channel_and_by_indication() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:5000", "42");
    let relayed = client.allocate(&mut relay);
    assert_eq!(relayed.ip().to_string(), "5.5.5.5");

    assert!(relay.input(client.tuple, &indication(PEER, b"early")).is_empty(), "no permission yet");
    assert!(relay.packet(relayed, PEER.parse().unwrap(), b"early").is_empty());

    assert_eq!(client.permit(&mut relay, &["8.8.4.4"]), 0);
    let to_peer = |bytes: &[u8]| vec![Sent::Peer { from: relayed, to: PEER.parse().unwrap(), bytes: bytes.to_vec() }];
    assert_eq!(relay.input(client.tuple, &indication(PEER, b"hello")), to_peer(b"hello"));
    let sent = relay.packet(relayed, PEER.parse().unwrap(), b"salam");
    let [Sent::Client(_, bytes)] = &sent[..] else { panic!("{sent:?}") };
    let message = Message::from_bytes(bytes).unwrap();
    assert_eq!(message.attribute::<Data<'_>>().unwrap().data(), b"salam");
    let from = message.attribute::<XorPeerAddress>().unwrap().addr(message.transaction_id());
    assert_eq!(from, PEER.parse().unwrap());

    assert_eq!(client.bind(&mut relay, 0x4001, PEER), 0);
    assert_eq!(relay.input(client.tuple, &channel(0x4001, b"abc")), to_peer(b"abc"));
    let back = relay.packet(relayed, PEER.parse().unwrap(), b"abcde");
    assert_eq!(back, vec![Sent::Client(client.tuple, channel(0x4001, b"abcde"))]);
    // Another port of the same host is permitted, and has no channel.
    let sent = relay.packet(relayed, "8.8.4.4:7001".parse().unwrap(), b"x");
    let [Sent::Client(_, bytes)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(first_of::<Data<'_>>(&Message::from_bytes(bytes).unwrap()).unwrap(), b"x");
}

#[test]
fn on_a_stream_channel_data_is_padded() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:5000", "42");
    client.tuple.transport = Transport::Tcp;
    let relayed = client.allocate(&mut relay);
    assert_eq!(client.bind(&mut relay, 0x4001, PEER), 0);
    let sent = relay.packet(relayed, PEER.parse().unwrap(), b"abcde");
    let mut frame = channel(0x4001, b"abcde");
    frame.extend([0; 3]);
    assert_eq!(sent, vec![Sent::Client(client.tuple, frame.clone())]);
    let sent = relay.input(client.tuple, &frame);
    assert!(matches!(&sent[..], [Sent::Peer { bytes, .. }] if bytes == b"abcde"), "{sent:?}");
    relay.core.client_gone(client.tuple, &mut relay.out);
    relay.drive();
    assert_eq!((relay.core.allocations(), relay.open.len()), (0, 0), "the allocation goes with the stream");
}

#[test]
fn ipv6_peers_need_an_ipv6_allocation() {
    let mut relay = Relay::new();
    let mut client = Client::new("[2a01:1::1]:5000", "42");
    let reply = client.allocate_with(&mut relay, &[&RequestedAddressFamily::new(AddressFamily::IPV6)]);
    let relayed = reply.relayed();
    assert_eq!(relayed.ip().to_string(), "2a01:5::5");
    let message = reply.message();
    let mapped = message.attribute::<XorMappedAddress>().unwrap().addr(message.transaction_id());
    assert_eq!(mapped, client.tuple.client);
    assert_eq!(client.permit(&mut relay, &["8.8.4.4"]), 443);
    assert_eq!(client.bind(&mut relay, 0x4000, "[2a01:9::9]:99"), 0);
    let sent = relay.input(client.tuple, &channel(0x4000, b"six"));
    assert!(matches!(&sent[..], [Sent::Peer { to, .. }] if to.to_string() == "[2a01:9::9]:99"), "{sent:?}");
    let sent = relay.packet(relayed, "[2a01:9::9]:100".parse().unwrap(), b"sixth");
    let [Sent::Client(_, bytes)] = &sent[..] else { panic!("{sent:?}") };
    let message = Message::from_bytes(bytes).unwrap();
    let from = message.attribute::<XorPeerAddress>().unwrap().addr(message.transaction_id());
    assert_eq!(from, "[2a01:9::9]:100".parse().unwrap());
    assert_eq!(first_of::<Data<'_>>(&message).unwrap(), b"sixth");

    let mut four = config();
    four.relayed.truncate(1);
    let mut relay = Relay::with(four);
    let mut client = Client::new("1.2.3.4:1", "42");
    let six = RequestedAddressFamily::new(AddressFamily::IPV6);
    assert_eq!(client.allocate_with(&mut relay, &[&six]).code, 440);
}

#[test]
fn a_lost_reply_comes_again_word_for_word() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:5000", "42");
    client.ask(&mut relay, REFRESH, &[]);
    let request = client.sign(ALLOCATE, &[&turn_types::attribute::RequestedTransport::new(17)]);
    let first = client.send(&mut relay, &request).unwrap();
    let second = client.send(&mut relay, &request).unwrap();
    assert_eq!((first.code, &first.bytes), (0, &second.bytes));
    assert_eq!(relay.core.allocations(), 1);
    let request = client.sign(REFRESH, &[&Lifetime::new(0)]);
    let first = client.send(&mut relay, &request).unwrap();
    let second = client.send(&mut relay, &request).unwrap();
    assert_eq!((first.code, &first.bytes), (0, &second.bytes), "also when the allocation is gone");
    relay.pass(41);
    assert_eq!(client.send(&mut relay, &request).unwrap().code, 437, "but not for ever");
    assert_eq!(relay.count(Counter::Repeated), 2);
}

#[test]
fn an_allocation_lives_as_long_as_it_is_refreshed() {
    let mut relay = Relay::new();
    let mut client = Client::until("1.2.3.4:5000", "42", 1_800_000_700);
    client.allocate(&mut relay);
    for _ in 0..10 {
        relay.pass(500);
        assert_eq!(
            client.ask(&mut relay, REFRESH, &[&Lifetime::new(600)]).code,
            0,
            "long after the credential expired"
        );
    }
    assert_eq!(client.ask(&mut relay, ALLOCATE, &[]).code, 401, "which is good for nothing else");
    relay.pass(599);
    assert_eq!(relay.open.len(), 1);
    relay.pass(2);
    assert_eq!((relay.core.allocations(), relay.open.len()), (0, 0));
    assert_eq!(relay.count(Counter::Expired), 1);
    assert_eq!(relay.core.next_timer(), None);
}

#[test]
fn permissions_last_five_minutes_and_channels_ten() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:5000", "42");
    let relayed = client.allocate(&mut relay);
    assert_eq!(client.bind(&mut relay, 0x4001, PEER), 0);
    relay.pass(299);
    assert_eq!(relay.packet(relayed, PEER.parse().unwrap(), b"in").len(), 1);
    relay.pass(2);
    assert_eq!(relay.packet(relayed, PEER.parse().unwrap(), b"in").len(), 0, "the permission ran out");
    assert_eq!(relay.input(client.tuple, &channel(0x4001, b"out")).len(), 1, "the channel did not");
    assert_eq!(client.ask(&mut relay, REFRESH, &[]).code, 0);
    relay.pass(300);
    assert_eq!(relay.input(client.tuple, &channel(0x4001, b"out")).len(), 0);
    assert_eq!(client.bind(&mut relay, 0x4001, "8.8.4.4:7001"), 400, "the number rests");
    assert_eq!(client.ask(&mut relay, REFRESH, &[]).code, 0);
    relay.pass(300);
    assert_eq!(client.bind(&mut relay, 0x4001, "8.8.4.4:7001"), 0);
}

#[test]
fn a_channel_has_one_peer_and_a_peer_one_channel() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:5000", "42");
    client.allocate(&mut relay);
    assert_eq!(client.bind(&mut relay, 0x4001, PEER), 0);
    assert_eq!(client.bind(&mut relay, 0x4001, PEER), 0, "again");
    assert_eq!(client.bind(&mut relay, 0x4001, "8.8.4.4:7001"), 400);
    assert_eq!(client.bind(&mut relay, 0x4002, PEER), 400);
    assert_eq!(client.bind(&mut relay, 0x3fff, "8.8.4.4:7001"), 400);
    assert_eq!(client.bind(&mut relay, 0x8000, "8.8.4.4:7001"), 400);
}

#[test]
fn an_even_port_comes_with_its_neighbour_for_the_same_user_on_any_shard() {
    let mut relay = Relay::new();
    let mut shard = Relay::shard(config(), std::sync::Arc::clone(&relay.ledger));
    let mut first = Client::new("1.2.3.4:5000", "42");
    let reply = first.allocate_with(&mut relay, &[&EvenPort::new(true)]);
    assert!(reply.relayed().port().is_multiple_of(2));
    let token = reply.message().attribute::<ReservationToken>().unwrap();
    let mut thief = Client::new("1.2.3.4:5002", "43");
    assert_eq!(thief.allocate_with(&mut shard, &[&token]).code, 508);
    let mut second = Client::new("1.2.3.4:5001", "42");
    assert_eq!(second.allocate_with(&mut shard, &[&token]).relayed().port(), reply.relayed().port() + 1);
    let mut third = Client::new("1.2.3.4:5003", "42");
    assert_eq!(third.allocate_with(&mut shard, &[&token]).code, 508, "a token is good once");
    assert_eq!(third.allocate_with(&mut shard, &[&token, &EvenPort::new(false)]).code, 400);
}

#[test]
fn two_clients_of_one_relay_talk_through_it() {
    let mut relay = Relay::new();
    let (mut one, mut two) = (Client::new("1.2.3.4:5000", "42"), Client::new("1.2.3.5:5000", "43"));
    let (a, b) = (one.allocate(&mut relay), two.allocate(&mut relay));
    assert_eq!(one.bind(&mut relay, 0x4000, &b.to_string()), 0);
    assert!(relay.input(one.tuple, &channel(0x4000, b"hi")).is_empty(), "the other has not permitted it");
    assert_eq!(two.bind(&mut relay, 0x4abc, &a.to_string()), 0);
    let sent = relay.input(one.tuple, &channel(0x4000, b"hi"));
    assert_eq!(sent, vec![Sent::Client(two.tuple, channel(0x4abc, b"hi"))]);
    assert_eq!(relay.count(Counter::Hairpins), 2);
}

#[test]
fn a_port_that_another_program_holds_is_passed_over() {
    let mut config = config();
    config.ports = 50_000..=50_003;
    let mut relay = Relay::with(config);
    relay.busy = vec![50_000, 50_001, 50_003];
    let mut client = Client::new("1.2.3.4:5000", "42");
    assert_eq!(client.allocate(&mut relay).port(), 50_002);
    relay.busy.push(50_002);
    let mut other = Client::new("1.2.3.4:5001", "42");
    assert_eq!(other.allocate_with(&mut relay, &[]).code, 508);
    assert_eq!((relay.core.allocations(), relay.open.len()), (1, 1));
    relay.busy.clear();
    assert_eq!(other.allocate_with(&mut relay, &[]).code, 0, "nothing was kept by the failure");
}

#[test]
fn a_draining_relay_keeps_its_calls_and_takes_no_new_ones() {
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:5000", "42");
    client.allocate(&mut relay);
    relay.core.drain();
    assert_eq!(client.ask(&mut relay, REFRESH, &[]).code, 0);
    let mut other = Client::new("1.2.3.4:5001", "43");
    assert_eq!(other.allocate_with(&mut relay, &[]).code, 508);
    relay.core.revoke(&Whose::Everybody, &mut relay.out);
    relay.drive();
    assert_eq!((relay.core.allocations(), relay.open.len()), (0, 0));

    let mut config = config();
    config.alternate = Some("6.6.6.6:3478".parse().unwrap());
    let mut relay = Relay::with(config);
    relay.core.drain();
    let reply = other.allocate_with(&mut relay, &[]);
    assert_eq!(reply.code, 300);
    assert!(reply.has(stun_types::attribute::AlternateServer::TYPE));
}

#[test]
fn bandwidth_belongs_to_the_user_and_not_to_the_allocation() {
    let mut config = config();
    config.limits = Limits { bandwidth: Rate::with_burst_seconds(1_000, 1), ..Limits::default() };
    let mut relay = Relay::with(config);
    let (mut one, mut two) = (Client::new("1.2.3.4:5000", "42"), Client::new("1.2.3.4:5001", "42"));
    one.allocate(&mut relay);
    two.allocate(&mut relay);
    assert_eq!((one.bind(&mut relay, 0x4000, PEER), two.bind(&mut relay, 0x4000, PEER)), (0, 0));
    let packet = channel(0x4000, &[0; 100]);
    let sent = (0..20).filter(|n| !relay.input([&one, &two][n % 2].tuple, &packet).is_empty()).count();
    assert_eq!((sent, relay.count(Counter::Throttled)), (10, 10));
    // A new allocation does not bring a new quota.
    assert_eq!(one.ask(&mut relay, REFRESH, &[&Lifetime::new(0)]).code, 0);
    one.allocate(&mut relay);
    assert_eq!(one.bind(&mut relay, 0x4000, PEER), 0);
    assert!(relay.input(one.tuple, &packet).is_empty());
    relay.pass(1);
    assert_eq!(relay.input(one.tuple, &packet).len(), 1);
}

#[test]
fn behind_a_one_to_one_nat_two_shards_reach_each_other_inside() {
    let mut config = config();
    config.relayed = vec![RelayedAddress { bind: "10.0.0.5".parse().unwrap(), public: "5.5.5.5".parse().unwrap() }];
    let mut relay = Relay::with(config.clone());
    let mut shard = Relay::shard(config, std::sync::Arc::clone(&relay.ledger));
    let (mut one, mut two) = (Client::new("1.2.3.4:5000", "42"), Client::new("1.2.3.5:5000", "43"));
    let (a, b) = (one.allocate(&mut relay), two.allocate(&mut shard));
    assert_eq!((a.ip().to_string(), b.ip().to_string()), ("5.5.5.5".to_owned(), "5.5.5.5".to_owned()));
    assert_eq!(one.bind(&mut relay, 0x4000, &b.to_string()), 0);
    assert_eq!(two.bind(&mut shard, 0x4000, &a.to_string()), 0);
    let sent = relay.input(one.tuple, &channel(0x4000, b"hi"));
    let inside = |port| std::net::SocketAddr::new("10.0.0.5".parse().unwrap(), port);
    let bytes = b"hi".to_vec();
    assert_eq!(sent, vec![Sent::Peer { from: inside(a.port()), to: inside(b.port()), bytes }]);
    let sent = shard.packet(inside(b.port()), inside(a.port()), b"hi");
    assert_eq!(sent, vec![Sent::Client(two.tuple, channel(0x4000, b"hi"))], "it comes from the public address");
}
