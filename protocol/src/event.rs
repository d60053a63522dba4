//! What a server tells unasked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    ChatDelta, ChatId, Reacted, Seq, Timestamp, User, UserDelta, UserId,
    call::{CallSignaled, CallState},
    poll::ChatVote,
};

/// An event, `{"event": name, "data": …}` on the wire. A client ignores names that it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// A chat changed. See [`crate::delta`] for the rule.
    Delta(ChatDelta),
    /// The user's own things changed, on this or another device. The same rule, with the per-user version.
    Me(UserDelta),
    /// Somebody read a direct chat or a group up to a message. Not versioned: take the maximum.
    Read(Read),
    /// One's own reaction to a post of a channel, at once and on all own devices. It comes again in a delta when the post's counts are
    /// told, at most once a second.
    Reacted(OwnReaction),
    /// One's own vote in a poll, at once and on all own devices. Not versioned: of each message the greatest `turn` holds.
    Voted(ChatVote),
    /// Somebody is writing. Holds for 6 seconds or until that user's next message.
    Typing(Typing),
    /// Somebody whose presence this connection watches came or went.
    Presence(Presence),
    /// Somebody whom one knows, or oneself on another device, has another name. Not versioned, and not told again to whoever was away:
    /// after a new connection ask `get_users` for those whom you show.
    User(User),
    /// How a call stands, as seen from this device. Keep the highest revision of each call.
    Call(CallState),
    /// What the other side of a call sent: an offer, an answer, candidates.
    CallSignal(CallSignaled),
    /// The server will close this connection soon. Finish what is under way, then connect anew.
    Drain(Drain),
}

/// See [`Event::Read`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Read {
    /// Where.
    pub chat_id: ChatId,
    /// Who.
    pub user_id: UserId,
    /// Up to and with this message.
    pub seq: Seq,
}

/// See [`Event::Reacted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct OwnReaction {
    /// Where.
    pub chat_id: ChatId,
    /// On what, and which.
    pub reacted: Reacted,
}

/// See [`Event::Typing`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Typing {
    /// Where.
    pub chat_id: ChatId,
    /// Who.
    pub user_id: UserId,
}

/// Whether somebody is connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Presence {
    /// Who.
    pub user_id: UserId,
    /// Connected with at least one device.
    pub online: bool,
    /// When last connected; absent while online or when never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub last_seen_at: Option<Timestamp>,
}

/// See [`Event::Drain`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Drain {
    /// Wait this long, in milliseconds, before connecting. The server spreads its clients by it.
    pub reconnect_after_ms: u32,
}
