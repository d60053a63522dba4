//! What one connection has said: first `hello`, then requests. Decides what each frame means; reads and writes no socket.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
};

use chapar_protocol::{
    ChatId, CloseCode, ErrorCode, Timestamp, WireError,
    call::Party,
    command::{Hello, Presences, WatchPresence, Welcome},
    event::Presence,
    frame::{self, RawRequest},
    limit,
};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use crate::{
    app::App,
    bus::Topic,
    commands::{self, Asker, Pending, Request},
    outbox::Outbox,
    store::{Result, StoreError, people::lists::ComingBack},
    tokens,
};

/// Frames that are no requests, after which a client is taken for no client.
const MAX_BAD_FRAMES: u32 = 200;
/// Requests before `hello`, after which the same.
const MAX_EARLY: u32 = 20;
/// Tokens that nobody has, after which a connection ends.
const MAX_BAD_TOKENS: u32 = 3;
/// Requests with a long answer that one connection has under way at the same time; the others wait for these.
const LONG_ANSWERS: usize = 2;

/// The state of a connection's conversation.
pub struct Session {
    app: Arc<App>,
    outbox: Arc<Outbox>,
    greeting: Arc<Greeting>,
    long_answers: Arc<Semaphore>,
    bad_frames: u32,
    early: u32,
}

/// How far the `hello` has come.
///
/// ```text
/// silent ── hello ──▶ asking ── token believed ──▶ known ── answered ──▶ welcome
///    ▲                  │ refused                    │ refused
///    └──────────────────┘                            ▼
///                                                 closed
/// ```
struct Greeting {
    stage: AtomicU8,
    bad_tokens: AtomicU32,
    network: IpAddr,
}

const SILENT: u8 = 0;
const ASKING: u8 = 1;
const KNOWN: u8 = 2;
const WELCOME: u8 = 3;
/// Refused after the connection had begun to watch: it is not used any more.
const SPOILT: u8 = 4;

impl Greeting {
    fn stage(&self) -> u8 {
        self.stage.load(Ordering::Relaxed)
    }

    fn enter(&self, stage: u8) {
        self.stage.store(stage, Ordering::Relaxed);
    }

    fn done(&self, app: &App, outcome: &Result<Welcome>) {
        match outcome {
            Ok(_) => self.enter(WELCOME),
            Err(_) if self.stage() == KNOWN => self.enter(SPOILT),
            Err(error) => {
                self.enter(SILENT);
                if matches!(error, StoreError::Refused(error) if error.code == ErrorCode::InvalidToken) {
                    self.bad_tokens.fetch_add(1, Ordering::Relaxed);
                    app.strangers.failed(self.network);
                }
            }
        }
    }
}

impl Session {
    /// Before `hello`, with somebody from `network`.
    pub fn new(app: Arc<App>, outbox: Arc<Outbox>, network: IpAddr) -> Self {
        let long_answers = Arc::new(Semaphore::new(LONG_ANSWERS));
        let greeting = Greeting { stage: AtomicU8::new(SILENT), bad_tokens: AtomicU32::new(0), network };
        Self { app, outbox, greeting: Arc::new(greeting), long_answers, bad_frames: 0, early: 0 }
    }

    /// Whether the client has said a `hello` with a token that is good: it is no stranger any more.
    pub fn is_known(&self) -> bool {
        matches!(self.greeting.stage(), KNOWN | WELCOME)
    }

    /// Why the connection should end, going by what the client has said.
    pub fn verdict(&self) -> Option<CloseCode> {
        if self.bad_frames > MAX_BAD_FRAMES || self.early > MAX_EARLY {
            Some(CloseCode::Abuse)
        } else if self.greeting.bad_tokens.load(Ordering::Relaxed) >= MAX_BAD_TOKENS {
            Some(CloseCode::InvalidToken)
        } else {
            (self.greeting.stage() == SPOILT).then_some(CloseCode::HelloTimeout)
        }
    }

    /// Begins what a frame asks for.
    pub fn begin(&mut self, text: &str) -> Pending {
        let welcome = self.greeting.stage() == WELCOME;
        let request = match RawRequest::parse(text) {
            Ok(request) => request,
            Err((id, error)) => {
                self.bad_frames += 1;
                self.early += u32::from(!welcome);
                let reply = frame::error_reply(id, &error).into();
                return Box::pin(std::future::ready(reply));
            }
        };
        let id = request.id;
        let asker = self.outbox.who().filter(|_| welcome).map(|(user, device)| Asker { user, device });
        self.early += u32::from(asker.is_none());
        match (request.method.as_ref(), asker) {
            ("hello", _) if self.greeting.stage() != SILENT => {
                commands::refused(id, &WireError::new(ErrorCode::BadRequest, "this connection has said hello already"))
            }
            ("hello", _) => match request.params::<Hello>() {
                Ok(hello) => {
                    self.greeting.enter(ASKING);
                    let (app, greeting) = (self.app.clone(), self.greeting.clone());
                    let work = greet(app.clone(), self.outbox.clone(), hello, greeting.clone());
                    self.answer(id, async move {
                        let outcome = work.await;
                        greeting.done(&app, &outcome);
                        outcome
                    })
                }
                Err(error) => commands::refused(id, &error),
            },
            (_, None) => commands::refused(id, &WireError::new(ErrorCode::Unauthenticated, "say hello first")),
            ("watch_presence", Some(asker)) => match request.params::<WatchPresence>() {
                Ok(watch) => self.answer(id, watch_presence(self.app.clone(), self.outbox.clone(), asker, watch)),
                Err(error) => commands::refused(id, &error),
            },
            (method, Some(asker)) => {
                let params = request.params.map_or("{}", RawValue::get);
                if commands::answers_at_length(method) {
                    self.in_turn(asker, id, method, params)
                } else {
                    commands::start(&self.app, &asker, &Request { id, method, params })
                }
            }
        }
    }

    /// A request with a long answer: few at a time, so that one connection cannot have many megabytes made for it. The
    /// turn ends when the answer is taken over by the connection.
    fn in_turn(&self, asker: Asker, id: u64, method: &str, params: &str) -> Pending {
        let (app, turns) = (self.app.clone(), self.long_answers.clone());
        let (method, params) = (method.to_owned(), params.to_owned());
        Box::pin(async move {
            let _turn = turns.acquire_owned().await;
            commands::start(&app, &asker, &Request { id, method: &method, params: &params }).await
        })
    }

    /// A reply that dies with the connection: what it would tell nobody else needs.
    fn answer<T: serde::Serialize + Send + 'static>(
        &self,
        id: u64,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Pending {
        let (app, outbox) = (self.app.clone(), self.outbox.clone());
        Box::pin(async move {
            let reply = work.await.map_err(WireError::from);
            if let Err(error) = &reply {
                commands::count_error(&app, error);
            }
            let reply = frame::reply(id, &reply);
            if let Some((user, _)) = outbox.who() {
                app.limits.answered(user, reply.len());
            }
            reply.into()
        })
    }
}

/// `hello`: who it is, and everything that was missed.
///
/// First the connection watches, then the database is read, the person's own things and then their chats: what is committed in between
/// arrives as an event too, and the client ignores what it knows. Of chats it hears nothing before it is certain which are its own: the list may be older than
/// the chats, and people come and go meanwhile.
async fn greet(app: Arc<App>, outbox: Arc<Outbox>, hello: Hello, greeting: Arc<Greeting>) -> Result<Welcome> {
    if hello.resume.as_ref().is_some_and(|resume| resume.chats.len() > limit::RESUME_CHATS) {
        return Err(WireError::new(ErrorCode::TooLarge, "at most 4000 cursors").into());
    }
    let (user_id, hash) = tokens::read(&hello.token).ok_or(StoreError::from(ErrorCode::InvalidToken))?;
    let network = greeting.network;
    // Before and outside the queue: those whom nobody knows do not stand in it.
    let caller = {
        let _turn = app.strangers.turn(network).await?;
        app.resumes.caller(user_id, hash).await?.ok_or(StoreError::from(ErrorCode::InvalidToken))?
    };
    let user = caller.user.id;
    app.limits.command(user)?;
    let _own = app.resumes.of_user(user).await?;
    // From here on a sign-out reaches this connection, and a failure ends it: it hears already, but may not ask.
    outbox.identify(user, caller.device_id);
    greeting.enter(KNOWN);
    outbox.begin_greeting();
    app.fanout.watch_user(user, &outbox).await;
    let who = ComingBack { user, device: caller.device_id, resume: hello.resume.map(Arc::new) };
    let Some(own) = app.resumes.own(network, who.clone()).await? else {
        // Signed out after the token was looked at and before this connection could hear of it.
        outbox.close(CloseCode::InvalidToken);
        return Err(ErrorCode::InvalidToken.into());
    };
    let chats: HashSet<ChatId> = own.inside().collect();
    app.fanout.watch_chats(&chats, &outbox).await;
    let resumed = app.resumes.missed(network, who, own).await?;
    // Left between the list and the answer: that was told before this connection could take it in. What was entered since the list
    // follows its version. Before the user's own stream begins, so that what follows finds the right chats watched.
    let still: HashSet<ChatId> = resumed.versions.iter().map(|(chat, _)| *chat).collect();
    app.fanout.unwatch_chats(chats.difference(&still).copied(), &outbox);
    app.fanout.known_to(&outbox, Topic::User(user.0), resumed.user_version);
    for (chat, version) in resumed.versions {
        app.fanout.known_to(&outbox, Topic::Chat(chat.0), version);
    }
    app.fanout.settle(user, &outbox).await?;
    app.fanout.note_seen(user, caller.device_id);
    let who = Party { user_id: user, device_id: caller.device_id };
    // Told apart from the answer: a store of the calls that is slow keeps nobody from the chat.
    let calls = app.calls.clone();
    tokio::spawn(async move { calls.online(who).await });
    Ok(Welcome {
        user: caller.user,
        device_id: caller.device_id,
        server_time: now(),
        heartbeat_seconds: app.settings.heartbeat_seconds,
        sync: resumed.sync,
    })
}

async fn watch_presence(app: Arc<App>, outbox: Arc<Outbox>, asker: Asker, watch: WatchPresence) -> Result<Presences> {
    if watch.user_ids.len() > limit::USERS_PER_COMMAND {
        return Err(WireError::new(ErrorCode::TooLarge, "at most 200 users at once").into());
    }
    app.limits.watch(asker.user, watch.user_ids.len())?;
    let mut users = watch.user_ids;
    users.sort_unstable();
    users.dedup();
    let pairs: Vec<_> = users.iter().map(|user| (asker.user, *user)).collect();
    let seen = app.store.people.may_see(&pairs).await?;
    users.retain(|user| seen.contains(&(asker.user, *user)));
    app.fanout.watch_presence(&users, &outbox).await;
    let seen = app.store.people.last_seen(&users).await?;
    // Asked last: whoever comes or goes after it is told after this answer.
    let presences = users.into_iter().map(|user_id| {
        let online = app.fanout.is_online(user_id);
        let last_seen_at = seen.get(&user_id).copied().filter(|_| !online);
        Presence { user_id, online, last_seen_at }
    });
    Ok(Presences { presences: presences.collect() })
}

fn now() -> Timestamp {
    time::OffsetDateTime::now_utc().into()
}
