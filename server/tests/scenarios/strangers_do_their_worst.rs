//! Whoever has not said `hello` gets little memory and little time, however it talks: pings that are never read, requests,
//! half frames, tokens that nobody has.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use chapar_protocol::{CloseCode, ErrorCode, command::Hello};
use futures_util::{SinkExt as _, future::join_all};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tungstenite::Message;

use crate::support::{RawSocket, World, within, world::Plan};

const MIB: u64 = 1024 * 1024;
/// A masked ping with 125 bytes.
const PING: [u8; 131] = {
    let mut frame = [0; 131];
    frame[0] = 0x89;
    frame[1] = 0xfd;
    frame
};

/// A connection that has become a WebSocket, as bare TCP, from one of the machine's own addresses.
async fn upgraded(world: &World, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("socket");
    socket.set_recv_buffer_size(4096).expect("small buffer");
    socket.bind(SocketAddr::from((from, 0))).expect("an address of loopback");
    let mut tcp = within("a connection", socket.connect(world.at(0))).await.expect("connected");
    let request = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chapar.v1\r\n\r\n";
    tcp.write_all(request.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("the upgrade", tcp.read_u8()).await.expect("answered"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    tcp
}

/// Writes the same bytes again and again without reading, until the server ends it or the time is over. How long it took.
async fn pour(tcp: &mut TcpStream, bytes: &[u8], at_most: Duration) -> Option<Duration> {
    let began = Instant::now();
    let block = bytes.repeat((64 * 1024 / bytes.len()).max(1));
    let ended = tokio::time::timeout(at_most, async { while tcp.write_all(&block).await.is_ok() {} }).await;
    ended.ok().map(|()| began.elapsed())
}

#[tokio::test]
async fn pings_that_nobody_reads_take_no_memory() {
    let world = Plan::single().start().await;
    let before = world.nodes[0].memory();
    let addresses = [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]].map(Ipv4Addr::from);
    let floods = addresses.map(|from| {
        let world = &world;
        async move {
            let mut tcp = upgraded(world, from).await;
            pour(&mut tcp, &PING, Duration::from_secs(25)).await
        }
    });
    let ended = join_all(floods).await;
    let grown = world.nodes[0].memory().saturating_sub(before);
    assert!(ended.iter().all(Option::is_some), "all are thrown out: {ended:?}");
    assert!(grown < 16 * MIB, "the node grew by {} MiB", grown / MIB);
}

#[tokio::test]
async fn whoever_talks_gains_no_time() {
    let world = Plan::single().start().await;
    let empty_fragment = [0x00, 0x80, 0, 0, 0, 0];
    let mut fragments = upgraded(&world, Ipv4Addr::LOCALHOST).await;
    // A text has begun, and goes on for ever.
    fragments.write_all(&[0x01, 0x80, 0, 0, 0, 0]).await.expect("sent");
    let fragments = pour(&mut fragments, &empty_fragment, Duration::from_secs(25));
    let slow_pings = async {
        let mut socket = RawSocket::connect(world.at(0)).await;
        let began = Instant::now();
        for _ in 0..25 {
            if socket.stream.send(Message::Ping("x".into())).await.is_err() {
                break;
            }
            let quiet = tokio::time::timeout(Duration::from_secs(1), socket.end()).await;
            if let Ok(end) = quiet {
                return (end, began.elapsed());
            }
        }
        panic!("still there after 25 s")
    };
    let (fragments, (end, took)) = futures_util::join!(fragments, slow_pings);
    assert_eq!(end, Some(CloseCode::HelloTimeout.number()));
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert!(fragments.is_some_and(|took| took < Duration::from_secs(20)), "{fragments:?}");
}

#[tokio::test]
async fn requests_before_hello_are_counted() {
    let world = Plan::single().start().await;
    let mut socket = RawSocket::connect(world.at(0)).await;
    let mut answers = 0;
    let end = loop {
        let _ = socket.stream.send(Message::text(r#"{"id":1,"method":"ping"}"#)).await;
        match socket.reply().await {
            Ok((_, Err(error))) => assert_eq!(error.code, ErrorCode::Unauthenticated),
            Ok((_, Ok(_))) => panic!("a stranger was served"),
            Err(end) => break end,
        }
        answers += 1;
        assert!(answers < 1000, "nobody stops it");
    };
    assert_eq!(end, Some(CloseCode::Abuse.number()));
    assert!((5..=30).contains(&answers), "{answers}");
}

#[tokio::test]
async fn three_tokens_that_nobody_has_are_enough() {
    let world = Plan::single().start().await;
    let [device] = world.people().await;
    let wrong = Hello { token: format!("{}.{}", device.id(), "x".repeat(43)), resume: None };
    let mut socket = RawSocket::connect(world.at(0)).await;
    for id in 1..=3 {
        let error = socket.call(id, &wrong).await.expect_err("nobody has it");
        assert_eq!(error.code, ErrorCode::InvalidToken);
    }
    assert_eq!(socket.end().await, Some(CloseCode::InvalidToken.number()));
    // Twice wrong is a slip.
    let mut socket = RawSocket::connect(world.at(0)).await;
    for id in 1..=2 {
        socket.call(id, &wrong).await.expect_err("nobody has it");
    }
    let right = Hello { token: device.token().to_owned(), resume: None };
    socket.call(3, &right).await.expect("welcome");
}

/// As the issue demands: three addresses, each with all that a stranger can do, at the same time.
#[tokio::test]
async fn three_addresses_at_their_worst_cost_little() {
    let world = Plan::single().start().await;
    let [device] = world.people().await;
    let before = world.nodes[0].memory();
    let time = Duration::from_secs(14);
    let worst = |from: Ipv4Addr| {
        let world = &world;
        async move {
            // A frame of 128 KiB but for its last byte, on as many connections as the address may have without a hello.
            let mut half = vec![0x81, 0xff, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
            half.extend(std::iter::repeat_n(b'x', 128 * 1024 - 1));
            let mut held = Vec::new();
            for _ in 0..60 {
                let mut tcp = upgraded(world, from).await;
                let _ = tokio::time::timeout(Duration::from_secs(1), tcp.write_all(&half)).await;
                held.push(tcp);
            }
            // A request's body that does not end.
            let body = format!(
                "POST /api/v1/sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 16000\r\n\r\n{}",
                "x".repeat(15_000)
            );
            for _ in 0..60 {
                let socket = TcpSocket::new_v4().expect("socket");
                socket.bind(SocketAddr::from((from, 0))).expect("an address of loopback");
                let mut tcp = within("a connection", socket.connect(world.at(0))).await.expect("connected");
                let _ = tokio::time::timeout(Duration::from_secs(1), tcp.write_all(body.as_bytes())).await;
                held.push(tcp);
            }
            let (mut pings, mut requests) = (upgraded(world, from).await, upgraded(world, from).await);
            let mut request = vec![0x81, 0x98, 0, 0, 0, 0];
            request.extend_from_slice(br#"{"id":1,"method":"ping"}"#);
            futures_util::join!(pour(&mut pings, &PING, time), pour(&mut requests, &request, time));
            held
        }
    };
    let watch = async {
        let (began, mut most) = (Instant::now(), 0);
        while began.elapsed() < time {
            most = most.max(world.nodes[0].memory());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        most
    };
    let addresses = [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]].map(Ipv4Addr::from);
    let (held, most) = futures_util::join!(join_all(addresses.map(worst)), watch);
    // Somebody who is known is served all the while.
    let mut socket = RawSocket::connect(world.at(0)).await;
    socket.call(1, &Hello { token: device.token().to_owned(), resume: None }).await.expect("welcome");
    drop(held);
    let grown = most.saturating_sub(before);
    // 180 half frames are 23 MiB, and nothing else comes near.
    assert!(grown < 80 * MIB, "the node grew by {} MiB", grown / MIB);
}
