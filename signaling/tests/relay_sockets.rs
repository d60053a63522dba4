//! The relay on real sockets: coturn's tools as clients, and the memory of many allocations.
//!
//! `turnutils_uclient` and `turnutils_stunclient` come with Debian's package `coturn`. Where they are missing, the tests
//! that need them say so and pass; with `CHAPAR_REQUIRE_COTURN` set they fail.
#![forbid(unsafe_code)]

#[path = "support/relay.rs"]
mod relay;

use std::{net::SocketAddr, process::Stdio};

use chapar_signaling::relay::{
    address::Class,
    advert::{Advert, Wishes},
    counters::Counter,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UdpSocket,
    process::Command,
    time::timeout,
};

use relay::{PATIENCE, SECRET, code_of, config, credential, nonce_of, request, start};

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
        let metrics = relay.metrics(&Advert::new(&relay, (&[], &(49_152..=65_535)), 10, &wishes).now(&relay));
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
    let before = resident(pid);
    // Each needs a nonce of its own: as behind a carrier's NAT, a thousand at once is not too many from one address.
    for client in &clients {
        client.send(&request("", "", "")).await.unwrap();
        let length = timeout(PATIENCE, client.recv(&mut buffer)).await.expect("a challenge").unwrap();
        let nonce = nonce_of(&buffer[..length]);
        client.send(&request(&username, &password, &nonce)).await.unwrap();
        let length = timeout(PATIENCE, client.recv(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(code_of(&buffer[..length]), 0);
    }
    let after = resident(pid);
    println!("{COUNT} allocations: {} KiB more, {after} KiB in all", after.saturating_sub(before));
    assert!(after < 20 * 1_024, "{after} KiB");

    let signal = |which| {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, which).unwrap();
    };
    let terminate = || signal(rustix::process::Signal::TERM);
    // It has no certificate to look at, and no reason to end.
    signal(rustix::process::Signal::HUP);
    terminate();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(line.contains("draining") && line.contains("allocations=1000"), "{line}");
    let late = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    late.connect(server).await.unwrap();
    late.send(&request("", "", "")).await.unwrap();
    let length = timeout(PATIENCE, late.recv(&mut buffer)).await.expect("a challenge").unwrap();
    let nonce = nonce_of(&buffer[..length]);
    late.send(&request(&username, &password, &nonce)).await.unwrap();
    let length = timeout(PATIENCE, late.recv(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(code_of(&buffer[..length]), 508, "no new ones while the old go on");
    terminate();
    assert!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().success());
}
