//! What was asked and what was answered: one book for all people.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use chapar_protocol::{ChatId, Seq};
use uuid::Uuid;

/// What a person wants done in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Send { client_id: Uuid, text: String },
    Edit { seq: Seq, text: String },
    React { seq: Seq },
}

/// A message that somebody sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) chat: usize,
    pub(super) person: usize,
    /// All texts that it may have: the last one acknowledged, and those after it without an answer.
    pub(super) texts: Vec<String>,
    pub(super) seq: Option<i64>,
    pub(super) refused: bool,
}

/// What happened during one fault.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase {
    pub(super) acked: u64,
    pub(super) acked_by_chat: Vec<u64>,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) lost: BTreeMap<String, u64>,
    /// The longest wait of a wish of each chat, from its first try to its answer.
    pub(super) waits: Vec<Duration>,
}

#[derive(Debug)]
pub(super) struct Book {
    pub(super) chats: Vec<ChatId>,
    pub(super) sent: HashMap<Uuid, Sent>,
    /// In the order in which each person sent them to a chat.
    pub(super) order: BTreeMap<(usize, usize), Vec<Uuid>>,
    /// People whose reaction to a message was acknowledged, and those who asked for one.
    pub(super) reactions: BTreeMap<(usize, i64), (u64, u64)>,
    by_place: HashMap<(usize, i64), Uuid>,
    pub(super) phase: Phase,
    pub(super) violations: Vec<String>,
    /// How many there are in all; only the first are kept in words.
    pub(super) violated: u64,
}

impl Book {
    pub(super) fn new(chats: Vec<ChatId>) -> Self {
        let mut it = Self {
            chats,
            sent: HashMap::new(),
            order: BTreeMap::new(),
            reactions: BTreeMap::new(),
            by_place: HashMap::new(),
            phase: Phase::default(),
            violations: Vec::new(),
            violated: 0,
        };
        it.turn_page();
        it
    }

    /// Begins a new phase and returns the one that ends.
    pub(super) fn turn_page(&mut self) -> Phase {
        let all = self.chats.len();
        let fresh = Phase { acked_by_chat: vec![0; all], waits: vec![Duration::ZERO; all], ..Phase::default() };
        std::mem::replace(&mut self.phase, fresh)
    }

    pub(super) fn violation(&mut self, what: String) {
        self.violated += 1;
        if self.violations.len() < 60 {
            self.violations.push(what);
        }
    }

    /// Before the first try of a wish.
    pub(super) fn wished(&mut self, person: usize, chat: usize, wish: &Wish) {
        match wish {
            Wish::Send { client_id, text } => {
                let sent = Sent { chat, person, texts: vec![text.clone()], seq: None, refused: false };
                self.sent.insert(*client_id, sent);
                self.order.entry((chat, person)).or_default().push(*client_id);
            }
            Wish::Edit { seq, text } => {
                if let Some(sent) = self.at(chat, *seq) {
                    sent.texts.push(text.clone());
                }
            }
            Wish::React { seq } => self.reactions.entry((chat, seq.0)).or_default().1 += 1,
        }
    }

    fn at(&mut self, chat: usize, seq: Seq) -> Option<&mut Sent> {
        let id = self.by_place.get(&(chat, seq.0))?;
        self.sent.get_mut(id)
    }

    /// The answer "done". A send names its seq.
    pub(super) fn done(&mut self, chat: usize, wish: &Wish, seq: Option<i64>, first_try: Instant) {
        self.phase.acked += 1;
        self.phase.acked_by_chat[chat] += 1;
        self.waited(chat, first_try);
        match wish {
            Wish::Send { client_id, .. } => {
                let Some(seq) = seq else { return };
                if let Some(other) = self.by_place.insert((chat, seq), *client_id)
                    && other != *client_id
                {
                    self.violation(format!("two messages were acknowledged at seq {seq} of chat {}", self.chats[chat]));
                }
                if let Some(sent) = self.sent.get_mut(client_id) {
                    sent.seq = Some(seq);
                }
            }
            Wish::Edit { seq, text } => {
                if let Some(sent) = self.at(chat, *seq) {
                    // Edits of a message come from its sender, one after the other: all older texts are gone.
                    sent.texts = vec![text.clone()];
                }
            }
            Wish::React { seq } => self.reactions.entry((chat, seq.0)).or_default().0 += 1,
        }
    }

    /// How long a wish has waited for its answer up to now.
    pub(super) fn waited(&mut self, chat: usize, first_try: Instant) {
        let wait = &mut self.phase.waits[chat];
        *wait = (*wait).max(first_try.elapsed());
    }

    /// The answer "never". Nothing here may be refused so: everybody does only what they may.
    pub(super) fn refused(&mut self, chat: usize, wish: &Wish, code: &str) {
        if let Wish::Send { client_id, .. } = wish
            && let Some(sent) = self.sent.get_mut(client_id)
        {
            sent.refused = true;
        }
        self.violation(format!(
            "a rightful wish was refused for good with {code} in chat {}: {wish:?}",
            self.chats[chat]
        ));
    }

    pub(super) fn error(&mut self, code: &str) {
        *self.phase.errors.entry(code.to_owned()).or_default() += 1;
    }

    pub(super) fn lost(&mut self, why: String) {
        *self.phase.lost.entry(why).or_default() += 1;
    }
}
