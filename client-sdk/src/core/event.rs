//! What the core tells whoever shows it to a person.

use chapar_protocol::{
    Action, ChatId, Member, Message, OwnItem, Reacted, Seq, Timestamp, User, Version, WireError,
    call::{CallSignaled, CallState},
    event::{Presence, Read, Typing},
    poll::ChatVote,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Millis;

/// Something that changed. The local state holds it already when the event is told.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The connection came, went or ended for good.
    Connection(Connection),
    /// A message that was not known.
    Message {
        /// Where.
        chat_id: ChatId,
        /// The message.
        message: Box<Message>,
    },
    /// A message was edited, deleted, or its reactions were counted anew.
    Changed {
        /// Where.
        chat_id: ChatId,
        /// Its state now.
        message: Box<Message>,
    },
    /// Somebody's reaction changed.
    Reacted {
        /// Where.
        chat_id: ChatId,
        /// Whose, which and on what.
        reacted: Reacted,
    },
    /// One's own vote in a poll is another one, by whatever device.
    Voted(ChatVote),
    /// Somebody came, went or has another role.
    Member {
        /// Where.
        chat_id: ChatId,
        /// Who.
        member: Member,
    },
    /// The chat's title, the own role or the own read mark changed, or the chat is new: read it again.
    Chat {
        /// Which.
        chat_id: ChatId,
    },
    /// A snapshot replaced what was known of a chat: read it again.
    Replaced {
        /// Which.
        chat_id: ChatId,
    },
    /// The user is no longer in the chat; it was forgotten.
    Gone {
        /// Which.
        chat_id: ChatId,
    },
    /// The history of one of the server's databases is another one than before: what it holds was forgotten, the list of chats or
    /// the chats or both, and never the outbox. Read the local state again.
    Reset,
    /// Somebody else read up to a message.
    Read(Read),
    /// Somebody is writing; holds for 6 seconds.
    Typing(Typing),
    /// Somebody came online or went.
    Presence(Presence),
    /// Somebody, perhaps oneself, has another name.
    User(User),
    /// So many calls were missed and not looked at yet.
    MissedCalls(u32),
    /// The user has set something, or taken it back (then without a value), on whatever device.
    Item(Box<OwnItem>),
    /// How a call stands, as the server says.
    Call(Box<CallState>),
    /// What the other side of a call sent.
    CallSignal(Box<CallSignaled>),
    /// A message in the outbox has another state.
    Outbox {
        /// Where it goes.
        chat_id: ChatId,
        /// Which.
        client_id: Uuid,
        /// Its state.
        state: SendState,
    },
    /// A message's file goes up.
    Uploading {
        /// Where the message goes.
        chat_id: ChatId,
        /// Which.
        client_id: Uuid,
        /// Bytes that the server has.
        sent: u64,
        /// Bytes in all.
        size: u64,
    },
    /// The reader of events was too slow and this many were dropped: read the local state again. Nothing is missing there.
    Lagged(u64),
}

/// How the connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Connecting.
    Connecting,
    /// Connected, and everything missed was asked for.
    Online,
    /// Not connected; the next attempt comes after a wait.
    Offline {
        /// How long, in milliseconds.
        retry_in: Millis,
        /// Why, for people who read logs.
        reason: String,
    },
    /// It ended and will not be tried again by itself.
    Stopped(Stop),
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The client was closed as asked.
    #[error("closed")]
    Closed,
    /// The token is not good any more: sign in and give the new one. The outbox is kept.
    #[error("signed out: {0}")]
    SignedOut(String),
    /// The server will never take what we do.
    #[error("refused: {0}")]
    Refused(String),
    /// The store belongs to another user than the token. Nothing was sent.
    #[error("the store belongs to another user")]
    OtherUser,
}

impl Stop {
    /// What to do about it.
    pub fn action(&self) -> Action {
        match self {
            Self::SignedOut(_) => Action::ReAuthenticate,
            Self::Closed | Self::Refused(_) | Self::OtherUser => Action::GiveUp,
        }
    }
}

/// How a message in the outbox stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SendState {
    /// It will be sent, or was sent and not answered yet. `written` tells whether the server may have it.
    Waiting {
        /// Whether it was ever written to a connection.
        written: bool,
    },
    /// The server has stored it; the chat's delta with it is on its way.
    Sent {
        /// Its place.
        seq: Seq,
        /// The version that brings it.
        version: Version,
        /// When it was stored.
        sent_at: Timestamp,
    },
    /// The server will never take it. It stays until it is discarded or tried again.
    Failed {
        /// Why.
        error: WireError,
    },
}
