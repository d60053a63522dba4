//! Streams to the relay: in pieces, hostile, slow, half-open. In a program of its own, since it keeps the machine busy.
#![forbid(unsafe_code)]

#[path = "support/relay.rs"]
mod relay;

use std::{net::SocketAddr, time::Duration};

use chapar_signaling::relay::{address::Class, streams::StreamLimits};
use stun_types::{
    attribute::XorMappedAddress,
    message::{BINDING, Message, MessageWrite, MessageWriteVec},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use relay::{PATIENCE, code_of, config, credential, nonce_of, request, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_in_pieces_is_understood_and_one_that_is_not_turn_is_closed() {
    let relay = start(config("127.0.0.1", 28_000, Vec::new())).await;
    let mut stream = TcpStream::connect(relay.tcp[0]).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let binding = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
    for byte in &binding {
        stream.write_all(&[*byte]).await.unwrap();
    }
    let mut reply = [0; 32];
    timeout(PATIENCE, stream.read_exact(&mut reply)).await.unwrap().unwrap();
    let message = Message::from_bytes(&reply).unwrap();
    let mapped = message.attribute::<XorMappedAddress>().unwrap().addr(message.transaction_id());
    assert_eq!(mapped, stream.local_addr().unwrap());
    // Three frames in one segment.
    stream.write_all(&[&binding[..], &binding, &binding].concat()).await.unwrap();
    let mut replies = [0; 96];
    timeout(PATIENCE, stream.read_exact(&mut replies)).await.unwrap().unwrap();

    for hostile in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x80; 4], &[0, 1, 0xff, 0xfc, 0x21, 0x12, 0xa4, 0x42], &[0x16, 3, 1, 2]]
    {
        let mut stream = TcpStream::connect(relay.tcp[0]).await.unwrap();
        stream.write_all(hostile).await.unwrap();
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed");
        assert!(rest.is_empty());
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_off_and_its_allocation_ends() {
    let mut config = config("127.0.0.1", 30_000, vec![Class::Loopback]);
    config.streams.write = Duration::from_millis(500);
    // Every question is answered: the answers fill what lies between, as little as the kernel gives.
    let relay = start(config).await;
    let (username, password) = credential(2);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(relay.tcp[0]).await.unwrap();
    let mut head = [0; 20];
    let mut body = Vec::new();
    let mut nonce = String::new();
    for expected in [401, 0] {
        stream.write_all(&request(&username, &password, &nonce)).await.unwrap();
        timeout(PATIENCE, stream.read_exact(&mut head)).await.unwrap().unwrap();
        body.resize(usize::from(u16::from_be_bytes([head[2], head[3]])), 0);
        stream.read_exact(&mut body).await.unwrap();
        let reply = [&head[..], &body].concat();
        assert_eq!(code_of(&reply), expected);
        if expected == 401 {
            nonce = nonce_of(&reply);
        }
    }
    assert_eq!(relay.allocations(), 1);
    // It asks and asks, and never reads an answer: the queue fills, and then there is an end of patience.
    let binding = Message::builder_request(BINDING, MessageWriteVec::new()).finish().repeat(200);
    let flood = async { while stream.write_all(&binding).await.is_ok() {} };
    // Filling every buffer in between takes a busy machine a while.
    timeout(4 * PATIENCE, flood).await.expect("the stream was closed");
    while relay.allocations() > 0 {
        tokio::task::yield_now().await;
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_one_address_are_counted_handshakes_included() {
    let mut config = config("127.0.0.1", 18_000, Vec::new());
    config.streams =
        StreamLimits { streams: 100, per_address: 5, handshake: 100 * PATIENCE, ..StreamLimits::default() };
    let relay = start(config).await;
    // Half-open TLS: connected, and silent.
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(TcpStream::connect(relay.tls[0]).await.unwrap());
    }
    // The relay may not have accepted all of them yet.
    let refused = async { while is_served(relay.tcp[0]).await {} };
    timeout(PATIENCE, refused).await.expect("no sixth");
    drop(silent);
    timeout(PATIENCE, is_let_in(relay.tcp[0])).await.expect("there is room again");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_end_is_closed_and_its_place_given_back() {
    assert_eq!(StreamLimits::default().handshake, Duration::from_secs(10));
    let mut config = config("127.0.0.1", 16_000, Vec::new());
    let handshake = Duration::from_millis(300);
    config.streams = StreamLimits { streams: 100, per_address: 3, handshake, ..StreamLimits::default() };
    let relay = start(config).await;
    // One is silent, one stops within a ClientHello, and one goes on and on, one byte at a time.
    let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 505]].concat();
    let silent = TcpStream::connect(relay.tls[0]).await.unwrap();
    let mut halved = TcpStream::connect(relay.tls[0]).await.unwrap();
    halved.write_all(&hello[..60]).await.unwrap();
    let (slow, mut slowly) = TcpStream::connect(relay.tls[0]).await.unwrap().into_split();
    let trickle = tokio::spawn(async move {
        for byte in hello {
            if slowly.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut rest = Vec::new();
    for mut stream in [Box::new(silent) as Box<dyn AsyncRead + Unpin>, Box::new(halved), Box::new(slow)] {
        // Of the trickle the kernel keeps bytes that nobody read, and so says its end with a reset.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed by the relay");
        assert!(rest.is_empty(), "{rest:?}");
    }
    trickle.abort();
    timeout(PATIENCE, is_let_in(relay.tcp[0])).await.expect("there is room again");
    relay.stop().await;
}

/// A place that is given back can be had a moment later.
async fn is_let_in(server: SocketAddr) {
    while !is_served(server).await {}
}

/// Whether a new stream is answered, and not closed.
async fn is_served(server: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let binding = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
    let mut reply = [0; 32];
    stream.write_all(&binding).await.is_ok() && stream.read_exact(&mut reply).await.is_ok()
}
