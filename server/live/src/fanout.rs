//! Tells every watcher of a change, here and on the other nodes, in version order, and fills what the bus lost.
//!
//! ```text
//! command ──changes──▶ publish ──┬─▶ hub (the watchers here)
//!                                └─▶ bus ──▶ accept on every other node ──▶ its hub
//! a gap, a hint, a bus that came back ──▶ heal: read from the database, offer to the hub
//! ```

mod comparing;
mod heal;
mod membership;
pub mod parcel;
mod presence;
mod read_marks;
mod upkeep;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use chapar_domain::judge::A_FEW;
use chapar_protocol::{
    ChatDelta, ChatId, ChatRow, CloseCode, Epoch, Event, Reacted, Seq, User, UserDelta, UserId, Version,
    call::Party,
    event::{OwnReaction, Read, Typing},
    frame,
    poll::{ChatVote, OwnVote},
};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tungstenite::Utf8Bytes;

use self::{
    comparing::Comparing,
    heal::Healing,
    membership::membership_change,
    parcel::{Change, Parcel},
    presence::Presences,
    read_marks::{Audience, ReadMarks},
};
use crate::{
    bus::{Bus, Topic},
    hub::{Hub, News},
    joining::Inside,
    metrics::Metrics,
    outbox::Outbox,
    store::{ChatChange, Store},
    together::Together,
};

/// People who are brought into chats at the same time.
const ENTERING: usize = 1024;
/// So many of them are looked for at once.
const ENTERED: usize = 512;

/// See the module.
pub struct Fanout {
    hub: Hub,
    bus: Bus,
    store: Store,
    metrics: Metrics,
    node: u64,
    healing: Healing,
    /// Bounds how many people are brought into chats at once.
    entering: Semaphore,
    /// Where the chats stand that people have come into, if they are in them.
    entered: Together<Inside>,
    unwatched: Mutex<HashSet<Topic>>,
    comparing: Comparing,
    presences: Presences,
    read_marks: ReadMarks,
    /// The other nodes, and when each was heard last.
    nodes: Mutex<HashMap<u64, Instant>>,
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
            entered: Together::new(Inside(store.clone()), ENTERED, 1),
            store,
            metrics,
            node,
            healing: Healing::default(),
            entering: Semaphore::new(ENTERING),
            unwatched: Mutex::default(),
            comparing: Comparing::default(),
            presences: Presences::default(),
            read_marks: ReadMarks::default(),
            nodes: Mutex::default(),
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

    /// Tells the watchers of a chat what was committed, in stretches that follow on each other; `gone` are no longer in it, and hear
    /// none of it.
    pub fn publish_written(self: &Arc<Self>, changes: Vec<ChatChange>, gone: &[UserId]) {
        for ChatChange { mut delta, own, apart } in changes {
            let (chat, from, version) = (delta.chat_id, delta.from, delta.version);
            // Each of a few hears the same with what is their own, and so does each of many where it is nothing else. Otherwise each of
            // many hears where the chat stands, and asks.
            let few = delta.rows.is_empty() || own.len() <= A_FEW;
            let own = own.into_iter().map(|(user, reacted)| {
                let mut own = ChatDelta::empty(chat, version);
                if few {
                    own = delta.clone();
                    own.rows.extend(reacted.into_iter().map(ChatRow::Reaction));
                    own.rows.sort_by_key(ChatRow::version);
                }
                (user, event_frame(&Event::Delta(own)))
            });
            let own = own.collect();
            if apart {
                delta = ChatDelta::empty(chat, version);
            }
            let news = News { frame: event_frame(&Event::Delta(delta)), own };
            let change = Change { from, version, entered: Vec::new(), left: Vec::new(), gone: gone.to_vec(), news };
            self.send(Topic::Chat(chat.0), Parcel::Change(change));
        }
    }

    /// Tells people's devices of their own reactions in a channel, which others hear of with the counts.
    pub fn publish_own_reactions(self: &Arc<Self>, chat_id: ChatId, reactions: impl Iterator<Item = Reacted>) {
        for reacted in reactions {
            let topic = Topic::User(reacted.user_id.0);
            self.send(topic, Parcel::Passing(event_frame(&Event::Reacted(OwnReaction { chat_id, reacted }))));
        }
    }

    /// Tells people's devices of their own votes, which are nobody else's business.
    pub fn publish_own_votes(self: &Arc<Self>, chat_id: ChatId, votes: impl Iterator<Item = (UserId, OwnVote)>) {
        for (user, vote) in votes {
            self.send(Topic::User(user.0), Parcel::Passing(event_frame(&Event::Voted(ChatVote { chat_id, vote }))));
        }
    }

    /// Tells people's devices that they came into chats or left some.
    pub fn publish_lists(self: &Arc<Self>, changes: Vec<(UserId, UserDelta)>) {
        for (user, delta) in changes {
            self.send(Topic::User(user.0), Parcel::Change(membership_change(delta)));
        }
    }

    /// Tells a user's devices what changed of the user's own things, other than membership.
    pub fn publish_own(self: &Arc<Self>, user: UserId, delta: UserDelta) {
        let (from, version) = (delta.from, delta.version);
        let news = event_frame(&Event::Me(delta)).into();
        let change = Change { from, version, entered: Vec::new(), left: Vec::new(), gone: Vec::new(), news };
        self.send(Topic::User(user.0), Parcel::Change(change));
    }

    /// Tells all nodes that a chat has this version, when the change itself may not have been told.
    pub fn publish_hint(self: &Arc<Self>, chat: ChatId, version: Version) {
        self.send(Topic::Chat(chat.0), Parcel::Hint(version));
    }

    /// Tells how far somebody has read those in the chat to whom it is news; see [`read_marks`].
    pub fn publish_read(self: &Arc<Self>, read: Read) {
        let (topic, user, seq) = (Topic::Chat(read.chat_id.0), read.user_id, read.seq);
        let audience = self.read_marks.moved(read.chat_id, user, seq);
        let frame = event_frame(&Event::Read(read));
        match audience {
            Audience::All => {
                if !self.bus.is_alone() {
                    self.bus.publish(topic, Parcel::Read(user, seq, frame.clone()).encode());
                }
                self.hub.tell(topic, &frame);
            }
            Audience::Only(other) => self.send(Topic::User(other.0), Parcel::Passing(frame)),
            Audience::Nobody => {}
        }
    }

    fn accept_read(&self, topic: Topic, user: UserId, seq: Seq, frame: &Utf8Bytes) {
        let Topic::Chat(chat) = topic else { return };
        match self.read_marks.moved(ChatId(chat), user, seq) {
            Audience::All => self.hub.tell(topic, frame),
            Audience::Only(other) => self.hub.tell(Topic::User(other.0), frame),
            Audience::Nobody => {}
        }
    }

    /// Tells the watchers of a chat that somebody is writing.
    pub fn publish_typing(self: &Arc<Self>, typing: Typing) {
        self.send(Topic::Chat(typing.chat_id.0), Parcel::Passing(event_frame(&Event::Typing(typing))));
    }

    /// Tells somebody's own devices, and those in some chats, what the person is called now.
    pub fn publish_user(self: &Arc<Self>, user: User, chats: &[ChatId]) {
        let own = Topic::User(user.id.0);
        let frame = event_frame(&Event::User(user));
        for topic in std::iter::once(own).chain(chats.iter().map(|chat| Topic::Chat(chat.0))) {
            self.send(topic, Parcel::Passing(frame.clone()));
        }
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

    /// Whether somebody is connected to this node.
    pub fn is_here(&self, user: UserId) -> bool {
        self.hub.is_watched(Topic::User(user.0))
    }

    fn send(self: &Arc<Self>, topic: Topic, parcel: Parcel) {
        if !self.bus.is_alone() {
            self.bus.publish(topic, parcel.encode());
        }
        self.accept(topic, parcel);
    }

    /// A database has begun another history: nothing known of the versions in it holds, and every client must resume.
    pub fn begin_epoch(&self, database: &str) {
        let (people, chats) = (database != Epoch::CHATS, database != Epoch::PEOPLE);
        self.hub.forget_versions(|topic| if let Topic::Chat(_) = topic { chats } else { people });
        if chats {
            self.read_marks.forget();
        }
        self.outboxes().iter().for_each(|outbox| outbox.close(CloseCode::EpochChanged));
    }

    // --- who watches ---

    /// Makes a connection hear its user's own things. Returns once nothing can be missed any more.
    pub async fn watch_user(self: &Arc<Self>, user: UserId, outbox: &Arc<Outbox>) {
        let topic = Topic::User(user.0);
        let first = !self.hub.is_watched(topic);
        self.hub.watch(topic, outbox);
        // Not after the wait: a connection that ends meanwhile would be told of as gone, and never as having come.
        if first {
            self.came_here(user);
        }
        self.subscribe(&[topic]).await;
    }

    /// Makes a connection hear some chats. Returns once nothing can be missed any more.
    pub async fn watch_chats(&self, chats: impl IntoIterator<Item = &ChatId>, outbox: &Arc<Outbox>) {
        let topics: Vec<Topic> = chats.into_iter().map(|chat| Topic::Chat(chat.0)).collect();
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
                self.unwatched.lock().insert(topic);
            }
        }
    }

    async fn subscribe(&self, topics: &[Topic]) {
        if !topics.is_empty() && self.bus.subscribe(topics).await.is_err() {
            // The bus remembers them; when it is back, everything watched is compared with the database.
            tracing::debug!(topics = topics.len(), "subscribed later: the bus is away");
        }
    }

    /// Notes what the database says of versions, after watching and before answering `hello`.
    pub fn known(&self, topic: Topic, version: Version) {
        if self.hub.hint(topic, version) {
            self.heal(topic);
        }
    }

    /// The same for a connection that is told so with the answer to its `hello`. Somebody else who came at the same time may
    /// have begun the stream with a newer look at the database: then this connection hears where it stands, and asks.
    pub fn known_to(&self, outbox: &Outbox, topic: Topic, version: Version) {
        self.known(topic, version);
        match (topic, self.hub.version(topic).filter(|now| *now > version)) {
            (Topic::Chat(chat), Some(_)) => self.tell_where_it_stands(ChatId(chat), outbox),
            (Topic::User(_), Some(now)) => {
                outbox.push(event_frame(&Event::Me(UserDelta::empty(now))));
            }
            _ => {}
        }
    }

    /// Removes a connection.
    pub fn leave(self: &Arc<Self>, outbox: &Outbox) {
        let last = self.hub.leave(outbox);
        if let Some((user, _)) = outbox.who()
            && last.contains(&Topic::User(user.0))
        {
            self.left_here(user);
        }
        for topic in &last {
            self.forget_presence(*topic);
        }
        self.unwatched.lock().extend(last);
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
            Parcel::Probe => self.answer_probe(topic),
            Parcel::Online(node) => self.is_online_elsewhere(topic, node),
            Parcel::Offline(node, at) => self.went_elsewhere(topic, node, at),
            Parcel::Read(user, seq, frame) => self.accept_read(topic, user, seq, &frame),
            Parcel::Direct(device, frame) => {
                self.hub.tell_device(topic, device, &frame);
            }
            Parcel::Hidden => self.look_who_may_see(topic),
            Parcel::Heartbeat(_) | Parcel::Goodbye(_) | Parcel::Compare => {}
        }
    }
}
