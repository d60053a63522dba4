//! How a client's state is kept in step with the server's.
//!
//! Every chat is a replicated table with one dense version. A [`ChatDelta`] moves a chat from one version to a later one,
//! whether it comes as an event, in the answer to `hello` or from `difference`; the rule is always the same:
//!
//! ```text
//! mine == from …                 apply, mine = delta.version
//! mine >= delta.version          ignore: already known
//! from < mine < delta.version    apply: its rows are in their final state, applying twice does no harm
//! mine <  from                   a gap: keep it, ask `difference` from mine
//! ```
//!
//! A delta whose `from` is its `version` brings nothing but where the chat stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, ChatInfo, Item, Member, Message, Reacted, Seq, Version};

/// All changes of one chat after `from` up to and with `version`, each row in its final state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ChatDelta {
    /// Which chat.
    pub chat_id: ChatId,
    /// The version that the receiver must have reached.
    pub from: Version,
    /// The version that the receiver has afterwards.
    pub version: Version,
    /// The chat itself, when its title or the like changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub chat: Option<ChatInfo>,
    /// Members who came, went or changed their role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Member>>", optional)]
    pub members: Vec<Member>,
    /// New and changed messages, by version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Message>>", optional)]
    pub messages: Vec<Message>,
    /// Whose reactions changed. In an answer only those of the asking user; in an event those of anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Reacted>>", optional)]
    pub reacted: Vec<Reacted>,
}

impl ChatDelta {
    /// One that brings nothing but where the chat stands; to be filled.
    pub fn empty(chat_id: ChatId, version: Version) -> Self {
        Self {
            chat_id,
            from: version,
            version,
            chat: None,
            members: Vec::new(),
            messages: Vec::new(),
            reacted: Vec::new(),
        }
    }
}

/// A chat from scratch: forget what was known of it and begin here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ChatSnapshot {
    /// The chat.
    pub chat: ChatInfo,
    /// Its version, which this snapshot is at.
    pub version: Version,
    /// The seq of its last message.
    pub last_seq: Seq,
    /// Its members, for direct chats and groups; in channels only the asking user. Further ones: `members`.
    pub members: Vec<Member>,
    /// Its last messages, by seq, without holes. Older ones: `history`.
    pub messages: Vec<Message>,
    /// The asking user's reactions to those messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Reacted>>", optional)]
    pub reacted: Vec<Reacted>,
}

/// What brings one chat up to date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChatSync {
    /// The changes since the cursor.
    Delta {
        /// The changes.
        delta: ChatDelta,
        /// Whether there are more after `delta.version`: ask `difference` again.
        more: bool,
    },
    /// The cursor was too old: begin anew.
    Snapshot {
        /// From scratch.
        snapshot: ChatSnapshot,
    },
}

impl ChatSync {
    /// Which chat.
    pub fn chat_id(&self) -> ChatId {
        match self {
            Self::Delta { delta, .. } => delta.chat_id,
            Self::Snapshot { snapshot } => snapshot.chat.id,
        }
    }
}

/// All changes of what belongs to one user, after `from` up to and with `version`.
/// From version 0 it is everything, unless `more` follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct UserDelta {
    /// The version that the receiver must have reached.
    pub from: Version,
    /// The version that the receiver has afterwards.
    pub version: Version,
    /// What changed, by version. From version 0 it is everything, unless `more` follows: what is not named is not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Item>>", optional)]
    pub items: Vec<Item>,
    /// In an answer: there is more after `version`, ask `user_difference` again. From version 0 it is not everything then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(as = "Option<bool>", optional)]
    pub more: bool,
}

impl UserDelta {
    /// One that brings nothing but where the user's own things stand.
    pub fn empty(version: Version) -> Self {
        Self { from: version, version, items: Vec::new(), more: false }
    }

    /// Items that follow on a version, each with a version of its own; the last one's is the delta's.
    pub fn of(from: Version, items: Vec<Item>) -> Self {
        Self { from, version: items.last().map_or(from, Item::version), items, more: false }
    }
}

/// How far a client knows one chat, written `[chat_id, version, others_read]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ChatCursor(
    /// Which chat.
    pub ChatId,
    /// The version that the client has.
    pub Version,
    /// The furthest read mark of anybody else that the client knows; 0 when none.
    pub Seq,
);

/// Where a client wants to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Resume {
    /// The epoch of the cursors.
    pub epoch: String,
    /// The per-user version that the client has.
    pub user_version: Version,
    /// A cursor for each chat that the client keeps, at most 4000. Chats of the user that are missing here come as snapshots.
    pub chats: Vec<ChatCursor>,
}

/// The answer to a [`Resume`]: only what changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Sync {
    /// Names the history that versions belong to. It changes when the database may have lost commits.
    pub epoch: String,
    /// The cursors were of another epoch or absent: forget all versions and cached chats; this is everything. The outbox stays.
    pub reset: bool,
    /// What changed of the user's own things.
    pub user: UserDelta,
    /// Chats that changed, those with the newest messages first.
    pub chats: Vec<ChatSync>,
    /// Chats that changed too, but did not fit: ask `difference` from the own versions (0 when unknown).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<ChatId>>", optional)]
    pub behind: Vec<ChatId>,
    /// Read marks of others that are further than the cursor's, as `[chat_id, seq]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<(ChatId, Seq)>>", optional)]
    pub others_read: Vec<(ChatId, Seq)>,
}
