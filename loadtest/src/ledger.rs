//! What was sent, what was acknowledged and what was seen: one table for all connections of the run.
//!
//! Readers compare what they see against it as they go: the first reader that meets a place (chat, seq) writes down which
//! message stands there, and every other must find the same.

use std::{collections::HashMap, fmt};

use uuid::Uuid;

use crate::message::{Ident, Maker, hash};

/// What became of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No final answer: it may exist once or not at all.
    Unknown,
    /// Stored at this seq with this version.
    Acknowledged {
        /// Its place.
        seq: i64,
        /// The version that brought it.
        version: i64,
    },
    /// Refused for good: it must not exist.
    Refused,
}

/// One send.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Index of the chat.
    pub chat: u32,
    /// Hash of its text.
    pub text: u64,
    /// When it should have left, in microseconds of the run.
    pub at_us: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether it was sent more than once, so that a later message may stand before it.
    pub retried: bool,
    /// Whether a try was lost without an answer, so that a later refusal proves nothing.
    pub uncertain: bool,
}

/// A message as some reader met it.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// Its place.
    pub seq: i64,
    /// Its version.
    pub version: i64,
    /// The user id of the sender, as the server gives it.
    pub sender: i64,
    /// The client id.
    pub client_id: Uuid,
    /// Its text; `None` for another kind of body.
    pub text: Option<&'a str>,
}

/// What the run keeps of one chat.
#[derive(Clone, Debug, Default)]
pub struct ChatLog {
    /// Its id at the server.
    pub id: i64,
    /// Its last seq before the first message of the run.
    pub base_seq: i64,
    /// Its version at that time.
    pub base_version: i64,
    /// The highest version that was acknowledged or seen.
    pub top_version: i64,
    /// Which message (packed identity) was seen at base_seq + 1 + index.
    pub seen: Vec<Option<u64>>,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise, as a stable word.
    pub kind: &'static str,
    /// Where and what.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.what)
    }
}

/// The first violations in words, and the count of all.
#[derive(Clone, Debug, Default)]
pub struct Violations {
    /// At most 100.
    pub first: Vec<Violation>,
    /// All, by kind.
    pub counts: std::collections::BTreeMap<&'static str, u64>,
}

impl Violations {
    /// Adds one; its words are made only while there is room for them.
    pub fn add(&mut self, kind: &'static str, what: impl FnOnce() -> String) {
        *self.counts.entry(kind).or_default() += 1;
        if self.first.len() < 100 {
            self.first.push(Violation { kind, what: what() });
        }
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// The table.
#[derive(Debug)]
pub struct Ledger {
    /// Makes ids and texts.
    pub maker: Maker,
    /// Ids of the users at the server, by index.
    pub users: Vec<i64>,
    /// By user, then by the count in the identity.
    pub sends: Vec<Vec<Sent>>,
    /// The chats of the run.
    pub chats: Vec<ChatLog>,
    /// What was found wrong so far.
    pub violations: Violations,
    by_id: HashMap<i64, u32>,
    scratch: Vec<u8>,
}

impl Ledger {
    /// For these users (ids at the server) and chats.
    pub fn new(maker: Maker, users: Vec<i64>, chats: Vec<ChatLog>) -> Self {
        let sends = users.iter().map(|_| Vec::new()).collect();
        let by_id = (0..).zip(&chats).map(|(index, chat)| (chat.id, index)).collect();
        let violations = Violations::default();
        Self { maker, users, sends, chats, violations, by_id, scratch: Vec::new() }
    }

    /// The index of a chat by its id at the server.
    pub fn chat_index(&self, id: i64) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Writes a new send down.
    pub fn send(&mut self, user: u32, chat: u32, at_us: u64) -> Ident {
        let sends = &mut self.sends[user as usize];
        let ident = Ident { user, count: u32::try_from(sends.len()).unwrap_or(u32::MAX) };
        self.scratch.clear();
        self.maker.text(ident, &mut self.scratch);
        let text = hash(&self.scratch);
        sends.push(Sent { chat, text, at_us, outcome: Outcome::Unknown, retried: false, uncertain: false });
        ident
    }

    /// The record of a send.
    pub fn sent(&self, ident: Ident) -> Option<&Sent> {
        self.sends.get(ident.user as usize)?.get(ident.count as usize)
    }

    /// Writes an acknowledgement down and returns when the message should have left.
    pub fn acknowledged(&mut self, ident: Ident, seq: i64, version: i64) -> Option<u64> {
        let sent = self.sends.get_mut(ident.user as usize)?.get_mut(ident.count as usize)?;
        if let Outcome::Acknowledged { seq: before, .. } = sent.outcome
            && before != seq
        {
            self.violations.add("acknowledged at two places", || {
                format!("message {} of user {}: seq {before}, then {seq}", ident.count, ident.user)
            });
        }
        sent.outcome = Outcome::Acknowledged { seq, version };
        let chat = &mut self.chats[sent.chat as usize];
        chat.top_version = chat.top_version.max(version);
        Some(sent.at_us)
    }

    /// Writes a final refusal down.
    pub fn refused(&mut self, ident: Ident) {
        if let Some(sent) = self.sends.get_mut(ident.user as usize).and_then(|it| it.get_mut(ident.count as usize))
            && !sent.uncertain
        {
            sent.outcome = Outcome::Refused;
        }
    }

    /// Writes down that a try ended without an answer, or with one that leaves the outcome open.
    pub fn unanswered(&mut self, ident: Ident) {
        if let Some(sent) = self.sends.get_mut(ident.user as usize).and_then(|it| it.get_mut(ident.count as usize)) {
            sent.retried = true;
            sent.uncertain = true;
        }
    }

    /// Checks a message against what was sent: known, right chat, right sender, right text. A message that nobody sent is
    /// a violation and gives `None`.
    pub fn recognise(&mut self, chat: u32, it: Sighting<'_>) -> Option<Ident> {
        let id = self.chats[chat as usize].id;
        let Some(ident) = self.maker.ident(it.client_id).filter(|ident| self.sent(*ident).is_some()) else {
            self.violations.add("a message that nobody sent", || {
                format!("chat {id} seq {} from user id {} with client id {}", it.seq, it.sender, it.client_id)
            });
            return None;
        };
        let (expected_chat, expected_text) = self.sent(ident).map(|sent| (sent.chat, sent.text))?;
        if expected_chat != chat {
            let meant = self.chats[expected_chat as usize].id;
            self.violations
                .add("a message in the wrong chat", || format!("chat {id} seq {}: was sent to chat {meant}", it.seq));
        }
        let sender = self.users[ident.user as usize];
        if sender != it.sender {
            self.violations.add("a message of the wrong sender", || {
                format!("chat {id} seq {}: sent by user id {sender}, shown as {}", it.seq, it.sender)
            });
        }
        if it.text.is_none_or(|text| hash(text.as_bytes()) != expected_text) {
            self.violations.add("a message with another text", || format!("chat {id} seq {}", it.seq));
        }
        Some(ident)
    }

    /// Writes down what a reader met, and checks that every reader meets the same at the same place.
    pub fn sighted(&mut self, chat: u32, it: Sighting<'_>) -> Option<Ident> {
        let ident = self.recognise(chat, it)?;
        let log = &mut self.chats[chat as usize];
        log.top_version = log.top_version.max(it.version);
        let id = log.id;
        // A bound against a server that invents a seq: no run has that many messages in one chat.
        let Some(index) = usize::try_from(it.seq - log.base_seq - 1).ok().filter(|index| *index < 1 << 28) else {
            self.violations.add("a message at an impossible place", || format!("chat {id} seq {}", it.seq));
            return Some(ident);
        };
        if log.seen.len() <= index {
            log.seen.resize(index + 1, None);
        }
        match log.seen[index] {
            None => log.seen[index] = Some(ident.packed()),
            Some(other) if other != ident.packed() => {
                self.violations
                    .add("readers saw different messages at one place", || format!("chat {id} seq {}", it.seq));
            }
            Some(_) => {}
        }
        Some(ident)
    }
}
