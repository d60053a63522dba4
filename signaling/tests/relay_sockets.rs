//! The relay on real sockets: coturn's tools as clients, hostile streams, and the memory of many allocations.
//!
//! `turnutils_uclient` and `turnutils_stunclient` come with Debian's package `coturn`. Where they are missing, the tests
//! that need them say so and pass; with `CHAPAR_REQUIRE_COTURN` set they fail.
#![forbid(unsafe_code)]

use std::{
    net::{IpAddr, SocketAddr},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use chapar_protocol::{Timestamp, UserId, call::CallId};
use chapar_signaling::credentials::Secret;
use chapar_signaling::relay::{
    address::{Class, PeerPolicy},
    advert::{Advert, Wishes},
    config::{CoreConfig, Limits, RelayedAddress},
    counters::Counter,
    rate::Rate,
    secrets::Secrets,
    server::{Relay, RelayConfig},
    streams::StreamLimits,
};
use stun_types::{
    attribute::{ErrorCode, Nonce, Realm, Username, XorMappedAddress},
    message::{
        BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageIntegrityCredentials, MessageWrite,
        MessageWriteExt, MessageWriteVec,
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, UdpSocket},
    process::Command,
    time::timeout,
};
use tokio_rustls::rustls::{
    ServerConfig, crypto,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use turn_types::{attribute::RequestedTransport, message::ALLOCATE};

const SECRET: &str = "a secret for all the tests";
const PATIENCE: Duration = Duration::from_secs(30);

fn certificate() -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["relay.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

/// `first_port` lies below the ports that the kernel gives: a peer there would be taken for a relayed address.
fn config(ip: &str, first_port: u16, open: Vec<Class>) -> RelayConfig {
    let ip: IpAddr = ip.parse().unwrap();
    let any = SocketAddr::new(ip, 0);
    let ports = first_port..=first_port + 1_999;
    RelayConfig {
        core: CoreConfig {
            realm: "chapar".to_owned(),
            relayed: vec![RelayedAddress { bind: ip, public: ip }],
            policy: PeerPolicy { open, own: vec![(ip, ports.clone())], ..PeerPolicy::default() },
            ports,
            limits: Limits {
                allocations_per_user: 5_000,
                bandwidth: Rate::with_burst_seconds(1 << 30, 1),
                ..Limits::default()
            },
            nonce_key: [9; 32],
            alternate: None,
        },
        udp: vec![any],
        tcp: vec![any],
        tls: vec![any],
        tls_config: Some(certificate()),
        shards: 2,
        streams: StreamLimits::default(),
    }
}

async fn start(config: RelayConfig) -> Relay {
    Relay::start(config, Arc::new(Secrets::new(Secret::new(SECRET, None).unwrap()))).await.unwrap()
}

/// A peer that sends everything back, on two neighbouring ports (RTP and RTCP). Ends with the test's runtime.
async fn echo(ip: &str) -> SocketAddr {
    loop {
        let first = UdpSocket::bind((ip, 0)).await.unwrap();
        let address = first.local_addr().unwrap();
        let Some(next) = address.port().checked_add(1) else { continue };
        let Ok(second) = UdpSocket::bind((ip, next)).await else { continue };
        for socket in [first, second] {
            tokio::spawn(async move {
                let mut buffer = [0; 2_048];
                while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                    let _ = socket.send_to(&buffer[..length], from).await;
                }
            });
        }
        return address;
    }
}

/// Runs one of coturn's tools; `None` where it is not installed.
async fn coturn(tool: &str, arguments: &[String]) -> Option<String> {
    let command = Command::new(tool).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    match timeout(PATIENCE, command).await.unwrap_or_else(|_| panic!("{tool} {arguments:?} did not end")) {
        Ok(output) => Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()),
        Err(error) => {
            assert!(std::env::var_os("CHAPAR_REQUIRE_COTURN").is_none(), "{tool}: {error}");
            eprintln!("SKIPPED: {tool} is not installed (Debian package coturn)");
            None
        }
    }
}

/// Three clients, forty packets each; every packet has to come back. False where the tool is missing.
async fn uclient(port: u16, server: &str, peer: SocketAddr, flags: &str) -> bool {
    let mut arguments: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    let fixed =
        ["-m", "3", "-n", "40", "-l", "170", "-z", "5", "-u", "42:0123456789abcdef0123456789abcdef", "-W", SECRET];
    arguments.extend(fixed.map(str::to_owned));
    arguments.extend(["-e".into(), peer.ip().to_string(), "-r".into(), peer.port().to_string()]);
    arguments.extend(["-p".into(), port.to_string(), server.to_owned()]);
    let Some(output) = coturn("turnutils_uclient", &arguments).await else { return false };
    assert!(output.contains("Total lost packets 0 (0.000000%)"), "{flags} to {server}:{port}: {output}");
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn coturns_client_gets_every_packet_back_over_udp_tcp_and_tls() {
    let relay = start(config("127.0.0.1", 20_000, vec![Class::Loopback])).await;
    let peer = echo("127.0.0.1").await;
    let (udp, tcp, tls) = (relay.udp[0].port(), relay.tcp[0].port(), relay.tls[0].port());
    let client = |port, flags| uclient(port, "127.0.0.1", peer, flags);
    // By channels and by indications; with RTCP on a reserved neighbour; from client to client; padded as pjnath does.
    let found = tokio::join!(
        client(udp, "-c"),
        client(udp, "-c -s"),
        client(udp, ""),
        client(udp, "-c -y"),
        client(udp, "-c -X -G -D"),
        client(tcp, "-t -c"),
        client(tcp, "-t -c -s"),
        client(tcp, "-t"),
        client(tls, "-t -S -c"),
        client(tls, "-t -S -c -s"),
    );
    if found.0 {
        assert!(relay.count(Counter::PacketsOut) >= 10 * 120);
        let wishes = Wishes { name: Some("qom-1".to_owned()), region: "a \"b\"".to_owned(), ..Wishes::default() };
        let metrics = relay.metrics(&Advert::new(&relay, &[], 10, &wishes).now(&relay));
        assert!(metrics.contains(r#"chapar_relay_allocations_total{relay="qom-1",region="a \"b\""} "#), "{metrics}");
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coturns_client_gets_every_packet_back_over_ipv6() {
    if UdpSocket::bind("[::1]:0").await.is_err() {
        eprintln!("SKIPPED: this machine has no IPv6 loopback");
        return;
    }
    let relay = start(config("::1", 22_000, vec![Class::Loopback])).await;
    let peer = echo("::1").await;
    let (udp, tcp, tls) = (relay.udp[0].port(), relay.tcp[0].port(), relay.tls[0].port());
    let client = |port, flags| uclient(port, "::1", peer, flags);
    tokio::join!(client(udp, "-c -x"), client(tcp, "-c -x -t"), client(tls, "-c -x -t -S -s"));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coturns_stun_client_learns_its_address() {
    let relay = start(config("127.0.0.1", 24_000, Vec::new())).await;
    let arguments = ["-p".to_owned(), relay.udp[0].port().to_string(), "127.0.0.1".to_owned()];
    if let Some(output) = coturn("turnutils_stunclient", &arguments).await {
        assert!(output.contains("UDP reflexive addr: 127.0.0.1:"), "{output}");
        assert!(relay.count(Counter::Bindings) > 0);
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_nothing_is_relayed_to_loopback() {
    let relay = start(config("127.0.0.1", 26_000, Vec::new())).await;
    let peer = echo("127.0.0.1").await;
    let arguments = [
        "-c",
        "-m",
        "1",
        "-n",
        "5",
        "-u",
        "42:0123456789abcdef0123456789abcdef",
        "-W",
        SECRET,
        "-e",
        "127.0.0.1",
        "-r",
    ]
    .map(str::to_owned);
    let more = [peer.port().to_string(), "-p".to_owned(), relay.udp[0].port().to_string(), "127.0.0.1".to_owned()];
    if coturn("turnutils_uclient", &[&arguments[..], &more[..]].concat()).await.is_some() {
        assert_eq!(relay.count(Counter::PacketsOut), 0);
        assert!(relay.count(Counter::ForbiddenPeers) > 0);
    }
    relay.stop().await;
}

fn request(username: &str, password: &str, nonce: &str) -> Vec<u8> {
    let mut message = Message::builder_request(ALLOCATE, MessageWriteVec::new());
    message.add_attribute(&RequestedTransport::new(17)).unwrap();
    if nonce.is_empty() {
        return message.finish();
    }
    message.add_attribute(&Username::new(username).unwrap()).unwrap();
    message.add_attribute(&Realm::new("chapar").unwrap()).unwrap();
    message.add_attribute(&Nonce::new(nonce).unwrap()).unwrap();
    let key = LongTermKeyCredentials::new(username.to_owned(), password.to_owned(), "chapar".to_owned());
    message.add_message_integrity(&MessageIntegrityCredentials::LongTerm(key), IntegrityAlgorithm::Sha1).unwrap();
    message.finish()
}

fn nonce_of(reply: &[u8]) -> String {
    Message::from_bytes(reply).unwrap().attribute::<Nonce>().unwrap().nonce().to_owned()
}

fn code_of(reply: &[u8]) -> u16 {
    Message::from_bytes(reply).unwrap().attribute::<ErrorCode>().map_or(0, |error| error.code())
}

fn credential(user: i64) -> (String, String) {
    let unix = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let now = Timestamp::from_millis(i64::try_from(unix).unwrap() * 1_000).unwrap();
    let made = Secret::new(SECRET, None).unwrap().issue(UserId(user), CallId(uuid::Uuid::from_u128(7)), now, 600);
    (made.username, made.password)
}

/// Resident memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The program itself: it starts, tells its metrics, holds a thousand allocations in little memory, drains on SIGTERM.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_holds_a_thousand_idle_allocations_in_20_mb_and_drains_on_sigterm() {
    const COUNT: usize = 1_000;
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    std::fs::write(&secrets, format!("{SECRET}\nthe secret before this one\n")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_chapar-relay"))
        .args(["--udp", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--address", "127.0.0.1", "--user-quota", "2000"])
        .args(["--first-port", "34000", "--last-port", "35999", "--shards", "2", "--secrets"])
        .arg(&secrets)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = child.id().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let server: SocketAddr = line.split_once("udp=[").unwrap().1.split_once(']').unwrap().0.parse().unwrap();

    let (username, password) = credential(1);
    let mut buffer = [0; 2_048];
    let mut clients = Vec::new();
    for _ in 0..COUNT {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(server).await.unwrap();
        clients.push(socket);
    }
    clients[0].send(&request("", "", "")).await.unwrap();
    let length = timeout(PATIENCE, clients[0].recv(&mut buffer)).await.unwrap().unwrap();
    let nonce = nonce_of(&buffer[..length]);
    let before = resident(pid);
    for client in &clients {
        client.send(&request(&username, &password, &nonce)).await.unwrap();
        let length = timeout(PATIENCE, client.recv(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(code_of(&buffer[..length]), 0);
    }
    let after = resident(pid);
    println!("{COUNT} allocations: {} KiB more, {after} KiB in all", after.saturating_sub(before));
    assert!(after < 20 * 1_024, "{after} KiB");

    let terminate = || {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    };
    terminate();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(line.contains("draining") && line.contains("allocations=1000"), "{line}");
    let late = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    late.connect(server).await.unwrap();
    late.send(&request(&username, &password, &nonce)).await.unwrap();
    let length = timeout(PATIENCE, late.recv(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(code_of(&buffer[..length]), 508, "no new ones while the old go on");
    terminate();
    assert!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().success());
}

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
    let relay = start(config("127.0.0.1", 30_000, vec![Class::Loopback])).await;
    let (username, password) = credential(2);
    let mut stream = TcpStream::connect(relay.tcp[0]).await.unwrap();
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
    config.streams = StreamLimits { streams: 100, per_address: 5 };
    let relay = start(config).await;
    // Half-open TLS: connected, and silent.
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(TcpStream::connect(relay.tls[0]).await.unwrap());
    }
    let mut sixth = TcpStream::connect(relay.tcp[0]).await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, sixth.read_to_end(&mut rest)).await.expect("closed at once");
    // After the time for a handshake they are closed, and there is room again.
    for stream in &mut silent {
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed after ten seconds");
    }
    let mut stream = TcpStream::connect(relay.tcp[0]).await.unwrap();
    stream.write_all(&Message::builder_request(BINDING, MessageWriteVec::new()).finish()).await.unwrap();
    let mut reply = [0; 32];
    timeout(PATIENCE, stream.read_exact(&mut reply)).await.unwrap().unwrap();
    relay.stop().await;
}
