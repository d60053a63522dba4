//! What one connection has said: first `hello`, then requests. Decides what each frame means; reads and writes no socket.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
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

use crate::{
    app::App,
    bus::Topic,
    commands::{self, Asker, Pending, Request},
    outbox::Outbox,
    store::{Result, StoreError},
    tokens,
};

/// For how long a connection waits for its turn to be brought up to date before it is told to come back.
const RESUME_PATIENCE: Duration = Duration::from_secs(5);
/// Frames that are no requests, after which a client is taken for no client.
const MAX_BAD_FRAMES: u32 = 200;

/// The state of a connection's conversation.
pub struct Session {
    app: Arc<App>,
    outbox: Arc<Outbox>,
    /// A `hello` is under way or done. One that failed may be tried again.
    greeted: Arc<AtomicBool>,
    bad_frames: u32,
}

impl Session {
    /// Before `hello`.
    pub fn new(app: Arc<App>, outbox: Arc<Outbox>) -> Self {
        Self { app, outbox, greeted: Arc::default(), bad_frames: 0 }
    }

    /// Whether the client has sent so much rubbish that it should go.
    pub fn is_abusive(&self) -> bool {
        self.bad_frames > MAX_BAD_FRAMES
    }

    /// Begins what a frame asks for.
    pub fn begin(&mut self, text: &str) -> Pending {
        let request = match RawRequest::parse(text) {
            Ok(request) => request,
            Err((id, error)) => {
                self.bad_frames += 1;
                let reply = frame::error_reply(id, &error).into();
                return Box::pin(std::future::ready(reply));
            }
        };
        let id = request.id;
        let asker = self.outbox.who().map(|(user, device)| Asker { user, device });
        match (request.method.as_ref(), asker) {
            ("hello", _) if self.greeted.load(Ordering::Relaxed) => {
                commands::refused(id, &WireError::new(ErrorCode::BadRequest, "this connection has said hello already"))
            }
            ("hello", _) => match request.params::<Hello>() {
                Ok(hello) => {
                    self.greeted.store(true, Ordering::Relaxed);
                    let (greeted, greeting) =
                        (self.greeted.clone(), greet(self.app.clone(), self.outbox.clone(), hello));
                    self.answer(
                        id,
                        async move { greeting.await.inspect_err(|_| greeted.store(false, Ordering::Relaxed)) },
                    )
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
                commands::start(&self.app, &asker, &Request { id, method, params })
            }
        }
    }

    /// A reply that dies with the connection: what it would tell nobody else needs.
    fn answer<T: serde::Serialize + Send + 'static>(
        &self,
        id: u64,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Pending {
        let app = self.app.clone();
        Box::pin(async move {
            let reply = work.await.map_err(commands::wire_error);
            if let Err(error) = &reply {
                commands::count_error(&app, error);
            }
            frame::reply(id, &reply).into()
        })
    }
}

/// `hello`: who it is, and everything that was missed.
///
/// First the connection watches, then the database is read: what is committed in between arrives as an event too, and
/// the client ignores what it knows.
async fn greet(app: Arc<App>, outbox: Arc<Outbox>, hello: Hello) -> Result<Welcome> {
    if hello.resume.as_ref().is_some_and(|resume| resume.chats.len() > limit::RESUME_CHATS) {
        return Err(WireError::new(ErrorCode::TooLarge, "at most 4000 cursors").into());
    }
    let (user_id, hash) = tokens::read(&hello.token).ok_or(StoreError::from(ErrorCode::InvalidToken))?;
    let Ok(Ok(_turn)) = tokio::time::timeout(RESUME_PATIENCE, app.resumes.acquire()).await else {
        let wait = rand::random_range(1000..5000);
        return Err(WireError::new(ErrorCode::Overloaded, "too many connections resume at once").after_ms(wait).into());
    };
    let store = app.store.hello();
    let caller = store.caller(user_id, &hash).await?;
    let user = caller.user.id;
    outbox.identify(user, caller.device_id);
    if outbox.who() != Some((user, caller.device_id)) {
        let message = "this connection belongs to another device already";
        return Err(WireError::new(ErrorCode::BadRequest, message).into());
    }
    app.fanout.watch_user(user, &outbox).await;
    let chats = store.chat_ids(user).await?;
    app.fanout.watch_chats(&chats, &outbox).await;
    let chats: HashSet<ChatId> = chats.into_iter().collect();
    let resumed = store.resume(user, hello.resume.as_ref()).await?;
    // Left or entered between the list and the answer: that was told before this connection could take it in. Before the
    // user's own stream begins, so that what follows finds the right chats watched.
    let still: HashSet<ChatId> = resumed.versions.iter().map(|(chat, _)| *chat).collect();
    let entered: Vec<ChatId> = still.iter().copied().filter(|chat| !chats.contains(chat)).collect();
    app.fanout.unwatch_chats(chats.difference(&still).copied(), &outbox);
    app.fanout.watch_chats(&entered, &outbox).await;
    app.fanout.known_to(&outbox, Topic::User(user.0), resumed.user_version);
    for (chat, version) in resumed.versions {
        app.fanout.known_to(&outbox, Topic::Chat(chat.0), version);
    }
    if !entered.is_empty() {
        // Watched only after the answer was read: what came in between is filled.
        for (chat, version) in store.chat_versions(&entered).await? {
            app.fanout.known(Topic::Chat(chat.0), version);
            app.fanout.tell_where_it_stands(chat, &outbox);
        }
    }
    // Signed out after the token was looked at and before this connection could hear of it.
    if !app.store.owns_device(user, caller.device_id).await? {
        outbox.close(CloseCode::InvalidToken);
        return Err(ErrorCode::InvalidToken.into());
    }
    app.fanout.note_seen(user, caller.device_id);
    let who = Party { user_id: user, device_id: caller.device_id };
    // Told apart from the answer: a store of the calls that is slow keeps nobody from the chat.
    let calls = app.calls.clone();
    tokio::spawn(async move { calls.online(who).await });
    Ok(Welcome {
        user: caller.user,
        device_id: caller.device_id,
        server_time: now(),
        heartbeat_seconds: u32::try_from(App::HEARTBEAT.as_secs()).unwrap_or(u32::MAX),
        sync: resumed.sync,
    })
}

async fn watch_presence(app: Arc<App>, outbox: Arc<Outbox>, asker: Asker, watch: WatchPresence) -> Result<Presences> {
    app.limits.command(asker.user)?;
    if watch.user_ids.len() > limit::USERS_PER_COMMAND {
        return Err(WireError::new(ErrorCode::TooLarge, "at most 200 users at once").into());
    }
    let mut users = watch.user_ids;
    users.sort_unstable();
    users.dedup();
    let answered = app.store.answered_among(asker.user, &users).await?;
    users.retain(|user| answered.contains(user));
    app.fanout.watch_presence(&users, &outbox).await;
    let seen = app.store.last_seen(&users).await?;
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
