//! Chats and who is in them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, Seq, Timestamp, UserId, Version};

/// The three forms of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    /// Two people.
    Direct,
    /// Many people who all write.
    Group,
    /// An audience: the owner and admins post, everybody else reads.
    Channel,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes part; in a channel, reads.
    Member,
    /// Also adds and removes members and deletes the messages of others; in a channel, posts.
    Admin,
    /// Also names admins. Every group and channel has one.
    Owner,
}

/// What all members of a chat see of it alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ChatInfo {
    /// Which.
    pub id: ChatId,
    /// Its form.
    pub kind: ChatKind,
    /// Its title; absent in direct chats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub title: Option<String>,
    /// Its public handle, if anybody may join it by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub handle: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Somebody in a chat, or somebody who was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// The role; absent when the user is no longer in the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub role: Option<Role>,
    /// How far this member has read; absent in channels, where nobody sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub read_seq: Option<Seq>,
}

/// What one user keeps of a chat, alike on all of the user's devices. It moves with the per-user version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct MyChat {
    /// Which chat.
    pub chat_id: ChatId,
    /// The own role; absent when no longer a member: forget the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub role: Option<Role>,
    /// How far this user has read. Unread = the chat's last seq − this.
    pub read_seq: Seq,
    /// A direct chat that a stranger has begun: it makes no sound, and nothing of the user is seen in it, until the user accepts it
    /// (`answer_request`), opens it (`open_direct`), writes or reacts in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(as = "Option<bool>", optional)]
    pub request: bool,
    /// The per-user version at which this last changed.
    pub version: Version,
}
