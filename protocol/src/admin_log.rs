//! What the admins of a chat have done, as admins see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, Right, Role, Seq, SettingsChange, Timestamp, UserId, invite::InviteId, media::is_false};

/// One thing that somebody has done in a group or channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct AdminLogEntry {
    /// Grows with time.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: UserId,
    /// What.
    pub action: AdminAction,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AdminAction {
    /// People were brought in.
    Added {
        /// Whom.
        user_ids: Vec<UserId>,
    },
    /// Somebody was removed, and stays out.
    Removed {
        /// Whom.
        user_id: UserId,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        reason: Option<String>,
    },
    /// Somebody who was removed may come back.
    Unbanned {
        /// Whom.
        user_id: UserId,
    },
    /// Rights were taken from a member, or given back.
    Restricted {
        /// Whom.
        user_id: UserId,
        /// What they may not; none: given back.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<Right>>", optional)]
        denied: Vec<Right>,
        /// Until when; absent for good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        until: Option<Timestamp>,
    },
    /// Somebody has another role.
    Role {
        /// Whose.
        user_id: UserId,
        /// Which.
        role: Role,
    },
    /// An admin has other rights.
    AdminRights {
        /// Whose.
        user_id: UserId,
        /// Which.
        rights: Vec<Right>,
    },
    /// Everybody has other rights.
    Rights {
        /// Which.
        rights: Vec<Right>,
    },
    /// Posts are discussed in a group, or no longer.
    Discussion {
        /// Of a channel the group, of a group the channel; absent: no longer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        chat_id: Option<ChatId>,
    },
    /// What stands above the chat was changed.
    Info {
        /// Its title, if that was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        title: Option<String>,
        /// What it is about, if that was.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        description: bool,
        /// Its photo, if that was.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        photo: bool,
    },
    /// A message was pinned.
    Pinned {
        /// Which.
        seq: Seq,
    },
    /// A pin was taken back.
    Unpinned {
        /// Of which message.
        seq: Seq,
    },
    /// Somebody else's message was deleted.
    Deleted {
        /// Which.
        seq: Seq,
        /// Whose.
        user_id: UserId,
    },
    /// An invite link was made or changed.
    Invite {
        /// Which.
        invite_id: InviteId,
        /// What it is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        title: Option<String>,
    },
    /// An invite link was taken back.
    InviteRevoked {
        /// Which.
        invite_id: InviteId,
        /// What it was called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        title: Option<String>,
    },
    /// Somebody who asked to be let in was answered.
    JoinAnswered {
        /// Who.
        user_id: UserId,
        /// Whether they came in.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        accepted: bool,
    },
    /// Between two posts of somebody who is no admin lies another time.
    Slow {
        /// In seconds; 0: none.
        seconds: u32,
    },
    /// Settings of the chat were changed.
    Settings {
        /// Which, and to what.
        #[serde(flatten)]
        change: SettingsChange,
    },
    /// Something that this version of the protocol does not know, whole.
    #[serde(untagged)]
    Unknown(#[ts(type = "{ type: string } & Record<string, unknown>")] serde_json::Value),
}
