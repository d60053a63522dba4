//! A chat as the model of the server holds it.

use super::*;

/// A chat of the model: each row with the version of its last change.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) info: ChatInfo,
    pub(super) version: Version,
    pub(super) messages: BTreeMap<Seq, Message>,
    pub(super) members: BTreeMap<UserId, Member>,
    pub(super) reacted: BTreeMap<(Seq, UserId), Reacted>,
    pub(super) reads: BTreeMap<UserId, Seq>,
}

pub(super) fn moment(number: i64) -> Timestamp {
    Timestamp::from_millis(number * 1_000).expect("in range")
}

pub(super) fn member(user_id: UserId, version: Version, role: Option<Role>) -> Member {
    Member {
        user_id,
        version,
        role,
        read_seq: None,
        rights: Vec::new(),
        denied: Vec::new(),
        denied_until: None,
        removal: None,
    }
}

impl Table {
    pub(super) fn new(id: ChatId) -> Self {
        let (version, title, created_at) = (Version(1), Some("0".into()), moment(0));
        let (kind, handle, rights, member_count) = (ChatKind::Group, None, Vec::new(), None);
        let (description, photo, pinned) = (None, None, Vec::new());
        let info = ChatInfo {
            id,
            version,
            kind,
            title,
            handle,
            created_at,
            rights,
            member_count,
            description,
            photo,
            pinned,
            slow_seconds: 0,
            settings: chapar_protocol::ChatSettings::default(),
            discussion: None,
        };
        let members = [ME, OTHER].map(|user| (user, member(user, version, Some(Role::Member)))).into();
        let (messages, reacted, reads) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { info, version, messages, members, reacted, reads }
    }

    pub(super) fn last_seq(&self) -> Seq {
        self.messages.keys().next_back().copied().unwrap_or_default()
    }

    pub(super) fn pick(&self, message: u8) -> Option<Seq> {
        let count = self.messages.len();
        self.messages.keys().nth(usize::from(message) % count.max(1)).copied()
    }

    pub(super) fn write(&mut self, sender: UserId, client_id: Uuid, body: Body) -> Seq {
        self.version = self.version.next();
        let (seq, version) = (self.last_seq().next(), self.version);
        let sent_at = moment(seq.0);
        self.messages.insert(seq, Message::new(seq, version, sender, client_id, sent_at, body));
        seq
    }

    pub(super) fn set_reacted(&mut self, seq: Seq, user: UserId, emoji: Option<String>) {
        self.version = self.version.next();
        self.reacted.insert((seq, user), Reacted { seq, version: self.version, user_id: user, emoji });
        let count = self.reacted.values().filter(|it| it.seq == seq && it.emoji.is_some()).count();
        let message = self.messages.get_mut(&seq).expect("there");
        message.version = self.version;
        let count = u32::try_from(count).expect("few");
        message.reactions = if count > 0 { vec![ReactionCount { emoji: "👍".into(), count }] } else { vec![] };
    }

    /// The rows that changed after `from`, up to `page` versions with messages; all reactions, or only those of one user.
    pub(super) fn delta(&self, from: Version, page: usize, only: Option<UserId>) -> (ChatDelta, bool) {
        let mut messages: Vec<_> = self.messages.values().filter(|it| it.version > from).cloned().collect();
        messages.sort_by_key(|message| message.version);
        let more = messages.len() > page;
        messages.truncate(page);
        let version = if more { messages.last().map_or(self.version, |it| it.version) } else { self.version };
        let mut rows = vec![ChatRow::Info(self.info.clone())];
        rows.extend(self.members.values().cloned().map(ChatRow::Member));
        rows.extend(messages.into_iter().map(ChatRow::Message));
        let reacted = self.reacted.values().filter(|it| only.is_none_or(|user| user == it.user_id));
        rows.extend(reacted.cloned().map(ChatRow::Reaction));
        rows.retain(|row| row.version() > from && row.version() <= version);
        rows.sort_by_key(ChatRow::version);
        (ChatDelta { chat_id: self.info.id, from, version, rows }, more)
    }

    pub(super) fn snapshot(&self) -> ChatSnapshot {
        let messages: Vec<_> = self.messages.values().rev().take(PAGE).rev().cloned().collect();
        let first = messages.first().map_or(Seq(1), |message| message.seq);
        let members = self.members.values().filter(|member| member.role.is_some());
        let members = members.map(|it| Member { read_seq: self.reads.get(&it.user_id).copied(), ..it.clone() });
        let reacted = self.reacted.values().filter(|it| it.seq >= first && it.user_id == ME && it.emoji.is_some());
        let mut rows: Vec<_> = members.map(ChatRow::Member).collect();
        rows.extend(messages.into_iter().map(ChatRow::Message));
        rows.extend(reacted.cloned().map(ChatRow::Reaction));
        ChatSnapshot {
            chat: self.info.clone(),
            version: self.version,
            last_seq: self.last_seq(),
            rows,
            mentions: Vec::new(),
        }
    }

    pub(super) fn sync(&self, from: Version) -> ChatSync {
        if from == Version(0) || self.version.0 - from.0 > FAR || from > self.version {
            return ChatSync::Snapshot { snapshot: self.snapshot() };
        }
        let (delta, more) = self.delta(from, PAGE, Some(ME));
        ChatSync::Delta { delta, more }
    }

    /// The database is an older copy: the last messages are gone, and versions are counted anew.
    pub(super) fn restore(&mut self, cut: u8) {
        let keep = self.messages.len().saturating_sub(usize::from(cut));
        self.messages = std::mem::take(&mut self.messages).into_iter().take(keep).collect();
        self.version = Version(1);
        self.info.version = Version(1);
        self.members.values_mut().for_each(|it| it.version = Version(1));
        for message in self.messages.values_mut() {
            self.version = self.version.next();
            message.version = self.version;
        }
        let (messages, last) = (&self.messages, self.last_seq());
        self.reacted.retain(|(seq, _), _| messages.contains_key(seq));
        self.reacted.values_mut().for_each(|it| it.version = messages[&it.seq].version);
        self.reads.values_mut().for_each(|seq| *seq = last.min(*seq));
    }
}
