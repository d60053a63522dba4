//! Tells every watcher of a change, here and on the other nodes, in version order, and fills what the bus lost.
//!
//! ```text
//! command ──changes──▶ publish ──┬─▶ hub (the watchers here)
//!                                └─▶ bus ──▶ accept on every other node ──▶ its hub
//! a gap, a hint, a bus that came back ──▶ heal: read from the database, offer to the hub
//! ```

pub mod parcel;
mod upkeep;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chapar_protocol::{
    ChatDelta, ChatId, CloseCode, Event, UserDelta, UserId, Version,
    call::Party,
    event::{Presence, Read, Typing},
    frame,
};
use parking_lot::Mutex;
use tokio::sync::watch;
use tungstenite::Utf8Bytes;

use self::parcel::{Change, Parcel};
use crate::{
    bus::{Bus, Topic},
    hub::Hub,
    metrics::Metrics,
    outbox::Outbox,
    store::{Changes, Store},
};

/// How long a missing change may still come by itself before it is read from the database. Changes of one chat are
/// committed by several tasks and nodes and overtake each other on the way by this much at most, usually.
const REORDERING: Duration = Duration::from_millis(30);
/// How long somebody may be away before others see it: long enough for a change of networks.
const OFFLINE_AFTER: Duration = Duration::from_secs(5);

/// See the module.
pub struct Fanout {
    hub: Hub,
    bus: Bus,
    store: Store,
    metrics: Metrics,
    node: u64,
    unwatched: Mutex<Vec<Topic>>,
    /// Something may have been committed that nobody was told of.
    doubtful: AtomicBool,
    /// Counts how often the bus came back.
    resynchronised: watch::Sender<u64>,
}

fn event_frame(event: &Event) -> Utf8Bytes {
    frame::event(event).into()
}

impl Fanout {
    /// Starts with nobody connected. `node` names this node to the others.
    pub fn new(bus: Bus, store: Store, metrics: Metrics, node: u64) -> Arc<Self> {
        Arc::new(Self {
            hub: Hub::default(),
            bus,
            store,
            metrics,
            node,
            unwatched: Mutex::default(),
            doubtful: AtomicBool::new(false),
            resynchronised: watch::Sender::new(0),
        })
    }

    /// Whether the other nodes can be reached.
    pub fn bus_connected(&self) -> bool {
        self.bus.is_connected()
    }

    /// Waits until the other nodes publish for this one; see [`Bus::joined`].
    pub async fn joined(&self, patience: Duration) {
        self.bus.joined(patience).await;
    }

    /// Changes whenever the bus has come back and may have lost what was told meanwhile, and when other nodes have come whom
    /// this one has not told.
    pub fn resynchronised(&self) -> watch::Receiver<u64> {
        self.resynchronised.subscribe()
    }

    /// Every connection that has said `hello`.
    pub fn outboxes(&self) -> Vec<Arc<Outbox>> {
        let users = self.hub.topics().into_iter().filter(|topic| matches!(topic, Topic::User(_)));
        users.flat_map(|topic| self.hub.watchers(topic)).collect()
    }

    // --- what commands tell ---

    /// Tells what a command has committed: first the users their own things, then the chat's watchers.
    pub fn publish(self: &Arc<Self>, changes: Changes) {
        for (user, delta) in changes.users {
            self.publish_membership(user, delta);
        }
        if let Some(delta) = changes.chat {
            self.publish_delta(delta);
        }
    }

    /// Tells the watchers of a chat what changed.
    pub fn publish_delta(self: &Arc<Self>, delta: ChatDelta) {
        let (chat, from, version) = (delta.chat_id, delta.from, delta.version);
        let frame = event_frame(&Event::Delta(delta));
        let change = Change { from, version, entered: Vec::new(), left: Vec::new(), frame };
        self.send(Topic::Chat(chat.0), Parcel::Change(change));
    }

    /// Tells a user's devices that the user came into a chat or left one.
    fn publish_membership(self: &Arc<Self>, user: UserId, delta: UserDelta) {
        self.send(Topic::User(user.0), Parcel::Change(membership_change(delta)));
    }

    /// Tells a user's devices what changed of the user's own things, other than membership.
    pub fn publish_own(self: &Arc<Self>, user: UserId, delta: UserDelta) {
        let (from, version) = (delta.from, delta.version);
        let frame = event_frame(&Event::Me(delta));
        let change = Change { from, version, entered: Vec::new(), left: Vec::new(), frame };
        self.send(Topic::User(user.0), Parcel::Change(change));
    }

    /// Tells all nodes that a chat has this version, when the change itself may not have been told.
    pub fn publish_hint(self: &Arc<Self>, chat: ChatId, version: Version) {
        self.send(Topic::Chat(chat.0), Parcel::Hint(version));
    }

    /// Tells the watchers of a chat how far somebody has read.
    pub fn publish_read(self: &Arc<Self>, read: Read) {
        self.send(Topic::Chat(read.chat_id.0), Parcel::Passing(event_frame(&Event::Read(read))));
    }

    /// Tells the watchers of a chat that somebody is writing.
    pub fn publish_typing(self: &Arc<Self>, typing: Typing) {
        self.send(Topic::Chat(typing.chat_id.0), Parcel::Passing(event_frame(&Event::Typing(typing))));
    }

    /// Closes a signed-out device's connections, wherever they are.
    pub fn publish_revoked(self: &Arc<Self>, user: UserId, device: chapar_protocol::DeviceId) {
        self.send(Topic::User(user.0), Parcel::Revoked(device));
    }

    /// Tells one device something that is nobody else's business, wherever it is connected. Not kept for one that is away.
    pub fn publish_to_device(self: &Arc<Self>, to: Party, event: &Event) {
        self.send(Topic::User(to.user_id.0), Parcel::Direct(to.device_id, event_frame(event)));
    }

    /// Whether a device is connected to this node.
    pub fn is_connected(&self, who: Party) -> bool {
        self.hub.has_device(Topic::User(who.user_id.0), who.device_id)
    }

    fn send(self: &Arc<Self>, topic: Topic, parcel: Parcel) {
        if !self.bus.is_alone() {
            self.bus.publish(topic, parcel.encode());
        }
        self.accept(topic, parcel);
    }

    /// Notes that the outcome of a commit is unknown, and with it whether there is something to tell: everything watched,
    /// on every node, is compared with the database as soon as it answers.
    pub fn doubt(&self) {
        self.doubtful.store(true, Ordering::Relaxed);
    }

    /// The database has begun another history: nothing known of versions holds, and every client must resume.
    pub fn begin_epoch(&self) {
        self.hub.forget_versions();
        self.outboxes().iter().for_each(|outbox| outbox.close(CloseCode::EpochChanged));
    }

    // --- who watches ---

    /// Makes a connection hear its user's own things. Returns once nothing can be missed any more.
    pub async fn watch_user(self: &Arc<Self>, user: UserId, outbox: &Arc<Outbox>) {
        let topic = Topic::User(user.0);
        let first = !self.hub.is_watched(topic);
        self.hub.watch(topic, outbox);
        self.subscribe(&[topic]).await;
        if first {
            self.tell_presence(Presence { user_id: user, online: true, last_seen_at: None });
        }
    }

    /// Makes a connection hear some chats. Returns once nothing can be missed any more.
    pub async fn watch_chats(&self, chats: &[ChatId], outbox: &Arc<Outbox>) {
        let topics: Vec<Topic> = chats.iter().map(|chat| Topic::Chat(chat.0)).collect();
        for topic in &topics {
            self.hub.watch(*topic, outbox);
        }
        // Also those that others here watch already: their subscription may not be confirmed yet.
        self.subscribe(&topics).await;
    }

    /// Stops a connection from hearing some chats.
    pub fn unwatch_chats(&self, chats: impl IntoIterator<Item = ChatId>, outbox: &Outbox) {
        for topic in chats.into_iter().map(|chat| Topic::Chat(chat.0)) {
            if self.hub.unwatch(topic, outbox) {
                self.unwatched.lock().push(topic);
            }
        }
    }

    /// Replaces the set of users whose presence a connection hears. Returns who of them is online here.
    pub async fn watch_presence(self: &Arc<Self>, users: &[UserId], outbox: &Arc<Outbox>) -> Vec<UserId> {
        let wanted: Vec<Topic> = users.iter().map(|user| Topic::Presence(user.0)).collect();
        let watched: Vec<Topic> =
            outbox.topics.lock().iter().flatten().copied().filter(|it| matches!(it, Topic::Presence(_))).collect();
        for topic in watched.into_iter().filter(|topic| !wanted.contains(topic)) {
            if self.hub.unwatch(topic, outbox) {
                self.unwatched.lock().push(topic);
            }
        }
        for topic in &wanted {
            self.hub.watch(*topic, outbox);
        }
        self.subscribe(&wanted).await;
        let (here, elsewhere): (Vec<UserId>, Vec<UserId>) =
            users.iter().partition(|user| self.hub.is_watched(Topic::User(user.0)));
        for user in elsewhere {
            self.send(Topic::User(user.0), Parcel::Probe);
        }
        here
    }

    async fn subscribe(&self, topics: &[Topic]) {
        if !topics.is_empty() && self.bus.subscribe(topics).await.is_err() {
            // The bus remembers them; when it is back, everything watched is compared with the database.
            tracing::debug!(topics = topics.len(), "subscribed later: the bus is away");
        }
    }

    /// Notes what the database says of versions, after watching and before answering `hello`.
    pub fn known(self: &Arc<Self>, topic: Topic, version: Version) {
        if self.hub.hint(topic, version) {
            self.heal(topic);
        }
    }

    /// Removes a connection.
    pub fn leave(self: &Arc<Self>, outbox: &Outbox) {
        let last = self.hub.leave(outbox);
        if let Some((user, _)) = outbox.who()
            && last.contains(&Topic::User(user.0))
        {
            self.went_offline_later(user);
        }
        self.unwatched.lock().extend(last);
    }

    fn went_offline_later(self: &Arc<Self>, user: UserId) {
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(OFFLINE_AFTER).await;
            let topic = Topic::User(user.0);
            if this.hub.is_watched(topic) {
                return;
            }
            let last_seen_at = this.store.went_offline(user).await.ok();
            this.tell_presence(Presence { user_id: user, online: false, last_seen_at });
            // A node where the user has another device says so.
            this.send(topic, Parcel::Probe);
        });
    }

    fn tell_presence(self: &Arc<Self>, presence: Presence) {
        let topic = Topic::Presence(presence.user_id.0);
        self.send(topic, Parcel::Passing(event_frame(&Event::Presence(presence))));
    }

    // --- what comes in ---

    fn accept(self: &Arc<Self>, topic: Topic, parcel: Parcel) {
        match parcel {
            Parcel::Change(change) => self.accept_change(topic, change),
            Parcel::Passing(frame) => self.hub.tell(topic, &frame),
            Parcel::Hint(version) => {
                if self.hub.newer(topic, version) {
                    self.heal(topic);
                }
            }
            Parcel::Revoked(device) => {
                for outbox in self.hub.watchers(topic) {
                    if outbox.who().is_some_and(|(_, it)| it == device) {
                        outbox.close(CloseCode::InvalidToken);
                    }
                }
            }
            Parcel::Probe => {
                if let Topic::User(user) = topic
                    && self.hub.is_watched(topic)
                {
                    self.tell_presence(Presence { user_id: UserId(user), online: true, last_seen_at: None });
                }
            }
            Parcel::Direct(device, frame) => {
                self.hub.tell_device(topic, device, &frame);
            }
            Parcel::Heartbeat(_) | Parcel::Goodbye(_) | Parcel::Compare => {}
        }
    }

    fn accept_change(self: &Arc<Self>, topic: Topic, change: Change) {
        let moves = !change.entered.is_empty() || !change.left.is_empty();
        let gap = if !moves {
            self.hub.offer(topic, change.from, change.version, change.frame)
        } else if self.hub.version(topic) == Some(change.from) {
            return self.change_chats(topic, change);
        } else {
            // Coming and going out of order: the database says how it ended. Until then whoever left hears nothing.
            let gap = self.hub.newer(topic, change.version);
            self.leave_chats(topic, &change.left);
            gap
        };
        if gap {
            self.heal(topic);
        }
    }

    /// Stops watching the chats that a user has left and watches those entered, for all of the user's connections, and
    /// only then tells the user: whoever asks for a chat after being told of it misses nothing that follows.
    fn change_chats(self: &Arc<Self>, topic: Topic, change: Change) {
        self.leave_chats(topic, &change.left);
        if change.entered.is_empty() {
            if self.hub.offer(topic, change.from, change.version, change.frame) {
                self.heal(topic);
            }
            return;
        }
        self.hub.pause(topic);
        let this = self.clone();
        tokio::spawn(async move {
            if this.enter_chats(topic, &change).await {
                this.hub.offer(topic, change.from, change.version, change.frame);
            }
            if this.hub.go_on(topic) {
                this.heal(topic);
            }
        });
    }

    /// Returns false when a newer change has overtaken this one: then nothing was done, and what holds in the end is to
    /// be read from the database, from before this change on.
    async fn enter_chats(self: &Arc<Self>, topic: Topic, change: &Change) -> bool {
        let mut entered = Vec::new();
        for outbox in self.hub.watchers(topic) {
            for chat in &change.entered {
                if self.hub.watch(Topic::Chat(chat.0), &outbox) {
                    entered.push((*chat, outbox.clone()));
                }
            }
        }
        // Looked at after watching: a removal that came before this look is undone here, one that comes after it finds
        // the chats watched and stops that itself.
        if self.hub.knows_beyond(topic, change.version) {
            for (chat, outbox) in entered {
                self.unwatch_chats([chat], &outbox);
            }
            return false;
        }
        let topics: Vec<Topic> = change.entered.iter().map(|chat| Topic::Chat(chat.0)).collect();
        self.subscribe(&topics).await;
        match self.store.chat_versions(&change.entered).await {
            Ok(versions) => {
                for (chat, version) in versions {
                    self.known(Topic::Chat(chat.0), version);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "could not read where entered chats stand");
                self.doubt();
            }
        }
        for (chat, outbox) in entered {
            self.tell_where_it_stands(chat, &outbox);
        }
        true
    }

    /// Tells one connection a chat's version by an empty delta. Whoever came back into a chat before hearing of having left
    /// it knows an older one, and asks for the difference.
    pub fn tell_where_it_stands(&self, chat_id: ChatId, outbox: &Outbox) {
        if let Some(version) = self.hub.version(Topic::Chat(chat_id.0)) {
            outbox.push(event_frame(&Event::Delta(ChatDelta::empty(chat_id, version))));
        }
    }

    fn leave_chats(&self, topic: Topic, chats: &[ChatId]) {
        if !chats.is_empty() {
            for outbox in self.hub.watchers(topic) {
                self.unwatch_chats(chats.iter().copied(), &outbox);
            }
        }
    }

    /// Fills a topic's gap from the database, unless it fills by itself or somebody is at it.
    fn heal(self: &Arc<Self>, topic: Topic) {
        if !self.hub.begin_healing(topic) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(REORDERING).await;
            while let Some(from) = this.hub.gap(topic) {
                match this.read_change(topic, from).await {
                    Ok(Some(change)) => {
                        this.metrics.gaps_filled.inc();
                        this.leave_chats(topic, &change.left);
                        if this.enter_chats(topic, &change).await {
                            this.hub.offer(topic, change.from, change.version, change.frame);
                        } else {
                            tokio::time::sleep(REORDERING).await;
                        }
                    }
                    Ok(None) => this.hub.nothing_beyond(topic, from),
                    Err(error) => {
                        tracing::warn!(%error, ?topic, "could not fill a gap yet");
                        tokio::time::sleep(Duration::from_millis(500)).await;
                    }
                }
            }
        });
    }

    async fn read_change(&self, topic: Topic, from: Version) -> Result<Option<Change>, crate::store::StoreError> {
        match topic {
            Topic::Chat(chat) => Ok(self.store.chat_changes(ChatId(chat), from).await?.map(|delta| Change {
                from: delta.from,
                version: delta.version,
                entered: Vec::new(),
                left: Vec::new(),
                frame: event_frame(&Event::Delta(delta)),
            })),
            Topic::User(user) => {
                let delta = self.store.user_difference(UserId(user), from).await?;
                Ok((delta.version > from).then(|| membership_change(delta)))
            }
            Topic::Presence(_) | Topic::Node => Ok(None),
        }
    }
}

/// A change of a user's own things that may bring the user into chats or out of them.
fn membership_change(delta: UserDelta) -> Change {
    let (entered, left): (Vec<_>, Vec<_>) = delta.chats.iter().partition(|mine| mine.role.is_some());
    let ids = |list: Vec<&chapar_protocol::MyChat>| list.into_iter().map(|mine| mine.chat_id).collect();
    let (entered, left) = (ids(entered), ids(left));
    Change { from: delta.from, version: delta.version, entered, left, frame: event_frame(&Event::Me(delta)) }
}
