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

use crate::{ChatId, ChatInfo, Item, Member, Message, Reacted, Seq, Version, poll::OwnVote};

/// All changes of one chat after `from` up to and with `version`, each row in its final state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ChatDelta {
    /// Which chat.
    pub chat_id: ChatId,
    /// The version that the receiver must have reached.
    pub from: Version,
    /// The version that the receiver has afterwards.
    pub version: Version,
    /// What changed, by version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<ChatRow>>", optional)]
    pub rows: Vec<ChatRow>,
}

impl ChatDelta {
    /// One that brings nothing but where the chat stands; to be filled.
    pub fn empty(chat_id: ChatId, version: Version) -> Self {
        Self { chat_id, from: version, version, rows: Vec::new() }
    }
}

/// A row of a chat, as it was left by the change that gave it its version. Other kinds will come: a client passes over a row of
/// a kind that it does not know, and takes the versions of what came with it all the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "row", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "most rows are messages: a box would cost each of them an allocation")]
pub enum ChatRow {
    /// The chat itself: its title or the like.
    Info(ChatInfo),
    /// Somebody who came, went or has another role.
    Member(Member),
    /// A new or changed message.
    Message(Message),
    /// Somebody's reaction. In an answer only those of the asking user; in an event those of anybody.
    Reaction(Reacted),
    /// One's own vote in a poll. Only in answers.
    Vote(OwnVote),
    /// A kind that this version of the protocol does not know.
    #[serde(other)]
    #[schemars(skip)]
    #[ts(skip)]
    Unknown,
}

impl ChatRow {
    /// The chat's version at its last change; 0 when it has none.
    pub fn version(&self) -> Version {
        match self {
            Self::Info(it) => it.version,
            Self::Member(it) => it.version,
            Self::Message(it) => it.version,
            Self::Reaction(it) => it.version,
            // What is one's own is no change of the chat.
            Self::Vote(_) | Self::Unknown => Version::default(),
        }
    }

    /// What the chat is, if the row says that.
    pub fn info(&self) -> Option<&ChatInfo> {
        if let Self::Info(it) = self { Some(it) } else { None }
    }

    /// The member, if the row is one.
    pub fn member(&self) -> Option<&Member> {
        if let Self::Member(it) = self { Some(it) } else { None }
    }

    /// The message, if the row is one.
    pub fn message(&self) -> Option<&Message> {
        if let Self::Message(it) = self { Some(it) } else { None }
    }

    /// The reaction, if the row is one.
    pub fn reaction(&self) -> Option<&Reacted> {
        if let Self::Reaction(it) = self { Some(it) } else { None }
    }

    /// One's own vote, if the row is one.
    pub fn vote(&self) -> Option<&OwnVote> {
        if let Self::Vote(it) = self { Some(it) } else { None }
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
    /// Its members, for direct chats and groups, further ones by `get_members`; in channels only the asking user. Then its last
    /// messages, by seq, without holes, older ones by `history`. Then the asking user's reactions to those messages.
    pub rows: Vec<ChatRow>,
    /// In a group: the messages after the own read mark that call the asking user, by a mention or as answers, by seq; the oldest 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Seq>>", optional)]
    pub mentions: Vec<Seq>,
}

impl ChatSnapshot {
    /// The last messages, by seq.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.rows.iter().filter_map(ChatRow::message)
    }

    /// The members.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.rows.iter().filter_map(ChatRow::member)
    }
}

/// What brings one chat up to date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "few are held at once, and each holds a page of rows beside")]
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

/// The history of one database, written `[database, epoch]`. It changes when that database may have lost commits, and then the
/// versions of what it holds may be used a second time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Epoch(
    /// Which database. There will be several of a kind.
    pub String,
    /// Names its history.
    pub String,
);

impl Epoch {
    /// The database of what belongs to people: the per-user version and all that moves with it.
    pub const PEOPLE: &str = "people";
    /// The database of the chats.
    pub const CHATS: &str = "chats";
}

/// Where a client wants to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Resume {
    /// The epochs of the cursors, as they came with the last answer.
    pub epochs: Vec<Epoch>,
    /// The per-user version that the client has.
    pub user_version: Version,
    /// A cursor for each chat that the client keeps, at most 4000. Chats of the user that are missing here come as snapshots.
    pub chats: Vec<ChatCursor>,
}

/// The answer to a [`Resume`]: only what changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Sync {
    /// The histories that the versions belong to, of each database.
    pub epochs: Vec<Epoch>,
    /// The databases whose cursors were of another epoch, or absent: forget the versions and all else of what they hold; of that, this
    /// is everything. `people`: the per-user version and the list of chats. `chats`: all chats. One of another name: both. The outbox
    /// stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<String>>", optional)]
    pub reset: Vec<String>,
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

impl Sync {
    /// Whether to forget what a database holds. One whose name is not known may hold anything.
    pub fn resets(&self, database: &str) -> bool {
        self.reset.iter().any(|it| it == database || ![Epoch::PEOPLE, Epoch::CHATS].contains(&it.as_str()))
    }
}
