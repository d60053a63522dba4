//! What a client can ask. Each command is a type with its reply; the list at the end is the table of contents.
//!
//! Over the WebSocket: `{"id": 7, "method": "send", "params": {…}}`. Those marked `http` also answer
//! `POST /api/v1/call/<method>` with the params as body.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use ts_rs::TS;
use uuid::Uuid;

use crate::{
    ChatId, ChatInfo, ChatKind, ChatSnapshot, ChatSync, DeviceId, Member, Message, OwnItem, Reacted, Resume, Right,
    Role, Seq, Sync, Timestamp, User, UserDelta, UserId, Version,
    call::CallState,
    event::Presence,
    invite::{Invite, InvitePreview},
    media::{FileId, FileInfo},
    message::{NewBody, Quote},
    poll::OwnVote,
    sticker::StickerPack,
};

/// A command: its parameters are the type itself.
pub trait Command: Serialize + DeserializeOwned + std::marker::Send + std::marker::Sync + 'static {
    /// Its name on the wire.
    const METHOD: &'static str;
    /// What a success answers.
    type Reply: Serialize + DeserializeOwned + std::marker::Send + std::marker::Sync + 'static;
}

/// What is wrong with somebody who is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum ReportReason {
    /// Unasked advertising.
    Spam,
    /// Insults or threats.
    Abuse,
    /// Wants money or secrets by a lie.
    Fraud,
    /// Something else.
    Other,
}

macro_rules! params {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )+};
}

/// Of those who have reacted to messages, and read them.
mod audience;
pub use audience::*;
/// Of calls.
mod calls;
pub use calls::*;
/// Of the own devices.
mod deletion;
pub use deletion::*;

mod devices;
pub use devices::*;
/// Of messages with files, and of files.
mod files;
pub use files::*;
/// Of invite links.
mod invites;
pub use invites::*;
/// Of messages that are sent later.
mod scheduled;
pub use scheduled::*;
/// Of messages that go on elsewhere.
mod forward;
pub use forward::*;
/// Of messages that are pinned.
mod pins;
pub use pins::*;
/// Of polls.
mod polls;
pub use polls::*;
/// Of how admins run a chat.
mod settings;
pub use settings::*;
/// Of what stands behind links.
mod previews;
pub use previews::*;
/// Of packs of stickers.
mod stickers;
pub use stickers::*;
/// Of comments on posts.
mod threads;
pub use threads::*;

params! {
    /// The first request of a connection: who, and from where to go on.
    Hello {
        /// The device's token.
        token: String,
        /// The cursors; absent on a device that knows nothing yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        resume: Option<Resume>,
    }
    /// The answer to [`Hello`].
    Welcome {
        /// Who you are.
        user: User,
        /// Which device this is.
        device_id: DeviceId,
        /// The server's clock.
        server_time: Timestamp,
        /// The server pings after this many seconds of silence, and closes after twice as many.
        heartbeat_seconds: u32,
        /// What you missed.
        sync: Sync,
    }
    /// Does nothing. For clients that cannot send WebSocket pings.
    Ping {}
    /// An empty answer.
    Done {}
    /// Opens the direct chat with a user, making it if there is none. Somebody new must have been found by handle or be in a
    /// chat of the asking user.
    OpenDirect {
        /// With whom. One's own id opens the chat with oneself.
        user_id: UserId,
    }
    /// Makes a group or a channel, with the asking user as owner.
    CreateChat {
        /// Makes a retry return the chat that the first try made.
        client_id: Uuid,
        /// `group` or `channel`.
        kind: ChatKind,
        /// 1 to 128 characters.
        title: String,
        /// A public handle, under which anybody may join.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        handle: Option<String>,
        /// Further members from the start, at most 200.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<UserId>>", optional)]
        members: Vec<UserId>,
    }
    /// Adds users to a group or channel. For owners and admins. Those who are in it already stay as they are.
    AddMembers {
        /// Where.
        chat_id: ChatId,
        /// Whom, at most 200.
        user_ids: Vec<UserId>,
    }
    /// Removes somebody. For owners and admins; an admin cannot remove an admin or the owner.
    RemoveMember {
        /// Where.
        chat_id: ChatId,
        /// Whom.
        user_id: UserId,
        /// Why, at most 255 characters: shown to those who may remove, and told to whoever was removed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        reason: Option<String>,
    }
    /// Changes a role. For the owner. Naming another owner makes the old one an admin.
    SetRole {
        /// Where.
        chat_id: ChatId,
        /// Whose.
        user_id: UserId,
        /// The new role.
        role: Role,
    }
    /// Says what everybody in a group or channel may. For the owner, and admins who may name admins.
    SetChatRights {
        /// Where.
        chat_id: ChatId,
        /// In a group of `write`, `react` and `add`; in a channel `react`. Nobody gives what they do not have.
        rights: Vec<Right>,
    }
    /// Says what an admin may beside what everybody may. For the owner.
    SetAdminRights {
        /// Where.
        chat_id: ChatId,
        /// Whose.
        user_id: UserId,
        /// All of them.
        rights: Vec<Right>,
    }
    /// Changes the title, the description or the photo of a group or channel, or several of them. For those who may `change_info`.
    SetInfo {
        /// Where.
        chat_id: ChatId,
        /// 1 to 128 characters; absent to leave it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        title: Option<String>,
        /// At most 255 characters, none to have no description; absent to leave it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        description: Option<String>,
        /// A file of one's own of the kind `avatar`; `null` to have none, absent to leave it.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::chat::named")]
        #[ts(optional, type = "FileId | null")]
        photo: Option<Option<FileId>>,
    }
    /// Takes rights from a member that everybody has, until a time or for good. For those who may remove. It holds when they leave and come
    /// back, too.
    RestrictMember {
        /// Where.
        chat_id: ChatId,
        /// Whom.
        user_id: UserId,
        /// Which of `write`, `react` and `add`; none gives all back.
        denied: Vec<Right>,
        /// Until when, in the future; absent for good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        until: Option<Timestamp>,
    }
    /// Lets somebody who was removed come back by themselves. For those who may remove.
    UnbanMember {
        /// Where.
        chat_id: ChatId,
        /// Whom.
        user_id: UserId,
    }
    /// Those who were removed and cannot come back, by user id. For those who may remove.
    GetBanned {
        /// Where.
        chat_id: ChatId,
        /// Only ids greater than this; absent for the first page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        after: Option<UserId>,
    }
    /// Joins a public group or channel.
    Join {
        /// Its handle.
        handle: String,
    }
    /// Leaves a group or channel. Whoever is out already, also by being removed, stays out: strangers do not bring back who left.
    Leave {
        /// Which.
        chat_id: ChatId,
    }
    /// Looks a handle up.
    Resolve {
        /// The handle of a user, a group or a channel, without `@`.
        handle: String,
    }
    /// The answer to [`Resolve`]: one of the two.
    Resolved {
        /// The user with that handle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        user: Option<User>,
        /// The public chat with that handle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        chat: Option<ChatInfo>,
    }
    /// Who some users are. Unknown ids are left out.
    GetUsers {
        /// At most 200.
        user_ids: Vec<UserId>,
    }
    /// The answer to [`GetUsers`].
    Users {
        /// In no order.
        users: Vec<User>,
    }
    /// A chat from scratch.
    GetChat {
        /// Which.
        chat_id: ChatId,
    }
    /// The members of a chat, by user id. In a channel only for owners and admins.
    GetMembers {
        /// Where.
        chat_id: ChatId,
        /// Only ids greater than this; absent for the first page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        after: Option<UserId>,
    }
    /// The answer to [`GetMembers`].
    Members {
        /// At most 200.
        members: Vec<Member>,
        /// Whether there are more.
        more: bool,
    }
    /// Sends a message. Acknowledged after it is stored. A retry with the same client id and content returns the message that exists.
    Send {
        /// Where.
        chat_id: ChatId,
        /// Made by the client, new for each message, the same for each retry of it.
        client_id: Uuid,
        /// What it says.
        body: NewBody,
        /// The message that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        reply_to: Option<Seq>,
        /// Which words of that message it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        quote: Option<Quote>,
        /// It makes no sound at the others' and is not notified of.
        #[serde(default, skip_serializing_if = "crate::media::is_false")]
        #[ts(as = "Option<bool>", optional)]
        silent: bool,
        /// Of a text: a link in it of which the server has made a preview ([`PreviewLink`]), as it was asked for. Where the server knows none any
        /// more the message goes without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        preview: Option<String>,
        /// In a group that belongs to a channel: the post under which it is a comment, as that stands in the group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        thread: Option<Seq>,
    }
    /// The answer to [`Send`]: the message is stored for good.
    Sent {
        /// Its place.
        seq: Seq,
        /// The chat's version that brought it. It arrives in a delta too: do not move the cursor by this.
        version: Version,
        /// When it was stored.
        sent_at: Timestamp,
    }
    /// Changes the text of one's own message, or the text under its file: the body then is of the same kind and names the same file, and
    /// nothing else of it counts.
    Edit {
        /// Where.
        chat_id: ChatId,
        /// Which.
        seq: Seq,
        /// The new body.
        body: NewBody,
    }
    /// Sets or takes back one's reaction to a message.
    React {
        /// Where.
        chat_id: ChatId,
        /// Which message.
        seq: Seq,
        /// One emoji; absent to take it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        emoji: Option<String>,
    }
    /// The answer to [`Edit`], [`Delete`], [`React`] and the commands that change members.
    Changed {
        /// The chat's version after the change (or now, when nothing was to be changed).
        version: Version,
    }
    /// Marks everything up to a message as read, on all own devices. Never goes back.
    MarkRead {
        /// Where.
        chat_id: ChatId,
        /// Up to and with this message.
        seq: Seq,
    }
    /// Says that the user is writing. Answered, not stored.
    SetTyping {
        /// Where.
        chat_id: ChatId,
    }
    /// Replaces the set of users whose presence this connection watches.
    WatchPresence {
        /// People who have written in the direct chat with the asking user or opened it, at most 200. Others are left out.
        user_ids: Vec<UserId>,
    }
    /// The answer to [`WatchPresence`].
    Presences {
        /// For each watched user. Who is online on another node may follow as an event.
        presences: Vec<Presence>,
    }
    /// A page of messages around a place: up to `before` messages with seq < `seq` and up to `after` with seq ≥ `seq`.
    History {
        /// Where.
        chat_id: ChatId,
        /// The place. A number beyond the end means the end.
        seq: Seq,
        /// How many older ones, 0 to 200.
        before: u32,
        /// How many from the place on, 0 to 200; together at most 200.
        after: u32,
    }
    /// The answer to [`History`].
    Page {
        /// By seq, without holes.
        messages: Vec<Message>,
        /// The asking user's reactions to them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<Reacted>>", optional)]
        reacted: Vec<Reacted>,
        /// The asking user's votes in them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<OwnVote>>", optional)]
        voted: Vec<OwnVote>,
        /// The chat's version that they are at.
        version: Version,
        /// The seq of the chat's last message.
        last_seq: Seq,
    }
    /// The changes of some chats.
    Difference {
        /// Which, at most 100, each with the own version; 0 for a snapshot. Written `[[chat_id, version], …]`.
        chats: Vec<(ChatId, Version)>,
    }
    /// The answer to [`Difference`]. Each chat that was named stands in one of the lists.
    Differences {
        /// What changed. At least one, if not all are gone.
        chats: Vec<ChatSync>,
        /// Those that did not fit: ask for them again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<ChatId>>", optional)]
        behind: Vec<ChatId>,
        /// Those that the asking user is not in.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<ChatId>>", optional)]
        gone: Vec<ChatId>,
    }
    /// Sets some of the user's own things, on all own devices: all of them, or none. What is so already changes nothing.
    SetItems {
        /// At most 100, none twice.
        items: Vec<OwnItem>,
    }
    /// The answer to [`SetItems`].
    ItemsSet {
        /// The per-user version afterwards. What changed arrives in `me` too: do not move the cursor by this.
        version: Version,
    }
    /// Answers a stranger's request. Accepted, it is a chat like any other; declined, it is gone from the list and stays away, whatever
    /// the stranger writes, until the user opens it (`open_direct`). The stranger learns of neither.
    AnswerRequest {
        /// Which.
        chat_id: ChatId,
        /// Whether it is accepted.
        accept: bool,
    }
    /// Tells the operator of somebody.
    Report {
        /// Whom. They must be known to the user: by a chat, or found by handle.
        user_id: UserId,
        /// What is wrong.
        reason: ReportReason,
        /// In which chat: one that the user is in, or was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        chat_id: Option<ChatId>,
        /// By which message there: one that the user can see, or, having gone, has read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        seq: Option<Seq>,
        /// In the user's words, at most 1024 bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        note: Option<String>,
    }
    /// The changes of the user's own things since a version.
    UserDifference {
        /// The own version; 0 for everything.
        from: Version,
    }
    /// Changes the own name. Others see it when they ask next.
    SetName {
        /// 1 to 128 characters.
        name: String,
    }
}

impl Send {
    /// A message with nothing but what each has.
    pub fn new(chat_id: ChatId, client_id: Uuid, body: NewBody) -> Self {
        Self { chat_id, client_id, body, reply_to: None, quote: None, silent: false, preview: None, thread: None }
    }
}

/// One line of the table of contents.
pub struct Method {
    /// Its name on the wire.
    pub name: &'static str,
    /// The names of the types of its params and reply.
    pub types: (&'static str, &'static str),
    /// Whether it can be asked over HTTP too.
    pub http: bool,
    /// Adds both schemas to a generator and returns references to them.
    pub schemas: fn(&mut schemars::SchemaGenerator) -> (schemars::Schema, schemars::Schema),
}

macro_rules! commands {
    ($($method:literal $params:ident -> $reply:ident, http: $http:literal;)+) => {
        $(impl Command for $params {
            const METHOD: &'static str = $method;
            type Reply = $reply;
        })+

        /// Every command.
        pub const METHODS: &[Method] = &[$(Method {
            name: $method,
            types: (stringify!($params), stringify!($reply)),
            http: $http,
            schemas: |generator| (generator.subschema_for::<$params>(), generator.subschema_for::<$reply>()),
        }),+];
    };
}

commands! {
    "hello" Hello -> Welcome, http: false;
    "ping" Ping -> Done, http: true;
    "send" Send -> Sent, http: true;
    "send_album" SendAlbum -> SentAlbum, http: true;
    "schedule" Schedule -> Done, http: true;
    "edit_scheduled" EditScheduled -> Done, http: true;
    "send_scheduled" SendScheduled -> Done, http: true;
    "delete_scheduled" DeleteScheduled -> Done, http: true;
    "get_scheduled" GetScheduled -> ScheduledMessages, http: true;
    "forward" Forward -> SentAlbum, http: true;
    "preview_link" PreviewLink -> LinkPreviewed, http: true;
    "set_discussion" SetDiscussion -> Changed, http: true;
    "join_discussion" JoinDiscussion -> ChatSnapshot, http: true;
    "get_thread" GetThread -> Page, http: true;
    "edit" Edit -> Changed, http: true;
    "delete" Delete -> Changed, http: true;
    "delete_messages" DeleteMessages -> Changed, http: true;
    "hide_messages" HideMessages -> ItemsSet, http: true;
    "react" React -> Changed, http: true;
    "get_reactions" GetReactions -> Reactors, http: true;
    "get_readers" GetReaders -> Readers, http: true;
    "vote" Vote -> Voted, http: true;
    "close_poll" ClosePoll -> Changed, http: true;
    "get_voters" GetVoters -> Voters, http: true;
    "mark_read" MarkRead -> Done, http: true;
    "set_typing" SetTyping -> Done, http: true;
    "watch_presence" WatchPresence -> Presences, http: false;
    "history" History -> Page, http: true;
    "difference" Difference -> Differences, http: true;
    "user_difference" UserDifference -> UserDelta, http: true;
    "set_items" SetItems -> ItemsSet, http: true;
    "answer_request" AnswerRequest -> Done, http: true;
    "report" Report -> Done, http: true;
    "open_direct" OpenDirect -> ChatSnapshot, http: true;
    "create_chat" CreateChat -> ChatSnapshot, http: true;
    "get_chat" GetChat -> ChatSnapshot, http: true;
    "get_members" GetMembers -> Members, http: true;
    "add_members" AddMembers -> Changed, http: true;
    "remove_member" RemoveMember -> Changed, http: true;
    "set_role" SetRole -> Changed, http: true;
    "set_chat_rights" SetChatRights -> Changed, http: true;
    "set_admin_rights" SetAdminRights -> Changed, http: true;
    "restrict_member" RestrictMember -> Changed, http: true;
    "set_info" SetInfo -> Changed, http: true;
    "pin_message" PinMessage -> Changed, http: true;
    "unpin_message" UnpinMessage -> Changed, http: true;
    "unpin_all" UnpinAll -> Changed, http: true;
    "unban_member" UnbanMember -> Changed, http: true;
    "get_banned" GetBanned -> Members, http: true;
    "set_slow_mode" SetSlowMode -> Changed, http: true;
    "set_chat_settings" SetChatSettings -> Changed, http: true;
    "get_admin_log" GetAdminLog -> AdminLog, http: true;
    "join" Join -> ChatSnapshot, http: true;
    "set_invite" SetInvite -> Invite, http: true;
    "revoke_invite" RevokeInvite -> Invite, http: true;
    "get_invites" GetInvites -> Invites, http: true;
    "get_invite_uses" GetInviteUses -> InviteUses, http: true;
    "preview_invite" PreviewInvite -> InvitePreview, http: true;
    "join_by_invite" JoinByInvite -> JoinedByInvite, http: true;
    "get_join_requests" GetJoinRequests -> JoinRequests, http: true;
    "answer_join_request" AnswerJoinRequest -> Changed, http: true;
    "leave" Leave -> Done, http: true;
    "resolve" Resolve -> Resolved, http: true;
    "get_users" GetUsers -> Users, http: true;
    "call_invite" CallInvite -> CallState, http: true;
    "call_ask" AskCall -> Done, http: true;
    "get_relays" GetRelays -> Relays, http: true;
    "call_relays" CallRelays -> CallServers, http: true;
    "call_rate" RateCall -> Done, http: true;
    "get_calls" GetCalls -> Calls, http: true;
    "see_calls" SeeCalls -> Done, http: true;
    "set_name" SetName -> User, http: true;
    "set_avatar" SetAvatar -> User, http: true;
    "get_file" GetFile -> FileInfo, http: true;
    "get_links" GetLinks -> Links, http: true;
    "set_sticker_pack" SetStickerPack -> StickerPack, http: true;
    "delete_sticker_pack" DeleteStickerPack -> Done, http: true;
    "get_sticker_packs" GetStickerPacks -> StickerPacks, http: true;
    "get_own_sticker_packs" GetOwnStickerPacks -> OwnStickerPacks, http: true;
    "get_devices" GetDevices -> Devices, http: true;
    "revoke_device" RevokeDevice -> Done, http: true;
    "revoke_other_devices" RevokeOtherDevices -> Done, http: true;
}
