//! What is shown, as lines.

use std::collections::HashMap;

use chapar_client::{
    ClientEvent, Connection, SendState,
    protocol::{
        Body, ChatId, ChatKind, FileKind, ReactionCount, Role, Seq, ServiceAction, UserId,
        poll::{OwnVote, Poll, PollOption},
    },
    view::{ChatView, MessageView},
};

use crate::bidi::Bidi;

/// Names and directions.
pub(crate) struct Show {
    pub(crate) bidi: Bidi,
    pub(crate) names: HashMap<UserId, String>,
    pub(crate) me: UserId,
}

impl Show {
    /// The handle of a user.
    pub(crate) fn name(&self, user_id: UserId) -> String {
        match self.names.get(&user_id) {
            Some(name) => format!("@{name}"),
            None => format!("user {user_id}"),
        }
    }

    /// The title of a chat; of a direct chat, the other person.
    pub(crate) fn title(&self, chat: &ChatView, members: &[UserId]) -> String {
        match (&chat.info.title, chat.info.kind) {
            (Some(title), ChatKind::Channel) => format!("channel {}", self.bidi.part(title)),
            (Some(title), _) => self.bidi.part(title),
            (None, _) => members.iter().find(|it| **it != self.me).map_or("myself".into(), |other| self.name(*other)),
        }
    }

    /// A line in the list of chats.
    pub(crate) fn chat(&self, chat: &ChatView, members: &[UserId]) -> String {
        let unread = if chat.unread > 0 { format!(" ({} unread)", chat.unread) } else { String::new() };
        let mentions = if chat.mentions > 0 { format!(" (@ {})", chat.mentions) } else { String::new() };
        format!("{:>6}  {}{unread}{mentions}", chat.info.id, self.title(chat, members))
    }

    /// A message of the open chat.
    pub(crate) fn message(&self, view: &MessageView, others_read: Seq) -> String {
        let message = &view.message;
        let mark = match message.sender == self.me {
            true if message.seq <= others_read => " ✓✓",
            true => " ✓",
            false => "",
        };
        let reply = message.reply_to.map_or(String::new(), |seq| format!(" ↩#{seq}"));
        let from = message.forwarded.as_ref().map_or("", |_| " (forwarded)");
        let edited = if message.edited_at.is_some() { " (edited)" } else { "" };
        let reaction = |it: &ReactionCount| {
            let mine = if view.my_reaction.as_ref() == Some(&it.emoji) { "*" } else { "" };
            format!("  {}{}{mine}", self.bidi.part(&it.emoji), it.count)
        };
        let reactions: String = message.reactions.iter().map(reaction).collect();
        format!(
            "#{} {}{mark}{reply}{from}: {}{edited}{reactions}",
            message.seq,
            self.name(message.sender),
            self.body(view)
        )
    }

    fn body(&self, view: &MessageView) -> String {
        match &view.message.body {
            Body::Poll(poll) => self.poll(poll, view.my_vote.as_ref()),
            Body::Text(text) => self.bidi.part(&text.text),
            Body::Deleted => "— deleted —".into(),
            Body::Service { action } => self.action(action),
            Body::Unknown(_) => "— update to see this message —".into(),
            Body::Location(place) => format!("— a place: {}, {} —", place.latitude, place.longitude),
            Body::Contact(contact) => {
                let reached = match (&contact.phone, contact.user_id) {
                    (Some(phone), _) => phone.clone(),
                    (None, Some(user)) => self.name(user),
                    (None, None) => "no number".into(),
                };
                format!("— {}: {reached} —", self.bidi.part(&contact.name))
            }
            other => self.file(other),
        }
    }

    /// A question and how its options stand, each with the number by which it is chosen.
    fn poll(&self, poll: &Poll, mine: Option<&OwnVote>) -> String {
        let right = mine.and_then(|it| it.key.right).or(poll.key.right);
        let option = |(it, place): (&PollOption, u8)| {
            let chosen = if mine.is_some_and(|it| it.options.contains(&place)) { "*" } else { "" };
            let is_right = if right == Some(place) { " ✓" } else { "" };
            format!("  {}. {} {}{chosen}{is_right}", place + 1, self.bidi.part(&it.text), it.votes)
        };
        let options: String = poll.options.iter().zip(0..).map(option).collect();
        let closed = if poll.closed { " (closed)" } else { "" };
        format!("— {}{closed} —{options}", self.bidi.part(&poll.question))
    }

    /// What a file is, and the text under it.
    fn file(&self, body: &Body) -> String {
        let Some(file) = body.file() else { return String::new() };
        let kind = body.file_kind().map_or("file", FileKind::name);
        let name = file.name.as_deref().map(|name| format!(" {}", self.bidi.part(name))).unwrap_or_default();
        let said = body.caption().filter(|it| !it.text.is_empty());
        let said = said.map(|it| format!(" {}", self.bidi.part(&it.text))).unwrap_or_default();
        format!("— {kind}{name}, {} bytes —{said}", file.size)
    }

    fn action(&self, action: &ServiceAction) -> String {
        match action {
            ServiceAction::Created => "— made this chat —".into(),
            ServiceAction::Joined => "— joined —".into(),
            ServiceAction::Left => "— left —".into(),
            ServiceAction::Added { user_ids } => {
                let names: Vec<_> = user_ids.iter().map(|it| self.name(*it)).collect();
                format!("— added {} —", names.join(", "))
            }
            ServiceAction::Removed { user_id } => format!("— removed {} —", self.name(*user_id)),
            ServiceAction::Call { note } if note.seconds > 0 => format!("— a call of {} s —", note.seconds),
            ServiceAction::Call { .. } => "— a call that was not answered —".into(),
            ServiceAction::Settings { change } => {
                match (change.no_forwarding, change.hidden_history, change.delete_after) {
                    (Some(on), ..) => format!("— forwarding is {} —", if on { "off" } else { "on" }),
                    (_, Some(on), _) => {
                        format!("— history is {} newcomers —", if on { "hidden from" } else { "shown to" })
                    }
                    (.., Some(0)) => "— messages stay —".into(),
                    (.., Some(after)) => format!("— messages delete themselves after {after} s —"),
                    _ => "— other settings —".into(),
                }
            }
            ServiceAction::Unknown(_) => "— update to see what happened —".into(),
        }
    }

    /// What an event that needs no look at the chat says; nothing when it need not be shown.
    pub(crate) fn event(&self, event: &ClientEvent, open: Option<ChatId>) -> Option<String> {
        match event {
            ClientEvent::Connection(Connection::Online) => Some("— online —".into()),
            ClientEvent::Connection(Connection::Offline { retry_in, reason }) => {
                Some(format!("— offline: {}; again in {} ms —", self.bidi.part(reason), retry_in))
            }
            ClientEvent::Connection(Connection::Stopped(stop)) => Some(format!("— {stop} —")),
            ClientEvent::Outbox { state, .. } => match state {
                SendState::Failed { error } => Some(format!("✗ not sent: {error} (/retry or /cancel)")),
                // The message itself follows, with its number and its mark.
                SendState::Sent { .. } | SendState::Waiting { .. } => None,
            },
            ClientEvent::Read(read) if Some(read.chat_id) == open && read.user_id != self.me => {
                Some(format!("✓✓ {} read up to #{}", self.name(read.user_id), read.seq))
            }
            ClientEvent::Typing(typing) if Some(typing.chat_id) == open && typing.user_id != self.me => {
                Some(format!("… {} is typing", self.name(typing.user_id)))
            }
            ClientEvent::Member { chat_id, member } if Some(*chat_id) == open => {
                let role = member.role.map_or("no longer here", role);
                Some(format!("— {}: {role} —", self.name(member.user_id)))
            }
            ClientEvent::Presence(presence) => {
                let state = if presence.online { "online" } else { "offline" };
                Some(format!("— {} is {state} —", self.name(presence.user_id)))
            }
            ClientEvent::Gone { chat_id } => Some(format!("— you are no longer in chat {chat_id} —")),
            ClientEvent::Reset => Some("— the server began a new history; everything is read again —".into()),
            _ => None,
        }
    }
}

/// A role in a word.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}
