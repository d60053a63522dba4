//! What a correct client knows, kept by the version rule alone (see `chapar_protocol::delta`), and everything that a
//! correct server never makes it see.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chapar_protocol::{
    ChatCursor, ChatDelta, ChatId, ChatInfo, ChatSnapshot, ChatSync, Event, Item, Member, Message, MyChat, OwnItem,
    Reacted, Resume, Seq, Sync, UserDelta, UserId, Version, item::Kept,
};
use uuid::Uuid;

/// One chat as a client holds it.
#[derive(Clone, Debug)]
pub struct Chat {
    pub info: Option<ChatInfo>,
    pub version: Version,
    /// Those who are in it.
    pub members: BTreeMap<UserId, Member>,
    /// Without holes, up to the last.
    pub messages: BTreeMap<Seq, Message>,
    /// Own reactions.
    pub reacted: BTreeMap<Seq, String>,
    /// The furthest read mark of anybody else.
    pub others_read: Seq,
    /// Everything below this is not held.
    pub first: Seq,
    /// Deltas beyond a gap.
    kept: Vec<ChatDelta>,
}

/// What must be asked for before the model is up to date.
#[derive(Debug, PartialEq, Eq)]
pub enum Need {
    Chat(ChatId),
    User,
}

#[derive(Default)]
pub struct Model {
    me: UserId,
    pub epoch: Option<String>,
    pub user_version: Version,
    pub mine: BTreeMap<ChatId, MyChat>,
    pub chats: BTreeMap<ChatId, Chat>,
    /// Calls missed and not looked at yet.
    pub missed_calls: u32,
    /// What the user has set, by kind and key.
    pub own: BTreeMap<(String, String), OwnItem>,
    kept_user: Vec<UserDelta>,
    /// How often the server said: forget everything.
    pub resets: usize,
    /// How many snapshots came, for chats that were known before.
    pub snapshots: usize,
    /// All events, in the order they came.
    pub events: Vec<Event>,
    /// New messages in the order this client learned of them.
    pub arrivals: Vec<(ChatId, Seq)>,
    clients: HashMap<(ChatId, UserId, Uuid), Seq>,
    /// New messages that came before those that precede them. It happens where a message was changed before the client
    /// learned of it, as rows come by version; where nothing is ever changed it must not.
    pub disorder: Vec<(ChatId, String)>,
    /// What a correct server never does. A test ends with this empty.
    pub violations: Vec<String>,
}

impl Model {
    pub fn new(me: UserId) -> Self {
        Self { me, ..Self::default() }
    }

    /// Where to go on from; nothing on a device that knows nothing.
    pub fn resume(&self) -> Option<Resume> {
        let cursor = |(id, chat): (&ChatId, &Chat)| ChatCursor(*id, chat.version, chat.others_read);
        Some(Resume {
            epoch: self.epoch.clone()?,
            user_version: self.user_version,
            chats: self.chats.iter().map(cursor).collect(),
        })
    }

    /// Applies the answer to `hello`.
    pub fn welcome(&mut self, sync: Sync) -> Vec<Need> {
        let mut needs = Vec::new();
        for chat in self.chats.values_mut() {
            chat.kept.clear();
        }
        self.kept_user.clear();
        if sync.reset {
            self.resets += usize::from(self.epoch.is_some());
            self.user_version = Version(0);
            self.mine.clear();
            self.own.clear();
            self.missed_calls = 0;
            self.chats.clear();
            self.clients.clear();
        } else if self.epoch.as_ref() != Some(&sync.epoch) {
            self.violations.push("the epoch changed without a reset".to_owned());
        }
        self.epoch = Some(sync.epoch);
        needs.extend(self.user_delta(sync.user));
        for chat in sync.chats {
            needs.extend(self.chat_sync(chat));
        }
        needs.extend(sync.behind.into_iter().map(Need::Chat));
        for (chat, seq) in sync.others_read {
            if let Some(chat) = self.chats.get_mut(&chat) {
                chat.others_read = chat.others_read.max(seq);
            }
        }
        needs.extend(self.unknown_chats());
        needs.dedup();
        needs
    }

    /// Applies an event.
    pub fn event(&mut self, event: Event) -> Vec<Need> {
        self.events.push(event.clone());
        match event {
            Event::Delta(delta) => self.delta(delta).into_iter().collect(),
            Event::Me(delta) => {
                let mut needs: Vec<Need> = self.user_delta(delta).into_iter().collect();
                needs.extend(self.unknown_chats());
                needs
            }
            Event::Read(read) => {
                if let Some(chat) = self.chats.get_mut(&read.chat_id)
                    && read.user_id != self.me
                {
                    chat.others_read = chat.others_read.max(read.seq);
                    if let Some(member) = chat.members.get_mut(&read.user_id) {
                        member.read_seq = member.read_seq.max(Some(read.seq));
                    }
                }
                Vec::new()
            }
            Event::Typing(_) | Event::Presence(_) | Event::Call(_) | Event::CallSignal(_) | Event::Drain(_) => {
                Vec::new()
            }
        }
    }

    /// Applies the answer to `difference`; whether there is more, and what else is needed.
    pub fn chat_sync(&mut self, sync: ChatSync) -> Option<Need> {
        match sync {
            ChatSync::Snapshot { snapshot } => {
                let chat = snapshot.chat.id;
                self.snapshot(snapshot);
                self.retry_kept(chat)
            }
            ChatSync::Delta { delta, more } => {
                let chat = delta.chat_id;
                let need = self.delta(delta);
                if more { Some(Need::Chat(chat)) } else { need }
            }
        }
    }

    /// Applies a snapshot, unless what is known is newer.
    pub fn snapshot(&mut self, snapshot: ChatSnapshot) {
        let id = snapshot.chat.id;
        if self.gone(id) {
            return;
        }
        let old = self.chats.remove(&id);
        if let Some(old) = &old {
            self.snapshots += 1;
            if old.version > snapshot.version {
                self.chats.insert(id, old.clone());
                return;
            }
        }
        for pair in snapshot.messages.windows(2) {
            if pair[1].seq != pair[0].seq.next() {
                self.violations.push(format!("chat {id}: a hole in the snapshot after {}", pair[0].seq));
            }
        }
        if snapshot.messages.last().is_some_and(|last| last.seq != snapshot.last_seq) {
            self.violations.push(format!("chat {id}: the snapshot lacks its last message"));
        }
        for message in &snapshot.messages {
            if message.version > snapshot.version {
                self.violations.push(format!("chat {id}: a row is newer than its snapshot"));
            }
            self.note_client(id, message);
        }
        let mut chat = Chat {
            info: Some(snapshot.chat),
            version: snapshot.version,
            members: snapshot.members.iter().map(|member| (member.user_id, member.clone())).collect(),
            reacted: BTreeMap::new(),
            others_read: old.as_ref().map_or(Seq(0), |old| old.others_read),
            first: snapshot.messages.first().map_or(snapshot.last_seq.next(), |first| first.seq),
            messages: snapshot.messages.into_iter().map(|message| (message.seq, message)).collect(),
            kept: old.map_or_else(Vec::new, |old| old.kept),
        };
        let others = chat.members.values().filter(|member| member.user_id != self.me);
        chat.others_read = others.filter_map(|member| member.read_seq).fold(chat.others_read, Ord::max);
        react(&mut chat, self.me, &snapshot.reacted);
        self.chats.insert(id, chat);
    }

    /// Applies the answer to `user_difference`, or one of its like.
    pub fn user_delta(&mut self, delta: UserDelta) -> Option<Need> {
        if delta.version <= self.user_version {
            return None;
        }
        if delta.from > self.user_version {
            self.kept_user.push(delta);
            return Some(Need::User);
        }
        if delta.from == Version(0) {
            self.missed_calls = 0;
            self.own.clear();
        }
        let mut before = delta.from;
        for item in delta.items {
            if item.version() > delta.version || item.version() <= before {
                self.violations.push(format!("an item out of order in {}..{}: {item:?}", delta.from, delta.version));
            }
            before = item.version();
            match item {
                Item::Chat(mine) => self.my_chat(mine),
                Item::MissedCalls(missed) => self.missed_calls = missed.count,
                Item::Own(Kept { item, .. }) => {
                    let place = (item.kind().expect("a known kind").to_owned(), item.key());
                    if item.is_taken_back() {
                        self.own.remove(&place);
                    } else {
                        self.own.insert(place, item);
                    }
                }
            }
        }
        self.user_version = delta.version;
        let kept = std::mem::take(&mut self.kept_user);
        let need = kept.into_iter().filter_map(|delta| self.user_delta(delta)).next_back();
        if delta.more { Some(Need::User) } else { need }
    }

    fn my_chat(&mut self, mine: MyChat) {
        let known = self.mine.get(&mine.chat_id);
        if known.is_some_and(|known| known.version > mine.version) {
            return;
        }
        if known.is_some_and(|known| known.read_seq > mine.read_seq && known.role.is_some() && mine.role.is_some()) {
            self.violations.push(format!("own chat {}: the read mark went back", mine.chat_id));
        }
        if mine.role.is_none() {
            self.chats.remove(&mine.chat_id);
            self.clients.retain(|key, _| key.0 != mine.chat_id);
        }
        self.mine.insert(mine.chat_id, mine);
    }

    /// The one rule.
    pub fn delta(&mut self, delta: ChatDelta) -> Option<Need> {
        let id = delta.chat_id;
        if self.gone(id) {
            return None;
        }
        let mine = self.chats.get(&id).map_or(Version(0), |chat| chat.version);
        if delta.version < delta.from {
            self.violations.push(format!("chat {id}: a delta from {} to {}", delta.from, delta.version));
        }
        if delta.version <= mine {
            return None;
        }
        if delta.from > mine {
            if let Some(chat) = self.chats.get_mut(&id)
                && chat.kept.len() < 100
            {
                chat.kept.push(delta);
            }
            return Some(Need::Chat(id));
        }
        self.apply(delta);
        self.retry_kept(id)
    }

    fn retry_kept(&mut self, id: ChatId) -> Option<Need> {
        let kept = std::mem::take(&mut self.chats.get_mut(&id)?.kept);
        kept.into_iter().filter_map(|delta| self.delta(delta)).next_back()
    }

    fn apply(&mut self, delta: ChatDelta) {
        let id = delta.chat_id;
        let me = self.me;
        let mut chat = self.chats.remove(&id).unwrap_or_else(|| Chat {
            info: None,
            version: Version(0),
            members: BTreeMap::new(),
            messages: BTreeMap::new(),
            reacted: BTreeMap::new(),
            others_read: Seq(0),
            first: Seq(1),
            kept: Vec::new(),
        });
        let mine = chat.version;
        if let Some(info) = delta.chat {
            chat.info = Some(info);
        }
        for member in delta.members {
            match member.role {
                Some(_) => drop(chat.members.insert(member.user_id, member)),
                None => drop(chat.members.remove(&member.user_id)),
            }
        }
        let mut last = chat.messages.keys().next_back().copied().unwrap_or(Seq(chat.first.0 - 1));
        let mut fresh: BTreeSet<Seq> = BTreeSet::new();
        for message in delta.messages {
            let seq = message.seq;
            if message.version <= delta.from || message.version > delta.version {
                let (v, from, to) = (message.version, delta.from, delta.version);
                self.violations.push(format!("chat {id}: row {seq} of version {v} in a delta from {from} to {to}"));
            }
            self.note_client(id, &message);
            if seq < chat.first {
                continue;
            }
            if seq > last {
                fresh.insert(seq);
            }
            if chat.messages.get(&seq).is_none_or(|known| known.version <= message.version) {
                chat.messages.insert(seq, message);
            }
        }
        for seq in fresh {
            if seq != last.next() {
                self.disorder.push((id, format!("message {seq} came after {last} at version {mine}")));
            }
            last = seq;
            self.arrivals.push((id, seq));
        }
        react(&mut chat, me, &delta.reacted);
        chat.version = delta.version;
        self.chats.insert(id, chat);
    }

    fn note_client(&mut self, id: ChatId, message: &Message) {
        let key = (id, message.sender, message.client_id);
        let service = matches!(message.body, chapar_protocol::Body::Service { .. });
        if let Some(other) = self.clients.insert(key, message.seq)
            && other != message.seq
            && !service
        {
            self.violations.push(format!("chat {id}: {} and {other} have one client id", message.seq));
        }
    }

    fn gone(&self, id: ChatId) -> bool {
        self.mine.get(&id).is_some_and(|mine| mine.role.is_none())
    }

    fn unknown_chats(&self) -> Vec<Need> {
        let mine = self.mine.values().filter(|mine| mine.role.is_some());
        mine.filter(|mine| !self.chats.contains_key(&mine.chat_id)).map(|mine| Need::Chat(mine.chat_id)).collect()
    }

    /// Whether no delta waits behind a gap and every own chat is known.
    pub fn settled(&self) -> bool {
        self.kept_user.is_empty()
            && self.unknown_chats().is_empty()
            && self.chats.values().all(|chat| chat.kept.is_empty())
    }

    pub fn version(&self, chat: ChatId) -> Version {
        self.chats.get(&chat).map_or(Version(0), |chat| chat.version)
    }

    pub fn message(&self, chat: ChatId, seq: Seq) -> Option<&Message> {
        self.chats.get(&chat)?.messages.get(&seq)
    }

    /// The texts of a chat, by seq.
    pub fn texts(&self, chat: ChatId) -> Vec<String> {
        let messages = self.chats.get(&chat).into_iter().flat_map(|chat| chat.messages.values());
        messages.filter_map(text).map(str::to_owned).collect()
    }
}

/// The text of a message, if it has one.
pub fn text(message: &Message) -> Option<&str> {
    match &message.body {
        chapar_protocol::Body::Text(text) => Some(&text.text),
        _ => None,
    }
}

fn react(chat: &mut Chat, me: UserId, reacted: &[Reacted]) {
    for reacted in reacted.iter().filter(|reacted| reacted.user_id == me && reacted.seq >= chat.first) {
        match &reacted.emoji {
            Some(emoji) => drop(chat.reacted.insert(reacted.seq, emoji.clone())),
            None => drop(chat.reacted.remove(&reacted.seq)),
        }
    }
}
