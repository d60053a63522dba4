//! Chats and who is in them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, ChatSettings, FileId, Seq, Timestamp, UserId, Version, thread::Discussion};

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

/// One thing that somebody may do in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Write messages, and edit one's own.
    Write,
    /// React.
    React,
    /// Bring people in.
    Add,
    /// Take people out and keep them out, restrict members.
    Remove,
    /// Delete what others wrote.
    Delete,
    /// See who is in.
    List,
    /// Name admins, and say what they and everybody may.
    Name,
    /// Change the title and the description.
    ChangeInfo,
    /// Pin messages.
    Pin,
    /// A right that this version of the protocol does not know.
    #[serde(other)]
    Unknown,
}

/// What all members of a chat see of it alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ChatInfo {
    /// Which.
    pub id: ChatId,
    /// The chat's version at the last change of what stands here.
    pub version: Version,
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
    /// What everybody in it may. Owners may everything, admins more, and some members less: see [`Member`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Right>>", optional)]
    pub rights: Vec<Right>,
    /// Of a channel: how many are in it, as last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub member_count: Option<u32>,
    /// What it is about, in the words of whoever may change that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub description: Option<String>,
    /// Its photo, as `/files/avatar/<id>/<80 or 320>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub photo: Option<FileId>,
    /// Messages that are shown above the others, the one that was pinned last at the end. They are there, and not deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Seq>>", optional)]
    pub pinned: Vec<Seq>,
    /// In a group: seconds that somebody who is no admin waits between two posts; 0: none.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[ts(as = "Option<u32>", optional)]
    pub slow_seconds: u32,
    /// Of a channel: the group in which its posts are discussed. Of a group: the channel whose posts are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub discussion: Option<Discussion>,
    /// What admins have set of it, if anything is.
    #[serde(default, skip_serializing_if = "ChatSettings::is_empty")]
    #[ts(as = "Option<ChatSettings>", optional)]
    pub settings: ChatSettings,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Somebody in a chat, or somebody who was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// The chat's version at which this member last came, went or changed; 0 in channels, whose readers have none.
    pub version: Version,
    /// The role; absent when the user is no longer in the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub role: Option<Role>,
    /// How far this member has read; absent in channels, where nobody sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub read_seq: Option<Seq>,
    /// Of an admin: what they may beside what everybody may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Right>>", optional)]
    pub rights: Vec<Right>,
    /// Of a member: what they may not, although everybody may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Right>>", optional)]
    pub denied: Vec<Right>,
    /// Until when; absent for good. After that nothing is denied any more, and nobody is told so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub denied_until: Option<Timestamp>,
    /// Of somebody who was removed, as `get_banned` tells it to those who may remove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub removal: Option<Removal>,
}

/// How somebody was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Removal {
    /// By whom.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
    /// Why, in the words of whoever did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reason: Option<String>,
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

/// What is named, also as `null`, is there: absent alone is `None`.
pub(crate) fn named<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
