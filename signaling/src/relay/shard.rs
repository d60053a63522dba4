//! A shard: one thread that carries packets between sockets and its core.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use mio::{Events, Interest, Poll, Token, Waker, net::UdpSocket};
use tokio::sync::mpsc;

use super::{
    config::Now,
    core::{Core, Whose},
    counters::{Counter, Counters},
    outputs::{AllocationId, FiveTuple, Output, Outputs, Transport},
    socket::{self, BATCH, Packet, Receiver, Sender},
};

/// A relayed socket gets a call's packets, not a crowd's.
const RELAYED_BATCH: usize = 8;
const INBOX: usize = 4_096;
const LISTENER_BUFFER: usize = 4 << 20;
/// Outputs that are gathered before they are performed: batches grow over sockets, and the buffer stays in the cache.
const FLUSH: usize = 64;
const WAKER: Token = Token(0);
/// A stream without an allocation is closed after so long, in nanoseconds: also one that sends half a frame and waits.
const IDLE_NANOS: u64 = 30_000_000_000;
const SWEEP: Duration = Duration::from_secs(5);

/// A clock that all shards share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Now {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        // Starts at a second so that no subtraction of a short time underflows.
        Now { nanos: u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX / 2) + 1_000_000_000, unix }
    }
}

/// A message to a shard.
pub(super) enum Message {
    /// A stream has been accepted; frames for it go into the queue.
    Opened(FiveTuple, mpsc::Sender<Vec<u8>>),
    /// A whole frame from a stream.
    Frame(FiveTuple, Vec<u8>),
    /// A stream has ended.
    Closed(FiveTuple),
    /// End allocations.
    Revoke(Whose),
    /// No new allocations.
    Drain,
}

/// How others reach a shard.
#[derive(Clone)]
pub(super) struct Inbox {
    sender: mpsc::Sender<Message>,
    waker: Arc<Waker>,
    woken: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
}

impl Inbox {
    /// Waits while the inbox is full. False if the shard has ended.
    pub(super) async fn send(&self, message: Message) -> bool {
        let sent = self.sender.send(message).await.is_ok();
        if !self.woken.swap(true, Ordering::AcqRel) {
            // It can only fail when the process is out of kernel memory, and then the next message tries again.
            let _ = self.waker.wake();
        }
        sent
    }
}

impl Inbox {
    /// Ends the shard without waiting: it looks at this before it reads its inbox.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        let _ = self.waker.wake();
    }
}

struct Relayed {
    generation: u32,
    socket: UdpSocket,
}

struct Stream {
    queue: mpsc::Sender<Vec<u8>>,
    /// When it last had an allocation, or was opened.
    useful: u64,
}

/// How long a busy shard lets packets gather before it looks again. Each packet would otherwise cost a wake-up, which is
/// dearer than its relaying. Half of it is the mean delay that it adds: under the 2 ms that a relay may take, and little
/// beside a voice frame of 20 ms. Less costs more: with 300 µs a packet took a fifth more processor time at 40,000 a second.
const MODERATION: Duration = Duration::from_micros(600);

/// Whether packets come so fast that waiting a little saves more than it costs.
#[derive(Default)]
struct Pace {
    since: u64,
    packets: usize,
    fast: bool,
}

impl Pace {
    const WINDOW_NANOS: u64 = 10_000_000;
    /// Packets in a window: 4,000 a second.
    const FAST: usize = 40;

    fn is_fast(&mut self, now: u64) -> bool {
        if now - self.since >= Self::WINDOW_NANOS {
            // A window that lasted long because nothing came is not fast.
            self.fast = self.packets >= Self::FAST && now - self.since < 2 * Self::WINDOW_NANOS;
            (self.since, self.packets) = (now, 0);
        }
        self.fast
    }
}

/// The thread's state.
pub(super) struct Shard {
    core: Core,
    counters: Arc<Counters>,
    clock: Clock,
    poll: Poll,
    listeners: Vec<UdpSocket>,
    relayed: Vec<Option<Relayed>>,
    streams: HashMap<FiveTuple, Stream>,
    inbox: mpsc::Receiver<Message>,
    woken: Arc<AtomicBool>,
    receiver: Receiver,
    sender: Sender,
    pace: Pace,
    out: Outputs,
    spare: Outputs,
    /// Sockets that had more than one batch to give.
    ready: VecDeque<Token>,
    swept: u64,
    stopped: Arc<AtomicBool>,
}

impl Shard {
    pub(super) fn new(
        core: Core,
        counters: Arc<Counters>,
        clock: Clock,
        addresses: &[SocketAddr],
    ) -> io::Result<(Self, Inbox)> {
        let poll = Poll::new()?;
        let mut listeners = Vec::new();
        for (index, address) in addresses.iter().enumerate() {
            let mut listener = socket::open(*address, true, LISTENER_BUFFER)?;
            poll.registry().register(&mut listener, Token(index + 1), Interest::READABLE)?;
            listeners.push(listener);
        }
        let scratch = socket::open("127.0.0.1:0".parse().map_err(io::Error::other)?, false, 0)?;
        let receiver = Receiver::new(&scratch)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (sender, inbox) = mpsc::channel(INBOX);
        let woken = Arc::new(AtomicBool::new(false));
        let stopped = Arc::new(AtomicBool::new(false));
        let handle = Inbox { sender, waker, woken: Arc::clone(&woken), stopped: Arc::clone(&stopped) };
        let shard = Self {
            core,
            counters,
            clock,
            poll,
            listeners,
            relayed: Vec::new(),
            streams: HashMap::new(),
            inbox,
            woken,
            receiver,
            sender: Sender::new(&scratch)?,
            pace: Pace::default(),
            out: Outputs::default(),
            spare: Outputs::default(),
            ready: VecDeque::new(),
            swept: 0,
            stopped,
        };
        Ok((shard, handle))
    }

    pub(super) fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(UdpSocket::local_addr).collect()
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1_024);
        while !self.stopped.load(Ordering::Acquire) {
            if let Err(error) = self.poll.poll(&mut events, self.patience())
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the relay cannot wait for its sockets");
                return;
            }
            self.ready.extend(events.iter().map(mio::event::Event::token));
            for _ in 0..self.ready.len() {
                let Some(token) = self.ready.pop_front() else { break };
                let now = self.clock.now();
                let more = match token {
                    WAKER => self.on_messages(now),
                    Token(index) if index <= self.listeners.len() => self.on_datagrams(index - 1, now),
                    Token(index) => self.on_packets(index - 1 - self.listeners.len(), now),
                };
                if self.out.list.len() >= FLUSH {
                    self.flush(now);
                }
                if more {
                    self.ready.push_back(token);
                }
            }
            let now = self.clock.now();
            self.flush(now);
            if self.core.next_timer().is_some_and(|at| at <= now.nanos) {
                self.core.on_timer(now, &mut self.out);
                self.flush(now);
            }
            self.sweep(now);
            if self.ready.is_empty() && self.pace.is_fast(now.nanos) {
                thread::sleep(MODERATION);
            }
        }
    }

    fn patience(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let sweep = (!self.streams.is_empty()).then_some(SWEEP);
        let now = self.clock.now().nanos;
        let timer = self.core.next_timer().map(|at| Duration::from_nanos(at.saturating_sub(now)));
        [sweep, timer].into_iter().flatten().min()
    }

    fn on_datagrams(&mut self, index: usize, now: Now) -> bool {
        let Some(socket) = self.listeners.get(index) else { return false };
        let Ok(count) = self.receiver.receive(socket, BATCH) else { return false };
        let listener = u16::try_from(index).unwrap_or_default();
        for packet in 0..count {
            match self.receiver.packet(packet) {
                Some((client, bytes)) => {
                    // Requests are answered at once; only media may gather.
                    self.pace.packets += usize::from(bytes.first().is_some_and(|first| first >> 6 == 1));
                    let from = FiveTuple { client, listener, transport: Transport::Udp };
                    self.core.input(from, bytes, now, &mut self.out);
                }
                None => self.counters.count(Counter::Junk),
            }
        }
        count == BATCH
    }

    fn on_packets(&mut self, slot: usize, now: Now) -> bool {
        let Some(Some(relayed)) = self.relayed.get(slot) else { return false };
        let Ok(count) = self.receiver.receive(&relayed.socket, RELAYED_BATCH) else { return false };
        let id = AllocationId { slot: u32::try_from(slot).unwrap_or_default(), generation: relayed.generation };
        for packet in 0..count {
            match self.receiver.packet(packet) {
                Some((peer, bytes)) => self.core.from_peer(id, peer, bytes, now, &mut self.out),
                None => self.counters.count(Counter::SendDropped),
            }
        }
        self.pace.packets += count;
        count == RELAYED_BATCH
    }

    fn on_messages(&mut self, now: Now) -> bool {
        // Cleared before reading: whoever sends after this wakes the shard again.
        self.woken.store(false, Ordering::Release);
        for _ in 0..INBOX {
            match self.inbox.try_recv() {
                Ok(Message::Opened(from, queue)) => {
                    self.counters.count(Counter::Streams);
                    self.streams.insert(from, Stream { queue, useful: now.nanos });
                }
                Ok(Message::Frame(from, bytes)) => self.core.input(from, &bytes, now, &mut self.out),
                Ok(Message::Closed(from)) => {
                    self.streams.remove(&from);
                    self.core.client_gone(from, &mut self.out);
                }
                Ok(Message::Revoke(whose)) => self.core.revoke(&whose, &mut self.out),
                Ok(Message::Drain) => self.core.drain(),
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.stopped.store(true, Ordering::Release);
                    return false;
                }
                Err(mpsc::error::TryRecvError::Empty) => return false,
            }
        }
        true
    }

    /// Does what the core asked for, and what it asks for in consequence.
    fn flush(&mut self, now: Now) {
        while !self.out.list.is_empty() {
            let mut out = std::mem::replace(&mut self.out, std::mem::take(&mut self.spare));
            self.perform(&out, now);
            out.clear();
            self.spare = out;
        }
    }

    fn perform(&mut self, out: &Outputs, now: Now) {
        let mut to_clients: Vec<Vec<Packet>> = vec![Vec::new(); self.listeners.len()];
        let mut index = 0;
        while let Some(output) = out.list.get(index) {
            index += 1;
            match output {
                Output::ToClient { to, bytes, droppable } if to.transport.is_stream() => {
                    self.send_stream(*to, out.bytes(bytes), *droppable);
                }
                Output::ToClient { to, bytes, .. } => {
                    if let Some(packets) = to_clients.get_mut(usize::from(to.listener)) {
                        packets.push((to.client, bytes.clone()));
                    }
                }
                Output::ToPeer { from, .. } => {
                    // Packets that came in one batch from one client leave in one batch.
                    let run = out.list[index - 1..].iter().map_while(|output| match output {
                        Output::ToPeer { from: next, peer, bytes } if next == from => Some((*peer, bytes.clone())),
                        _ => None,
                    });
                    let packets: Vec<Packet> = run.collect();
                    self.send_peers(*from, &packets, out.buffer());
                    index += packets.len() - 1;
                }
                Output::Open { id, local } => {
                    let bound = self.open(*id, *local);
                    self.core.opened(*id, bound, now, &mut self.out);
                }
                Output::Close { id } => self.close(*id),
                Output::Hangup { to } => drop(self.streams.remove(to)),
            }
        }
        for (listener, packets) in self.listeners.iter().zip(&to_clients) {
            let failed = self.sender.send(listener, packets, out.buffer());
            self.counters.add(Counter::SendDropped, failed as u64);
        }
    }

    fn send_peers(&self, from: AllocationId, packets: &[Packet], buffer: &[u8]) {
        let relayed = self.relayed.get(from.slot as usize).and_then(Option::as_ref);
        let failed = match relayed.filter(|relayed| relayed.generation == from.generation) {
            Some(relayed) => self.sender.send(&relayed.socket, packets, buffer),
            None => packets.len(),
        };
        self.counters.add(Counter::SendDropped, failed as u64);
    }

    fn send_stream(&mut self, to: FiveTuple, bytes: &[u8], droppable: bool) {
        let Some(stream) = self.streams.get(&to) else { return };
        if stream.queue.try_send(bytes.to_vec()).is_err() {
            self.counters.count(Counter::SendDropped);
            // A client that does not even read its replies is closed.
            if !droppable {
                self.cut(to);
            }
        }
    }

    fn open(&mut self, id: AllocationId, local: SocketAddr) -> bool {
        let slot = id.slot as usize;
        let Ok(mut socket) = socket::open(local, false, 0) else { return false };
        let token = Token(1 + self.listeners.len() + slot);
        if self.poll.registry().register(&mut socket, token, Interest::READABLE).is_err() {
            return false;
        }
        if self.relayed.len() <= slot {
            self.relayed.resize_with(slot + 1, || None);
        }
        self.relayed[slot] = Some(Relayed { generation: id.generation, socket });
        true
    }

    fn close(&mut self, id: AllocationId) {
        // Closing the socket takes it out of the poll as well.
        if let Some(entry) = self.relayed.get_mut(id.slot as usize)
            && entry.as_ref().is_some_and(|relayed| relayed.generation == id.generation)
        {
            *entry = None;
        }
    }

    fn cut(&mut self, stream: FiveTuple) {
        self.counters.count(Counter::StreamsCut);
        // Its task ends with its queue, and says Closed.
        self.streams.remove(&stream);
    }

    fn sweep(&mut self, now: Now) {
        if now.nanos - self.swept < u64::try_from(SWEEP.as_nanos()).unwrap_or_default() {
            return;
        }
        self.swept = now.nanos;
        let mut idle = Vec::new();
        for (tuple, stream) in &mut self.streams {
            if self.core.has_allocation(*tuple) {
                stream.useful = now.nanos;
            } else if now.nanos - stream.useful > IDLE_NANOS {
                idle.push(*tuple);
            }
        }
        for tuple in idle {
            self.cut(tuple);
        }
    }
}
