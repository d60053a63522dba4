//! What can be asked of a chat.

use std::sync::Arc;

use chapar_protocol::{
    ChatId, ChatKind, FileId, InviteId, Role, Seq, SettingsChange, Timestamp, UserId,
    message::{Body, NewBody, ServiceAction},
    poll::{OwnVote, QuizKey},
    thread::Comments,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    Principal,
    chat::{Beside, Sent},
    rights::Rights,
};

/// A change that somebody asks of a chat. It has passed all checks that need no look at the chat.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who.
    pub by: Principal,
    /// Of which chat.
    pub chat: ChatId,
    /// What.
    pub change: Change,
}

/// Every change of a chat, other than readers who come into a channel or go (see [`crate::readers`]).
#[derive(Clone, Debug)]
pub enum Change {
    /// To be made, with these people in it; whoever asks owns it, or in a direct chat is one of two.
    Create(NewChat),
    /// A new message.
    Send(NewMessage),
    /// New messages that belong together, one after the other: all or none.
    SendAlbum(Vec<NewMessage>),
    /// Messages from elsewhere, one after the other: all or none. Each has its own version, so that many are told bit by bit; those of
    /// one album have one.
    Forward(Vec<NewMessage>),
    /// What stands under these client ids, if all that was sent under them was this: their files cannot be named any more.
    Recall(Vec<(Uuid, i64)>),
    /// Another text for a message of one's own, or under its file.
    Edit(Seq, NewBody),
    /// A tombstone in place of a message.
    Delete(Seq),
    /// The same for several messages: all or none. Each has its own version.
    DeleteSome(Vec<Seq>),
    /// One's reaction to a message, or none.
    React(Seq, Option<String>),
    /// One's vote in a poll: the places of what one chooses, none to take it back.
    Vote(Seq, Vec<u8>),
    /// A poll takes no more votes. Asked by its author, or by the server when it is time.
    ClosePoll(Seq),
    /// More members. Of those who had gone by themselves, only who is in the second list comes back.
    Add(Vec<UserId>, Vec<UserId>),
    /// One member less, who stays out.
    Remove(UserId),
    /// The same, and why.
    Ban(UserId, String),
    /// How many seconds somebody who is no admin waits between two posts.
    SetSlow(u32),
    /// Other settings; what is absent stays.
    SetSettings(SettingsChange),
    /// A message whose time has come is deleted. Asked by the server alone.
    Expire(Seq),
    /// Another role for somebody.
    SetRole(UserId, Role),
    /// Other rights for everybody.
    SetRights(Rights),
    /// Other rights for an admin, beside those of everybody.
    SetAdminRights(UserId, Rights),
    /// Rights that a member is denied, until a time or for good; none gives all back.
    Restrict(UserId, Rights, Option<Timestamp>),
    /// What stands above the chat.
    SetInfo(NewInfo),
    /// A message that is shown above the others.
    Pin(Seq),
    /// No longer.
    Unpin(Seq),
    /// None is shown above the others any more.
    UnpinAll,
    /// Whoever was removed may come back by themselves.
    Unban(UserId),
    /// Somebody cannot write in a direct chat any more, or (negative) can again: whoever asks takes no messages from them (a block, or from nobody), or does again, since then
    /// (see [`Standing::shut`](crate::chat::Standing::shut)).
    Shut(UserId, i64),
    /// Whoever asks comes in.
    Join,
    /// The same, from the channel with these posts.
    JoinFrom(ChatId),
    /// A channel's posts are discussed in this group, a group's channel is this; or no longer.
    Link(Option<ChatId>),
    /// A post of the channel comes into its group. Asked by the server alone.
    Carry(NewMessage),
    /// A post says how many comments it has. Asked by the server alone.
    TellComments(Seq, Comments),
    /// An invite link is made, or changed.
    SetInvite(NewInvite),
    /// An invite link is taken back.
    RevokeInvite(InviteId),
    /// Whoever asks comes in through the link with this secret, or asks to be let in.
    Enter(String),
    /// Somebody who asks to be let in comes in, or does not.
    AnswerRequest(UserId, bool),
    /// Whoever asks goes.
    Leave,
    /// To be counted anew, in a channel: reactions, views and members, at most once a second. Asked by the server alone.
    Count,
}

/// What changes above a chat; what is `None` stays, what is `None` inside is taken away.
#[derive(Clone, Debug, Default)]
pub struct NewInfo {
    /// Its title.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<Option<String>>,
    /// Its photo: a file that whoever asks may name.
    pub photo: Option<Option<FileId>>,
}

/// A chat to be made.
#[derive(Clone, Debug)]
pub struct NewChat {
    /// Its form.
    pub kind: ChatKind,
    /// Its title; absent in direct chats.
    pub title: Option<String>,
    /// Its public handle, which is claimed already.
    pub handle: Option<String>,
    /// Who is in it beside whoever asks.
    pub members: Vec<UserId>,
}

/// An invite link to be made, or what one is to be from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvite {
    /// Made by the client.
    pub id: InviteId,
    /// What those call it who look after it.
    pub title: Option<String>,
    /// Until when it is good.
    pub expires_at: Option<Timestamp>,
    /// How often it can be used.
    pub max_uses: Option<u32>,
    /// Whoever comes through it asks first.
    pub approval: bool,
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The client's id for it.
    pub client_id: Uuid,
    /// What it says.
    pub body: Body,
    /// What it answers.
    pub reply_to: Option<Seq>,
    /// Of a quiz: what is right, which its body does not say yet.
    pub key: Option<Box<QuizKey>>,
    /// The marks beside the body.
    pub beside: Beside,
    /// Both as JSON: encoded once, for the table.
    pub json: Arc<str>,
    /// Tells whether a retry says the same.
    pub hash: i64,
}

impl NewMessage {
    /// A message of a client: what it sent, by which a retry is known, and what is stored of that.
    pub fn new(client_id: Uuid, sent: &NewBody, stored: Body, reply_to: Option<Seq>) -> Self {
        Self::with(client_id, Self::hash_of(sent, reply_to), stored, reply_to)
    }

    /// A message from elsewhere: which one, by which a retry is known, and what is stored of it.
    pub fn forwarded(client_id: Uuid, from: (ChatId, Seq), stored: Body, beside: Beside) -> Self {
        Self::with(client_id, Self::hash_of_forwarded(from), stored, None).beside(beside)
    }

    /// Tells a retry of a forwarded message from another one. It may have been edited in between: it is known by its place.
    pub fn hash_of_forwarded(from: (ChatId, Seq)) -> i64 {
        fingerprint(serde_json::json!({ "forward": from }), None)
    }

    /// The same with marks.
    #[must_use]
    pub fn beside(self, beside: Beside) -> Self {
        // Most have none: their body is encoded once.
        if beside == self.beside {
            return self;
        }
        Self { json: json(&self.body, &beside), beside, ..self }
    }

    /// Tells a retry of a message from another message.
    pub fn hash_of(sent: &NewBody, reply_to: Option<Seq>) -> i64 {
        fingerprint(said(sent), reply_to)
    }

    /// A line of the server's own. Told twice under the same id, it stands there once.
    pub fn service(client_id: Uuid, action: ServiceAction) -> Self {
        Self::with(client_id, fingerprint("service".into(), None), Body::Service { action }, None)
    }

    fn with(client_id: Uuid, hash: i64, mut body: Body, reply_to: Option<Seq>) -> Self {
        let key = match &mut body {
            Body::Poll(poll) if poll.quiz => Some(Box::new(std::mem::take(&mut poll.key))),
            _ => None,
        };
        let beside = Beside::default();
        let json = json(&body, &beside);
        Self { client_id, body, reply_to, key, beside, json, hash }
    }
}

/// A body as it is stored, with the marks beside it.
pub(crate) fn json(body: &Body, beside: &Beside) -> Arc<str> {
    if beside.is_empty() {
        return serde_json::to_string(body).expect("bodies have string keys only").into();
    }
    let mut both = serde_json::to_value(body).expect("bodies have string keys only");
    if let serde_json::Value::Object(fields) = &mut both {
        let marks = serde_json::to_value(beside).expect("marks have string keys only");
        fields.insert(Beside::KEY.to_owned(), marks);
    }
    both.to_string().into()
}

impl Asked {
    /// Bytes that it takes while it waits, roughly and not less than a message of it takes in a frame.
    pub fn bytes(&self) -> usize {
        const AROUND: usize = 288;
        AROUND
            + match &self.change {
                Change::Send(message) | Change::Carry(message) => message.json.len(),
                Change::SendAlbum(messages) | Change::Forward(messages) => {
                    messages.iter().map(|it| AROUND + it.json.len()).sum()
                }
                Change::Recall(sent) => 24 * sent.len(),
                Change::DeleteSome(seqs) => AROUND * seqs.len(),
                Change::Edit(_, body) => said(body).to_string().len(),
                Change::Add(users, back) => 8 * (users.len() + back.len()),
                Change::Create(new) => 8 * new.members.len(),
                _ => 0,
            }
    }

    /// The people whose standing must be known to judge it.
    pub fn people(&self) -> impl Iterator<Item = UserId> {
        let (some, one) = match &self.change {
            Change::Create(new) => (new.members.as_slice(), None),
            Change::Add(users, _) => (users.as_slice(), None),
            Change::Remove(user)
            | Change::Ban(user, _)
            | Change::SetRole(user, _)
            | Change::Shut(user, _)
            | Change::SetAdminRights(user, _)
            | Change::Restrict(user, ..)
            | Change::AnswerRequest(user, _)
            | Change::Unban(user) => (&[][..], Some(*user)),
            _ => (&[][..], None),
        };
        std::iter::once(self.by.user()).chain(some.iter().copied()).chain(one)
    }

    /// The messages that must be known to judge it.
    pub fn messages(&self) -> impl Iterator<Item = Seq> {
        let (some, one) = match &self.change {
            // An answer calls whoever wrote what it answers, and a comment stands where its thread begins.
            Change::Send(message) => (message.beside.thread.as_slice(), message.reply_to),
            Change::SendAlbum(messages) => (&[][..], messages.first().and_then(|it| it.reply_to)),
            Change::DeleteSome(seqs) => (seqs.as_slice(), None),
            Change::Edit(seq, _)
            | Change::Delete(seq)
            | Change::React(seq, _)
            | Change::Vote(seq, _)
            | Change::ClosePoll(seq)
            | Change::TellComments(seq, _)
            | Change::Expire(seq)
            | Change::Pin(seq) => (&[][..], Some(*seq)),
            _ => (&[][..], None),
        };
        some.iter().copied().chain(one)
    }

    /// The ids by which it is known whether it was sent before.
    pub fn client_ids(&self) -> impl Iterator<Item = Uuid> {
        let (messages, recalled) = match &self.change {
            Change::Send(message) | Change::Carry(message) => (std::slice::from_ref(message), &[][..]),
            Change::SendAlbum(messages) | Change::Forward(messages) => (messages.as_slice(), &[][..]),
            Change::Recall(sent) => (&[][..], sent.as_slice()),
            _ => (&[][..], &[][..]),
        };
        messages.iter().map(|it| it.client_id).chain(recalled.iter().map(|it| it.0))
    }
}

/// Tells whether two messages say the same. It must come out alike in later versions of this server, or a retry over an
/// upgrade would be taken for another message: so it is over what the client sent, what has no value adds nothing, and
/// fields added later change nothing for messages that do not have them. A line of the server's own is known by its id alone.
fn fingerprint(mut said: serde_json::Value, reply_to: Option<Seq>) -> i64 {
    strip(&mut said);
    let digest = Sha256::new()
        .chain_update([FINGERPRINT])
        .chain_update(said.to_string())
        .chain_update(reply_to.unwrap_or_default().0.to_be_bytes())
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

fn said(body: &NewBody) -> serde_json::Value {
    serde_json::to_value(body).expect("bodies have string keys only")
}

/// The version of [`fingerprint`].
const FINGERPRINT: u8 = 1;

/// Takes out of objects what has no value: null, false, and empty lists.
fn strip(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            for field in fields.values_mut() {
                strip(field);
            }
            fields.retain(|_, value| match value {
                Value::Null | Value::Bool(false) => false,
                Value::Array(list) => !list.is_empty(),
                _ => true,
            });
        }
        Value::Array(list) => {
            for one in list {
                strip(one);
            }
        }
        _ => {}
    }
}

/// What becomes of a change that was not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A message stands in the chat.
    Sent {
        /// Its place.
        seq: Seq,
        /// The chat's version that brought it.
        version: chapar_protocol::Version,
        /// When it was stored.
        sent_at: Timestamp,
        /// It was there already: nothing new to tell others.
        existed: bool,
    },
    /// Some messages stand in the chat, in their order.
    Album {
        /// Where and since when.
        sent: Vec<Sent>,
        /// They were there already.
        existed: bool,
    },
    /// One's vote stands as it was asked.
    Voted {
        /// The chat's version.
        version: chapar_protocol::Version,
        /// As its owner is told.
        vote: OwnVote,
    },
    /// The chat is as it was asked to be, at this version.
    Changed(chapar_protocol::Version),
    /// Whoever wants to come in is to be let in by somebody.
    Waits(chapar_protocol::Version),
}

impl Done {
    /// The chat's version that it stands for.
    pub fn version(&self) -> chapar_protocol::Version {
        match self {
            Self::Changed(version)
            | Self::Waits(version)
            | Self::Sent { version, .. }
            | Self::Voted { version, .. } => *version,
            Self::Album { sent, .. } => sent.iter().map(|it| it.version).max().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures are kept for good: with others, retries over an upgrade would be refused.
    #[test]
    fn the_fingerprint_of_what_was_sent_stays_the_same() {
        let plain = |text| said(&NewBody::text(text));
        assert_eq!(fingerprint(plain("سلام"), None), PLAIN);
        assert_ne!(fingerprint(plain("سلام"), Some(Seq(1))), PLAIN);
        assert_ne!(fingerprint(plain("سلام!"), None), PLAIN);
    }

    /// A later version of the server knows more fields: a retry over the upgrade says the same as before.
    #[test]
    fn a_field_that_comes_later_makes_no_other_message() {
        let said = |more: serde_json::Value| {
            let mut body = serde_json::json!({ "kind": "text", "text": "x" });
            let (Some(body_fields), Some(more)) = (body.as_object_mut(), more.as_object()) else { unreachable!() };
            body_fields.extend(more.clone());
            fingerprint(body, None)
        };
        let before = said(serde_json::json!({}));
        let after = serde_json::json!({ "silent": false, "media": [], "preview": null });
        assert_eq!(said(after), before, "without a value it adds nothing");
        assert_ne!(said(serde_json::json!({ "silent": true })), before);
        let line = |n| NewMessage::service(Uuid::nil(), ServiceAction::Added { user_ids: vec![UserId(n)] }).hash;
        assert_eq!(line(1), line(2), "the server's own lines go by their id");
    }

    const PLAIN: i64 = -1_718_011_393_144_656_513;

    #[test]
    fn what_has_no_value_adds_nothing() {
        let mut with =
            serde_json::json!({ "text": "x", "later": null, "list": [], "flag": false, "deep": [{ "a": null }] });
        strip(&mut with);
        assert_eq!(with, serde_json::json!({ "text": "x", "deep": [{}] }));
    }
}
