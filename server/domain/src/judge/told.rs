//! What others hear of a chat that has changed.

use std::collections::BTreeMap;

use chapar_protocol::{ChatDelta, ChatId, ChatKind, Reacted, Role, Seq, UserId, Version, limit};

use super::Written;
use crate::chat::Stored;

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

/// People who have reacted in a channel since its counters were told, each of whom hears all that is told with their own.
pub const A_FEW: usize = 16;

/// Bytes around the rows of a delta.
const AROUND: usize = 1024;

impl Written {
    /// Whether something has moved in a channel that its counters are to tell.
    pub fn stirs(&self) -> bool {
        let quiet = || self.rows.reactions.values().any(|version| *version == Version(0));
        self.chat.info.kind == ChatKind::Channel && (quiet() || !self.rows.members.is_empty() || self.rows.left_over)
    }

    /// One's own reactions in a channel, which are told to their owners at once.
    pub fn own_reactions(&self) -> impl Iterator<Item = Reacted> {
        let quiet = self.rows.reactions.iter().filter(|it| *it.1 == Version(0));
        quiet.map(|(&(seq, user_id), _)| {
            let emoji = self.chat.reactions.get(&(seq, user_id)).cloned();
            Reacted { seq, user_id, emoji }
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
        let mut by_version: BTreeMap<Version, Piece> = BTreeMap::new();
        let mut piece = |version: Version, bytes: usize, put: &dyn Fn(&mut ChatDelta)| {
            let piece = by_version.entry(version).or_insert_with(|| Piece::new(self.chat.info.id));
            piece.bytes += bytes;
            put(&mut piece.delta);
        };
        if let Some(version) = self.rows.info {
            piece(version, 1024, &|delta| delta.chat = Some(self.chat.info.clone()));
        }
        for (user, turned) in &self.rows.members {
            if let (Some(version), Some(standing)) = (turned.version, self.chat.members.get(user)) {
                piece(version, 80, &|delta| delta.members.push(standing.member(*user, self.chat.info.kind)));
            }
        }
        for seq in self.rows.fresh.union(&self.rows.changed) {
            if let Some(stored) = self.chat.messages.get(seq) {
                let message = &stored.message;
                piece(message.version, bytes(stored), &|delta| delta.messages.push(message.clone()));
            }
        }
        for (&(seq, user_id), it) in &self.rows.counted {
            piece(it.version, 50, &|delta| delta.reacted.push(Reacted { seq, user_id, emoji: it.emoji.clone() }));
        }
        for (&(seq, user_id), version) in self.rows.reactions.iter().filter(|it| *it.1 > Version(0)) {
            let emoji = self.chat.reactions.get(&(seq, user_id)).cloned();
            piece(*version, 128, &|delta| delta.reacted.push(Reacted { seq, user_id, emoji: emoji.clone() }));
        }
        // Whose reactions many are is told to each alone: in a stretch without what all hear.
        let apart = self.rows.counted.len() > A_FEW;
        let mut deltas: Vec<Piece> = Vec::new();
        let mut from = self.from;
        for (version, piece) in by_version {
            match deltas.last_mut() {
                Some(last)
                    if last.bytes + piece.bytes <= limit::ANSWER_BYTES && !(apart && last.is_apart_from(&piece)) =>
                {
                    last.join(piece, version);
                }
                _ => {
                    let mut first = Piece::new(self.chat.info.id);
                    first.delta.from = from;
                    first.join(piece, version);
                    deltas.push(first);
                }
            }
            from = version;
        }
        // The last versions may have left no row: what was written at them was written anew later.
        if let Some(last) = deltas.last_mut() {
            last.delta.version = self.chat.version;
        } else {
            let mut none = Piece::new(self.chat.info.id);
            (none.delta.from, none.delta.version) = (self.from, self.chat.version);
            deltas.push(none);
        }
        deltas.into_iter().map(|it| it.delta).collect()
    }
}

struct Piece {
    delta: ChatDelta,
    bytes: usize,
}

impl Piece {
    fn is_apart_from(&self, other: &Self) -> bool {
        self.delta.reacted.is_empty() != other.delta.reacted.is_empty()
    }

    fn new(chat: ChatId) -> Self {
        Self { delta: ChatDelta::empty(chat, Version(0)), bytes: AROUND }
    }

    fn join(&mut self, other: Self, version: Version) {
        self.bytes += other.bytes - AROUND;
        self.delta.version = version;
        self.delta.chat = other.delta.chat.or(self.delta.chat.take());
        self.delta.members.extend(other.delta.members);
        self.delta.messages.extend(other.delta.messages);
        self.delta.reacted.extend(other.delta.reacted);
    }
}

/// What a message takes in a frame, roughly and not less.
fn bytes(stored: &Stored) -> usize {
    let body = match &stored.json {
        Some(json) => json.len(),
        None => serde_json::to_string(&stored.message.body).map_or(0, |json| json.len()),
    };
    256 + body + 64 * stored.message.reactions.len()
}
