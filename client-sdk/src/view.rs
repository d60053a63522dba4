//! The local state as an application reads it.

use std::ops::Bound;

use chapar_protocol::{
    Body, ChatId, ChatInfo, Member, Message, OwnItem, Role, Seq, Version, item::Hidden, poll::OwnVote,
};

use crate::core::{Session, chat::Chat, event::SendState, outbox::OutboxItem};

/// A line in the list of chats.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatView {
    /// The chat.
    pub info: ChatInfo,
    /// The own role; absent in the moment between joining and being told.
    pub role: Option<Role>,
    /// A stranger has begun it: it is a request until it is accepted.
    pub request: bool,
    /// Messages of others after the own read mark. Of the last hundred one's own and deleted ones are not counted.
    pub unread: i64,
    /// In a group: how many messages after the own read mark call one, by a mention or as answers to one's own.
    pub mentions: usize,
    /// The own read mark.
    pub read_seq: Seq,
    /// The furthest read mark of anybody else.
    pub others_read: Seq,
    /// The seq of the last message.
    pub last_seq: Seq,
    /// The last message, if held.
    pub last_message: Option<Message>,
    /// The version that all this is at.
    pub version: Version,
}

/// A message with what only the user knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageView {
    /// The message.
    pub message: Message,
    /// The own reaction to it.
    pub my_reaction: Option<String>,
    /// Of a poll: the own vote.
    pub my_vote: Option<OwnVote>,
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct OutgoingView {
    /// The message.
    pub item: OutboxItem,
    /// How it stands.
    pub state: SendState,
}

/// Of so many unread messages it is looked at whose they are; of more the number matters little.
const LOOKED_AT: usize = 100;

/// Messages that somebody else wrote after the own read mark, and that are still there.
pub(crate) fn unread(session: &Session, chat: &Chat, read_seq: Seq) -> i64 {
    let me = session.me().map(|me| me.id);
    let since = chat.messages.range((Bound::Excluded(read_seq), Bound::Unbounded)).rev().take(LOOKED_AT);
    let hidden = hidden(session, chat.info.id);
    let is_hidden = |seq: Seq| hidden.is_some_and(|it| it.has(seq));
    let nothing = |(seq, it): &(&Seq, &Message)| Some(it.sender) == me || it.body == Body::Deleted || is_hidden(**seq);
    let nothing_to_read = since.filter(nothing).count();
    (chat.last_seq.0 - read_seq.0).max(0) - i64::try_from(nothing_to_read).unwrap_or(0)
}

/// The messages of a chat that the user has deleted for themselves.
fn hidden(session: &Session, chat_id: ChatId) -> Option<&Hidden> {
    match session.own().item("hidden", &chat_id.to_string()) {
        Some(OwnItem::Hidden { value, .. }) => value.as_ref(),
        _ => None,
    }
}

fn view(session: &Session, chat: &Chat) -> ChatView {
    let mine = session.own().chats.get(&chat.info.id);
    let read_seq = mine.map_or(Seq(0), |mine| mine.read_seq);
    let hidden = hidden(session, chat.info.id);
    let shows = |seq: &Seq| hidden.is_none_or(|it| !it.has(*seq));
    ChatView {
        info: chat.info.clone(),
        role: mine.and_then(|mine| mine.role),
        request: mine.is_some_and(|mine| mine.request),
        unread: unread(session, chat, read_seq),
        mentions: chat.mentions.range((Bound::Excluded(read_seq), Bound::Unbounded)).filter(|seq| shows(seq)).count(),
        read_seq,
        others_read: chat.others_read,
        last_seq: chat.last_seq,
        last_message: chat.messages.values().rfind(|it| shows(&it.seq)).cloned(),
        version: chat.version,
    }
}

/// All chats, those with the newest message first; chats without any by when they were made.
pub(crate) fn chats(session: &Session) -> Vec<ChatView> {
    // A chat without a role is one that `me` has not told of yet.
    let views = session.chats().values().map(|chat| view(session, chat));
    let mut views: Vec<_> = views.filter(|view| view.role.is_some()).collect();
    views.sort_by_key(|view| {
        let moment = view.last_message.as_ref().map_or(view.info.created_at, |message| message.sent_at);
        std::cmp::Reverse((moment, view.info.id))
    });
    views
}

pub(crate) fn chat(session: &Session, chat_id: ChatId) -> Option<ChatView> {
    session.chats().get(&chat_id).map(|chat| view(session, chat))
}

pub(crate) fn members(session: &Session, chat_id: ChatId) -> Vec<Member> {
    let Some(chat) = session.chats().get(&chat_id) else { return Vec::new() };
    let read = |member: &Member| chat.reads.get(&member.user_id).copied();
    chat.members.values().map(|member| Member { read_seq: read(member), ..member.clone() }).collect()
}

pub(crate) fn messages(session: &Session, chat_id: ChatId) -> Vec<MessageView> {
    let Some(chat) = session.chats().get(&chat_id) else { return Vec::new() };
    let view = |message: &Message| MessageView {
        my_reaction: chat.reacted.get(&message.seq).cloned(),
        my_vote: chat.votes.get(&message.seq).cloned(),
        message: message.clone(),
    };
    let hidden = hidden(session, chat_id);
    chat.messages.values().filter(|it| hidden.is_none_or(|hidden| !hidden.has(it.seq))).map(view).collect()
}

pub(crate) fn outbox(session: &Session) -> Vec<OutgoingView> {
    session.outbox().map(|(item, state)| OutgoingView { item: item.clone(), state }).collect()
}
