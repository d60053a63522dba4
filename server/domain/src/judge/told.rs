//! What others hear of a chat that has changed.

use chapar_protocol::{
    ChatDelta, ChatId, ChatInfo, ChatKind, ChatRow, Reacted, Role, Seq, UserId, Version, limit, poll::OwnVote,
};

use super::Written;
use crate::{
    change::json,
    chat::{Beside, Stored},
};

/// How somebody stands in a chat, for their own list of chats. The highest turn holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Who.
    pub user: UserId,
    /// Where.
    pub chat: ChatId,
    /// The chat's form.
    pub kind: ChatKind,
    /// The role; absent when no longer in it.
    pub role: Option<Role>,
    /// How far they have read, if they have just come in.
    pub read_seq: Seq,
    /// Has done something there.
    pub engaged: bool,
    /// Counts the changes of it.
    pub turn: i64,
}

impl Membership {
    /// Of somebody who never was in a chat.
    pub fn never(user: UserId, chat: ChatId) -> Self {
        Self { user, chat, kind: ChatKind::Direct, role: None, read_seq: Seq(0), engaged: false, turn: 0 }
    }
}

/// People who have reacted in a channel since its counters were told, each of whom hears all that is told with their own.
pub const A_FEW: usize = 16;

/// Bytes around the rows of a delta.
const AROUND: usize = 1024;

impl Written {
    /// Whether something has moved in a channel that its counters are to tell.
    pub fn stirs(&self) -> bool {
        let quiet = || {
            self.rows.reactions.values().any(|version| *version == Version(0))
                || self.rows.votes.values().any(|it| it.quiet)
        };
        self.chat.info.kind == ChatKind::Channel && (quiet() || !self.rows.members.is_empty() || self.rows.left_over)
    }

    /// One's own reactions in a channel, which are told to their owners at once.
    pub fn own_reactions(&self) -> impl Iterator<Item = Reacted> {
        let quiet = self.rows.reactions.iter().filter(|it| *it.1 == Version(0));
        quiet.map(|(&(seq, user_id), _)| {
            let emoji = self.chat.reactions.get(&(seq, user_id)).cloned();
            Reacted { seq, version: Version(0), user_id, emoji }
        })
    }

    /// Votes that were set or taken back, which are told to their owners at once and to nobody else.
    pub fn own_votes(&self) -> impl Iterator<Item = (UserId, OwnVote)> {
        self.rows.votes.keys().filter_map(|&(seq, user)| {
            let vote = self.chat.votes.get(&(seq, user))?;
            Some((user, vote.own(seq, self.chat.keys.get(&seq))))
        })
    }

    /// How those stand now whose standing has changed.
    pub fn memberships(&self) -> impl Iterator<Item = Membership> {
        let (chat, kind) = (self.chat.info.id, self.chat.info.kind);
        self.rows.members.keys().filter_map(move |user| {
            let it = self.chat.members.get(user)?;
            let (role, read_seq, engaged, turn) = (it.role, it.read_seq, it.engaged, it.turn);
            Some(Membership { user: *user, chat, kind, role, read_seq, engaged, turn })
        })
    }

    /// The changes, as everybody in the chat hears of them: stretches of versions that follow on each other, none longer
    /// than an answer may be, unless one version alone is.
    pub fn deltas(&self) -> Vec<ChatDelta> {
        if self.chat.version == self.from {
            return Vec::new();
        }
        // Whose reactions many are is told to each alone: in a stretch without what all hear.
        let apart = self.rows.counted.len() > A_FEW;
        let mut rows = self.told();
        rows.sort_by_key(|(row, _)| row.version());
        let mut rows = rows.into_iter().peekable();
        let mut delta = ChatDelta::empty(self.chat.info.id, self.from);
        let (mut deltas, mut bytes) = (Vec::new(), AROUND);
        while let Some(version) = rows.peek().map(|(row, _)| row.version()) {
            let (mut together, mut size) = (Vec::new(), 0);
            while let Some((row, bytes)) = rows.next_if(|(row, _)| row.version() == version) {
                together.push(row);
                size += bytes;
            }
            let is_apart = apart && are_reactions(&delta.rows) != are_reactions(&together);
            if !delta.rows.is_empty() && (is_apart || bytes + size > limit::ANSWER_BYTES) {
                let next = ChatDelta::empty(delta.chat_id, delta.version);
                deltas.push(std::mem::replace(&mut delta, next));
                bytes = AROUND;
            }
            delta.version = version;
            delta.rows.append(&mut together);
            bytes += size;
        }
        // The last versions may have left no row: what was written at them was written anew later.
        delta.version = self.chat.version;
        deltas.push(delta);
        deltas
    }

    /// The rows that changed, each with what it takes in a frame, roughly and not less.
    fn told(&self) -> Vec<(ChatRow, usize)> {
        let mut told = Vec::new();
        if let Some(version) = self.rows.info {
            told.push((ChatRow::Info(ChatInfo { version, ..self.chat.info.clone() }), 2560));
        }
        for (user, turned) in &self.rows.members {
            if let (Some(version), Some(standing)) = (turned.version, self.chat.members.get(user)) {
                told.push((ChatRow::Member(standing.member(*user, self.chat.info.kind, version)), 128));
            }
        }
        for stored in self.rows.fresh.union(&self.rows.changed).filter_map(|seq| self.chat.messages.get(seq)) {
            told.push((ChatRow::Message(stored.message.clone()), bytes(stored)));
        }
        for (&(seq, user_id), it) in &self.rows.counted {
            let (version, emoji) = (it.version, it.emoji.clone());
            told.push((ChatRow::Reaction(Reacted { seq, version, user_id, emoji }), 50));
        }
        for (&(seq, user_id), &version) in self.rows.reactions.iter().filter(|it| *it.1 > Version(0)) {
            let emoji = self.chat.reactions.get(&(seq, user_id)).cloned();
            told.push((ChatRow::Reaction(Reacted { seq, version, user_id, emoji }), 176));
        }
        told
    }
}

fn are_reactions(rows: &[ChatRow]) -> bool {
    rows.iter().all(|row| row.reaction().is_some())
}

/// What a message takes in a frame, roughly and not less.
fn bytes(stored: &Stored) -> usize {
    let body = match &stored.json {
        Some(json) => json.len(),
        None => json(&stored.message.body, &Beside::of(&stored.message)).len(),
    };
    288 + body + 64 * stored.message.reactions.len()
}
