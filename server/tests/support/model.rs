//! What a correct client knows, kept by the version rule alone (see `chapar_protocol::delta`), and everything that a
//! correct server never makes it see.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chapar_protocol::{
    ChatCursor, ChatDelta, ChatId, ChatInfo, ChatKind, ChatRow, ChatSnapshot, ChatSync, Epoch, Event, Item, Member,
    Message, MyChat, OwnItem, Reacted, Resume, Seq, Sync, UserDelta, UserId, Version, item::Kept, poll::OwnVote,
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
    /// Own votes, each the one with the greatest turn.
    pub votes: BTreeMap<Seq, OwnVote>,
    /// In a group: messages that call one, by a mention or as answers; perhaps read ones among them.
    pub mentions: BTreeSet<Seq>,
    /// The furthest read mark of anybody else.
    pub others_read: Seq,
    /// Everything below this is not held.
    pub first: Seq,
    /// Deltas beyond a gap.
    kept: Vec<ChatDelta>,
}

impl Chat {
    fn take(&mut self, row: ChatRow, me: UserId) {
        match row {
            ChatRow::Info(info) => self.info = Some(info),
            ChatRow::Member(it) if it.role.is_some() => drop(self.members.insert(it.user_id, it)),
            ChatRow::Member(it) => drop(self.members.remove(&it.user_id)),
            ChatRow::Message(it) => {
                let known = self.messages.get(&it.seq);
                if known.is_none_or(|known| known.version <= it.version) {
                    if it.calls(me) && self.info.as_ref().is_some_and(|it| it.kind == ChatKind::Group) {
                        self.mentions.insert(it.seq);
                    } else {
                        self.mentions.remove(&it.seq);
                    }
                }
                if it.seq >= self.first && known.is_none_or(|known| known.version <= it.version) {
                    self.messages.insert(it.seq, it);
                }
            }
            ChatRow::Reaction(Reacted { seq, user_id, emoji, .. }) if user_id == me && seq >= self.first => match emoji
            {
                Some(emoji) => drop(self.reacted.insert(seq, emoji)),
                None => drop(self.reacted.remove(&seq)),
            },
            ChatRow::Vote(it) => {
                if self.votes.get(&it.seq).is_none_or(|known| known.turn < it.turn) {
                    self.votes.insert(it.seq, it);
                }
            }
            ChatRow::Reaction(_) | ChatRow::Unknown => {}
        }
    }
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
    pub epochs: Vec<Epoch>,
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
    /// How far this connection was told of each chat.
    told: HashMap<ChatId, Version>,
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
        (!self.epochs.is_empty()).then(|| Resume {
            epochs: self.epochs.clone(),
            user_version: self.user_version,
            chats: self.chats.iter().map(cursor).collect(),
        })
    }

    /// Applies the answer to `hello`.
    pub fn welcome(&mut self, sync: Sync) -> Vec<Need> {
        let mut needs = Vec::new();
        self.told.clear();
        for chat in self.chats.values_mut() {
            chat.kept.clear();
        }
        self.kept_user.clear();
        self.resets += usize::from(!self.epochs.is_empty() && !sync.reset.is_empty());
        if sync.resets(Epoch::PEOPLE) {
            self.user_version = Version(0);
            self.mine.clear();
            self.own.clear();
            self.missed_calls = 0;
        }
        if sync.resets(Epoch::CHATS) {
            self.chats.clear();
            self.clients.clear();
        }
        for epoch in &sync.epochs {
            if !sync.resets(&epoch.0) && !self.epochs.contains(epoch) {
                self.violations.push(format!("the epoch of {} changed without a reset", epoch.0));
            }
        }
        self.epochs = sync.epochs;
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
            Event::Delta(delta) => {
                self.contiguous(&delta);
                self.delta(delta).into_iter().collect()
            }
            Event::Me(delta) => {
                // Whoever comes in, or back, is told from there.
                for item in &delta.items {
                    let Item::Chat(mine) = item else { continue };
                    if mine.role.is_none() || self.mine.get(&mine.chat_id).is_none_or(|known| known.role.is_none()) {
                        self.told.remove(&mine.chat_id);
                    }
                }
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
            Event::Reacted(own) => {
                if let Some(chat) = self.chats.get_mut(&own.chat_id) {
                    chat.take(ChatRow::Reaction(own.reacted), self.me);
                }
                Vec::new()
            }
            Event::Voted(own) => {
                if let Some(chat) = self.chats.get_mut(&own.chat_id) {
                    chat.take(ChatRow::Vote(own.vote), self.me);
                }
                Vec::new()
            }
            Event::Typing(_)
            | Event::Presence(_)
            | Event::User(_)
            | Event::Call(_)
            | Event::CallSignal(_)
            | Event::Drain(_) => Vec::new(),
        }
    }

    /// What is told on one connection has no holes: a delta goes on from the one before, or says no more than where the chat stands.
    fn contiguous(&mut self, delta: &ChatDelta) {
        let told = self.told.entry(delta.chat_id).or_insert(delta.from);
        if delta.from > *told && delta.from < delta.version {
            let (id, from, told) = (delta.chat_id, delta.from, *told);
            self.violations.push(format!("chat {id}: told up to {told}, then from {from} on"));
        }
        *told = delta.version.max(*told);
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
        let seqs: Vec<Seq> = snapshot.messages().map(|message| message.seq).collect();
        for pair in seqs.windows(2) {
            if pair[1] != pair[0].next() {
                self.violations.push(format!("chat {id}: a hole in the snapshot after {}", pair[0]));
            }
        }
        if seqs.last().is_some_and(|last| *last != snapshot.last_seq) {
            self.violations.push(format!("chat {id}: the snapshot lacks its last message"));
        }
        if snapshot.rows.iter().any(|row| row.version() > snapshot.version) {
            self.violations.push(format!("chat {id}: a row is newer than its snapshot"));
        }
        let mut chat = Chat {
            info: Some(snapshot.chat),
            version: snapshot.version,
            members: BTreeMap::new(),
            reacted: BTreeMap::new(),
            votes: old.as_ref().map_or_else(BTreeMap::new, |old| old.votes.clone()),
            mentions: snapshot.mentions.into_iter().collect(),
            others_read: old.as_ref().map_or(Seq(0), |old| old.others_read),
            first: seqs.first().copied().unwrap_or(snapshot.last_seq.next()),
            messages: BTreeMap::new(),
            kept: old.map_or_else(Vec::new, |old| old.kept),
        };
        for row in snapshot.rows {
            if let Some(message) = row.message() {
                self.note_client(id, message);
            }
            chat.take(row, self.me);
        }
        let others = chat.members.values().filter(|member| member.user_id != self.me);
        chat.others_read = others.filter_map(|member| member.read_seq).fold(chat.others_read, Ord::max);
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
            votes: BTreeMap::new(),
            mentions: BTreeSet::new(),
            others_read: Seq(0),
            first: Seq(1),
            kept: Vec::new(),
        });
        let mine = chat.version;
        if !delta.rows.is_sorted_by_key(ChatRow::version) {
            self.violations.push(format!("chat {id}: the rows of a delta are not by version"));
        }
        let mut last = chat.messages.keys().next_back().copied().unwrap_or(Seq(chat.first.0 - 1));
        let mut fresh: BTreeSet<Seq> = BTreeSet::new();
        for row in delta.rows {
            let (v, from, to) = (row.version(), delta.from, delta.version);
            // An own reaction also comes along with its message, and an own vote has no version.
            let early = v <= from && row.reaction().is_none() && row.vote().is_none();
            if early || v > to {
                self.violations.push(format!("chat {id}: {row:?} of version {v} in a delta from {from} to {to}"));
            }
            if let Some(message) = row.message() {
                self.note_client(id, message);
                if message.seq > last {
                    fresh.insert(message.seq);
                }
            }
            chat.take(row, me);
        }
        for seq in fresh {
            if seq != last.next() {
                self.disorder.push((id, format!("message {seq} came after {last} at version {mine}")));
            }
            last = seq;
            self.arrivals.push((id, seq));
        }
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

    /// Messages of a chat that call one and are not read, by seq.
    pub fn unread_mentions(&self, chat: ChatId) -> Vec<Seq> {
        let read = self.mine.get(&chat).map_or(Seq(0), |mine| mine.read_seq);
        let mentions = self.chats.get(&chat).into_iter().flat_map(|chat| &chat.mentions);
        mentions.copied().filter(|seq| *seq > read).collect()
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
