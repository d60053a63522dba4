//! One device of a person: a connection that comes and goes, and a [`Model`] that stays.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use chapar_protocol::{
    ChatId, Command, Event, UserId, Version, WireError,
    account::SignedIn,
    command::{Difference, Hello, Send, Sent, UserDifference, Welcome},
    frame::{self, ServerFrame},
    message::NewBody,
};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use parking_lot::MutexGuard;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use uuid::Uuid;

use super::{Model, PATIENCE, RawSocket, model::Need, socket::End, within};

/// Nobody needs a model for longer at a time.
const HELD_AT_MOST: Duration = Duration::from_secs(5);

/// Why a call has no reply.
#[derive(Debug)]
pub enum Failure {
    /// The server said no.
    Refused(WireError),
    /// The connection ended first: what became of the request is unknown.
    Lost,
}

type Answer = Result<String, WireError>;

/// A device. Clones are the same device.
#[derive(Clone)]
pub struct Device(Arc<Inner>);

struct Inner {
    account: SignedIn,
    model: parking_lot::Mutex<Model>,
    changed: watch::Sender<u64>,
    link: Mutex<Option<Arc<Link>>>,
}

struct Link {
    outgoing: mpsc::UnboundedSender<Message>,
    pending: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
    next_id: AtomicU64,
    greeted: AtomicBool,
    end: watch::Sender<Option<End>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Device {
    pub fn new(account: SignedIn) -> Self {
        let model = parking_lot::Mutex::new(Model::new(account.user.id));
        Self(Arc::new(Inner { account, model, changed: watch::Sender::new(0), link: Mutex::new(None) }))
    }

    pub fn id(&self) -> UserId {
        self.0.account.user.id
    }

    pub fn account(&self) -> &SignedIn {
        &self.0.account
    }

    pub fn token(&self) -> &str {
        &self.0.account.token
    }

    /// The model as it is now. Not to be held over an await, and not to be asked for again by who holds it.
    ///
    /// # Panics
    /// When that is done all the same: the thread would wait for itself for ever, and no timer of the test could ring.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.0.model.try_lock_for(HELD_AT_MOST).expect("the model is held, perhaps by who asks for it here")
    }

    /// Connects and brings the model up to date from its cursors.
    pub async fn connect(&self, node: SocketAddr) -> Welcome {
        self.try_connect(node).await.unwrap_or_else(|failure| panic!("cannot connect to {node}: {failure:?}"))
    }

    /// # Errors
    /// When the node is not there, hangs up, or refuses `hello`.
    pub async fn try_connect(&self, node: SocketAddr) -> Result<Welcome, Failure> {
        self.cut().await;
        let socket = within("a WebSocket", RawSocket::try_connect(node)).await.map_err(|_| Failure::Lost)?;
        let (sink, stream) = socket.stream.split();
        let (outgoing, queue) = mpsc::unbounded_channel();
        let link = Arc::new(Link {
            outgoing,
            pending: Mutex::new(Some(HashMap::new())),
            next_id: AtomicU64::new(1),
            greeted: AtomicBool::new(false),
            end: watch::Sender::new(None),
            tasks: Mutex::new(Vec::new()),
        });
        // Events that overtake the welcome wait until it is applied.
        let (early, held) = mpsc::unbounded_channel();
        let reader = tokio::spawn(read(stream, link.clone(), early));
        let writer = tokio::spawn(write(sink, queue));
        link.tasks.lock().expect("not poisoned").extend([reader, writer]);
        *self.0.link.lock().expect("not poisoned") = Some(link.clone());
        let hello = Hello { token: self.token().to_owned(), resume: self.model().resume() };
        let welcome = link.call(&hello).await?;
        let needs = self.model().welcome(welcome.sync.clone());
        self.after(&link, needs);
        link.greeted.store(true, Ordering::Relaxed);
        let applier = tokio::spawn(apply(self.clone(), link.clone(), held));
        link.tasks.lock().expect("not poisoned").push(applier);
        Ok(welcome)
    }

    /// Drops the TCP connection without a word.
    pub async fn cut(&self) {
        let link = self.0.link.lock().expect("not poisoned").take();
        if let Some(link) = link {
            link.stop().await;
        }
    }

    /// How the connection ended.
    pub async fn ended(&self) -> End {
        within("the end of the connection", self.ended_at_last()).await
    }

    /// The same, with the patience of whoever calls it.
    pub async fn ended_at_last(&self) -> End {
        let link = self.link().expect("was connected");
        let mut end = link.end.subscribe();
        end.wait_for(Option::is_some).await.expect("kept").expect("is some")
    }

    pub fn connected(&self) -> bool {
        self.link().is_some_and(|link| link.greeted.load(Ordering::Relaxed) && link.end.borrow().is_none())
    }

    /// # Errors
    /// See [`Failure`].
    pub async fn call<C: Command>(&self, command: &C) -> Result<C::Reply, Failure> {
        match self.link() {
            Some(link) if link.greeted.load(Ordering::Relaxed) => link.call(command).await,
            _ => Err(Failure::Lost),
        }
    }

    /// A command that must succeed.
    pub async fn must<C: Command>(&self, command: C) -> C::Reply {
        self.call(&command).await.unwrap_or_else(|failure| panic!("{}: {failure:?}", C::METHOD))
    }

    /// A command that must be refused.
    pub async fn refused<C: Command>(&self, command: C) -> WireError {
        match self.call(&command).await {
            Err(Failure::Refused(error)) => error,
            Err(Failure::Lost) => panic!("{}: the connection was lost", C::METHOD),
            Ok(_) => panic!("{}: was done", C::METHOD),
        }
    }

    /// Sends a text under a new client id.
    pub async fn say(&self, chat_id: ChatId, text: &str) -> Sent {
        self.must(message(chat_id, text)).await
    }

    /// Waits until the model fits.
    pub async fn until(&self, what: &str, mut fits: impl FnMut(&Model) -> bool) {
        let mut changed = self.0.changed.subscribe();
        let wait = async {
            loop {
                changed.borrow_and_update();
                if fits(&self.model()) {
                    return;
                }
                changed.changed().await.expect("the device lives");
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let model = self.model();
            let chats: Vec<_> =
                model.chats.iter().map(|(id, chat)| (id.0, chat.version.0, chat.messages.len())).collect();
            let mine: Vec<_> = model.mine.values().map(|mine| (mine.chat_id.0, mine.role, mine.version.0)).collect();
            let events = &model.events[model.events.len().saturating_sub(4)..];
            panic!(
                "user {} waited in vain for {what}; connected: {}, settled: {}, own version {}, own chats {mine:?}, \
                 knows (chat, version, messages): {chats:?}, {:?}, last events: {events:?}",
                self.id(),
                self.connected(),
                model.settled(),
                model.user_version,
                model.violations
            );
        }
    }

    /// Waits until the chat shows this text.
    pub async fn sees(&self, chat: ChatId, text: &str) {
        self.until(&format!("the text {text:?}"), |model| model.texts(chat).iter().any(|known| known == text)).await;
    }

    /// Waits until the chat is at this version.
    pub async fn reaches(&self, chat: ChatId, version: Version) {
        self.until(&format!("version {version} of chat {chat}"), |model| model.version(chat) >= version).await;
    }

    /// Waits for an event, also one that has come before.
    pub async fn event<T>(&self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let mut found = None;
        self.until(what, |model| {
            found = model.events.iter().find_map(&mut pick);
            found.is_some()
        })
        .await;
        found.expect("was found")
    }

    /// Forgets the events so far, so that [`Device::event`] finds only later ones.
    pub fn forget_events(&self) {
        self.model().events.clear();
    }

    fn link(&self) -> Option<Arc<Link>> {
        self.0.link.lock().expect("not poisoned").clone()
    }

    fn after(&self, link: &Arc<Link>, needs: Vec<Need>) {
        self.0.changed.send_modify(|count| *count += 1);
        for need in needs {
            let healer = tokio::spawn(heal(self.clone(), link.clone(), need));
            link.tasks.lock().expect("not poisoned").push(healer);
        }
    }
}

/// A text under a new client id.
pub fn message(chat_id: ChatId, text: &str) -> Send {
    Send::new(chat_id, Uuid::new_v4(), NewBody::text(text))
}

impl Link {
    async fn call<C: Command>(&self, command: &C) -> Result<C::Reply, Failure> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        match self.pending.lock().expect("not poisoned").as_mut() {
            Some(pending) => drop(pending.insert(id, answer)),
            None => return Err(Failure::Lost),
        }
        self.outgoing.send(Message::text(frame::request(id, command))).map_err(|_| Failure::Lost)?;
        let answer = within(&format!("the answer to {}", C::METHOD), answered).await.map_err(|_| Failure::Lost)?;
        let reply = answer.map_err(Failure::Refused)?;
        Ok(serde_json::from_str(&reply).unwrap_or_else(|error| panic!("{}: {error} in {reply}", C::METHOD)))
    }

    async fn stop(&self) {
        self.finish(None);
        loop {
            let tasks = std::mem::take(&mut *self.tasks.lock().expect("not poisoned"));
            if tasks.is_empty() {
                return;
            }
            for task in tasks {
                task.abort();
                let _ = task.await;
            }
        }
    }

    fn finish(&self, end: End) {
        self.pending.lock().expect("not poisoned").take();
        self.end.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(end);
            }
            first
        });
    }
}

async fn write(mut sink: SplitSink<WebSocketStream<TcpStream>, Message>, mut queue: mpsc::UnboundedReceiver<Message>) {
    while let Some(message) = queue.recv().await {
        if sink.send(message).await.is_err() {
            // The reader meets the same end, and knows why.
            std::future::pending::<()>().await;
        }
    }
}

async fn read(
    mut stream: SplitStream<WebSocketStream<TcpStream>>,
    link: Arc<Link>,
    events: mpsc::UnboundedSender<Event>,
) {
    loop {
        let text = match stream.next().await {
            Some(Ok(Message::Text(text))) => text,
            // The answer to it leaves with the next look at the socket.
            Some(Ok(Message::Close(close))) => {
                link.finish(close.map(|close| close.code.into()));
                continue;
            }
            Some(Ok(_)) => continue,
            Some(Err(_)) | None => return link.finish(None),
        };
        let (id, answer) = match ServerFrame::parse(&text).unwrap_or_else(|error| panic!("{error} in {text}")) {
            ServerFrame::Ok { id, reply } => (id, Ok(reply.get().to_owned())),
            ServerFrame::Error { id: Some(id), error } => (id, Err(error)),
            ServerFrame::Error { id: None, error } => panic!("an error without an id: {error:?}"),
            ServerFrame::Event(event) => {
                let _ = events.send(*event);
                continue;
            }
            ServerFrame::UnknownEvent(_) => continue,
        };
        let waiting = link.pending.lock().expect("not poisoned").as_mut().and_then(|pending| pending.remove(&id));
        if let Some(waiting) = waiting {
            let _ = waiting.send(answer);
        }
    }
}

async fn apply(device: Device, link: Arc<Link>, mut events: mpsc::UnboundedReceiver<Event>) {
    while let Some(event) = events.recv().await {
        let needs = device.model().event(event);
        device.after(&link, needs);
    }
    device.after(&link, Vec::new());
}

/// Asks for a difference until there is no more.
async fn heal(device: Device, link: Arc<Link>, need: Need) {
    let mut need = Some(need);
    while let Some(next) = need {
        need = match next {
            Need::Chat(chat_id) => {
                let from = device.model().version(chat_id);
                match link.call(&Difference { chats: vec![(chat_id, from)] }).await {
                    Ok(answer) => answer.chats.into_iter().next().and_then(|sync| device.model().chat_sync(sync)),
                    Err(failure) => again(failure).await.then_some(Need::Chat(chat_id)),
                }
            }
            Need::User => {
                let from = device.model().user_version;
                match link.call(&UserDifference { from }).await {
                    Ok(delta) => device.model().user_delta(delta),
                    Err(failure) => again(failure).await.then_some(Need::User),
                }
            }
        };
        device.0.changed.send_modify(|count| *count += 1);
    }
}

/// Waits as an error asks; whether it allows another try.
async fn again(failure: Failure) -> bool {
    match failure {
        Failure::Refused(error) if error.action == chapar_protocol::Action::Retry => {
            tokio::time::sleep(Duration::from_millis(error.retry_after_ms.unwrap_or(100).into())).await;
            true
        }
        Failure::Refused(_) | Failure::Lost => false,
    }
}
