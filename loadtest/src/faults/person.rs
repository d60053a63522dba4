//! One person with one connection: writes what is due, reads what comes, and comes back after each loss.
//!
//! In each chat a person has one wish under way at a time; it is asked again, under the same client id, until there is an answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chapar_protocol::{
    Action, ChatCursor, ChatDelta, ChatId, ChatSync, Epoch, ErrorCode, Resume, Seq, Version, WireError,
    command::{Difference, Differences, Edit, Hello, React, Send, Welcome},
    message::NewBody,
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    book::{Book, Wish},
    view::View,
};
use crate::{
    line::{Came, Heard, Line},
    message::Random,
};

/// A read waits so long before the person looks at what is due.
const LOOK: Duration = Duration::from_millis(10);
/// An answer that has not come after this is asked for again, on a new connection (R18).
const ANSWER: Duration = Duration::from_secs(30);
/// A connection on which nothing came for this is given up (R16).
const SILENCE: Duration = Duration::from_mins(1);

/// What everybody shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) book: Mutex<Book>,
    pub(super) seen: Vec<Mutex<Seen>>,
    /// New wishes are made.
    pub(super) writing: AtomicBool,
    /// Everybody is to have no connection.
    pub(super) apart: AtomicBool,
    /// Everybody is to end.
    pub(super) over: AtomicBool,
    /// Grows when everybody who may is to write one message to each chat.
    pub(super) probe: AtomicU64,
    /// Microseconds between two wishes of a person in a chat, by chat; 0 is never.
    pub(super) pace: Vec<AtomicU64>,
}

/// What can be seen of a person from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) connected: bool,
    /// Wishes without a final answer: their chat and first try.
    pub(super) open: Vec<(usize, Instant)>,
    /// By chat; `None` where the person is not in it.
    pub(super) views: Vec<Option<View>>,
    /// Probes that were answered.
    pub(super) probed: u64,
}

pub(super) fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a person does in one chat.
#[derive(Debug)]
struct Lane {
    chat: usize,
    writes: bool,
    due: Instant,
    wish: Option<(Wish, Instant)>,
    /// The request under way, and when it was sent.
    asked: Option<(u64, Instant)>,
    not_before: Instant,
    /// Own messages that are stored.
    own: Vec<Seq>,
    /// Reactions begin after this seq, so that each message gets one of this person at most.
    reacted_up_to: i64,
    probes: u64,
    difference: Option<u64>,
    difference_not_before: Instant,
}

/// A person.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) number: usize,
    pub(super) token: String,
    pub(super) node: SocketAddr,
    shared: Arc<Shared>,
    chats: Vec<ChatId>,
    lanes: Vec<Lane>,
    epochs: Vec<Epoch>,
    random: Random,
    next_id: u64,
    hello: Option<u64>,
    welcomed: bool,
    heard_at: Instant,
}

impl Person {
    /// `chats`: index and whether this person writes there.
    pub(super) fn new(
        (number, token, node): (usize, String, SocketAddr),
        shared: Arc<Shared>,
        chats: &[(usize, bool)],
        seed: u64,
    ) -> Self {
        let now = Instant::now();
        let lane = |(chat, writes): &(usize, bool)| Lane {
            chat: *chat,
            writes: *writes,
            due: now,
            wish: None,
            asked: None,
            not_before: now,
            own: Vec::new(),
            reacted_up_to: 0,
            probes: 0,
            difference: None,
            difference_not_before: now,
        };
        let ids = lock(&shared.book).chats.clone();
        {
            let mut outside = lock(&shared.seen[number]);
            outside.views = vec![None; ids.len()];
            for (chat, _) in chats {
                outside.views[*chat] = Some(View::default());
            }
        }
        let lanes = chats.iter().map(lane).collect();
        let random = Random::new(seed ^ (number as u64) << 20);
        Self {
            number,
            token,
            node,
            shared,
            chats: ids,
            lanes,
            epochs: Vec::new(),
            random,
            next_id: 1,
            hello: None,
            welcomed: false,
            heard_at: now,
        }
    }

    /// Lives until everybody is to end.
    pub(super) fn live(mut self) {
        while !self.shared.over.load(Ordering::Relaxed) {
            self.make_wishes();
            self.show();
            if self.shared.apart.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
                continue;
            }
            match Line::open(self.node, None) {
                Ok(mut line) => {
                    let why = self.converse(&mut line);
                    lock(&self.shared.book).lost(why);
                    self.cut();
                }
                Err(_) => lock(&self.shared.book).lost("no connection".into()),
            }
            let pause = 50 + self.random.below(250) as u64;
            std::thread::sleep(Duration::from_millis(pause));
        }
    }

    fn cut(&mut self) {
        (self.hello, self.welcomed) = (None, false);
        for lane in &mut self.lanes {
            (lane.asked, lane.difference) = (None, None);
        }
        let mut seen = lock(&self.shared.seen[self.number]);
        seen.connected = false;
        seen.views.iter_mut().flatten().for_each(View::cut);
    }

    /// One connection, from `hello` to its end. Returns why it ended.
    fn converse(&mut self, line: &mut Line) -> String {
        self.heard_at = Instant::now();
        let id = self.id();
        self.hello = Some(id);
        let resume = (!self.epochs.is_empty()).then(|| {
            let seen = lock(&self.shared.seen[self.number]);
            let views = seen.views.iter().zip(&self.chats).filter_map(|(view, id)| Some((view.as_ref()?, *id)));
            let cursors = views.filter(|it| it.0.version > 0);
            let chats = cursors.map(|(view, id)| ChatCursor(id, Version(view.version), Seq(0))).collect();
            Resume { epochs: self.epochs.clone(), user_version: Version(0), chats }
        });
        if line.request(id, "hello", &Hello { token: self.token.clone(), resume }).is_err() {
            return "write".into();
        }
        loop {
            if self.shared.over.load(Ordering::Relaxed) || self.shared.apart.load(Ordering::Relaxed) {
                return "as asked".into();
            }
            match line.receive(LOOK) {
                Came::Text(text) => {
                    self.heard_at = Instant::now();
                    if let Err(why) = self.frame(&text) {
                        return why;
                    }
                    // What waits in the buffer is read before anything is written, but not for ever.
                    for _ in 0..50 {
                        match line.receive(Duration::ZERO) {
                            Came::Text(text) => {
                                if let Err(why) = self.frame(&text) {
                                    return why;
                                }
                            }
                            Came::Closed(code) => return format!("closed with {code}"),
                            Came::Nothing => break,
                        }
                    }
                }
                Came::Closed(code) => return format!("closed with {code}"),
                Came::Nothing => {}
            }
            if self.heard_at.elapsed() > SILENCE {
                return "silence".into();
            }
            self.make_wishes();
            if let Err(why) = self.ask(line) {
                return why;
            }
            self.show();
        }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn show(&self) {
        let mut seen = lock(&self.shared.seen[self.number]);
        seen.connected = self.welcomed;
        let open = |it: &Lane| Some((it.chat, it.wish.as_ref()?.1));
        seen.open = self.lanes.iter().filter_map(open).collect();
        let idle = self.lanes.iter().filter(|it| it.writes && it.wish.is_none());
        let writing = self.lanes.iter().filter(|it| it.writes).count();
        let least = idle.clone().map(|it| it.probes).min().unwrap_or(u64::MAX);
        seen.probed = if idle.count() == writing { least } else { 0 };
    }

    fn make_wishes(&mut self) {
        let now = Instant::now();
        let writing = self.shared.writing.load(Ordering::Relaxed);
        let probe = self.shared.probe.load(Ordering::Relaxed);
        for index in 0..self.lanes.len() {
            let lane = &self.lanes[index];
            if !lane.writes || lane.wish.is_some() {
                continue;
            }
            let pace = self.shared.pace[lane.chat].load(Ordering::Relaxed);
            let is_due = writing && pace > 0 && now >= lane.due;
            if !is_due && lane.probes >= probe {
                continue;
            }
            let wish = if is_due { self.wish(index) } else { send(&mut self.random) };
            let lane = &mut self.lanes[index];
            if is_due {
                // Late wishes are not made up for: what is slow shows in the waits.
                lane.due = now + Duration::from_micros(pace);
            } else {
                lane.probes = probe;
            }
            lock(&self.shared.book).wished(self.number, lane.chat, &wish);
            lane.wish = Some((wish, now));
            lane.not_before = now;
        }
    }

    fn wish(&mut self, index: usize) -> Wish {
        let lane = &mut self.lanes[index];
        match self.random.below(10) {
            0 if !lane.own.is_empty() => {
                let seq = lane.own[lane.own.len() - 1 - self.random.below(lane.own.len().min(5))];
                Wish::Edit { seq, text: format!("edited {:x}", self.random.next_u64()) }
            }
            1 => {
                let seen = lock(&self.shared.seen[self.number]);
                let last = seen.views[lane.chat].as_ref().and_then(|it| it.rows.keys().next_back().copied());
                match last.filter(|last| *last > lane.reacted_up_to) {
                    // Whoever has written here reacts to what came after, so to no service message.
                    Some(last) if lane.own.first().is_some_and(|own| last >= own.0) => {
                        lane.reacted_up_to = last;
                        Wish::React { seq: Seq(last) }
                    }
                    _ => send(&mut self.random),
                }
            }
            _ => send(&mut self.random),
        }
    }

    fn ask(&mut self, line: &mut Line) -> Result<(), String> {
        if !self.welcomed {
            return Ok(());
        }
        let now = Instant::now();
        for index in 0..self.lanes.len() {
            let chat = self.lanes[index].chat;
            let chat_id = self.chats[chat];
            let version = {
                let seen = lock(&self.shared.seen[self.number]);
                seen.views[chat].as_ref().filter(|it| it.behind()).map(|it| it.version)
            };
            if let Some(version) = version
                && self.lanes[index].difference.is_none()
                && now >= self.lanes[index].difference_not_before
            {
                let id = self.id();
                self.lanes[index].difference = Some(id);
                let ask = Difference { chats: vec![(chat_id, Version(version))] };
                line.request(id, "difference", &ask).map_err(|it| format!("write: {}", it.kind()))?;
            }
            let here = &self.lanes[index];
            if here.asked.is_some_and(|it| it.1.elapsed() > ANSWER) {
                return Err("no answer for 30 s".into());
            }
            if let (Some((wish, _)), None) = (here.wish.clone(), here.asked)
                && now >= here.not_before
            {
                let id = self.id();
                self.lanes[index].asked = Some((id, now));
                let written = match wish {
                    Wish::Send { client_id, text } => {
                        line.request(id, "send", &Send::new(chat_id, client_id, NewBody::text(text)))
                    }
                    Wish::Edit { seq, text } => {
                        line.request(id, "edit", &Edit { chat_id, seq, body: NewBody::text(text) })
                    }
                    Wish::React { seq } => line.request(id, "react", &React { chat_id, seq, emoji: Some("👍".into()) }),
                };
                written.map_err(|it| format!("write: {}", it.kind()))?;
            }
        }
        Ok(())
    }

    fn frame(&mut self, text: &str) -> Result<(), String> {
        let heard: Heard<'_> = serde_json::from_str(text).map_err(|error| format!("a frame that is none: {error}"))?;
        if heard.event.as_deref() == Some("delta") {
            let delta: ChatDelta = read(heard.data.map_or("", |it| it.get()))?;
            self.view(delta.chat_id, |view| view.delta(delta));
            return Ok(());
        }
        let Some(id) = heard.id else { return Ok(()) };
        let answer = match (heard.ok, heard.error) {
            (Some(ok), _) => Ok(ok.get()),
            (None, Some(error)) => Err(error),
            (None, None) => return Ok(()),
        };
        if self.hello == Some(id) {
            let welcome: Welcome = read(answer.map_err(|error| format!("hello: {}", error.code.name()))?)?;
            self.welcome(welcome);
            return Ok(());
        }
        if let Some(lane) = self.lanes.iter().position(|it| it.difference == Some(id)) {
            return self.difference(lane, answer);
        }
        if let Some(lane) = self.lanes.iter().position(|it| it.asked.is_some_and(|it| it.0 == id)) {
            self.answered(lane, answer);
        }
        Ok(())
    }

    fn view(&self, chat: ChatId, with: impl FnOnce(&mut View)) {
        let Some(index) = self.chats.iter().position(|it| *it == chat) else { return };
        if let Some(view) = &mut lock(&self.shared.seen[self.number]).views[index] {
            with(view);
        }
    }

    fn welcome(&mut self, welcome: Welcome) {
        self.hello = None;
        self.welcomed = true;
        let sync = welcome.sync;
        if sync.resets(Epoch::CHATS) {
            lock(&self.shared.seen[self.number]).views.iter_mut().flatten().for_each(View::reset);
        }
        self.epochs = sync.epochs;
        for chat in sync.chats {
            self.sync(chat);
        }
        for chat in sync.behind {
            self.view(chat, View::is_behind);
        }
    }

    fn sync(&self, sync: ChatSync) {
        match sync {
            ChatSync::Snapshot { snapshot } => self.view(snapshot.chat.id, |view| view.snapshot(&snapshot)),
            ChatSync::Delta { delta, more } => self.view(delta.chat_id, |view| {
                view.delta(delta);
                if more { view.is_behind() } else { view.is_complete() }
            }),
        }
    }

    fn difference(&mut self, lane: usize, answer: Result<&str, WireError>) -> Result<(), String> {
        let lane = &mut self.lanes[lane];
        lane.difference = None;
        match answer {
            Ok(ok) => {
                let answer: Differences = read(ok)?;
                for sync in answer.chats {
                    self.sync(sync);
                }
            }
            Err(error) => {
                lane.difference_not_before = Instant::now() + wait(&error);
                lock(&self.shared.book).error(error.code.name());
            }
        }
        Ok(())
    }

    fn answered(&mut self, lane: usize, answer: Result<&str, WireError>) {
        #[derive(Deserialize)]
        struct Place {
            seq: Option<i64>,
        }
        let lane = &mut self.lanes[lane];
        lane.asked = None;
        let mut book = lock(&self.shared.book);
        match answer {
            Ok(ok) => {
                let Some((wish, first_try)) = lane.wish.take() else { return };
                let seq = serde_json::from_str::<Place>(ok).ok().and_then(|it| it.seq);
                if let (Wish::Send { .. }, Some(seq)) = (&wish, seq) {
                    lane.own.push(Seq(seq));
                }
                book.done(lane.chat, &wish, seq, first_try);
            }
            Err(error) => {
                book.error(error.code.name());
                if error.action == Action::Retry || error.code == ErrorCode::Unauthenticated {
                    lane.not_before = Instant::now() + wait(&error);
                } else if let Some((wish, _)) = lane.wish.take() {
                    book.refused(lane.chat, &wish, error.code.name());
                }
            }
        }
    }
}

/// A person who waits for an answer tries again soon, whatever the server would like: at most a second.
fn wait(error: &WireError) -> Duration {
    Duration::from_millis(u64::from(error.retry_after_ms.unwrap_or(200)).clamp(50, 1000))
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| format!("an answer that does not fit: {error}"))
}

fn send(random: &mut Random) -> Wish {
    let client_id = Uuid::from_u64_pair(random.next_u64() & !0xF000 | 0x4000, random.next_u64() >> 2 | 1 << 63);
    Wish::Send { client_id, text: format!("said {:x}", random.next_u64()) }
}
