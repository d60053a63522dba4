//! Packets, allocations and delay through `chapar-relay` and through coturn, in pairs, on this machine, in one run.
//!
//! ```text
//! cargo build --release -p chapar-signaling --bin chapar-relay --example relay_rate
//! target/release/examples/relay_rate [pairs] [seconds] [target/release/chapar-relay] [turnserver]
//! ```
//!
//! The load runs on the same cores as the relay, so figures compare the two and say nothing absolute.
#![forbid(unsafe_code)]

use std::{
    fs, io,
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use chapar_protocol::{Timestamp, UserId, call::CallId};
use chapar_signaling::credentials::Secret;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
use stun_types::{
    attribute::{ErrorCode, Nonce, Realm, Username},
    message::{
        IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageIntegrityCredentials, MessageWrite,
        MessageWriteExt, MessageWriteVec, Method,
    },
    prelude::AttributeWrite,
};
use turn_types::{
    attribute::{ChannelNumber, RequestedTransport, XorPeerAddress, XorRelayedAddress},
    message::{ALLOCATE, CHANNEL_BIND},
};

const SECRET: &str = "north of the caravanserai";
const REALM: &str = "chapar";
const PORT: u16 = 34_780;
const CHANNEL: u16 = 0x4001;
const PAYLOAD: usize = 200;
const CLIENTS: usize = 32;
const BURST: usize = 8;
const ALLOCATIONS: usize = 2_000;

#[derive(Debug, Default, Clone, Copy)]
struct Figures {
    out_rate: f64,
    out_cpu: f64,
    in_rate: f64,
    in_cpu: f64,
    steady_cpu: f64,
    p50: f64,
    p99: f64,
    allocations: f64,
    allocation_cpu: f64,
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |index: usize, default: &str| arguments.get(index).cloned().unwrap_or_else(|| default.to_owned());
    let pairs: usize = argument(1, "3").parse().map_err(io::Error::other)?;
    let seconds: u64 = argument(2, "3").parse().map_err(io::Error::other)?;
    let (ours, coturn) = (argument(3, "target/release/chapar-relay"), argument(4, "turnserver"));
    let span = Duration::from_secs(seconds);
    println!("direct, without a relay: delay p50 {:.3} ms, p99 {:.3} ms", direct(span)?.0, direct(span)?.1);
    let mut measured = [Vec::new(), Vec::new()];
    for pair in 0..pairs {
        // Alternating, so that whatever else the machine does falls on both.
        for which in [pair % 2, 1 - pair % 2] {
            let mut server = if which == 0 { chapar(&ours)? } else { turnserver(&coturn)? };
            let figures = measure(&server, span);
            server.kill()?;
            server.wait()?;
            let figures = figures?;
            println!("{}: {figures:.1?}", ["chapar-relay", "coturn"][which]);
            measured[which].push(figures);
        }
    }
    report(&measured);
    let _ = fs::remove_file(secrets());
    Ok(())
}

fn report(measured: &[Vec<Figures>; 2]) {
    let line = |name: &str, of: fn(&Figures) -> f64| {
        let median = |which: usize| {
            let mut values: Vec<f64> = measured[which].iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        };
        println!("{name:<44} {:>12.2} {:>12.2} {:>8.2}", median(0), median(1), median(0) / median(1));
    };
    println!("{:<44} {:>12} {:>12} {:>8}", "median", "chapar-relay", "coturn", "ratio");
    line("packets/s, client to peer", |f| f.out_rate);
    line("CPU us/packet, client to peer, flooded", |f| f.out_cpu);
    line("packets/s, peer to client", |f| f.in_rate);
    line("CPU us/packet, peer to client, flooded", |f| f.in_cpu);
    line("CPU us/packet, client to peer, 40,000 packets/s", |f| f.steady_cpu);
    line("delay ms p50, 40,000 packets/s", |f| f.p50);
    line("delay ms p99, 40,000 packets/s", |f| f.p99);
    line("allocations/s", |f| f.allocations);
    line("CPU us/allocation", |f| f.allocation_cpu);
}

fn chapar(program: &str) -> io::Result<Child> {
    let secrets = secrets();
    fs::write(&secrets, SECRET)?;
    let listen = format!("127.0.0.1:{PORT}");
    spawn(Command::new(program).args(["--udp", &listen, "--tcp", &listen, "--address", "127.0.0.1"]).args([
        "--open",
        "loopback",
        "--user-quota",
        "100000",
        "--address-quota",
        "100000",
        "--bandwidth",
        "100000000000",
        "--challenges",
        "1000000",
        "--first-port",
        "40000",
        "--last-port",
        "49999",
        "--secrets",
        &secrets.to_string_lossy(),
    ]))
}

fn secrets() -> PathBuf {
    std::env::temp_dir().join(format!("relay-rate-{}", std::process::id()))
}

fn turnserver(program: &str) -> io::Result<Child> {
    spawn(Command::new(program).args([
        "-n",
        "--use-auth-secret",
        "--static-auth-secret",
        SECRET,
        "--realm",
        REALM,
        "-L",
        "127.0.0.1",
        "-E",
        "127.0.0.1",
        "--listening-port",
        &PORT.to_string(),
        "--min-port",
        "40000",
        "--max-port",
        "49999",
        "--allow-loopback-peers",
        "--no-cli",
        "--no-tls",
        "--no-dtls",
        "--no-stdout-log",
        "--log-file",
        "/dev/null",
        "--pidfile",
        "/dev/null",
    ]))
}

fn spawn(command: &mut Command) -> io::Result<Child> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    for _ in 0..500 {
        thread::sleep(Duration::from_millis(20));
        if Client::new().is_ok() {
            return Ok(child);
        }
    }
    Err(io::Error::other("the relay did not start"))
}

fn server() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], PORT))
}

struct Client {
    socket: UdpSocket,
    relayed: SocketAddr,
    nonce: String,
}

impl Client {
    fn new() -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server())?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut client = Self { socket, relayed: server(), nonce: String::new() };
        client.ask(ALLOCATE, &[&RequestedTransport::new(17)])?;
        let reply = client.ask(ALLOCATE, &[&RequestedTransport::new(17)])?;
        let message = Message::from_bytes(&reply).map_err(io::Error::other)?;
        let relayed = message.attribute::<XorRelayedAddress>().map_err(io::Error::other)?;
        client.relayed = relayed.addr(message.transaction_id());
        Ok(client)
    }

    fn bind(&mut self, peer: SocketAddr) -> io::Result<()> {
        let message = Message::builder_request(CHANNEL_BIND, MessageWriteVec::new());
        let peer = XorPeerAddress::new(peer, message.transaction_id());
        let reply = self.exchange(message, &[&ChannelNumber::new(CHANNEL), &peer])?;
        let message = Message::from_bytes(&reply).map_err(io::Error::other)?;
        match message.attribute::<ErrorCode>() {
            Ok(error) => Err(io::Error::other(format!("ChannelBind: {}", error.code()))),
            Err(_) => Ok(()),
        }
    }

    fn ask(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> io::Result<Vec<u8>> {
        self.exchange(Message::builder_request(method, MessageWriteVec::new()), attributes)
    }

    fn exchange(&mut self, message: MessageWriteVec, attributes: &[&dyn AttributeWrite]) -> io::Result<Vec<u8>> {
        self.socket.send(&request(message, attributes, &self.nonce))?;
        let mut buffer = vec![0; 2_048];
        let length = self.socket.recv(&mut buffer)?;
        buffer.truncate(length);
        if let Some(nonce) = nonce_of(&buffer) {
            self.nonce = nonce;
        }
        Ok(buffer)
    }
}

fn nonce_of(reply: &[u8]) -> Option<String> {
    let message = Message::from_bytes(reply).ok()?;
    message.attribute::<Nonce>().ok().map(|nonce| nonce.nonce().to_owned())
}

static CREDENTIAL: LazyLock<(String, String)> = LazyLock::new(|| {
    let unix = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let now = Timestamp::from_millis(i64::try_from(unix).unwrap_or_default() * 1_000).expect("the present");
    let secret = Secret::new(SECRET, None).expect("long enough");
    let made = secret.issue(UserId(1), CallId(uuid::Uuid::from_u128(7)), now, 3_600);
    (made.username, made.password)
});

fn request(mut message: MessageWriteVec, attributes: &[&dyn AttributeWrite], nonce: &str) -> Vec<u8> {
    for attribute in attributes {
        message.add_attribute(*attribute).expect("fits");
    }
    if !nonce.is_empty() {
        let (username, password) = &*CREDENTIAL;
        message.add_attribute(&Username::new(username).expect("short")).expect("fits");
        message.add_attribute(&Realm::new(REALM).expect("short")).expect("fits");
        message.add_attribute(&Nonce::new(nonce).expect("short")).expect("fits");
        let key = LongTermKeyCredentials::new(username.clone(), password.clone(), REALM.to_owned());
        let key = MessageIntegrityCredentials::LongTerm(key);
        message.add_message_integrity(&key, IntegrityAlgorithm::Sha1).expect("fits");
    }
    message.finish()
}

fn measure(server: &Child, span: Duration) -> io::Result<Figures> {
    let peer = UdpSocket::bind("127.0.0.1:0")?;
    rustix::net::sockopt::set_socket_recv_buffer_size(&peer, 4 << 20)?;
    let mut clients = (0..CLIENTS).map(|_| Client::new()).collect::<io::Result<Vec<_>>>()?;
    for client in &mut clients {
        client.bind(peer.local_addr()?)?;
    }
    let mut figures = Figures::default();
    let mut frame = [CHANNEL.to_be_bytes(), u16::try_from(PAYLOAD).unwrap_or_default().to_be_bytes()].concat();
    frame.resize(4 + PAYLOAD, 0);

    // Flooded, from clients to the peer.
    let burst: Vec<(SocketAddr, &[u8])> = vec![(crate::server(), &frame[..]); BURST];
    let before = cpu(server)?;
    let (count, elapsed) =
        receive_while(&[peer.try_clone()?], span, || clients.iter().for_each(|client| send(&client.socket, &burst)))?;
    figures.out_rate = count / elapsed;
    figures.out_cpu = (cpu(server)? - before) / count * 1e6;

    // Flooded, from the peer to the clients.
    let sockets = clients.iter().map(|client| client.socket.try_clone()).collect::<io::Result<Vec<_>>>()?;
    let burst: Vec<(SocketAddr, &[u8])> = clients.iter().map(|client| (client.relayed, &frame[4..])).collect();
    let before = cpu(server)?;
    let (count, elapsed) = receive_while(&sockets, span, || send(&peer, &burst))?;
    figures.in_rate = count / elapsed;
    figures.in_cpu = (cpu(server)? - before) / count * 1e6;

    // A rate that both can carry, evenly spaced.
    let before = cpu(server)?;
    let (count, p50, p99) = steady(&clients, &peer, &frame, span)?;
    figures.steady_cpu = (cpu(server)? - before) / count * 1e6;
    (figures.p50, figures.p99) = (p50, p99);

    let before = cpu(server)?;
    figures.allocations = allocate(ALLOCATIONS)?;
    figures.allocation_cpu = (cpu(server)? - before) / f64::from(u32::try_from(ALLOCATIONS).unwrap_or(1)) * 1e6;
    Ok(figures)
}

/// Seconds of processor time a process has had.
fn cpu(child: &Child) -> io::Result<f64> {
    // schedstat has nanoseconds, where stat has ticks; one line per thread.
    let mut nanos = 0.0;
    for task in fs::read_dir(format!("/proc/{}/task", child.id()))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or_default();
    }
    Ok(nanos / 1e9)
}

/// Counts what arrives while `work` is repeated.
fn receive_while(sockets: &[UdpSocket], span: Duration, mut work: impl FnMut()) -> io::Result<(f64, f64)> {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    for socket in sockets {
        socket.set_nonblocking(true)?;
    }
    let receiver = {
        let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
        let sockets = sockets.iter().map(UdpSocket::try_clone).collect::<io::Result<Vec<_>>>()?;
        thread::spawn(move || {
            let mut buffer = [0; 2_048];
            while !stop.load(Ordering::Relaxed) {
                let mut idle = true;
                for socket in &sockets {
                    while socket.recv(&mut buffer).is_ok_and(|length| length >= PAYLOAD) {
                        count.fetch_add(1, Ordering::Relaxed);
                        idle = false;
                    }
                }
                if idle {
                    thread::sleep(Duration::from_micros(200));
                }
            }
        })
    };
    let start = Instant::now();
    while start.elapsed() < span {
        work();
    }
    let elapsed = start.elapsed();
    thread::sleep(Duration::from_millis(50));
    stop.store(true, Ordering::Relaxed);
    let _ = receiver.join();
    for socket in sockets {
        socket.set_nonblocking(false)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 packets")]
    let count = count.load(Ordering::Relaxed) as f64;
    Ok((count, elapsed.as_secs_f64()))
}

fn send(socket: &UdpSocket, packets: &[(SocketAddr, &[u8])]) {
    let addresses: Vec<SocketAddrAny> = packets.iter().map(|(to, _)| (*to).into()).collect();
    let slices: Vec<[io::IoSlice<'_>; 1]> = packets.iter().map(|(_, bytes)| [io::IoSlice::new(bytes)]).collect();
    let mut controls: Vec<SendAncillaryBuffer<'_, '_, '_>> =
        packets.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let mut headers: Vec<MMsgHdr<'_>> = addresses
        .iter()
        .zip(&slices)
        .zip(&mut controls)
        .map(|((to, slice), control)| MMsgHdr::new_with_addr(to, slice, control))
        .collect();
    let _ = sendmmsg(socket, &mut headers, SendFlags::empty());
}

const STEADY_PER_SECOND: u32 = 40_000;

/// An even stream over all clients: packets received, and their delay in milliseconds.
fn steady(clients: &[Client], peer: &UdpSocket, frame: &[u8], span: Duration) -> io::Result<(f64, f64, f64)> {
    let origin = Instant::now();
    let stamp = move || u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
    peer.set_read_timeout(Some(Duration::from_millis(300)))?;
    let receiver = {
        let peer = peer.try_clone()?;
        thread::spawn(move || {
            let (mut buffer, mut delays) = ([0; 2_048], Vec::new());
            while let Ok(length) = peer.recv(&mut buffer) {
                let sent = buffer[..length].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
                // What is left of the flood carries no stamp.
                if sent > 0 {
                    delays.push(stamp().saturating_sub(sent));
                }
            }
            delays
        })
    };
    let total = u32::try_from(span.as_secs()).unwrap_or(1) * STEADY_PER_SECOND;
    let mut frame = frame.to_vec();
    for number in 0..total {
        let due = Duration::from_secs(1) / STEADY_PER_SECOND * number;
        if let Some(wait) = due.checked_sub(origin.elapsed()) {
            thread::sleep(wait);
        }
        frame[4..12].copy_from_slice(&stamp().to_be_bytes());
        let client = &clients[number as usize % clients.len()];
        let _ = client.socket.send(&frame);
    }
    let mut delays = receiver.join().map_err(|_| io::Error::other("the receiver fell"))?;
    delays.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds for people")]
    let at = |share: usize| delays.get(delays.len() * share / 100).map_or(f64::NAN, |nanos| *nanos as f64 / 1e6);
    Ok((f64::from(u32::try_from(delays.len().max(1)).unwrap_or(1)), at(50), at(99)))
}

/// The delay of the same stream without a relay.
fn direct(span: Duration) -> io::Result<(f64, f64)> {
    let peer = UdpSocket::bind("127.0.0.1:0")?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let offset = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(offset.local_addr()?)?;
    // A frame's header stands before the stamp: a forwarder that only cuts it off is the shortest relay there is.
    let to = peer.local_addr()?;
    offset.set_read_timeout(Some(Duration::from_millis(300)))?;
    let forwarder = thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok(length) = offset.recv(&mut buffer) {
            let _ = offset.send_to(&buffer[4..length], to);
        }
    });
    let client = Client { socket, relayed: to, nonce: String::new() };
    let (_, p50, p99) = steady(&[client], &peer, &[0; 4 + PAYLOAD], span)?;
    let _ = forwarder.join();
    Ok((p50, p99))
}

/// New allocations a second, each asked for as a new client has to: challenge, then proof. Many are under way at once.
fn allocate(count: usize) -> io::Result<f64> {
    const WINDOW: usize = 64;
    let sockets = (0..count)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(server())?;
            socket.set_read_timeout(Some(Duration::from_secs(2)))?;
            Ok(socket)
        })
        .collect::<io::Result<Vec<_>>>()?;
    let mut spent = Duration::ZERO;
    for sockets in sockets.chunks(WINDOW) {
        let mut nonces = vec![String::new(); sockets.len()];
        for _ in 0..2 {
            // The clients' own arithmetic is not the relay's time.
            let sign = |nonce: &String| {
                let message = Message::builder_request(ALLOCATE, MessageWriteVec::new());
                request(message, &[&RequestedTransport::new(17)], nonce)
            };
            let requests: Vec<Vec<u8>> = nonces.iter().map(sign).collect();
            let mut replies = Vec::with_capacity(sockets.len());
            let start = Instant::now();
            for (socket, request) in sockets.iter().zip(&requests) {
                socket.send(request)?;
            }
            for socket in sockets {
                let mut buffer = [0; 512];
                let length = socket.recv(&mut buffer)?;
                replies.push((buffer, length));
            }
            spent += start.elapsed();
            for ((buffer, length), nonce) in replies.iter().zip(&mut nonces) {
                match nonce_of(&buffer[..*length]) {
                    Some(fresh) if nonce.is_empty() => *nonce = fresh,
                    Some(_) => return Err(io::Error::other("refused")),
                    None => {}
                }
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let count = count as f64;
    Ok(count / spent.as_secs_f64())
}
