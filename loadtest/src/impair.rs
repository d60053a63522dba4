//! A bad network in user space: a proxy for UDP or TCP that loses, delays, disorders, throttles and cuts, by a seed.
//!
//! Not every kernel has netem, and not everybody may use it. A proxy stands between one client and one server and treats
//! both directions alike:
//!
//! ```text
//! client ──▶ Proxy::address ──[ loss, delay ± jitter, rate ]──▶ own socket ──▶ target
//! ```
//!
//! For datagrams every packet is lost or delayed for itself, so jitter also disorders. A TCP stream loses nothing: a
//! lost packet is a pause of a retransmission time-out, and order is kept. [`Proxy::change_address`] lets the client
//! appear from another address, as after a walk from Wi-Fi to mobile, and what is still sent to the old one is lost.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, Waker, net::UdpSocket};

/// Packets on their way at most: more are lost, as at a real bottleneck.
const MAX_QUEUED: usize = 4_096;
/// Bytes of a stream that count as one packet.
const SEGMENT: usize = 1_200;
/// What a lost packet of a stream costs beside the round trip: the least retransmission time-out of Linux.
const STREAM_TIMEOUT: Duration = Duration::from_millis(200);

/// What happens to packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    /// The fraction that is lost, 0 to 1, each packet for itself.
    pub loss: f64,
    /// One way.
    pub delay: Duration,
    /// Each packet takes `delay` ± this, evenly spread, and never less than nothing.
    pub jitter: Duration,
    /// Bits a second in each direction; what does not fit waits up to 500 ms, then it is lost.
    pub rate: Option<u64>,
}

impl Link {
    /// Such a loss and delay.
    pub fn new(loss: f64, delay_ms: u64, jitter_ms: u64) -> Self {
        Self { loss, delay: Duration::from_millis(delay_ms), jitter: Duration::from_millis(jitter_ms), rate: None }
    }
}

/// Uniform numbers from a seed (SplitMix64).
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// One direction of a link: what becomes of each packet. Pure.
#[derive(Debug)]
struct Fate {
    dice: Dice,
    free_at: Option<Instant>,
}

impl Fate {
    /// When a packet arrives; `None` when it is lost.
    fn of(&mut self, link: &Link, bytes: usize, now: Instant) -> Option<Instant> {
        // The dice fall the same number of times for each packet, so that a seed means the same losses whatever else is set.
        let (lost, spread) = (self.dice.unit() < link.loss, self.dice.unit() * 2.0 - 1.0);
        let mut leaves = now;
        if let Some(rate) = link.rate {
            let begins = self.free_at.map_or(now, |free| free.max(now));
            if begins > now + Duration::from_millis(500) {
                return None;
            }
            let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
            leaves = begins + Duration::from_micros(bits.saturating_mul(1_000_000) / rate.max(1));
            self.free_at = Some(leaves);
        }
        let wait = (link.delay.as_secs_f64() + link.jitter.as_secs_f64() * spread).max(0.0);
        (!lost).then(|| leaves + Duration::from_secs_f64(wait))
    }
}

#[derive(Debug, Default)]
struct Control {
    link: Mutex<Link>,
    cut: AtomicBool,
    ended: AtomicBool,
    address: AtomicU64,
    passed: AtomicU64,
    lost: AtomicU64,
    bytes: AtomicU64,
}

impl Control {
    fn link(&self) -> Link {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, passed: bool, bytes: usize) {
        let counter = if passed { &self.passed } else { &self.lost };
        counter.fetch_add(1, Ordering::Relaxed);
        if passed {
            self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
        }
    }
}

/// A running proxy on loopback. Ends when dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    control: Arc<Control>,
    waker: Option<Arc<Waker>>,
}

impl Proxy {
    /// Stands before a UDP service.
    ///
    /// # Errors
    /// When no socket can be had.
    pub fn udp(target: SocketAddr, link: Link, seed: u64) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = socket.local_addr()?;
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), Token(usize::MAX))?);
        let control = Arc::new(Control { link: Mutex::new(link), ..Control::default() });
        let mut datagrams = Datagrams {
            poll,
            near: socket,
            target,
            control: Arc::clone(&control),
            flows: HashMap::new(),
            next_token: 1,
            queue: BinaryHeap::new(),
            parcels: HashMap::new(),
            next_parcel: 0,
            up: Fate { dice: Dice(seed), free_at: None },
            down: Fate { dice: Dice(seed ^ 0x5555_5555_5555_5555), free_at: None },
            address: 0,
        };
        thread::Builder::new().name("impair-udp".to_owned()).spawn(move || {
            if let Err(error) = datagrams.run() {
                eprintln!("impair: {error}");
            }
        })?;
        Ok(Self { address, control, waker: Some(waker) })
    }

    /// Stands before a TCP service.
    ///
    /// # Errors
    /// When no socket can be had.
    pub fn tcp(target: SocketAddr, link: Link, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let control = Arc::new(Control { link: Mutex::new(link), ..Control::default() });
        let shared = Arc::clone(&control);
        thread::Builder::new().name("impair-tcp".to_owned()).spawn(move || {
            let mut dice = Dice(seed);
            for near in listener.incoming().map_while(Result::ok) {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                if !shared.cut.load(Ordering::Relaxed) {
                    let _ = stream(near, target, &shared, &mut dice);
                }
            }
        })?;
        Ok(Self { address, control, waker: None })
    }

    /// Treats packets otherwise from now on.
    pub fn set(&self, link: Link) {
        *self.control.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }

    /// Loses everything; streams are closed.
    pub fn cut(&self) {
        self.control.cut.store(true, Ordering::Relaxed);
    }

    /// Ends a cut.
    pub fn mend(&self) {
        self.control.cut.store(false, Ordering::Relaxed);
    }

    /// The client appears from another address from now on; what comes to the old one is lost. Datagrams only.
    pub fn change_address(&self) {
        self.control.address.fetch_add(1, Ordering::Relaxed);
        self.wake();
    }

    /// Packets that arrived, packets that were lost, and bytes that arrived, both directions together.
    pub fn counted(&self) -> (u64, u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.control.passed), read(&self.control.lost), read(&self.control.bytes))
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            let _ = waker.wake();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.control.ended.store(true, Ordering::Relaxed);
        self.control.cut.store(true, Ordering::Relaxed);
        self.wake();
        if self.waker.is_none() {
            // Wakes the listener, which then sees that it has ended.
            let _ = TcpStream::connect(self.address);
        }
    }
}

/// A client and the socket by which it reaches the target.
struct Flow {
    client: SocketAddr,
    far: UdpSocket,
}

struct Parcel {
    /// The flow's token.
    flow: usize,
    up: bool,
    data: Vec<u8>,
}

struct Datagrams {
    poll: Poll,
    near: UdpSocket,
    target: SocketAddr,
    control: Arc<Control>,
    flows: HashMap<usize, Flow>,
    next_token: usize,
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    parcels: HashMap<u64, Parcel>,
    next_parcel: u64,
    up: Fate,
    down: Fate,
    address: u64,
}

const NEAR: Token = Token(0);

impl Datagrams {
    fn run(&mut self) -> io::Result<()> {
        self.poll.registry().register(&mut self.near, NEAR, Interest::READABLE)?;
        let mut events = Events::with_capacity(64);
        let mut buffer = vec![0; 65_536];
        while !self.control.ended.load(Ordering::Relaxed) {
            let now = Instant::now();
            let wait = self.queue.peek().map(|Reverse((at, _))| at.saturating_duration_since(now));
            // mio waits in whole milliseconds: a packet that is due within one is waited for by looking again.
            let wait = wait.map_or(Duration::from_millis(200), |wait| wait.min(Duration::from_millis(200)));
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let address = self.control.address.load(Ordering::Relaxed);
            if address != self.address {
                self.address = address;
                self.flows.clear();
            }
            self.read_near(&mut buffer)?;
            let tokens: Vec<usize> = events.iter().map(|event| event.token().0).collect();
            for token in tokens {
                self.read_far(token, &mut buffer);
            }
            self.deliver();
        }
        Ok(())
    }

    fn read_near(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        // An error is an ICMP message about an earlier packet: the next may be read all the same.
        while let Ok((length, client)) = self.near.recv_from(buffer) {
            let flow = match self.flows.iter().find(|(_, flow)| flow.client == client) {
                Some((token, _)) => *token,
                None => self.open(client)?,
            };
            self.treat(flow, true, &buffer[..length]);
        }
        Ok(())
    }

    fn open(&mut self, client: SocketAddr) -> io::Result<usize> {
        let mut far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        far.connect(self.target)?;
        let token = self.next_token;
        self.next_token += 1;
        self.poll.registry().register(&mut far, Token(token), Interest::READABLE)?;
        self.flows.insert(token, Flow { client, far });
        Ok(token)
    }

    fn read_far(&mut self, token: usize, buffer: &mut [u8]) {
        loop {
            let Some(flow) = self.flows.get(&token) else { return };
            match flow.far.recv(buffer) {
                Ok(length) => self.treat(token, false, &buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => return,
            }
        }
    }

    fn treat(&mut self, flow: usize, up: bool, data: &[u8]) {
        let now = Instant::now();
        let link = self.control.link();
        let fate = if up { &mut self.up } else { &mut self.down };
        let arrives = fate.of(&link, data.len(), now);
        let Some(at) = arrives.filter(|_| !self.control.cut.load(Ordering::Relaxed) && self.queue.len() < MAX_QUEUED)
        else {
            return self.control.count(false, data.len());
        };
        self.next_parcel += 1;
        self.queue.push(Reverse((at, self.next_parcel)));
        self.parcels.insert(self.next_parcel, Parcel { flow, up, data: data.to_vec() });
    }

    fn deliver(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((at, number))) = self.queue.peek().copied() {
            if at > now {
                return;
            }
            self.queue.pop();
            let Some(parcel) = self.parcels.remove(&number) else { continue };
            let cut = self.control.cut.load(Ordering::Relaxed);
            let sent = self.flows.get(&parcel.flow).filter(|_| !cut).is_some_and(|flow| {
                let sent =
                    if parcel.up { flow.far.send(&parcel.data) } else { self.near.send_to(&parcel.data, flow.client) };
                sent.is_ok()
            });
            self.control.count(sent, parcel.data.len());
        }
    }
}

fn stream(near: TcpStream, target: SocketAddr, control: &Arc<Control>, dice: &mut Dice) -> io::Result<()> {
    let far = TcpStream::connect(target)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        let (control, fate) = (Arc::clone(control), Fate { dice: Dice(dice.next()), free_at: None });
        thread::Builder::new().name("impair-stream".to_owned()).spawn(move || carry(from, to, &control, fate))?;
    }
    Ok(())
}

/// Carries one direction of a stream: a thread reads and decides when each piece arrives, another one writes it then.
fn carry(mut from: TcpStream, mut to: TcpStream, control: &Arc<Control>, mut fate: Fate) {
    let (sender, pieces) = mpsc::sync_channel::<(Instant, Vec<u8>)>(256);
    let (writer_control, closer) = (Arc::clone(control), from.try_clone());
    let writer = thread::spawn(move || {
        for (at, data) in pieces {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if writer_control.cut.load(Ordering::Relaxed) || to.write_all(&data).is_err() {
                break;
            }
            writer_control.count(true, data.len());
        }
        let _ = to.shutdown(Shutdown::Both);
        if let Ok(from) = closer {
            let _ = from.shutdown(Shutdown::Both);
        }
    });
    let mut buffer = vec![0; SEGMENT];
    let mut last: Option<Instant> = None;
    // A cut must be seen also by a stream on which nothing moves.
    let _ = from.set_read_timeout(Some(Duration::from_millis(100)));
    while !control.cut.load(Ordering::Relaxed) {
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        let (link, mut now) = (control.link(), Instant::now());
        let arrives = loop {
            match fate.of(&link, length, now) {
                Some(at) => break at,
                None => now += STREAM_TIMEOUT + link.delay * 2,
            }
        };
        // In order: nothing overtakes.
        let at = last.map_or(arrives, |last| last.max(arrives));
        last = Some(at);
        if sender.send((at, buffer[..length].to_vec())).is_err() {
            break;
        }
    }
    drop(sender);
    let _ = writer.join();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket as Socket;

    fn echo() -> SocketAddr {
        let socket = Socket::bind("127.0.0.1:0").expect("bound");
        let address = socket.local_addr().expect("bound");
        thread::spawn(move || {
            let mut buffer = [0; 2_048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if &buffer[..length] == b"end" || socket.send_to(&buffer[..length], from).is_err() {
                    return;
                }
            }
        });
        address
    }

    fn client(proxy: &Proxy) -> Socket {
        let socket = Socket::bind("127.0.0.1:0").expect("bound");
        socket.connect(proxy.address).expect("connected");
        socket.set_read_timeout(Some(Duration::from_millis(500))).expect("set");
        socket
    }

    #[test]
    fn a_seed_loses_the_same_packets_again() {
        let now = Instant::now();
        let fates = |seed, link: &Link| -> Vec<bool> {
            let mut fate = Fate { dice: Dice(seed), free_at: None };
            (0..1_000).map(|_| fate.of(link, 100, now).is_some()).collect()
        };
        let link = Link::new(0.1, 75, 0);
        assert_eq!(fates(7, &link), fates(7, &Link::new(0.1, 5, 40)));
        assert_ne!(fates(7, &link), fates(8, &link));
        let lost = fates(7, &link).iter().filter(|arrives| !**arrives).count();
        assert!((70..130).contains(&lost), "{lost} of 1000 at 10 %");
    }

    #[test]
    fn what_does_not_fit_waits_and_then_is_lost() {
        let now = Instant::now();
        let link = Link { rate: Some(8_000), ..Link::default() };
        let mut fate = Fate { dice: Dice(1), free_at: None };
        let arrivals: Vec<_> = (0..10).map(|_| fate.of(&link, 100, now)).collect();
        assert_eq!(arrivals[1], Some(now + Duration::from_millis(200)), "100 bytes take 100 ms at 8 kbit/s");
        assert!(arrivals[8].is_none());
    }

    #[test]
    fn datagrams_are_delayed_and_an_address_changes() {
        let target = echo();
        let proxy = Proxy::udp(target, Link::new(0.0, 30, 0), 1).expect("started");
        let socket = client(&proxy);
        let mut buffer = [0; 100];
        let began = Instant::now();
        socket.send(b"salam").expect("sent");
        assert_eq!(socket.recv(&mut buffer).expect("echoed"), 5);
        assert!(began.elapsed() >= Duration::from_millis(60));
        proxy.change_address();
        socket.send(b"again").expect("sent");
        assert_eq!(socket.recv(&mut buffer).expect("by the new address"), 5);
        proxy.cut();
        socket.send(b"lost").expect("sent");
        assert!(socket.recv(&mut buffer).is_err());
        let (passed, lost, _) = proxy.counted();
        assert_eq!((passed, lost), (4, 1));
    }

    #[test]
    fn a_stream_loses_nothing_and_keeps_its_order() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let target = listener.local_addr().expect("bound");
        let sent: Vec<u8> = (0..20_000_u32).flat_map(u32::to_be_bytes).collect();
        let expected = sent.clone();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accepted");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("read");
            all
        });
        let proxy = Proxy::tcp(target, Link::new(0.05, 2, 1), 3).expect("started");
        let mut stream = TcpStream::connect(proxy.address).expect("connected");
        stream.write_all(&sent).expect("written");
        stream.shutdown(Shutdown::Write).expect("closed");
        assert!(server.join().expect("no panic") == expected);
    }
}
