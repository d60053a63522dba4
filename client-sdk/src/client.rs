//! The client that an application holds.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chapar_protocol::{
    Audience, ChatId, Command, Member, OwnItem, Seq, User,
    account::{Register, SignIn, SignedIn},
    command::Sent,
    message::{NewBody, Quote},
};
use rand::RngExt as _;
use serde::de::DeserializeOwned;
use tokio::{
    sync::{Notify, broadcast, oneshot, watch},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    Error, Events, MemoryStore, Store, Trust,
    core::{
        Config, Input, Millis, Refusal, Session,
        event::{ClientEvent, Stop},
        outbox::OutboxItem,
        phase::Phase,
        requests::Effect,
    },
    driver,
    endpoint::Endpoint,
    http::Http,
    tls, transport,
    view::{self, ChatView, MessageView, OutgoingView},
};

/// Events that wait for a slow reader at most.
const EVENTS: usize = 1_024;

/// How a client is to be made. Ends with [`Builder::register`], [`Builder::sign_in`] or [`Builder::with_token`].
pub struct Builder {
    url: String,
    trust: Trust,
    store: Arc<dyn Store>,
    device: Option<String>,
    config: Config,
    transport: transport::Options,
}

impl Builder {
    /// Whom `https` and `wss` trust; the machine's own trust unless given.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Where the outbox lives; in memory unless given.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// What the device calls itself in the list of devices.
    #[must_use]
    pub fn device(mut self, name: impl Into<String>) -> Self {
        self.device = Some(name.into());
        self
    }

    /// Bounds and times.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Buffers and time-outs of the connection.
    #[must_use]
    pub fn transport(mut self, options: transport::Options) -> Self {
        self.transport = options;
        self
    }

    /// Makes an account and signs in. Keep [`Client::token`] for the next start.
    ///
    /// # Errors
    /// [`Error`]; such as `HandleTaken` from the server.
    pub async fn register(self, handle: &str, password: &str, name: Option<&str>) -> Result<Client, Error> {
        let (http, options) = self.set_up()?;
        let ask = Register {
            handle: handle.to_owned(),
            password: password.to_owned(),
            name: name.map(str::to_owned),
            device: self.device.clone(),
        };
        let signed_in = http.register(&ask).await?;
        self.signed_in(http, options, signed_in).await
    }

    /// Signs in. Keep [`Client::token`] for the next start.
    ///
    /// # Errors
    /// [`Error`]; such as `InvalidCredentials` from the server.
    pub async fn sign_in(self, handle: &str, password: &str) -> Result<Client, Error> {
        let (http, options) = self.set_up()?;
        let (handle, password) = (handle.to_owned(), password.to_owned());
        let signed_in = http.sign_in(&SignIn { handle, password, device: self.device.clone() }).await?;
        self.signed_in(http, options, signed_in).await
    }

    /// Goes on with the token of an earlier sign-in. Works without a network: what the store holds can be read at once.
    ///
    /// # Errors
    /// [`Error::BadUrl`], [`Error::Tls`], [`Error::Store`].
    pub async fn with_token(self, token: impl Into<String>) -> Result<Client, Error> {
        let (http, options) = self.set_up()?;
        self.start(http, options, token.into(), None).await
    }

    fn set_up(&self) -> Result<(Http, transport::Options), Error> {
        let endpoint = Endpoint::parse(&self.url)?;
        let mut options = self.transport.clone();
        if endpoint.secure() && options.tls.is_none() {
            options.tls = Some(tls::client_config(&self.trust)?);
        }
        let http = Http::new(endpoint, options.tls.as_deref())?;
        Ok((http, options))
    }

    async fn signed_in(self, http: Http, options: transport::Options, it: SignedIn) -> Result<Client, Error> {
        self.start(http, options, it.token, Some(it.user)).await
    }

    async fn start(
        self,
        http: Http,
        options: transport::Options,
        token: String,
        user: Option<User>,
    ) -> Result<Client, Error> {
        let saved = driver::blocking(&self.store, Store::load).await?;
        if saved.owner.as_ref().zip(user.as_ref()).is_some_and(|(owner, user)| owner.id != user.id) {
            return Err(Error::Stopped(Stop::OtherUser));
        }
        let shared = Arc::new(Shared {
            session: Mutex::new(Session::new(self.config, token.clone(), saved)),
            wake: Notify::new(),
            waiters: Mutex::default(),
            next_ticket: AtomicU64::new(1),
            events: broadcast::channel(EVENTS).0,
            origin: Instant::now(),
            ended: watch::channel(false).0,
        });
        #[cfg(feature = "calls")]
        let url = self.url.clone();
        tokio::spawn(driver::run(Arc::clone(&shared), Arc::clone(&self.store), self.url, options, http.clone()));
        Ok(Client(Arc::new(Handle {
            shared,
            http,
            store: self.store,
            token: Mutex::new(token),
            #[cfg(feature = "calls")]
            url,
            #[cfg(feature = "calls")]
            trust: self.trust,
        })))
    }
}

/// What the client and its driver share.
pub(crate) struct Shared {
    session: Mutex<Session>,
    pub(crate) wake: Notify,
    waiters: Mutex<HashMap<u64, oneshot::Sender<Result<String, Refusal>>>>,
    next_ticket: AtomicU64,
    pub(crate) events: broadcast::Sender<ClientEvent>,
    pub(crate) origin: Instant,
    pub(crate) ended: watch::Sender<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while it was held is a bug that was reported there; the state is still the best there is.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn session(&self) -> MutexGuard<'_, Session> {
        lock(&self.session)
    }

    pub(crate) fn now(&self) -> Millis {
        Millis::try_from(self.origin.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    pub(crate) fn handle(&self, input: Input<'_>) {
        let mut dice = |bound: u64| rand::rng().random_range(0..bound.max(1));
        let now = self.now();
        self.session().handle(now, &mut dice, input);
    }

    pub(crate) fn tell(&self, input: Input<'_>) {
        self.handle(input);
        self.wake.notify_one();
    }

    pub(crate) fn answer(&self, ticket: u64, outcome: Result<String, Refusal>) {
        if let Some(waiter) = lock(&self.waiters).remove(&ticket) {
            // Whoever no longer waits dropped its half.
            let _ = waiter.send(outcome);
        }
    }

    /// The driver is gone: nobody will answer any more.
    pub(crate) fn end(&self) {
        lock(&self.waiters).clear();
        self.ended.send_replace(true);
    }

    fn wait(self: &Arc<Self>) -> Waiting {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        lock(&self.waiters).insert(ticket, sender);
        Waiting { shared: Arc::clone(self), ticket, receiver }
    }
}

/// A caller that waits for an answer. Dropping it says that nobody waits any more.
pub(crate) struct Waiting {
    shared: Arc<Shared>,
    ticket: u64,
    receiver: oneshot::Receiver<Result<String, Refusal>>,
}

impl Waiting {
    pub(crate) async fn reply<R: DeserializeOwned>(mut self) -> Result<R, Error> {
        let outcome = (&mut self.receiver).await.unwrap_or(Err(Refusal::Stopped(Stop::Closed)));
        serde_json::from_str(&outcome?).map_err(|_| Error::BadReply)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if lock(&self.shared.waiters).remove(&self.ticket).is_some() {
            self.shared.tell(Input::Abandon { ticket: self.ticket });
        }
    }
}

/// The last client dropped closes the session.
struct Handle {
    shared: Arc<Shared>,
    http: Http,
    store: Arc<dyn Store>,
    token: Mutex<String>,
    #[cfg(feature = "calls")]
    url: String,
    #[cfg(feature = "calls")]
    trust: Trust,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.tell(Input::Close);
    }
}

/// One device's session with a server. Cheap to clone; when the last clone is dropped, the connection closes.
#[derive(Clone)]
pub struct Client(Arc<Handle>);

impl Client {
    /// Begins to make a client of a server: `http`, `https`, `ws` or `wss`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder {
            url: url.into(),
            trust: Trust::default(),
            store: Arc::new(MemoryStore::default()),
            device: None,
            config: Config::default(),
            transport: transport::Options { read_buffer: 16 * 1024, ..transport::Options::default() },
        }
    }

    /// The secret of this device, for [`Builder::with_token`]. Keep it as you would keep a password.
    pub fn token(&self) -> String {
        lock(&self.0.token).clone()
    }

    /// Waits until the client is connected and welcomed.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the session ends before.
    pub async fn online(&self) -> Result<(), Error> {
        let mut events = self.events();
        loop {
            match self.0.shared.session().phase() {
                Phase::Live { .. } | Phase::Draining { .. } => return Ok(()),
                Phase::Stopped(stop) => return Err(Error::Stopped(stop.clone())),
                _ => {}
            }
            if events.next().await.is_none() {
                return Err(Error::Stopped(Stop::Closed));
            }
        }
    }

    /// Events from now on. Each call gives an own stream.
    pub fn events(&self) -> Events {
        Events(self.0.shared.events.subscribe())
    }

    /// Asks any command of the protocol. It survives reconnections until its time is over (30 s unless configured).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn call<C: Command>(&self, command: &C) -> Result<C::Reply, Error> {
        self.ask(command, Effect::None).await
    }

    pub(crate) async fn ask<C: Command>(&self, command: &C, effect: Effect) -> Result<C::Reply, Error> {
        let params = serde_json::to_string(command).map_err(|_| Error::BadReply)?;
        let waiting = self.0.shared.wait();
        self.0.shared.tell(Input::Request { ticket: waiting.ticket, method: C::METHOD, params, effect });
        waiting.reply().await
    }

    /// Asks at once and waits later: what is asked in this order is written in this order.
    #[cfg(feature = "calls")]
    pub(crate) fn begin<C: Command>(
        &self,
        command: &C,
    ) -> impl Future<Output = Result<C::Reply, Error>> + Send + use<C> {
        let waiting = serde_json::to_string(command).map(|params| {
            let waiting = self.0.shared.wait();
            let (ticket, method) = (waiting.ticket, C::METHOD);
            self.0.shared.tell(Input::Request { ticket, method, params, effect: Effect::None });
            waiting
        });
        async { waiting.map_err(|_| Error::BadReply)?.reply().await }
    }

    /// Where the server is and whom its certificates lead to.
    #[cfg(feature = "calls")]
    pub(crate) fn server(&self) -> (&str, &Trust) {
        (&self.0.url, &self.0.trust)
    }

    pub(crate) fn http(&self) -> &Http {
        &self.0.http
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0.store)
    }

    pub(crate) fn watch(&self, users: Vec<chapar_protocol::UserId>) {
        self.0.shared.tell(Input::Watch(users));
    }

    /// Sends a message and waits until the server has stored it. The outbox carries it through losses of the network.
    /// Dropping the future only ends the waiting: the message still goes out. To take it back, give it a client id
    /// ([`Client::send_as`]) and [`Client::cancel`] it.
    ///
    /// # Errors
    /// [`Error`]. After [`Error::Server`] the message stays in the outbox as failed.
    pub async fn send(&self, chat_id: ChatId, body: NewBody, reply_to: Option<Seq>) -> Result<Sent, Error> {
        self.send_as(new_client_id(), chat_id, body, reply_to).await
    }

    /// [`Client::send`] without a sound at the others': they are not notified of it.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn send_silently(&self, chat_id: ChatId, body: NewBody, reply_to: Option<Seq>) -> Result<Sent, Error> {
        let item = OutboxItem::new(new_client_id(), chat_id, body, reply_to);
        self.enqueue(OutboxItem { silent: true, ..item }).reply().await
    }

    /// [`Client::send`] of an answer that is about some words of the message that it answers.
    ///
    /// # Errors
    /// See [`Client::send`]; [`ErrorCode::BadQuote`](chapar_protocol::ErrorCode::BadQuote) where that message does not say them.
    pub async fn send_quoting(
        &self,
        chat_id: ChatId,
        body: NewBody,
        reply_to: Seq,
        quote: Quote,
    ) -> Result<Sent, Error> {
        let item = OutboxItem::new(new_client_id(), chat_id, body, Some(reply_to));
        self.enqueue(OutboxItem { quote: Some(quote), ..item }).reply().await
    }

    /// [`Client::send`] with a client id of one's own, from [`new_client_id`].
    ///
    /// # Errors
    /// See [`Client::send`]; [`Error::OutboxFull`] also when the outbox holds this client id.
    pub async fn send_as(
        &self,
        client_id: Uuid,
        chat_id: ChatId,
        body: NewBody,
        reply_to: Option<Seq>,
    ) -> Result<Sent, Error> {
        self.enqueue(OutboxItem::new(client_id, chat_id, body, reply_to)).reply().await
    }

    /// [`Client::send`], as a comment in the thread that begins with a message.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn send_in_thread(
        &self,
        chat_id: ChatId,
        thread: Seq,
        body: NewBody,
        reply_to: Option<Seq>,
    ) -> Result<Sent, Error> {
        let item = OutboxItem::new(new_client_id(), chat_id, body, reply_to);
        self.enqueue(OutboxItem { thread: Some(thread), ..item }).reply().await
    }

    /// [`Client::send`], with what the server has found behind a link in it: the link as it was asked for by [`Client::preview_link`].
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn send_with_preview(
        &self,
        chat_id: ChatId,
        body: NewBody,
        reply_to: Option<Seq>,
        preview: String,
    ) -> Result<Sent, Error> {
        let item = OutboxItem::new(new_client_id(), chat_id, body, reply_to);
        self.enqueue(OutboxItem { preview: Some(preview), ..item }).reply().await
    }

    /// Puts a message into the outbox without waiting; [`ClientEvent::Outbox`] tells how it goes on.
    pub fn post(&self, chat_id: ChatId, body: NewBody, reply_to: Option<Seq>) -> Uuid {
        let client_id = new_client_id();
        drop(self.enqueue(OutboxItem::new(client_id, chat_id, body, reply_to)));
        client_id
    }

    pub(crate) fn enqueue(&self, item: OutboxItem) -> Waiting {
        let waiting = self.0.shared.wait();
        self.0.shared.tell(Input::Send { ticket: waiting.ticket, item });
        waiting
    }

    /// Takes a message back that was never written to a connection, or discards one that failed. Whether it worked is
    /// seen in the outbox: one that the server may have stays.
    pub fn cancel(&self, client_id: Uuid) -> bool {
        self.0.shared.tell(Input::Cancel(client_id));
        !self.0.shared.session().outbox().any(|(item, _)| item.client_id == client_id)
    }

    /// Tries a failed message again.
    pub fn retry(&self, client_id: Uuid) {
        self.0.shared.tell(Input::Retry(client_id));
    }

    /// Connects at once instead of waiting, unless the server named the time. For when a network came back.
    pub fn hurry(&self) {
        self.0.shared.tell(Input::Hurry);
    }

    /// Goes on with another token of the same user after [`Stop::SignedOut`].
    pub fn set_token(&self, token: impl Into<String>) {
        let token = token.into();
        lock(&self.0.token).clone_from(&token);
        self.0.shared.tell(Input::Token(token));
    }

    /// Signs this device out at the server and closes. The outbox stays in the store.
    ///
    /// # Errors
    /// [`Error`]; the session is closed all the same.
    pub async fn sign_out(&self) -> Result<(), Error> {
        let outcome = self.0.http.sign_out(&self.token()).await;
        self.close().await;
        outcome
    }

    /// Closes the connection, saves the state, and waits until that is done (5 s at most).
    pub async fn close(&self) {
        self.0.shared.tell(Input::Close);
        let mut ended = self.0.shared.ended.subscribe();
        let _ = tokio::time::timeout(Duration::from_secs(5), ended.wait_for(|ended| *ended)).await;
    }

    /// Where the session stands.
    pub fn phase(&self) -> Phase {
        self.0.shared.session().phase().clone()
    }

    /// Who the user is; `None` before the first welcome.
    pub fn me(&self) -> Option<User> {
        self.0.shared.session().me().cloned()
    }

    /// Calls missed and not looked at yet, on whatever device.
    pub fn missed_calls(&self) -> u32 {
        self.0.shared.session().own().missed_calls
    }

    /// All that the user has set, on whatever device.
    pub fn items(&self) -> Vec<OwnItem> {
        self.0.shared.session().own().items().cloned().collect()
    }

    /// What the user has set under a kind and a key: `item("mute", "7")`.
    pub fn item(&self, kind: &str, key: &str) -> Option<OwnItem> {
        self.0.shared.session().own().item(kind, key).cloned()
    }

    /// Who may do something, by one of [`chapar_protocol::item::WHO_MAY`].
    pub fn audience(&self, setting: &str) -> Audience {
        match self.0.shared.session().own().item("setting", setting) {
            Some(OwnItem::Setting { value: Some(value), .. }) => Audience::of_name(value).unwrap_or_default(),
            _ => Audience::default(),
        }
    }

    /// Whether everything known of is held: no gap is being filled.
    pub fn in_step(&self) -> bool {
        self.0.shared.session().in_step()
    }

    /// All chats, those with the newest message first.
    pub fn chats(&self) -> Vec<ChatView> {
        view::chats(&self.0.shared.session())
    }

    /// One chat.
    pub fn chat(&self, chat_id: ChatId) -> Option<ChatView> {
        view::chat(&self.0.shared.session(), chat_id)
    }

    /// The members of a chat as far as told; in channels only oneself.
    pub fn members(&self, chat_id: ChatId) -> Vec<Member> {
        view::members(&self.0.shared.session(), chat_id)
    }

    /// The messages held of a chat, by seq: a window at its end. Older ones: `history`.
    pub fn messages(&self, chat_id: ChatId) -> Vec<MessageView> {
        view::messages(&self.0.shared.session(), chat_id)
    }

    /// The messages on their way, in the order in which they were given.
    pub fn outbox(&self) -> Vec<OutgoingView> {
        view::outbox(&self.0.shared.session())
    }
}

/// A new client id: a UUID of RFC 9562 version 7. Those of one device grow with time, so that the server's index of them stays
/// dense; what is made at the same moment differs in 74 random bits.
pub fn new_client_id() -> Uuid {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    client_id(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), &rand::random())
}

fn client_id(millis: u64, random: &[u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_are_of_version_7_grow_with_time_and_differ() {
        let ids: std::collections::HashSet<Uuid> = (0..1000).map(|_| new_client_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122));
        assert!(client_id(1_800_000_000_000, &[255; 10]) < client_id(1_800_000_000_001, &[0; 10]));
    }
}
