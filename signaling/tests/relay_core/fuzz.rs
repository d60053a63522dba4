//! Random and mutated input: no panic, no memory, no reply to strangers beyond the bound. `CHAPAR_SEED` replays a run.

use chapar_signaling::relay::{
    frame,
    outputs::{FiveTuple, Output, Transport},
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use stun_types::message::{BINDING, MessageWrite};
use turn_types::{
    attribute::{EvenPort, Lifetime, RequestedTransport, XorPeerAddress},
    message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH},
};

use crate::client::{Client, Relay, channel, indication, peer_address, raw, tuple, unsigned};

fn rng() -> StdRng {
    let seed = std::env::var("CHAPAR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("CHAPAR_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

fn seeds(client: &Client) -> Vec<Vec<u8>> {
    let peer = XorPeerAddress::new(peer_address("8.8.8.8"), 0.into());
    vec![
        unsigned(BINDING, &[]).finish(),
        unsigned(ALLOCATE, &[&RequestedTransport::new(17)]).finish(),
        client.sign(ALLOCATE, &[&RequestedTransport::new(17), &EvenPort::new(true)]),
        client.sign(REFRESH, &[&Lifetime::new(0)]),
        client.sign(CREATE_PERMISSION, &[&peer, &peer]),
        client.sign(CHANNEL_BIND, &[&peer, &raw(0x000c, &[0x40, 1, 0, 0])]),
        indication("8.8.8.8:1", b"some data"),
        indication("[2a01::1]:1", b"some data"),
        channel(0x4001, b"some data"),
    ]
}

fn mutate(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.random()),
            2 => bytes.extend(std::iter::repeat_n(rng.random::<u8>(), rng.random_range(0..64))),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = if rng.random() { rng.random() } else { *byte ^ (1 << rng.random_range(0..8)) };
                }
            }
        }
    }
    // Half of them with a header that fits, so that the attributes are reached.
    if rng.random() && bytes.len() >= 20 && bytes[0] < 0x40 {
        bytes.resize(20 + (bytes.len() - 20) / 4 * 4, 0);
        let length = u16::try_from(bytes.len() - 20).unwrap_or_default();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    }
}

#[test]
fn no_input_makes_the_relay_fall_or_grow() {
    let mut rng = rng();
    let mut relay = Relay::new();
    let mut client = Client::new("1.2.3.4:1", "42");
    let relayed = client.allocate(&mut relay);
    client.bind(&mut relay, 0x4001, "8.8.8.8:1");
    let seeds = seeds(&client);
    for round in 0..40_000 {
        let known = rng.random_bool(0.5);
        let from = FiveTuple {
            transport: [Transport::Udp, Transport::Tcp, Transport::Tls][rng.random_range(0..3)],
            ..if known { client.tuple } else { tuple(&format!("9.9.{}.{}:1", rng.random::<u8>(), rng.random::<u8>())) }
        };
        let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
        if rng.random_bool(0.1) {
            bytes = vec![0; rng.random_range(0..100)];
            rng.fill_bytes(&mut bytes);
        }
        mutate(&mut rng, &mut bytes);
        relay.core.input(from, &bytes, relay.now, &mut relay.out);
        assert!(relay.out.list.len() <= 2, "round {round}: {:?}", relay.out.list);
        for output in &relay.out.list {
            if let Output::ToClient { bytes: reply, to, .. } = output {
                assert!(*to == client.tuple || reply.len() <= 3 * bytes.len(), "round {round}: {bytes:02x?}");
            }
        }
        relay.drive();
        relay.packet(relayed, peer_address("8.8.8.8"), &bytes);
        if rng.random_bool(0.01) {
            relay.pass(rng.random_range(0..30));
        }
    }
    assert!(
        relay.core.allocations() <= 3,
        "nobody without the secret allocates (the credential may, on three transports)"
    );
    assert!(relay.ledger.accounts() <= 1);
}

/// Any order of honest requests, and the relay's books agree with the sockets it has opened.
#[test]
fn any_order_of_requests_keeps_the_books_right() {
    let mut rng = rng();
    let mut relay = Relay::new();
    let mut clients: Vec<Client> =
        (0..30).map(|n| Client::new(&format!("1.2.3.{}:{}", n % 7, 1_000 + n), &(n % 5).to_string())).collect();
    for _ in 0..4_000 {
        let index = rng.random_range(0..clients.len());
        let client = &mut clients[index];
        // The credential is renewed as an app would, before each use.
        let user = client.username.split(':').nth(1).unwrap().to_owned();
        let fresh = Client::until(&client.tuple.client.to_string(), &user, relay.now.unix + 600);
        if !relay.core.has_allocation(client.tuple) {
            (client.username, client.password) = (fresh.username, fresh.password);
        }
        match rng.random_range(0..7) {
            0 => drop(client.allocate_with(&mut relay, &[])),
            1 => drop(client.allocate_with(&mut relay, &[&EvenPort::new(true)])),
            2 => drop(client.ask(&mut relay, REFRESH, &[&Lifetime::new(rng.random_range(0..2) * 700)])),
            3 => drop(client.bind(
                &mut relay,
                rng.random_range(0x4000..0x4008),
                &format!("8.8.8.{}:1", rng.random_range(0..4)),
            )),
            4 => drop(relay.input(client.tuple, &channel(rng.random_range(0x4000..0x4008), b"x"))),
            5 => drop(relay.pass(rng.random_range(0..100))),
            _ => relay.core.client_gone(client.tuple, &mut relay.out),
        }
        relay.drive();
        assert_eq!(relay.open.len(), relay.core.allocations());
    }
    relay.pass(4_000);
    assert_eq!((relay.open.len(), relay.core.allocations()), (0, 0));
    for client in &mut clients {
        let user = client.username.split(':').nth(1).unwrap().to_owned();
        *client = Client::until(&client.tuple.client.to_string(), &user, relay.now.unix + 600);
        assert_eq!(client.allocate_with(&mut relay, &[]).code, 0, "no quota leaked");
    }
}

#[test]
fn a_stream_is_cut_into_frames_whatever_comes() {
    let mut rng = rng();
    for _ in 0..200_000 {
        let mut bytes = vec![0; rng.random_range(0..40)];
        rng.fill_bytes(&mut bytes);
        if let Some(first) = bytes.first_mut() {
            *first &= 0x4f;
        }
        if let Ok(Some(length)) = frame::stream_length(&bytes) {
            assert!((4..=frame::MAX_FRAME).contains(&length) && length % 4 == 0);
        }
        let _ = frame::parse(&bytes);
    }
}
