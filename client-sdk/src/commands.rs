//! Every command as a method.

use chapar_protocol::{
    ChatId, ChatKind, ChatSnapshot, DeviceId, FileId, Invite, InviteId, InvitePreview, OwnItem, PackId, Right, Role,
    Seq, SettingsChange, Timestamp, UserId,
    command::{
        AddMembers, AdminLog, AnswerJoinRequest, AnswerRequest, Changed, ClosePoll, CreateChat, Delete, DeleteMessages,
        DeleteScheduled, DeleteStickerPack, Devices, Done, Edit, EditScheduled, Forward, ForwardedItem, GetAdminLog,
        GetBanned, GetChat, GetDevices, GetInviteUses, GetInvites, GetJoinRequests, GetMembers, GetOwnStickerPacks,
        GetReactions, GetReaders, GetScheduled, GetStickerPacks, GetThread, GetUsers, GetVoters, HideMessages, History,
        InviteUses, Invites, ItemsSet, Join, JoinByInvite, JoinDiscussion, JoinRequests, JoinedByInvite, Leave,
        LinkPreviewed, MarkRead, Members, OpenDirect, OwnStickerPacks, Page, PinMessage, Ping, Presences,
        PreviewInvite, PreviewLink, React, Reactors, Readers, RemoveMember, Report, Resolve, Resolved, RestrictMember,
        RevokeDevice, RevokeInvite, RevokeOtherDevices, Schedule, ScheduledMessages, Send, SendScheduled, SentAlbum,
        SetAdminRights, SetChatRights, SetChatSettings, SetDiscussion, SetInfo, SetInvite, SetItems, SetRole,
        SetSlowMode, SetStickerPack, SetTyping, StickerPacks, UnbanMember, UnpinAll, UnpinMessage, Users, Vote, Voted,
        Voters, WatchPresence,
    },
    message::NewBody,
    sticker::{NewPackSticker, StickerPack},
};
use uuid::Uuid;

use crate::{Client, Error, client::new_client_id, core::requests::Effect};

/// All of these fail with [`Error`]; the server's own codes are in `chapar_protocol::ErrorCode`.
impl Client {
    /// Asks for a sign of life.
    pub async fn ping(&self) -> Result<Done, Error> {
        self.call(&Ping {}).await
    }

    /// Changes the text of one's own message.
    pub async fn edit(&self, chat_id: ChatId, seq: Seq, body: NewBody) -> Result<Changed, Error> {
        self.call(&Edit { chat_id, seq, body }).await
    }

    /// Deletes a message for all.
    pub async fn delete(&self, chat_id: ChatId, seq: Seq) -> Result<Changed, Error> {
        self.call(&Delete { chat_id, seq }).await
    }

    /// Sets one's reaction to a message, or takes it back with `None`.
    pub async fn react(&self, chat_id: ChatId, seq: Seq, emoji: Option<&str>) -> Result<Changed, Error> {
        self.call(&React { chat_id, seq, emoji: emoji.map(str::to_owned) }).await
    }

    /// Answers a poll by the places of what is chosen, from 0; none takes the answer back.
    pub async fn vote(&self, chat_id: ChatId, seq: Seq, options: Vec<u8>) -> Result<Voted, Error> {
        self.call(&Vote { chat_id, seq, options }).await
    }

    /// Ends a poll of one's own.
    pub async fn close_poll(&self, chat_id: ChatId, seq: Seq) -> Result<Changed, Error> {
        self.call(&ClosePoll { chat_id, seq }).await
    }

    /// Who has chosen an option of a public poll, at most 200 at a time by user id.
    pub async fn get_voters(
        &self,
        chat_id: ChatId,
        seq: Seq,
        option: u8,
        after: Option<UserId>,
    ) -> Result<Voters, Error> {
        self.call(&GetVoters { chat_id, seq, option, after }).await
    }

    /// Marks everything up to a message as read, on all own devices.
    pub async fn mark_read(&self, chat_id: ChatId, seq: Seq) -> Result<Done, Error> {
        self.call(&MarkRead { chat_id, seq }).await
    }

    /// Says that the user is writing. Once every 5 seconds is enough.
    pub async fn set_typing(&self, chat_id: ChatId) -> Result<Done, Error> {
        self.call(&SetTyping { chat_id }).await
    }

    /// Replaces the users whose presence is watched, on this connection and those to come.
    pub async fn watch_presence(&self, user_ids: Vec<UserId>) -> Result<Presences, Error> {
        self.watch(user_ids.clone());
        self.call(&WatchPresence { user_ids }).await
    }

    /// Messages around a place: up to `before` older than `seq` and `after` from it on, together at most 200.
    /// A page that touches the messages held joins them.
    pub async fn history(&self, chat_id: ChatId, seq: Seq, before: u32, after: u32) -> Result<Page, Error> {
        self.ask(&History { chat_id, seq, before, after }, Effect::Page(chat_id)).await
    }

    /// Opens the direct chat with a user.
    pub async fn open_direct(&self, user_id: UserId) -> Result<ChatSnapshot, Error> {
        self.ask(&OpenDirect { user_id }, Effect::Snapshot).await
    }

    /// Makes a group or a channel.
    pub async fn create_chat(
        &self,
        kind: ChatKind,
        title: &str,
        handle: Option<&str>,
        members: Vec<UserId>,
    ) -> Result<ChatSnapshot, Error> {
        self.create_chat_as(new_client_id(), kind, title, handle, members).await
    }

    /// [`Client::create_chat`] with a client id of one's own, so that a repetition finds the chat of the first try.
    pub async fn create_chat_as(
        &self,
        client_id: Uuid,
        kind: ChatKind,
        title: &str,
        handle: Option<&str>,
        members: Vec<UserId>,
    ) -> Result<ChatSnapshot, Error> {
        let (title, handle) = (title.to_owned(), handle.map(str::to_owned));
        self.ask(&CreateChat { client_id, kind, title, handle, members }, Effect::Snapshot).await
    }

    /// A chat from scratch.
    pub async fn get_chat(&self, chat_id: ChatId) -> Result<ChatSnapshot, Error> {
        self.ask(&GetChat { chat_id }, Effect::Snapshot).await
    }

    /// The members of a chat, 200 at a time by user id.
    pub async fn get_members(&self, chat_id: ChatId, after: Option<UserId>) -> Result<Members, Error> {
        self.call(&GetMembers { chat_id, after }).await
    }

    /// Adds users to a group or channel, at most 200.
    pub async fn add_members(&self, chat_id: ChatId, user_ids: Vec<UserId>) -> Result<Changed, Error> {
        self.call(&AddMembers { chat_id, user_ids }).await
    }

    /// Removes somebody from a group or channel.
    pub async fn remove_member(
        &self,
        chat_id: ChatId,
        user_id: UserId,
        reason: Option<String>,
    ) -> Result<Changed, Error> {
        self.call(&RemoveMember { chat_id, user_id, reason }).await
    }

    /// Says how many seconds somebody who is no admin waits between two posts in a group.
    pub async fn set_slow_mode(&self, chat_id: ChatId, seconds: u32) -> Result<Changed, Error> {
        self.call(&SetSlowMode { chat_id, seconds }).await
    }

    /// Changes settings of a chat: what is named; the rest stays.
    pub async fn set_chat_settings(&self, chat_id: ChatId, change: SettingsChange) -> Result<Changed, Error> {
        self.call(&SetChatSettings { chat_id, change }).await
    }

    /// What was done in a chat by those who may, 100 at a time, the latest first.
    pub async fn get_admin_log(&self, chat_id: ChatId, before: Option<i64>) -> Result<AdminLog, Error> {
        self.call(&GetAdminLog { chat_id, before }).await
    }

    /// Changes a role.
    pub async fn set_role(&self, chat_id: ChatId, user_id: UserId, role: Role) -> Result<Changed, Error> {
        self.call(&SetRole { chat_id, user_id, role }).await
    }

    /// Says what everybody in a group or channel may.
    pub async fn set_chat_rights(&self, chat_id: ChatId, rights: Vec<Right>) -> Result<Changed, Error> {
        self.call(&SetChatRights { chat_id, rights }).await
    }

    /// Says what an admin may beside what everybody may.
    pub async fn set_admin_rights(
        &self,
        chat_id: ChatId,
        user_id: UserId,
        rights: Vec<Right>,
    ) -> Result<Changed, Error> {
        self.call(&SetAdminRights { chat_id, user_id, rights }).await
    }

    /// Takes rights from a member that everybody has, until a time or for good; none gives all back.
    pub async fn restrict_member(
        &self,
        chat_id: ChatId,
        user_id: UserId,
        denied: Vec<Right>,
        until: Option<Timestamp>,
    ) -> Result<Changed, Error> {
        self.call(&RestrictMember { chat_id, user_id, denied, until }).await
    }

    /// Changes the title or the description of a group or channel, as far as they are named; an empty description is none.
    pub async fn set_info(
        &self,
        chat_id: ChatId,
        title: Option<String>,
        description: Option<String>,
    ) -> Result<Changed, Error> {
        self.call(&SetInfo { chat_id, title, description, photo: None }).await
    }

    /// Gives a group or channel a photo, a file of one's own of the kind `avatar`, or takes it away.
    pub async fn set_photo(&self, chat_id: ChatId, photo: Option<FileId>) -> Result<Changed, Error> {
        self.call(&SetInfo { chat_id, title: None, description: None, photo: Some(photo) }).await
    }

    /// Deletes messages for all, at most 100: all of them, or none.
    pub async fn delete_messages(&self, chat_id: ChatId, seqs: Vec<Seq>) -> Result<Changed, Error> {
        self.call(&DeleteMessages { chat_id, seqs }).await
    }

    /// Deletes messages for oneself, at most 100, whoever wrote them: they are gone on all own devices, and others see them as before.
    pub async fn hide_messages(&self, chat_id: ChatId, seqs: Vec<Seq>) -> Result<ItemsSet, Error> {
        self.call(&HideMessages { chat_id, seqs }).await
    }

    /// Sends messages of one chat on into a chat, at most 30, each under a client id of its own: a retry with the same ids makes no second ones.
    pub async fn forward(
        &self,
        from: ChatId,
        messages: Vec<ForwardedItem>,
        to: ChatId,
        hide_origin: bool,
    ) -> Result<SentAlbum, Error> {
        self.call(&Forward { chat_id: to, from, messages, hide_origin }).await
    }

    /// Pins a message: it is shown above the others to all.
    pub async fn pin_message(&self, chat_id: ChatId, seq: Seq) -> Result<Changed, Error> {
        self.call(&PinMessage { chat_id, seq }).await
    }

    /// Takes a pin back.
    pub async fn unpin_message(&self, chat_id: ChatId, seq: Seq) -> Result<Changed, Error> {
        self.call(&UnpinMessage { chat_id, seq }).await
    }

    /// Takes all pins back.
    pub async fn unpin_all(&self, chat_id: ChatId) -> Result<Changed, Error> {
        self.call(&UnpinAll { chat_id }).await
    }

    /// Who has reacted to a message of a direct chat or a group, with one reaction or any, at most 200 at a time by user id.
    pub async fn get_reactions(
        &self,
        chat_id: ChatId,
        seq: Seq,
        emoji: Option<&str>,
        after: Option<UserId>,
    ) -> Result<Reactors, Error> {
        self.call(&GetReactions { chat_id, seq, emoji: emoji.map(str::to_owned), after }).await
    }

    /// Who has read a message, in a group of at most 100.
    pub async fn get_readers(&self, chat_id: ChatId, seq: Seq) -> Result<Readers, Error> {
        self.call(&GetReaders { chat_id, seq }).await
    }

    /// Lets somebody who was removed come back by themselves.
    pub async fn unban_member(&self, chat_id: ChatId, user_id: UserId) -> Result<Changed, Error> {
        self.call(&UnbanMember { chat_id, user_id }).await
    }

    /// Those who were removed and cannot come back, 200 at a time by user id.
    pub async fn get_banned(&self, chat_id: ChatId, after: Option<UserId>) -> Result<Members, Error> {
        self.call(&GetBanned { chat_id, after }).await
    }

    /// Joins a public group or channel by its handle.
    pub async fn join(&self, handle: &str) -> Result<ChatSnapshot, Error> {
        self.ask(&Join { handle: handle.to_owned() }, Effect::Snapshot).await
    }

    /// Makes an invite link of a group or channel, or changes one.
    pub async fn set_invite(&self, invite: SetInvite) -> Result<Invite, Error> {
        self.call(&invite).await
    }

    /// Takes an invite link back, for good.
    pub async fn revoke_invite(&self, chat_id: ChatId, invite_id: InviteId) -> Result<Invite, Error> {
        self.call(&RevokeInvite { chat_id, invite_id }).await
    }

    /// The invite links of a chat.
    pub async fn get_invites(&self, chat_id: ChatId) -> Result<Invites, Error> {
        self.call(&GetInvites { chat_id }).await
    }

    /// Who came through an invite link, 200 at a time by user id.
    pub async fn get_invite_uses(
        &self,
        chat_id: ChatId,
        invite_id: InviteId,
        after: Option<UserId>,
    ) -> Result<InviteUses, Error> {
        self.call(&GetInviteUses { chat_id, invite_id, after }).await
    }

    /// What an invite link leads to: a token, or an address that ends with one.
    pub async fn preview_invite(&self, token: &str) -> Result<InvitePreview, Error> {
        self.call(&PreviewInvite { token: token.to_owned() }).await
    }

    /// Comes in through an invite link, or asks to be let in. The chat comes with its first events.
    pub async fn join_by_invite(&self, token: &str) -> Result<JoinedByInvite, Error> {
        self.call(&JoinByInvite { token: token.to_owned() }).await
    }

    /// Those who ask to be let in, 200 at a time by user id.
    pub async fn get_join_requests(&self, chat_id: ChatId, after: Option<UserId>) -> Result<JoinRequests, Error> {
        self.call(&GetJoinRequests { chat_id, after }).await
    }

    /// Lets somebody in who asks for it, or does not.
    pub async fn answer_join_request(&self, chat_id: ChatId, user_id: UserId, accept: bool) -> Result<Changed, Error> {
        self.call(&AnswerJoinRequest { chat_id, user_id, accept }).await
    }

    /// Leaves a group or channel.
    pub async fn leave(&self, chat_id: ChatId) -> Result<Done, Error> {
        self.call(&Leave { chat_id }).await
    }

    /// Looks a handle up.
    pub async fn resolve(&self, handle: &str) -> Result<Resolved, Error> {
        self.call(&Resolve { handle: handle.to_owned() }).await
    }

    /// Who some users are, at most 200.
    pub async fn get_users(&self, user_ids: Vec<UserId>) -> Result<Users, Error> {
        self.call(&GetUsers { user_ids }).await
    }

    /// Has the posts of a channel discussed in a group; without one, no longer.
    pub async fn set_discussion(&self, chat_id: ChatId, group_id: Option<ChatId>) -> Result<Changed, Error> {
        self.call(&SetDiscussion { chat_id, group_id }).await
    }

    /// Joins the group in which the posts of a channel are discussed.
    pub async fn join_discussion(&self, channel: ChatId) -> Result<ChatSnapshot, Error> {
        self.ask(&JoinDiscussion { chat_id: channel }, Effect::Snapshot).await
    }

    /// A page of the thread that begins with `root`, that message among them.
    pub async fn get_thread(
        &self,
        chat_id: ChatId,
        root: Seq,
        seq: Seq,
        before: u32,
        after: u32,
    ) -> Result<Page, Error> {
        self.call(&GetThread { chat_id, root, seq, before, after }).await
    }

    /// What the server finds behind a link that is about to be sent ([`Client::send_with_preview`]).
    pub async fn preview_link(&self, url: &str) -> Result<LinkPreviewed, Error> {
        self.call(&PreviewLink { url: url.to_owned() }).await
    }

    /// Sets some of the own things, or takes them back: at most 100, all of them or none.
    pub async fn set_items(&self, items: Vec<OwnItem>) -> Result<ItemsSet, Error> {
        self.call(&SetItems { items }).await
    }

    /// Has a message sent later by the server: at a time, or (`None`) when the other one of a direct chat is online. `message` has a client id
    /// of [`new_client_id`](crate::client::new_client_id); the event `Item` of the kind `scheduled` tells all own devices.
    pub async fn schedule(&self, message: Send, at: Option<Timestamp>) -> Result<Done, Error> {
        self.call(&Schedule { message, at, when_online: at.is_none() }).await
    }

    /// Changes a message that is still to be sent; without a time, and not `when_online`, that stays.
    pub async fn edit_scheduled(&self, edit: EditScheduled) -> Result<Done, Error> {
        self.call(&edit).await
    }

    /// Sends some scheduled messages now.
    pub async fn send_scheduled(&self, client_ids: Vec<Uuid>) -> Result<Done, Error> {
        self.call(&SendScheduled { client_ids }).await
    }

    /// Takes some scheduled messages back.
    pub async fn delete_scheduled(&self, client_ids: Vec<Uuid>) -> Result<Done, Error> {
        self.call(&DeleteScheduled { client_ids }).await
    }

    /// The own messages of a chat that are still to be sent.
    pub async fn get_scheduled(&self, chat_id: ChatId) -> Result<ScheduledMessages, Error> {
        self.call(&GetScheduled { chat_id }).await
    }

    /// Accepts a stranger's request, or declines it. The stranger learns of neither.
    pub async fn answer_request(&self, chat_id: ChatId, accept: bool) -> Result<Done, Error> {
        self.call(&AnswerRequest { chat_id, accept }).await
    }

    /// Tells the operator of somebody.
    pub async fn report(&self, report: Report) -> Result<Done, Error> {
        self.call(&report).await
    }

    /// Makes a pack of stickers, or replaces the whole of one's own. Its files are one's own, uploaded as stickers.
    pub async fn set_sticker_pack(
        &self,
        pack_id: PackId,
        title: &str,
        stickers: Vec<NewPackSticker>,
    ) -> Result<StickerPack, Error> {
        self.call(&SetStickerPack { pack_id, title: title.to_owned(), stickers }).await
    }

    /// Deletes a pack of stickers of one's own. Messages keep theirs.
    pub async fn delete_sticker_pack(&self, pack_id: PackId) -> Result<Done, Error> {
        self.call(&DeleteStickerPack { pack_id }).await
    }

    /// Some packs of stickers, whoever made them, at most 8; those that there are not are left out.
    pub async fn get_sticker_packs(&self, pack_ids: Vec<PackId>) -> Result<StickerPacks, Error> {
        self.call(&GetStickerPacks { pack_ids }).await
    }

    /// The packs of stickers that one has made.
    pub async fn get_own_sticker_packs(&self) -> Result<OwnStickerPacks, Error> {
        self.call(&GetOwnStickerPacks {}).await
    }

    /// The own devices.
    pub async fn get_devices(&self) -> Result<Devices, Error> {
        self.call(&GetDevices {}).await
    }

    /// Signs one of the own devices out.
    pub async fn revoke_device(&self, device_id: DeviceId) -> Result<Done, Error> {
        self.call(&RevokeDevice { device_id }).await
    }

    /// Signs all own devices out but this one.
    pub async fn revoke_other_devices(&self) -> Result<Done, Error> {
        self.call(&RevokeOtherDevices {}).await
    }
}
