//! What a client holds of one chat, and the rule by which a delta fits it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chapar_protocol::{
    ChatDelta, ChatId, ChatInfo, ChatKind, ChatRow, ChatSnapshot, Member, Message, Reacted, Seq, UserId, Version,
    command::Page,
    poll::{ChatVote, OwnVote},
};
use serde::{Deserialize, Serialize};

use super::event::ClientEvent;

/// Rows beside the window that are kept while a page of history is under way.
const BESIDE: usize = 2_000;
/// Own votes that are kept.
const VOTES: usize = 200;
/// Messages that call one and are kept.
const MENTIONS: usize = 500;

/// How a delta fits what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It goes on from what is known, or overlaps it.
    Apply,
    /// All of it is known.
    Known,
    /// Something before it is missing.
    Gap,
}

/// The version rule, for chats and for the user's own things alike.
pub(crate) fn fit(mine: Version, from: Version, version: Version) -> Fit {
    if mine >= version {
        Fit::Known
    } else if from <= mine {
        Fit::Apply
    } else {
        Fit::Gap
    }
}

/// One chat as the client knows it. The messages are a window at the chat's end; while the client is catching up,
/// a message may be missing inside it, because deltas bring rows by the version of their last change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    /// The chat itself.
    pub info: ChatInfo,
    /// The version that all of this is at.
    pub version: Version,
    /// The seq of the last message known of.
    pub last_seq: Seq,
    /// Where the window begins: rows of older messages are not held.
    pub first: Seq,
    /// Who is in it, as far as told.
    pub members: BTreeMap<UserId, Member>,
    /// The window.
    pub messages: BTreeMap<Seq, Message>,
    /// The own reactions to messages in the window. Message rows carry only counts.
    pub reacted: BTreeMap<Seq, String>,
    /// The own votes, those in the last polls in which one has voted: of each the one with the greatest turn.
    #[serde(default)]
    pub votes: BTreeMap<Seq, OwnVote>,
    /// In a group: messages that call one, by a mention or as answers to one's own. Those that were read may be among them.
    #[serde(default)]
    pub mentions: BTreeSet<Seq>,
    /// How far anybody has read, as far as told. Only grows.
    pub reads: BTreeMap<UserId, Seq>,
    /// The furthest read mark of anybody else. Only grows.
    pub others_read: Seq,
    /// Rows of older messages that changed while a page of history was under way: the page may be older than they are.
    #[serde(skip)]
    beside: Option<Beside>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Beside {
    pages: usize,
    /// Some rows found no room: the page cannot be trusted.
    full: bool,
    messages: BTreeMap<Seq, Message>,
    reacted: BTreeMap<Seq, Option<String>>,
}

impl Chat {
    /// Begins a chat with its first delta, the one from version 0. `None` when that does not say what the chat is.
    pub(crate) fn begin(delta: &ChatDelta) -> Option<Self> {
        let info = delta.rows.iter().find_map(ChatRow::info)?.clone();
        Some(Self::empty(info, Version(0), Seq(0), Seq(1)))
    }

    fn empty(info: ChatInfo, version: Version, last_seq: Seq, first: Seq) -> Self {
        Self {
            info,
            version,
            last_seq,
            first,
            members: BTreeMap::new(),
            messages: BTreeMap::new(),
            reacted: BTreeMap::new(),
            votes: BTreeMap::new(),
            mentions: BTreeSet::new(),
            reads: BTreeMap::new(),
            others_read: Seq(0),
            beside: None,
        }
    }

    /// A chat from scratch.
    pub(crate) fn from_snapshot(snapshot: ChatSnapshot, me: UserId) -> Self {
        let first = snapshot.messages().map(|it| it.seq).min().unwrap_or(snapshot.last_seq.next());
        let mut chat = Self::empty(snapshot.chat, snapshot.version, snapshot.last_seq, first);
        chat.mentions = snapshot.mentions.into_iter().collect();
        for row in snapshot.rows {
            // That it was replaced is told as a whole.
            chat.take(row, me, &mut Vec::new());
        }
        chat
    }

    /// Applies a delta that fits, and tells what is new by it. The window keeps its last `window` messages.
    pub(crate) fn apply(&mut self, delta: ChatDelta, me: UserId, window: usize, told: &mut Vec<ClientEvent>) {
        self.version = self.version.max(delta.version);
        for row in delta.rows {
            self.take(row, me, told);
        }
        self.trim(window);
    }

    fn take(&mut self, row: ChatRow, me: UserId, told: &mut Vec<ClientEvent>) {
        let chat_id = self.info.id;
        match row {
            ChatRow::Info(info) => {
                self.info = info;
                told.push(ClientEvent::Chat { chat_id });
            }
            ChatRow::Member(member) => {
                told.push(ClientEvent::Member { chat_id, member: member.clone() });
                self.set_member(member, me);
            }
            ChatRow::Message(message) => self.set_message(chat_id, message, me, told),
            ChatRow::Reaction(reacted) => {
                self.set_reacted(&reacted, me);
                told.push(ClientEvent::Reacted { chat_id, reacted });
            }
            ChatRow::Vote(vote) => {
                if self.set_vote(&vote) {
                    told.push(ClientEvent::Voted(ChatVote { chat_id, vote }));
                }
            }
            // A kind from the future: its version is taken with the delta's (R17).
            ChatRow::Unknown => {}
        }
    }

    /// Whether a page of history is under way.
    pub(crate) fn awaits_pages(&self) -> bool {
        self.beside.is_some()
    }

    /// Notes that no page is under way any more.
    pub(crate) fn pages_lost(&mut self) {
        self.beside = None;
    }

    /// Notes that a page of history was asked for.
    pub(crate) fn page_asked(&mut self) {
        self.beside.get_or_insert_default().pages += 1;
    }

    /// Notes that the page will not come.
    pub(crate) fn page_failed(&mut self) {
        self.page_done();
    }

    /// Puts a page into the window if it touches it, so that the window stays without holes.
    /// The window may then be longer than usual, until the next delta trims it.
    pub(crate) fn put_page(&mut self, page: &Page, me: UserId) {
        let touches = page.messages.first().is_some_and(|message| message.seq <= self.last_seq)
            && page.messages.last().is_some_and(|message| message.seq.next() >= self.first);
        for vote in &page.voted {
            self.set_vote(vote);
        }
        // Without it the chat was replaced while the page was under way: what changed meanwhile is not known.
        let Some(beside) = self.beside.clone() else { return };
        if touches && !beside.full {
            let (began, newest) = (self.first, self.last_seq);
            self.first = self.first.min(page.messages.first().map_or(self.first, |message| message.seq));
            for message in page.messages.iter().filter(|it| it.seq <= newest).chain(beside.messages.values()) {
                if message.seq >= self.first
                    && self.messages.get(&message.seq).is_none_or(|it| it.version < message.version)
                {
                    self.messages.insert(message.seq, message.clone());
                }
            }
            // Inside the window the deltas know better: the page may be older than they are.
            for reacted in page.reacted.iter().filter(|it| it.user_id == me && it.seq < began) {
                if let Some(emoji) = &reacted.emoji {
                    self.reacted.insert(reacted.seq, emoji.clone());
                }
            }
            for (seq, emoji) in beside.reacted.into_iter().filter(|(seq, _)| *seq >= self.first) {
                match emoji {
                    Some(emoji) => self.reacted.insert(seq, emoji),
                    None => self.reacted.remove(&seq),
                };
            }
        }
        self.page_done();
    }

    /// Raises a read mark.
    pub(crate) fn set_read(&mut self, user_id: UserId, seq: Seq, me: UserId) -> bool {
        let mark = self.reads.entry(user_id).or_default();
        let further = seq > *mark;
        *mark = seq.max(*mark);
        if user_id != me {
            self.others_read = self.others_read.max(seq);
        }
        further
    }

    fn set_member(&mut self, member: Member, me: UserId) {
        if let Some(seq) = member.read_seq {
            self.set_read(member.user_id, seq, me);
        }
        if member.role.is_some() {
            self.members.insert(member.user_id, member);
        } else {
            self.members.remove(&member.user_id);
        }
    }

    fn set_message(&mut self, chat_id: ChatId, message: Message, me: UserId, told: &mut Vec<ClientEvent>) {
        self.last_seq = self.last_seq.max(message.seq);
        if message.seq < self.first {
            self.note_call(&message, me);
            if let Some(beside) = &mut self.beside {
                beside.full |= beside.messages.len() >= BESIDE;
                if !beside.full {
                    beside.messages.insert(message.seq, message.clone());
                }
            }
            told.push(ClientEvent::Changed { chat_id, message: Box::new(message) });
            return;
        }
        let known = self.messages.get(&message.seq).map(|it| it.version);
        if known.is_some_and(|version| version >= message.version) {
            return;
        }
        self.note_call(&message, me);
        self.messages.insert(message.seq, message.clone());
        let message = Box::new(message);
        told.push(if known.is_none() {
            ClientEvent::Message { chat_id, message }
        } else {
            ClientEvent::Changed { chat_id, message }
        });
    }

    /// Notes whether a message calls one, as it is now.
    fn note_call(&mut self, message: &Message, me: UserId) {
        if self.info.kind != ChatKind::Group || !message.calls(me) {
            self.mentions.remove(&message.seq);
            return;
        }
        self.mentions.insert(message.seq);
        let read = self.reads.get(&me).copied().unwrap_or_default();
        self.mentions.retain(|seq| *seq > read);
        if self.mentions.len() > MENTIONS {
            self.mentions.pop_last();
        }
    }

    /// Takes over somebody's reaction, of which only the own ones are kept.
    pub(crate) fn set_reacted(&mut self, reacted: &Reacted, me: UserId) {
        if reacted.user_id != me {
            return;
        }
        if reacted.seq < self.first {
            if let Some(beside) = &mut self.beside {
                beside.full |= beside.reacted.len() >= BESIDE;
                if !beside.full {
                    beside.reacted.insert(reacted.seq, reacted.emoji.clone());
                }
            }
            return;
        }
        match &reacted.emoji {
            Some(emoji) => self.reacted.insert(reacted.seq, emoji.clone()),
            None => self.reacted.remove(&reacted.seq),
        };
    }

    /// Takes over one's own vote, in whatever order they come. Whether it is news.
    pub(crate) fn set_vote(&mut self, vote: &OwnVote) -> bool {
        if self.votes.get(&vote.seq).is_some_and(|known| known.turn >= vote.turn) {
            return false;
        }
        self.votes.insert(vote.seq, vote.clone());
        if self.votes.len() > VOTES {
            self.votes.pop_first();
        }
        true
    }

    fn page_done(&mut self) {
        if let Some(beside) = &mut self.beside {
            beside.pages = beside.pages.saturating_sub(1);
            if beside.pages == 0 {
                self.beside = None;
            }
        }
    }

    fn trim(&mut self, window: usize) {
        while self.messages.len() > window {
            let Some((seq, _)) = self.messages.pop_first() else { return };
            self.reacted.remove(&seq);
            self.first = seq.next();
        }
    }
}
