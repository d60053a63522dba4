//! The driver: one thread, one epoll, two connections for each pair. As lean as [`crate::engine`], and without its resumes: a
//! lost connection in a run of calls is a broken promise.

use std::{
    io::{ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use chapar_protocol::{command::Hello, frame};
use mio::{Events, Interest, Poll, Token, net::TcpStream};

use super::{
    figures::Figures,
    pair::{Pair, Saying},
    wire::{self, Heard, Texts},
};
use crate::{
    http::Node,
    message::Random,
    websocket::{self, Op, Step},
    world::User,
};

/// Connections that may be under way at once.
const OPENING: usize = 100;
const BUFFER: usize = 256 * 1024;
/// The id of `hello`; those of calls are larger.
const HELLO: u64 = 0;
/// How often pairs are looked at for what time alone brings, in microseconds.
const TICK_US: u64 = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down,
    Opening,
    Greeting,
    Live,
    Lost,
}

#[derive(Debug)]
struct Line {
    state: State,
    token: String,
    node: usize,
    stream: Option<TcpStream>,
    partial: Vec<u8>,
    out: Vec<u8>,
    written: usize,
    blocked: bool,
    dirty: bool,
}

/// All pairs of a run and their connections: those of pair n are 2n and 2n + 1.
#[derive(Debug)]
pub struct Switchboard {
    /// The pairs.
    pub pairs: Vec<Pair>,
    /// What was measured.
    pub figures: Figures,
    /// Why connections were lost.
    pub lost: Vec<String>,
    /// Pairs that have become free since they were last taken from here.
    pub free: Vec<usize>,
    lines: Vec<Line>,
    nodes: Vec<Node>,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    dirty: Vec<usize>,
    sayings: Vec<Saying>,
    scratch: Vec<u8>,
    texts: Texts,
    random: Random,
    start: Instant,
    next_tick_us: u64,
}

impl Switchboard {
    /// For these users, two by two, dealt to the nodes in turn.
    ///
    /// # Errors
    /// When the kernel gives no epoll.
    pub fn new(nodes: Vec<Node>, users: &[User], seed: u64) -> std::io::Result<Self> {
        let count = nodes.len().max(1);
        let line = |(index, user): (usize, &User)| Line {
            state: State::Down,
            token: user.token.clone(),
            node: index % count,
            stream: None,
            partial: Vec::new(),
            out: Vec::new(),
            written: 0,
            blocked: true,
            dirty: false,
        };
        let pairs: Vec<Pair> =
            users.as_chunks::<2>().0.iter().map(|[one, other]| Pair::new([one.id, other.id])).collect();
        Ok(Self {
            figures: Figures::default(),
            lost: Vec::new(),
            free: (0..pairs.len()).collect(),
            pairs,
            lines: users.iter().enumerate().map(line).collect(),
            nodes,
            poll: Poll::new()?,
            events: Events::with_capacity(2048),
            buffer: vec![0; BUFFER],
            dirty: Vec::new(),
            sayings: Vec::new(),
            scratch: Vec::new(),
            texts: Texts::default(),
            random: Random::new(seed),
            start: Instant::now(),
            next_tick_us: 0,
        })
    }

    /// Microseconds since the run began.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// How many connections have been greeted.
    pub fn connected(&self) -> usize {
        self.lines.iter().filter(|line| line.state == State::Live).count()
    }

    /// Opens further connections, a few at a time.
    pub fn open_some(&mut self) {
        let mut under_way =
            self.lines.iter().filter(|line| matches!(line.state, State::Opening | State::Greeting)).count();
        for index in 0..self.lines.len() {
            if under_way >= OPENING {
                return;
            }
            if self.lines[index].state == State::Down {
                under_way += 1;
                self.open(index);
            }
        }
    }

    /// Begins a call of a free pair.
    pub fn begin(&mut self, pair: usize, due_us: u64, cancel: bool) {
        let call = uuid::Builder::from_random_bytes(
            (u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64())).to_be_bytes(),
        );
        self.pairs[pair].begin(call.into_uuid(), due_us, cancel, &mut self.figures, &mut self.sayings);
        self.speak(pair);
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
        let ready: Vec<(usize, bool, bool)> = self
            .events
            .iter()
            .map(|it| (it.token().0, it.is_readable() || it.is_read_closed() || it.is_error(), it.is_writable()))
            .collect();
        for (index, readable, writable) in ready {
            if writable {
                self.lines[index].blocked = false;
                self.mark(index);
            }
            if readable {
                self.readable(index);
            }
        }
        let now_us = self.now_us();
        if now_us >= self.next_tick_us {
            self.next_tick_us = now_us + TICK_US;
            for pair in 0..self.pairs.len() {
                let was_free = self.pairs[pair].is_free();
                self.pairs[pair].tick(now_us, &mut self.sayings);
                self.after(pair, was_free);
            }
        }
        self.flush();
        Ok(())
    }

    fn open(&mut self, index: usize) {
        let line = &mut self.lines[index];
        let node = &self.nodes[line.node];
        let opened = TcpStream::connect(node.address).and_then(|mut stream| {
            stream.set_nodelay(true).ok();
            self.poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            Ok(stream)
        });
        match opened {
            Ok(stream) => {
                line.stream = Some(stream);
                line.state = State::Opening;
                websocket::put_upgrade(&mut line.out, &node.host);
            }
            Err(error) => self.lose(index, format!("connect: {}", error.kind())),
        }
    }

    fn readable(&mut self, index: usize) {
        loop {
            let line = &mut self.lines[index];
            let Some(stream) = &mut line.stream else { return };
            let have = line.partial.len();
            if self.buffer.len() < have + BUFFER / 4 {
                self.buffer.resize(have + BUFFER, 0);
            }
            match stream.read(&mut self.buffer[have..]) {
                Ok(0) => return self.lose(index, "connection closed".into()),
                Ok(read) => {
                    self.buffer[..have].copy_from_slice(&line.partial);
                    let whole = have + read;
                    let full = whole == self.buffer.len();
                    let buffer = std::mem::take(&mut self.buffer);
                    let outcome = self.consume(index, &buffer[..whole]);
                    self.buffer = buffer;
                    if let Err(why) = outcome {
                        return self.lose(index, why);
                    }
                    self.mark(index);
                    if !full {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lose(index, format!("read: {}", error.kind())),
            }
        }
    }

    fn consume(&mut self, index: usize, mut bytes: &[u8]) -> Result<(), String> {
        if self.lines[index].state == State::Opening {
            let Some(length) = websocket::upgraded(bytes)? else {
                self.lines[index].partial = bytes.to_vec();
                return Ok(());
            };
            bytes = &bytes[length..];
            let hello = Hello { token: self.lines[index].token.clone(), resume: None };
            self.put(index, Op::Text, frame::request(HELLO, &hello).as_bytes());
            self.lines[index].state = State::Greeting;
        }
        let now_us = self.now_us();
        let (pair, side) = (index / 2, index % 2);
        loop {
            match websocket::step(bytes) {
                Step::Frame(frame) => {
                    bytes = &bytes[frame.size..];
                    match frame.op {
                        Op::Text => {}
                        Op::Ping => {
                            self.put(index, Op::Pong, frame.payload);
                            continue;
                        }
                        Op::Pong => continue,
                        Op::Close => return Err("closed by the server".into()),
                    }
                    let heard = wire::read(frame.payload).map_err(|error| format!("not of the protocol: {error}"))?;
                    if self.lines[index].state == State::Greeting {
                        match heard {
                            Heard::Done(HELLO) => self.lines[index].state = State::Live,
                            Heard::Failed(Some(HELLO), error) => return Err(format!("hello: {}", error.message)),
                            _ => {}
                        }
                        continue;
                    }
                    let was_free = self.pairs[pair].is_free();
                    self.pairs[pair].hear(side, heard, now_us, &mut self.figures, &mut self.sayings);
                    self.after(pair, was_free);
                }
                Step::Need(_) => break,
                Step::Bad(why) => return Err(why.into()),
            }
        }
        let partial = &mut self.lines[index].partial;
        partial.clear();
        partial.extend_from_slice(bytes);
        Ok(())
    }

    fn after(&mut self, pair: usize, was_free: bool) {
        if !was_free && self.pairs[pair].is_free() {
            self.free.push(pair);
        }
        if !self.sayings.is_empty() {
            self.speak(pair);
        }
    }

    fn speak(&mut self, pair: usize) {
        for saying in std::mem::take(&mut self.sayings) {
            let mut scratch = std::mem::take(&mut self.scratch);
            scratch.clear();
            self.texts.put(&mut scratch, saying.id, saying.call, saying.say);
            self.put(pair * 2 + saying.side, Op::Text, &scratch);
            self.scratch = scratch;
        }
    }

    fn put(&mut self, index: usize, op: Op, payload: &[u8]) {
        let mask = u32::try_from(self.random.next_u64() >> 32).unwrap_or(0);
        websocket::put(&mut self.lines[index].out, op, payload, mask);
        self.mark(index);
    }

    fn mark(&mut self, index: usize) {
        let line = &mut self.lines[index];
        if !line.dirty && !line.blocked && line.out.len() > line.written {
            line.dirty = true;
            self.dirty.push(index);
        }
    }

    fn flush(&mut self) {
        for index in std::mem::take(&mut self.dirty) {
            self.lines[index].dirty = false;
            if let Err(why) = write_out(&mut self.lines[index]) {
                self.lose(index, why);
            }
        }
    }

    fn lose(&mut self, index: usize, why: String) {
        let line = &mut self.lines[index];
        line.state = State::Lost;
        if let Some(mut stream) = line.stream.take() {
            self.poll.registry().deregister(&mut stream).ok();
        }
        self.lost.push(why);
    }
}

fn write_out(line: &mut Line) -> Result<(), String> {
    let Some(stream) = &mut line.stream else { return Ok(()) };
    while line.written < line.out.len() && !line.blocked {
        match stream.write(&line.out[line.written..]) {
            Ok(count) => line.written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => line.blocked = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(format!("write: {}", error.kind())),
        }
    }
    if line.written == line.out.len() {
        line.out.clear();
        line.written = 0;
    }
    Ok(())
}
