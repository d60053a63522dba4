//! One user's connection as a pure state machine: frames and the time go in, bytes to write come out.
//!
//! ```text
//!            open()           upgraded()          welcome
//!   Down ───────────▶ Opening ──────────▶ Greeting ──────▶ Live
//!    ▲                   │                    │              │
//!    └──── lost(): jittered back-off ◀────────┴──────────────┘      Dead: the token or the client is no good
//! ```

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    io::Write as _,
    rc::Rc,
};

use chapar_protocol::{
    Action, ChatCursor, ChatId, ChatSync, CloseCode, Command, Epoch, Resume, Seq, UserDelta, Version, WireError,
    command::{Difference, Differences, Hello, UserDifference, Welcome},
    event::Drain,
    frame, limit,
};
use serde_json::value::RawValue;

use crate::{
    cursor::{Applied, Cursor, Delta},
    frames::{self, CONTROL_IDS, Frames, Incoming},
    ledger::Ledger,
    message::{Ident, Random},
    stats::Stats,
    watch::{Answer, Watch},
    websocket::{self, Frame, Op},
};

/// What all sessions of a run share.
#[derive(Debug)]
pub struct Shared {
    /// What was sent and seen.
    pub ledger: Ledger,
    /// Reads frames.
    pub frames: Frames,
    /// Counts.
    pub stats: Stats,
    /// Requests that a connection may have under way, at most 64.
    pub in_flight: usize,
    /// Answers to what a scenario has asked by [`Session::ask`], until it takes them.
    pub answers: Vec<Answer>,
    /// What some users are told of a chat that is not in the ledger.
    pub watch: Option<Watch>,
    scratch: Vec<u8>,
}

impl Shared {
    /// For a run.
    pub fn new(ledger: Ledger, in_flight: usize) -> Self {
        let in_flight = in_flight.clamp(1, chapar_protocol::limit::IN_FLIGHT);
        Self {
            ledger,
            frames: Frames::default(),
            stats: Stats::default(),
            in_flight,
            answers: Vec::new(),
            watch: None,
            scratch: Vec::new(),
        }
    }
}

/// Where a connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not connected; the next try is due then, in microseconds of the run.
    Down(u64),
    /// TCP and the upgrade are under way.
    Opening,
    /// `hello` was sent.
    Greeting,
    /// The cursors are up to date but for gaps.
    Live,
    /// The server said not to come back.
    Dead(String),
}

/// Why a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Come back after a back-off.
    Lost(String),
    /// Do not come back.
    Dead(String),
}

const HELLO: u64 = CONTROL_IDS;
const USER_DIFFERENCE: u64 = CONTROL_IDS + 1;
/// Plus the index of the cursor.
const DIFFERENCE: u64 = CONTROL_IDS * 2;
/// Plus the number of what a scenario asks.
const ASKED: u64 = CONTROL_IDS * 4;
/// Deltas kept back until the welcome; further ones are found missing by the version rule.
const EARLY: usize = 4096;
/// The longest back-off, in microseconds.
const BACK_OFF_US: u64 = 30_000_000;

/// One user's connection.
#[derive(Debug)]
pub struct Session {
    /// Index of the user.
    pub user: u32,
    /// Where it stands.
    pub phase: Phase,
    /// Bytes to be written.
    pub out: Vec<u8>,
    /// One for each chat of the user.
    pub cursors: Vec<Cursor>,
    /// Counts of the messages that wait for their turn, in order.
    pub pending: VecDeque<u32>,
    /// Counts of those under way.
    pub under_way: VecDeque<u32>,
    token: String,
    epochs: Vec<Epoch>,
    user_version: i64,
    early: Vec<Rc<Delta>>,
    paused_until: u64,
    /// Which cursors each `difference` under way asks for, by its id.
    questions: BTreeMap<u64, Vec<usize>>,
    last_question: u64,
    /// Those that were refused, to be asked for again at that time.
    reask: Option<(u64, Vec<usize>)>,
    drain: Option<u32>,
    attempts: u32,
    heard_us: u64,
    silence_us: u64,
    random: Random,
}

impl Session {
    /// A user who has not connected yet and knows each chat as it was at the start.
    pub fn new(user: u32, token: String, cursors: Vec<Cursor>, seed: u64) -> Self {
        Self {
            user,
            phase: Phase::Down(0),
            out: Vec::new(),
            cursors,
            pending: VecDeque::new(),
            under_way: VecDeque::new(),
            token,
            epochs: Vec::new(),
            user_version: 0,
            early: Vec::new(),
            paused_until: 0,
            questions: BTreeMap::new(),
            last_question: DIFFERENCE,
            reask: None,
            drain: None,
            attempts: 0,
            heard_us: 0,
            silence_us: 60_000_000,
            random: Random::new(seed ^ u64::from(user).rotate_left(40)),
        }
    }

    /// The TCP connection stands: asks for the upgrade.
    pub fn open(&mut self, host: &str, now_us: u64) {
        self.phase = Phase::Opening;
        self.heard_us = now_us;
        self.out.clear();
        websocket::put_upgrade(&mut self.out, host);
    }

    /// The upgrade is done: says hello, with the cursors when there are any.
    pub fn greet(&mut self, ledger: &Ledger, now_us: u64) {
        self.phase = Phase::Greeting;
        self.heard_us = now_us;
        let cursor = |it: &Cursor| {
            let id = ledger.chats[it.chat as usize].id;
            (it.version > 0).then_some(ChatCursor(ChatId(id), Version(it.version), Seq(0)))
        };
        let resume = (!self.epochs.is_empty()).then(|| Resume {
            epochs: self.epochs.clone(),
            user_version: Version(self.user_version),
            chats: self.cursors.iter().filter_map(cursor).collect(),
        });
        let hello = Hello { token: self.token.clone(), resume };
        self.put(Op::Text, frame::request(HELLO, &hello).as_bytes());
    }

    /// The connection is gone: everything under way is open again, and goes out first after the next welcome.
    pub fn lost(&mut self, end: End, shared: &mut Shared, now_us: u64) {
        let again = match end {
            End::Lost(why) => {
                shared.stats.lose(&why);
                Phase::Down(now_us + self.back_off_us())
            }
            End::Dead(why) => {
                shared.stats.lose(&why);
                Phase::Dead(why)
            }
        };
        self.phase = again;
        for count in &self.under_way {
            shared.ledger.unanswered(Ident { user: self.user, count: *count });
        }
        self.under_way.append(&mut self.pending);
        std::mem::swap(&mut self.under_way, &mut self.pending);
        self.pending.make_contiguous().sort_unstable();
        self.cursors.iter_mut().for_each(Cursor::cut);
        self.early.clear();
        self.out.clear();
        self.drain = None;
        self.reask = None;
        self.questions.clear();
    }

    /// Full jitter: first within a second, doubling to half a minute. A draining server names the time itself.
    fn back_off_us(&mut self) -> u64 {
        if let Some(millis) = self.drain {
            return u64::from(millis) * 1000;
        }
        let bound = (1_000_000 << self.attempts.min(5)).min(BACK_OFF_US);
        self.attempts += 1;
        self.random.next_u64() % bound
    }

    /// Handles one frame.
    ///
    /// # Errors
    /// When the connection has to end.
    pub fn frame(&mut self, it: &Frame<'_>, shared: &mut Shared, now_us: u64) -> Result<(), End> {
        self.heard_us = now_us;
        match it.op {
            Op::Text => {}
            Op::Ping => {
                self.put(Op::Pong, it.payload);
                return Ok(());
            }
            Op::Pong => return Ok(()),
            Op::Close => return Err(closed(it.payload)),
        }
        let incoming = shared.frames.read(&mut shared.ledger, it.payload);
        match incoming.map_err(|error| End::Dead(format!("a frame that is not of the protocol: {error}")))? {
            Incoming::Delta(Some(delta)) if self.phase == Phase::Live => self.delta(&delta, shared, now_us),
            Incoming::Delta(Some(delta)) => {
                if self.early.len() < EARLY {
                    self.early.push(delta);
                }
            }
            Incoming::Delta(None) => {
                if let Some(watch) = &mut shared.watch {
                    watch.heard(self.user, it.payload, now_us);
                }
            }
            Incoming::Sent { id, seq, version } => self.sent(id, seq, version, shared, now_us),
            Incoming::Reply { id, ok } => self.reply(id, ok, shared, now_us)?,
            Incoming::Failed { id, error } => self.failed(id, &error, shared, now_us)?,
            Incoming::Event { name, data } => self.event(name, data)?,
        }
        Ok(())
    }

    /// Writes as many waiting messages as may be under way.
    pub fn pump(&mut self, shared: &mut Shared, now_us: u64) {
        if self.phase != Phase::Live || self.drain.is_some() || now_us < self.paused_until {
            return;
        }
        while self.under_way.len() < shared.in_flight
            && let Some(count) = self.pending.pop_front()
        {
            let ident = Ident { user: self.user, count };
            let Some(chat) = shared.ledger.sent(ident).map(|sent| sent.chat) else { continue };
            let (chat, maker) = (shared.ledger.chats[chat as usize].id, &shared.ledger.maker);
            let scratch = &mut shared.scratch;
            scratch.clear();
            let id = maker.client_id(ident);
            // By hand: this is the hottest place of the generator, and nothing in it needs escaping.
            let written = write!(
                scratch,
                r#"{{"id":{count},"method":"send","params":{{"chat_id":{chat},"client_id":"{id}","body":{{"kind":"text","text":""#
            );
            debug_assert!(written.is_ok(), "a Vec takes all");
            maker.text(ident, scratch);
            scratch.extend_from_slice(br#""}}}"#);
            websocket::put(&mut self.out, Op::Text, scratch, low_half(self.random.next_u64()));
            self.under_way.push_back(count);
            shared.stats.sent += 1;
        }
    }

    /// What time alone brings: silence, the end of a pause, a question to be asked again, the end of a drain.
    ///
    /// # Errors
    /// When the connection has to end.
    pub fn tick(&mut self, shared: &mut Shared, now_us: u64) -> Result<(), End> {
        if matches!(self.phase, Phase::Down(_) | Phase::Dead(_)) {
            return Ok(());
        }
        if now_us.saturating_sub(self.heard_us) > self.silence_us {
            return Err(End::Lost("silence".into()));
        }
        if self.drain.is_some() && self.under_way.is_empty() {
            return Err(End::Lost("drain".into()));
        }
        if let Some((_, refused)) = self.reask.take_if(|it| it.0 <= now_us) {
            self.ask(&refused, shared);
        }
        if !self.pending.is_empty() {
            self.pump(shared, now_us);
        }
        Ok(())
    }

    /// Whether the user is connected and knows of nothing that is missing.
    pub fn settled(&self) -> bool {
        self.phase == Phase::Live
            && self.reask.is_none()
            && self.cursors.iter().all(|it| it.known() && !it.asked && !it.has_gap())
    }

    /// Messages that have no answer yet.
    pub fn open_sends(&self) -> usize {
        self.pending.len() + self.under_way.len()
    }

    /// Asks something of a scenario's own; the answer lands in [`Shared::answers`]. False when nobody is there to be asked.
    pub fn ask_for<C: Command>(&mut self, number: u64, command: &C) -> bool {
        let live = self.phase == Phase::Live;
        if live {
            self.put(Op::Text, frame::request(ASKED + number, command).as_bytes());
        }
        live
    }

    /// Whoever is not connected comes back from now on, each after a back-off of their own.
    pub fn come_back(&mut self, now_us: u64) {
        if let Phase::Down(_) = self.phase {
            self.attempts = 0;
            self.phase = Phase::Down(now_us + self.back_off_us());
        }
    }

    fn put(&mut self, op: Op, payload: &[u8]) {
        let mask = low_half(self.random.next_u64());
        websocket::put(&mut self.out, op, payload, mask);
    }

    fn delta(&mut self, delta: &Rc<Delta>, shared: &mut Shared, now_us: u64) {
        let Some(index) = self.cursors.iter().position(|it| it.chat == delta.chat) else { return };
        match self.cursors[index].delta(delta, &mut shared.ledger.violations) {
            Applied::Ignored => shared.stats.repeated += 1,
            Applied::Gap { ask: true } => {
                shared.stats.gaps += 1;
                self.ask(&[index], shared);
            }
            Applied::Gap { ask: false } => {}
            Applied::New(start) => self.count(&delta.messages[start..], shared, now_us),
        }
    }

    fn count(&self, messages: &[crate::cursor::Seen], shared: &mut Shared, now_us: u64) {
        let (mut own, mut others) = (0, 0);
        for seen in messages {
            match seen.ident {
                Some(ident) if ident.user == self.user => own += 1,
                Some(_) => {
                    others += 1;
                    shared.stats.receive(seen.at_us, now_us);
                }
                None => {}
            }
        }
        shared.stats.deliver(others, own, now_us);
    }

    /// Applies what was kept back, and asks again when something is still missing.
    fn catch_up(&mut self, index: usize, shared: &mut Shared, now_us: u64) {
        while let Some(delta) = self.cursors[index].next_held() {
            self.delta(&delta, shared, now_us);
        }
        if self.cursors[index].has_gap() && !self.cursors[index].asked {
            self.ask(&[index], shared);
        }
    }

    fn ask(&mut self, wanted: &[usize], shared: &Shared) {
        for indices in wanted.chunks(limit::DIFFERENCE_CHATS) {
            let mut chats = Vec::with_capacity(indices.len());
            for index in indices {
                let cursor = &mut self.cursors[*index];
                cursor.asked = true;
                chats.push((ChatId(shared.ledger.chats[cursor.chat as usize].id), Version(cursor.version)));
            }
            self.last_question += 1;
            self.questions.insert(self.last_question, indices.to_vec());
            self.put(Op::Text, frame::request(self.last_question, &Difference { chats }).as_bytes());
        }
    }

    /// Applies one chat of an answer. Returns which cursor it was for.
    fn sync(&mut self, sync: &ChatSync, shared: &mut Shared, now_us: u64) -> Option<usize> {
        match sync {
            ChatSync::Delta { delta, more } => {
                let delta = frames::from_answer(&mut shared.ledger, delta)?;
                let index = self.cursors.iter().position(|it| it.chat == delta.chat)?;
                self.delta(&delta, shared, now_us);
                if *more && !self.cursors[index].asked {
                    self.ask(&[index], shared);
                }
                Some(index)
            }
            ChatSync::Snapshot { snapshot } => {
                let chat = shared.ledger.chat_index(snapshot.chat.id.0)?;
                for message in snapshot.messages().map(frames::sighting) {
                    if message.seq > shared.ledger.chats[chat as usize].base_seq {
                        shared.ledger.sighted(chat, message);
                    }
                }
                let index = self.cursors.iter().position(|it| it.chat == chat)?;
                let cursor = &mut self.cursors[index];
                let holes = cursor.holes.len();
                cursor.snapshot(snapshot.version.0, snapshot.last_seq.0, &mut shared.ledger.violations);
                shared.stats.snapshots += u64::from(cursor.holes.len() > holes);
                Some(index)
            }
        }
    }

    fn welcome(&mut self, welcome: &Welcome, shared: &mut Shared, now_us: u64) {
        let sync = &welcome.sync;
        self.phase = Phase::Live;
        self.attempts = 0;
        self.silence_us = u64::from(welcome.heartbeat_seconds.max(1)) * 2_000_000;
        if sync.resets(Epoch::PEOPLE) {
            self.user_version = 0;
        }
        if sync.resets(Epoch::CHATS) {
            self.cursors.iter_mut().for_each(|it| it.version = 0);
        }
        self.epochs.clone_from(&sync.epochs);
        self.user_version = self.user_version.max(sync.user.version.0);
        for chat in &sync.chats {
            self.sync(chat, shared, now_us);
        }
        let behind: HashSet<ChatId> = sync.behind.iter().copied().collect();
        let wanted = |cursor: &Cursor| {
            let id = ChatId(shared.ledger.chats[cursor.chat as usize].id);
            !cursor.asked && (!cursor.known() || behind.contains(&id))
        };
        let wanted: Vec<usize> = (0..self.cursors.len()).filter(|index| wanted(&self.cursors[*index])).collect();
        self.ask(&wanted, shared);
        for delta in std::mem::take(&mut self.early) {
            self.delta(&delta, shared, now_us);
        }
        self.pump(shared, now_us);
    }

    fn sent(&mut self, id: u64, seq: i64, version: i64, shared: &mut Shared, now_us: u64) {
        let Some(ident) = self.answered(id) else {
            let user = self.user;
            shared
                .ledger
                .violations
                .add("an acknowledgement that nobody asked for", || format!("user {user}, request {id}, seq {seq}"));
            return;
        };
        if let Some(at_us) = shared.ledger.acknowledged(ident, seq, version) {
            shared.stats.acknowledge(at_us, now_us);
        }
    }

    /// Takes a message off those under way.
    fn answered(&mut self, id: u64) -> Option<Ident> {
        let count = u32::try_from(id).ok()?;
        let at = self.under_way.iter().position(|it| *it == count)?;
        self.under_way.remove(at);
        Some(Ident { user: self.user, count })
    }

    fn reply(&mut self, id: u64, ok: &RawValue, shared: &mut Shared, now_us: u64) -> Result<(), End> {
        let bad = |error| End::Dead(format!("a reply that does not fit: {error}"));
        match id {
            HELLO => {
                let welcome: Welcome = serde_json::from_str(ok.get()).map_err(bad)?;
                self.welcome(&welcome, shared, now_us);
            }
            USER_DIFFERENCE => self.user_delta(&serde_json::from_str::<UserDelta>(ok.get()).map_err(bad)?),
            ASKED.. => shared.answers.push(Answer { user: self.user, number: id - ASKED, at_us: now_us, error: None }),
            _ => {
                let Some(indices) = self.questions.remove(&id) else { return Ok(()) };
                for index in &indices {
                    self.cursors[*index].asked = false;
                }
                let answer: Differences = serde_json::from_str(ok.get()).map_err(bad)?;
                if let Some(gone) = answer.gone.first() {
                    return Err(End::Dead(format!("difference: {gone:?} is gone")));
                }
                for sync in &answer.chats {
                    self.sync(sync, shared, now_us);
                }
                let is_behind = |index: &usize| {
                    answer.behind.contains(&ChatId(shared.ledger.chats[self.cursors[*index].chat as usize].id))
                };
                let behind: Vec<usize> = indices.iter().copied().filter(is_behind).collect();
                self.ask(&behind, shared);
                for index in indices {
                    self.catch_up(index, shared, now_us);
                }
            }
        }
        Ok(())
    }

    fn failed(&mut self, id: Option<u64>, error: &WireError, shared: &mut Shared, now_us: u64) -> Result<(), End> {
        let code = serde_json::to_value(error.code).ok();
        shared.stats.error(code.as_ref().and_then(|it| it.as_str()).unwrap_or("unknown"));
        if let Some(number) = id.and_then(|id| id.checked_sub(ASKED)) {
            let error = Some(error.clone());
            shared.answers.push(Answer { user: self.user, number, at_us: now_us, error });
            return Ok(());
        }
        let wait_us = u64::from(error.retry_after_ms.unwrap_or(250)) * 1000;
        let answered = id.and_then(|id| self.answered(id));
        if let Some(ident) = answered {
            if error.action == Action::GiveUp {
                shared.ledger.refused(ident);
            } else {
                shared.ledger.unanswered(ident);
                let at = self.pending.partition_point(|it| *it < ident.count);
                self.pending.insert(at, ident.count);
                self.paused_until = now_us + wait_us;
            }
        }
        match error.action {
            Action::ReAuthenticate => Err(End::Dead(format!("{:?}", error.code))),
            Action::Resume => Err(End::Lost(format!("error {:?}", error.code))),
            Action::Retry if id == Some(HELLO) => {
                // R15: a time that is named holds in place of the back-off. The server draws it at random.
                self.drain = error.retry_after_ms;
                Err(End::Lost(format!("hello: {:?}", error.code)))
            }
            Action::GiveUp if id == Some(HELLO) || id.is_none() => Err(End::Dead(format!("{:?}", error.code))),
            Action::GiveUp if answered.is_none() => Err(End::Dead(format!("difference: {:?}", error.code))),
            Action::Retry | Action::GiveUp => {
                if let Some(indices) = id.and_then(|id| self.questions.remove(&id)) {
                    let (at, refused) = self.reask.get_or_insert_default();
                    *at = (*at).max(now_us + wait_us);
                    refused.extend(indices);
                }
                Ok(())
            }
        }
    }

    fn event(&mut self, name: &str, data: &RawValue) -> Result<(), End> {
        let bad = |error| End::Dead(format!("an event that does not fit: {error}"));
        match name {
            "me" => self.user_delta(&serde_json::from_str::<UserDelta>(data.get()).map_err(bad)?),
            "drain" => {
                let drain: Drain = serde_json::from_str(data.get()).map_err(bad)?;
                self.drain = Some(drain.reconnect_after_ms);
            }
            _ => {}
        }
        Ok(())
    }

    /// The per-user version has nothing to count here; only the rule is kept, because a server must answer for it.
    fn user_delta(&mut self, delta: &UserDelta) {
        if delta.from.0 > self.user_version && self.phase == Phase::Live {
            let question = UserDifference { from: Version(self.user_version) };
            self.put(Op::Text, frame::request(USER_DIFFERENCE, &question).as_bytes());
        } else {
            self.user_version = self.user_version.max(delta.version.0);
        }
    }
}

fn low_half(value: u64) -> u32 {
    u32::try_from(value & 0xFFFF_FFFF).unwrap_or(0)
}

fn closed(payload: &[u8]) -> End {
    let Some(code) = payload.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes)) else {
        return End::Lost("closed without a code".into());
    };
    match CloseCode::action_of(code) {
        Action::Resume | Action::Retry => End::Lost(format!("closed with {code}")),
        Action::ReAuthenticate | Action::GiveUp => End::Dead(format!("closed with {code}")),
    }
}

#[cfg(test)]
mod tests;
