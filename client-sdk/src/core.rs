//! The session: everything that a client decides, without a socket, a clock or a task.
//!
//! Give it what happened ([`Session::handle`]) with the time, and take what is to be done ([`Session::take`]).
//! The numbered rules are in `protocol/vectors/README.md`; the vectors there run against this module.

pub mod backoff;
pub mod catchup;
pub mod chat;
mod connect;
#[cfg(test)]
mod convergence;
pub mod event;
pub mod outbox;
pub mod phase;
mod receive;
pub mod requests;
pub mod saved;
mod sync;
pub mod user;
#[cfg(test)]
mod vectors;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use chapar_protocol::{ChatId, Epoch, ErrorCode, FileId, User, UserId, Version, WireError, limit, text};
use uuid::Uuid;

use self::{
    backoff::Backoff,
    catchup::Catchup,
    chat::Chat,
    event::{ClientEvent, SendState, Stop},
    outbox::{Outbox, OutboxItem},
    phase::Phase,
    requests::{Effect, Requests},
    saved::{Saved, State},
    user::Own,
};

/// Files that go up at once.
const UPLOADS: usize = 3;
/// What a request has around its params.
const ENVELOPE_BYTES: usize = 128;

/// Milliseconds of a clock that never goes back, from any beginning.
pub type Millis = u64;

/// Draws an even random number below a bound that is at least 1.
pub type Dice<'a> = &'a mut dyn FnMut(u64) -> u64;

/// Bounds and times of a session.
#[derive(Clone, Debug)]
pub struct Config {
    /// Messages held at the end of each chat. Default 500.
    pub window: usize,
    /// Messages in the outbox. Default 1000.
    pub outbox: usize,
    /// Messages on their way to the server at once, each of another chat. Default 16.
    pub outbox_in_flight: usize,
    /// How long a request may take, reconnections included, in milliseconds. Default 30 s.
    pub request_timeout: Millis,
    /// How long `hello` may take, in milliseconds. Default 15 s.
    pub hello_timeout: Millis,
}

impl Default for Config {
    fn default() -> Self {
        Self { window: 500, outbox: 1_000, outbox_in_flight: 16, request_timeout: 30_000, hello_timeout: 15_000 }
    }
}

/// What happened.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "handed over once, never kept in numbers")]
pub enum Input<'a> {
    /// Nothing but that time passed.
    Tick,
    /// The socket that was asked for is open.
    Opened,
    /// A text frame came.
    Frame(&'a str),
    /// A sign of life without a text: a ping or a pong.
    Alive,
    /// The socket could not be opened, broke, or was closed: with a code if the server gave one.
    Lost {
        /// See `chapar_protocol::CloseCode`.
        code: Option<u16>,
        /// For people who read logs.
        reason: &'a str,
    },
    /// The person, or the system that saw a network come, would like a connection now, and to know whether it lives.
    Hurry,
    /// A request of the application.
    Request {
        /// Names the waiting caller.
        ticket: u64,
        /// The command.
        method: &'static str,
        /// Its params as JSON.
        params: String,
        /// What its answer does to the local state.
        effect: Effect,
    },
    /// The caller no longer waits.
    Abandon {
        /// Who.
        ticket: u64,
    },
    /// A message for the outbox.
    Send {
        /// Names the waiting caller.
        ticket: u64,
        /// The message.
        item: OutboxItem,
    },
    /// The store has, or cannot take, a message.
    Stored {
        /// Which.
        client_id: Uuid,
        /// Whether it has it.
        ok: bool,
    },
    /// How the upload of a message's file goes on.
    Upload {
        /// Which message.
        client_id: Uuid,
        /// What is new.
        news: UploadNews,
    },
    /// Take a message back that was never written, or discard one that failed.
    Cancel(Uuid),
    /// Try a failed message again.
    Retry(Uuid),
    /// The users whose presence is to be watched, on every connection to come.
    Watch(Vec<UserId>),
    /// A new token after [`Stop::SignedOut`].
    Token(String),
    /// End it.
    Close,
}

/// How an upload goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum UploadNews {
    /// It has this id at the server.
    Begun(FileId),
    /// All of it is there.
    Complete(FileId),
    /// It will never be.
    Failed(WireError),
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Open a socket.
    Connect,
    /// Write a text frame to the socket.
    Write(String),
    /// Close the socket with this code; nothing more is to come from it.
    Disconnect(u16),
    /// Put a message into the store, then say [`Input::Stored`].
    Store(OutboxItem),
    /// Take a message out of the store.
    Unstore(Uuid),
    /// Bring a message's file to the server, saying [`Input::Upload`].
    Upload(OutboxItem),
    /// Nobody needs the file of this message there any more: as far as it has gone up, the server is to forget it.
    EndUpload(Uuid, Option<FileId>),
    /// Answer a caller: the reply as JSON.
    Answer {
        /// Who waits.
        ticket: u64,
        /// What to say.
        outcome: Result<String, Refusal>,
    },
    /// Tell the application.
    Tell(ClientEvent),
}

/// Why a caller gets no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The server said so.
    Server(WireError),
    /// No answer in time. Whether it took effect is unknown.
    Timeout,
    /// The session ended.
    Stopped(Stop),
    /// The outbox is full, or has this client id already.
    Outbox,
    /// The store cannot take the message. It was not sent.
    Store,
    /// The message was cancelled.
    Cancelled,
}

/// One device's session.
#[derive(Debug)]
pub struct Session {
    config: Config,
    token: String,
    phase: Phase,
    backoff: Backoff,
    /// What the server named as time of silence, in milliseconds.
    heartbeat: Millis,
    last_heard: Millis,
    /// When a connection that was asked for a sign of life counts as dead.
    probe_until: Option<Millis>,
    /// A time before which the server does not want to see us, with `drain` or an error.
    named_wait: Option<Millis>,
    me: Option<User>,
    epochs: Vec<Epoch>,
    own: Own,
    /// Shared with a state that is on its way to the disk: only what changes meanwhile is copied.
    chats: BTreeMap<ChatId, Arc<Chat>>,
    catchups: BTreeMap<ChatId, Catchup>,
    /// Chats whose difference is to be asked, in this order.
    to_ask: VecDeque<ChatId>,
    own_catchup: sync::OwnCatchup,
    outbox: Outbox,
    requests: Requests,
    watch: Vec<UserId>,
    changed: bool,
    out: VecDeque<Output>,
}

impl Session {
    /// A session that goes on from what was saved. It connects at the first [`Input::Tick`].
    pub fn new(config: Config, token: String, saved: Saved) -> Self {
        let state = saved.state.unwrap_or_default();
        Self {
            config,
            token,
            phase: Phase::Waiting { until: 0, named: false },
            backoff: Backoff::default(),
            heartbeat: 30_000,
            last_heard: 0,
            probe_until: None,
            named_wait: None,
            me: saved.owner,
            epochs: state.epochs,
            own: state.own,
            chats: state.chats,
            catchups: BTreeMap::new(),
            to_ask: VecDeque::new(),
            own_catchup: sync::OwnCatchup::default(),
            outbox: Outbox::load(saved.outbox),
            requests: Requests::default(),
            watch: Vec::new(),
            changed: false,
            out: VecDeque::new(),
        }
    }

    /// Takes note of what happened at `now`.
    pub fn handle(&mut self, now: Millis, dice: Dice<'_>, input: Input<'_>) {
        match input {
            Input::Tick => {}
            Input::Opened => self.opened(now),
            Input::Frame(frame) => {
                self.heard(now);
                self.frame(now, dice, frame);
            }
            Input::Alive => self.heard(now),
            Input::Lost { code, reason } => self.lost(now, dice, code, reason),
            Input::Hurry => {
                if matches!(self.phase, Phase::Waiting { named: false, .. }) {
                    self.phase = Phase::Waiting { until: now, named: false };
                }
                self.probe(now);
            }
            Input::Request { ticket, method, params, effect } => self.request(now, ticket, method, params, effect),
            Input::Abandon { ticket } => self.requests.abandon(ticket),
            Input::Send { ticket, item } => self.send(ticket, item),
            Input::Stored { client_id, ok } => self.stored(client_id, ok),
            Input::Upload { client_id, news } => self.upload(client_id, news),
            Input::Cancel(client_id) => self.cancel(client_id),
            Input::Retry(client_id) => {
                if let Some(item) = self.outbox.retry(client_id) {
                    self.tell_outbox(client_id);
                    self.out.push_back(Output::Store(item));
                }
            }
            Input::Watch(users) => self.watch = users,
            Input::Token(token) => {
                self.token = token;
                if matches!(self.phase, Phase::Stopped(Stop::SignedOut(_) | Stop::Refused(_))) {
                    self.phase = Phase::Waiting { until: now, named: false };
                }
            }
            Input::Close => self.stop(Stop::Closed, Some(1000)),
        }
        self.tick(now, dice);
        self.pump(now);
        if !matches!(self.phase, Phase::Stopped(_)) {
            let begin = self.outbox.next_uploads(UPLOADS).into_iter().map(Output::Upload);
            self.out.extend(begin);
        }
    }

    /// Takes what is to be done.
    pub fn take(&mut self) -> VecDeque<Output> {
        std::mem::take(&mut self.out)
    }

    /// When [`Input::Tick`] is due at the latest; `None` when only something else can move the session.
    pub fn deadline(&self, now: Millis) -> Option<Millis> {
        let phase = match self.phase {
            Phase::Waiting { until, .. } | Phase::Greeting { until } => Some(until),
            Phase::Live { .. } => Some(self.silent_at()),
            Phase::Draining { until } => Some(until.min(self.silent_at())),
            Phase::Connecting | Phase::Stopped(_) => None,
        };
        let live = [self.outbox.deadline(now), self.sync_deadline()];
        let live = live.into_iter().flatten().filter(|_| matches!(self.phase, Phase::Live { .. }));
        live.chain(phase).chain(self.requests.deadline()).min()
    }

    /// Where the session stands.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Who the user is, once known.
    pub fn me(&self) -> Option<&User> {
        self.me.as_ref()
    }

    /// The user's own things.
    pub fn own(&self) -> &Own {
        &self.own
    }

    /// The histories that the versions belong to; none while nothing is known.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// The chats held.
    pub fn chats(&self) -> &BTreeMap<ChatId, Arc<Chat>> {
        &self.chats
    }

    /// The secret of the device.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The messages on their way, in the order in which they were given.
    pub fn outbox(&self) -> impl Iterator<Item = (&OutboxItem, SendState)> {
        self.outbox.iter().map(|entry| (&entry.item, entry.state()))
    }

    /// Whether nothing that is known of is still to be fetched.
    pub fn in_step(&self) -> bool {
        self.phase.is_live() && self.catchups.is_empty() && !self.own_catchup.behind(self.own.version)
    }

    /// What a store keeps besides the outbox, if it changed since the last time.
    pub fn state_to_save(&mut self) -> Option<State> {
        let changed = std::mem::take(&mut self.changed);
        changed.then(|| State { epochs: self.epochs.clone(), own: self.own.clone(), chats: self.chats.clone() })
    }

    fn version(&self, chat_id: ChatId) -> Version {
        self.chats.get(&chat_id).map_or(Version(0), |chat| chat.version)
    }

    fn tell(&mut self, event: ClientEvent) {
        self.out.push_back(Output::Tell(event));
    }

    fn tell_outbox(&mut self, client_id: Uuid) {
        let entry = self.outbox.iter().find(|entry| entry.item.client_id == client_id);
        if let Some((chat_id, state)) = entry.map(|entry| (entry.item.chat_id, entry.state())) {
            self.tell(ClientEvent::Outbox { chat_id, client_id, state });
        }
    }

    fn answer(&mut self, ticket: u64, outcome: Result<String, Refusal>) {
        self.out.push_back(Output::Answer { ticket, outcome });
    }

    fn request(&mut self, now: Millis, ticket: u64, method: &'static str, params: String, effect: Effect) {
        if let Phase::Stopped(stop) = &self.phase {
            let refusal = Refusal::Stopped(stop.clone());
            return self.answer(ticket, Err(refusal));
        }
        // A frame beyond the bound ends the connection, and the request would go again on the next one.
        if params.len() + ENVELOPE_BYTES > limit::FRAME_BYTES {
            let error = WireError::new(ErrorCode::TooLarge, "a request has at most 128 KiB");
            return self.answer(ticket, Err(Refusal::Server(error)));
        }
        self.requests.add(ticket, method, params, effect, now + self.config.request_timeout);
    }

    fn send(&mut self, ticket: u64, item: OutboxItem) {
        // A signed-out session takes messages: they go out when somebody signs in again.
        if let Phase::Stopped(stop @ (Stop::Closed | Stop::OtherUser)) = &self.phase {
            let refusal = Refusal::Stopped(stop.clone());
            return self.answer(ticket, Err(refusal));
        }
        // Kept, it would stand in the way of all that follow.
        if let Err(error) = text::check_body_size(&item.body) {
            return self.answer(ticket, Err(Refusal::Server(error)));
        }
        if self.outbox.len() >= self.config.outbox || self.outbox.get_mut(item.client_id).is_some() {
            return self.answer(ticket, Err(Refusal::Outbox));
        }
        let client_id = item.client_id;
        self.outbox.push(item.clone(), ticket);
        self.tell_outbox(client_id);
        self.out.push_back(Output::Store(item));
    }

    fn stored(&mut self, client_id: Uuid, ok: bool) {
        if ok {
            self.outbox.saved(client_id);
        } else if let Some(entry) = self.outbox.not_saved(client_id) {
            for ticket in entry.tickets {
                self.answer(ticket, Err(Refusal::Store));
            }
        }
    }

    fn upload(&mut self, client_id: Uuid, news: UploadNews) {
        let kept = match news {
            UploadNews::Begun(file) => self.outbox.upload_begun(client_id, file),
            UploadNews::Complete(file) => self.outbox.uploaded(client_id, file),
            UploadNews::Failed(error) if self.outbox.is_uploading(client_id) => {
                let Some((item, tickets)) = self.outbox.failed(client_id, &error) else { return };
                for ticket in tickets {
                    self.answer(ticket, Err(Refusal::Server(error.clone())));
                }
                self.tell_outbox(client_id);
                Some(item)
            }
            UploadNews::Failed(_) => None,
        };
        self.out.extend(kept.map(Output::Store));
    }

    fn cancel(&mut self, client_id: Uuid) {
        let Some(entry) = self.outbox.remove(client_id) else { return };
        if let Some(upload) = &entry.item.upload {
            self.out.push_back(Output::EndUpload(client_id, upload.id));
        }
        self.out.push_back(Output::Unstore(client_id));
        for ticket in entry.tickets {
            self.answer(ticket, Err(Refusal::Cancelled));
        }
    }
}
