use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    ChatId, ChatSnapshot, Timestamp, UserId,
    invite::{Invite, InviteId, InviteUse, JoinRequest},
    media::is_false,
};

params! {
    /// Makes an invite link of a group or channel, or changes one: all but who made it. For those who may add.
    SetInvite {
        /// Where.
        chat_id: ChatId,
        /// Made by the client, new for each link.
        invite_id: InviteId,
        /// 1 to 128 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        title: Option<String>,
        /// Until when it is good, in the future; absent: for ever.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        expires_at: Option<Timestamp>,
        /// How often it can be used, 1 to 100,000; absent: as often as one likes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        max_uses: Option<u32>,
        /// Whoever comes through it asks first.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        approval: bool,
    }
    /// Takes an invite link back, for good. Who came through it stays known. For those who may add.
    RevokeInvite {
        /// Where.
        chat_id: ChatId,
        /// Which.
        invite_id: InviteId,
    }
    /// The invite links of a chat. For those who may add.
    GetInvites {
        /// Where.
        chat_id: ChatId,
    }
    /// The answer to [`GetInvites`].
    Invites {
        /// The one that was made last stands first. At most 200, also those that were taken back.
        invites: Vec<Invite>,
        /// How many ask to be let in, 200 at most.
        requests: u32,
    }
    /// Who came through a link, by user id. For those who may add.
    GetInviteUses {
        /// Where.
        chat_id: ChatId,
        /// Which.
        invite_id: InviteId,
        /// Only ids greater than this; absent for the first page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        after: Option<UserId>,
    }
    /// The answer to [`GetInviteUses`].
    InviteUses {
        /// At most 200.
        uses: Vec<InviteUse>,
        /// Whether there are more.
        more: bool,
    }
    /// What an invite link leads to, for whoever has it.
    PreviewInvite {
        /// The token, or an address that ends with it.
        token: String,
    }
    /// Comes in through an invite link, or asks to be let in.
    JoinByInvite {
        /// The token, or an address that ends with it.
        token: String,
    }
    /// The answer to [`JoinByInvite`]: one of the two.
    JoinedByInvite {
        /// The chat from scratch, for whoever is in it now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        chat: Option<ChatSnapshot>,
        /// The user has asked, and hears of the answer: as a chat of the own list, or as the item `join_request`.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        asked: bool,
    }
    /// Those who ask to be let in, by user id. For those who may add.
    GetJoinRequests {
        /// Where.
        chat_id: ChatId,
        /// Only ids greater than this; absent for the first page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        after: Option<UserId>,
    }
    /// The answer to [`GetJoinRequests`].
    JoinRequests {
        /// At most 200.
        requests: Vec<JoinRequest>,
        /// Whether there are more.
        more: bool,
    }
    /// Lets somebody in who asks for it, or does not. They are told. For those who may add.
    AnswerJoinRequest {
        /// Where.
        chat_id: ChatId,
        /// Whom.
        user_id: UserId,
        /// Whether they come in.
        accept: bool,
    }
}
