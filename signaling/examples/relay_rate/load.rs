//! The loads: a flood, an even stream whose delay is measured, and new allocations.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};

use super::client::{CHANNEL, Client, allocate, nonce_of};

const PAYLOAD: usize = 200;
const CLIENTS: usize = 32;
/// Packets of one client that come at once, as those of a picture do.
pub(crate) const BURST: usize = 8;

/// Clients with a channel to one peer.
pub(crate) struct Calls {
    server: SocketAddr,
    clients: Vec<Client>,
    peer: UdpSocket,
    frame: Vec<u8>,
}

/// Where the even stream goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through the relay.
    Relayed,
    /// From the same threads straight to the peer: what the machine itself takes.
    Straight,
}

/// What became of an even stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) received: f64,
    pub(crate) sent: f64,
    /// Delay in milliseconds: half of the packets had less.
    pub(crate) p50: f64,
    /// 99 of 100 had less.
    pub(crate) p99: f64,
}

impl Calls {
    pub(crate) fn new(server: SocketAddr) -> io::Result<Self> {
        let peer = UdpSocket::bind("127.0.0.1:0")?;
        rustix::net::sockopt::set_socket_recv_buffer_size(&peer, 4 << 20)?;
        let mut clients = (0..CLIENTS).map(|_| Client::new(server)).collect::<io::Result<Vec<_>>>()?;
        for client in &mut clients {
            client.bind(peer.local_addr()?)?;
        }
        let mut frame = [CHANNEL.to_be_bytes(), u16::try_from(PAYLOAD).unwrap_or_default().to_be_bytes()].concat();
        frame.resize(4 + PAYLOAD, 0);
        Ok(Self { server, clients, peer, frame })
    }

    /// As much as goes, from the clients to the peer: packets that arrived, and seconds.
    pub(crate) fn flood_out(&self, span: Duration) -> io::Result<(f64, f64)> {
        let burst: Vec<(SocketAddr, &[u8])> = vec![(self.server, &self.frame[..]); BURST];
        receive_while(&[self.peer.try_clone()?], span, || {
            self.clients.iter().for_each(|client| send(&client.socket, &burst));
        })
    }

    /// The same from the peer to the clients.
    pub(crate) fn flood_in(&self, span: Duration) -> io::Result<(f64, f64)> {
        let sockets = self.clients.iter().map(|client| client.socket.try_clone()).collect::<io::Result<Vec<_>>>()?;
        let burst: Vec<(SocketAddr, &[u8])> =
            self.clients.iter().map(|client| (client.relayed, &self.frame[4..])).collect();
        receive_while(&sockets, span, || send(&self.peer, &burst))
    }

    /// So many packets a second over all clients in turn, evenly spaced: each by itself, or in bursts as the flood has them.
    pub(crate) fn steady(&self, way: Way, per_second: f64, burst: usize, span: Duration) -> io::Result<Stream> {
        let origin = Instant::now();
        let stamp = move || u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.peer.set_read_timeout(Some(Duration::from_millis(300)))?;
        let receiver = {
            let peer = self.peer.try_clone()?;
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
        let (to, senders) = match way {
            Way::Relayed => (self.server, self.clients.iter().map(|client| client.socket.try_clone()).collect()),
            Way::Straight => (self.peer.local_addr()?, straight(self.peer.local_addr()?)),
        };
        let senders: Vec<UdpSocket> = senders?;
        let header = if way == Way::Relayed { 4 } else { 0 };
        let mut frame = self.frame[4 - header..].to_vec();
        let spacing = Duration::from_secs_f64(f64::from(u32::try_from(burst).unwrap_or(1)) / per_second);
        let (mut bursts, mut due) = (0_u32, Duration::ZERO);
        while due < span {
            if let Some(wait) = due.checked_sub(origin.elapsed()) {
                thread::sleep(wait);
            }
            frame[header..header + 8].copy_from_slice(&stamp().to_be_bytes());
            let sender = &senders[bursts as usize % senders.len()];
            if burst == 1 {
                let _ = sender.send(&frame);
            } else {
                send(sender, &vec![(to, &frame[..]); burst]);
            }
            bursts += 1;
            due = spacing * bursts;
        }
        let mut delays = receiver.join().map_err(|_| io::Error::other("the receiver fell"))?;
        delays.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "milliseconds for people")]
        let at = |share: usize| delays.get(delays.len() * share / 100).map_or(f64::NAN, |nanos| *nanos as f64 / 1e6);
        let arrived = f64::from(u32::try_from(delays.len()).unwrap_or(u32::MAX));
        let sent = f64::from(bursts) * f64::from(u32::try_from(burst).unwrap_or(1));
        Ok(Stream { received: arrived, sent, p50: at(50), p99: at(99) })
    }
}

fn straight(to: SocketAddr) -> io::Result<Vec<UdpSocket>> {
    let sender = |_| {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(to)?;
        Ok(socket)
    };
    (0..CLIENTS).map(sender).collect()
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

/// New allocations, each asked for as a new client has to: challenge, then proof. Many are under way at once. The seconds
/// that the exchanges took; the clients' own arithmetic is not the relay's time.
pub(crate) fn allocations(server: SocketAddr, count: usize) -> io::Result<f64> {
    const WINDOW: usize = 64;
    let sockets = (0..count)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(server)?;
            socket.set_read_timeout(Some(Duration::from_secs(2)))?;
            Ok(socket)
        })
        .collect::<io::Result<Vec<_>>>()?;
    let mut spent = Duration::ZERO;
    for sockets in sockets.chunks(WINDOW) {
        let mut nonces = vec![String::new(); sockets.len()];
        for _ in 0..2 {
            let requests: Vec<Vec<u8>> = nonces.iter().map(|nonce| allocate(nonce)).collect();
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
    Ok(spent.as_secs_f64())
}
