//! The driver: one thread, one epoll, all connections.
//!
//! Each turn reads what arrived into one shared buffer, lets the sessions handle it, and writes what they have to say in
//! one call per connection. A task per connection would cost a wake-up for each; here a turn costs two system calls per
//! active connection, however many frames it carries.

use std::{
    io::{ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use chapar_protocol::Command;
use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::{
    http::Node,
    schedule::Picker,
    session::{End, Phase, Session, Shared},
    websocket::{self, Step},
};

/// Connections that may be under way at once, unless a scenario says otherwise: more could overrun the server's accept queue.
const OPENING: usize = 100;
/// How often every session is looked at for what time alone brings, in microseconds.
const TICK_US: u64 = 20_000;
/// Messages that may wait in one user's outbox.
const OUTBOX: usize = 100_000;
/// What one read takes at most, unless a larger frame is on its way.
const BUFFER: usize = 256 * 1024;

#[derive(Debug)]
struct Connection {
    session: Session,
    stream: Option<TcpStream>,
    node: usize,
    /// Bytes of a frame that is not whole yet.
    partial: Vec<u8>,
    /// How much of `session.out` is written.
    written: usize,
    /// The socket takes no more for now.
    blocked: bool,
    /// Stands in the list of those to be flushed.
    dirty: bool,
}

/// What epoll said of one connection.
#[derive(Clone, Copy, Debug)]
struct Ready {
    index: usize,
    readable: bool,
    writable: bool,
    closing: bool,
}

/// A closed loop: everybody keeps so many messages under way until the end.
#[derive(Debug)]
pub struct ClosedLoop {
    /// Chooses the chats.
    pub picker: Picker,
    /// Messages under way per user.
    pub in_flight: usize,
    /// When to stop, in microseconds of the run.
    pub end_us: u64,
}

/// All connections of a run.
#[derive(Debug)]
pub struct Engine {
    /// What the sessions share.
    pub shared: Shared,
    /// Set while a closed loop runs.
    pub closed: Option<ClosedLoop>,
    /// Connections that may be under way at once.
    pub opening_at_once: usize,
    poll: Poll,
    events: Events,
    ready: Vec<Ready>,
    nodes: Vec<Node>,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    dirty: Vec<usize>,
    opening: usize,
    start: Instant,
    next_tick_us: u64,
}

impl Engine {
    /// For these users, who are dealt to the nodes in turn.
    ///
    /// # Errors
    /// When the kernel gives no epoll.
    pub fn new(nodes: Vec<Node>, sessions: Vec<Session>, shared: Shared) -> std::io::Result<Self> {
        let count = nodes.len().max(1);
        let connection = |(index, session)| Connection {
            session,
            stream: None,
            node: index % count,
            partial: Vec::new(),
            written: 0,
            blocked: false,
            dirty: false,
        };
        Ok(Self {
            shared,
            closed: None,
            opening_at_once: OPENING,
            poll: Poll::new()?,
            events: Events::with_capacity(2048),
            ready: Vec::new(),
            nodes,
            connections: sessions.into_iter().enumerate().map(connection).collect(),
            buffer: vec![0; BUFFER],
            dirty: Vec::new(),
            opening: 0,
            start: Instant::now(),
            next_tick_us: 0,
        })
    }

    /// Microseconds since the run began.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The sessions, by user.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.connections.iter().map(|it| &it.session)
    }

    /// Hands a message to a user, who sends it as soon as the connection allows.
    pub fn send(&mut self, user: u32, chat: u32, at_us: u64) {
        let connection = &mut self.connections[user as usize];
        if connection.session.pending.len() >= OUTBOX {
            self.shared.stats.not_sent += 1;
            return;
        }
        let ident = self.shared.ledger.send(user, chat, at_us);
        connection.session.pending.push_back(ident.count);
        let now_us = at_us.max(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX));
        connection.session.pump(&mut self.shared, now_us);
        mark(connection, user as usize, &mut self.dirty);
    }

    /// Asks something for a user; see [`Session::ask_for`].
    pub fn ask<C: Command>(&mut self, user: u32, number: u64, command: &C) -> bool {
        let connection = &mut self.connections[user as usize];
        let asked = connection.session.ask_for(number, command);
        mark(connection, user as usize, &mut self.dirty);
        asked
    }

    /// Everybody's connection breaks at once. Nobody comes back before the next turn.
    pub fn cut_all(&mut self) {
        let now_us = self.now_us();
        for index in 0..self.connections.len() {
            if self.connections[index].stream.is_some() {
                self.lose(index, End::Lost("cut by the load test".into()), now_us);
            }
        }
    }

    /// Everybody comes back from now on; see [`Session::come_back`].
    pub fn come_back(&mut self) {
        let now_us = self.now_us();
        self.connections.iter_mut().for_each(|it| it.session.come_back(now_us));
    }

    /// Starts a closed loop.
    pub fn start_closed(&mut self, closed: ClosedLoop) {
        let writers = closed.picker.writers();
        self.closed = Some(closed);
        for user in writers {
            let now_us = self.now_us();
            self.top_up(user as usize, now_us);
        }
        self.flush();
    }

    /// Waits for the network for at most `wait`, handles what came, writes what is to be written.
    ///
    /// # Errors
    /// When epoll fails.
    pub fn turn(&mut self, wait: Duration) -> std::io::Result<()> {
        self.flush();
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let mut ready = std::mem::take(&mut self.ready);
        ready.extend(self.events.iter().map(|it| Ready {
            index: it.token().0,
            readable: it.is_readable(),
            writable: it.is_writable(),
            closing: it.is_read_closed() || it.is_error(),
        }));
        for it in ready.drain(..) {
            if it.writable {
                self.writable(it.index);
            }
            if it.readable || it.closing {
                self.readable(it.index, it.closing);
            }
        }
        self.ready = ready;
        let now_us = self.now_us();
        if now_us >= self.next_tick_us {
            self.next_tick_us = now_us + TICK_US;
            self.tick(now_us);
        }
        self.flush();
        Ok(())
    }

    /// Turns until `done` says so or the time is over. Returns whether it was done.
    ///
    /// # Errors
    /// When epoll fails.
    pub fn until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> std::io::Result<bool> {
        let deadline = Instant::now() + limit;
        while !done(self) {
            // The question may cost a look at every session, so it is not asked after every turn.
            let next = Instant::now() + Duration::from_millis(5);
            if next > deadline {
                return Ok(false);
            }
            while Instant::now() < next {
                self.turn(Duration::from_millis(5))?;
            }
        }
        Ok(true)
    }

    /// How many are connected and know of nothing missing.
    pub fn settled(&self) -> usize {
        self.sessions().filter(|it| it.settled()).count()
    }

    /// Whether everything is answered and everybody is at the highest version that anybody knows of.
    pub fn quiescent(&self) -> bool {
        self.sessions().all(|session| {
            session.open_sends() == 0
                && session.settled()
                && session.cursors.iter().all(|it| it.version >= self.shared.ledger.chats[it.chat as usize].top_version)
        })
    }

    /// Those who will not come back, with the reason of the first.
    pub fn dead(&self) -> Option<(usize, String)> {
        let mut dead = self.sessions().filter_map(|it| match &it.phase {
            Phase::Dead(why) => Some(why.clone()),
            Phase::Down(_) | Phase::Opening | Phase::Greeting | Phase::Live => None,
        });
        let first = dead.next()?;
        Some((1 + dead.count(), first))
    }

    fn tick(&mut self, now_us: u64) {
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            match connection.session.phase {
                Phase::Down(at) if at <= now_us && self.opening < self.opening_at_once => self.connect(index, now_us),
                Phase::Down(_) | Phase::Dead(_) => {}
                Phase::Opening | Phase::Greeting | Phase::Live => {
                    let outcome = connection.session.tick(&mut self.shared, now_us);
                    mark(connection, index, &mut self.dirty);
                    if let Err(end) = outcome {
                        self.lose(index, end, now_us);
                    }
                }
            }
        }
    }

    fn connect(&mut self, index: usize, now_us: u64) {
        let connection = &mut self.connections[index];
        let node = &self.nodes[connection.node];
        let opened = TcpStream::connect(node.address).and_then(|mut stream| {
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(index), both)?;
            Ok(stream)
        });
        match opened {
            Ok(stream) => {
                connection.stream = Some(stream);
                connection.partial.clear();
                connection.written = 0;
                // Nothing can be written until the kernel says so.
                connection.blocked = true;
                connection.session.open(&node.host, now_us);
                self.opening += 1;
            }
            Err(error) => {
                let end = End::Lost(format!("connect: {}", error.kind()));
                connection.session.lost(end, &mut self.shared, now_us);
            }
        }
    }

    fn writable(&mut self, index: usize) {
        let now_us = self.now_us();
        let connection = &mut self.connections[index];
        connection.blocked = false;
        if connection.session.phase == Phase::Opening
            && let Some(stream) = &connection.stream
        {
            if let Ok(Some(error)) | Err(error) = stream.take_error() {
                self.lose(index, End::Lost(format!("connect: {}", error.kind())), now_us);
                return;
            }
            let _ = stream.set_nodelay(true);
        }
        mark(connection, index, &mut self.dirty);
    }

    /// Reads until the socket is empty. A short read says so already; only the end of the stream has to be met.
    fn readable(&mut self, index: usize, closing: bool) {
        loop {
            let connection = &mut self.connections[index];
            let Some(stream) = &mut connection.stream else { return };
            let have = connection.partial.len();
            if self.buffer.len() < have + BUFFER / 4 {
                self.buffer.resize(have + BUFFER, 0);
            }
            let outcome = stream.read(&mut self.buffer[have..]);
            let now_us = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
            let end = match outcome {
                Ok(0) => End::Lost("connection closed".into()),
                Ok(read) => {
                    self.buffer[..have].copy_from_slice(&connection.partial);
                    let full = have + read == self.buffer.len();
                    match consume(connection, &self.buffer[..have + read], &mut self.shared, &mut self.opening, now_us)
                    {
                        Ok(()) => {
                            mark(connection, index, &mut self.dirty);
                            self.top_up(index, now_us);
                            if full || closing {
                                continue;
                            }
                            return;
                        }
                        Err(end) => end,
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => End::Lost(format!("read: {}", error.kind())),
            };
            self.lose(index, end, now_us);
            return;
        }
    }

    fn top_up(&mut self, index: usize, now_us: u64) {
        let Some(closed) = &mut self.closed else { return };
        if now_us >= closed.end_us {
            return;
        }
        let connection = &mut self.connections[index];
        while connection.session.open_sends() < closed.in_flight
            && let Some(chat) = closed.picker.pick_for(connection.session.user)
        {
            let ident = self.shared.ledger.send(connection.session.user, chat, now_us);
            connection.session.pending.push_back(ident.count);
        }
        connection.session.pump(&mut self.shared, now_us);
        mark(connection, index, &mut self.dirty);
    }

    fn lose(&mut self, index: usize, end: End, now_us: u64) {
        let connection = &mut self.connections[index];
        if matches!(connection.session.phase, Phase::Opening | Phase::Greeting) {
            self.opening = self.opening.saturating_sub(1);
        }
        if let Some(mut stream) = connection.stream.take() {
            let _ = self.poll.registry().deregister(&mut stream);
        }
        connection.session.lost(end, &mut self.shared, now_us);
        connection.partial = Vec::new();
        connection.written = 0;
    }

    fn flush(&mut self) {
        for index in std::mem::take(&mut self.dirty) {
            let connection = &mut self.connections[index];
            connection.dirty = false;
            if let Err(end) = write_out(connection) {
                let now_us = self.now_us();
                self.lose(index, end, now_us);
            }
        }
    }
}

fn mark(connection: &mut Connection, index: usize, dirty: &mut Vec<usize>) {
    if !connection.dirty && !connection.blocked && connection.session.out.len() > connection.written {
        connection.dirty = true;
        dirty.push(index);
    }
}

fn write_out(connection: &mut Connection) -> Result<(), End> {
    let Some(stream) = &mut connection.stream else { return Ok(()) };
    let out = &mut connection.session.out;
    while connection.written < out.len() && !connection.blocked {
        match stream.write(&out[connection.written..]) {
            Ok(count) => connection.written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => connection.blocked = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(End::Lost(format!("write: {}", error.kind()))),
        }
    }
    if connection.written == out.len() {
        out.clear();
        connection.written = 0;
    }
    Ok(())
}

/// Handles the whole frames of a buffer and keeps the rest.
fn consume(
    connection: &mut Connection,
    mut bytes: &[u8],
    shared: &mut Shared,
    opening: &mut usize,
    now_us: u64,
) -> Result<(), End> {
    if connection.session.phase == Phase::Opening {
        if let Some(length) = websocket::upgraded(bytes).map_err(End::Lost)? {
            bytes = &bytes[length..];
            connection.session.greet(&shared.ledger, now_us);
        } else {
            connection.partial.clear();
            connection.partial.extend_from_slice(bytes);
            return Ok(());
        }
    }
    loop {
        match websocket::step(bytes) {
            Step::Frame(frame) => {
                let greeting = connection.session.phase == Phase::Greeting;
                connection.session.frame(&frame, shared, now_us)?;
                if greeting && connection.session.phase == Phase::Live {
                    *opening = opening.saturating_sub(1);
                }
                bytes = &bytes[frame.size..];
            }
            Step::Need(_) => break,
            Step::Bad(what) => return Err(End::Dead(what.to_owned())),
        }
    }
    connection.partial.clear();
    connection.partial.extend_from_slice(bytes);
    // After each answer the next message of the outbox may leave.
    connection.session.pump(shared, now_us);
    Ok(())
}
