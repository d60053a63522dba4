//! A chat as far as it is known where changes of it are judged.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chapar_protocol::{
    Body, ChatInfo, ChatKind, InviteId, Member, Message, Role, Seq, Timestamp, UserId, Version,
    message::{Forwarded, Quote},
    poll::QuizKey,
    preview::LinkPreview,
    thread::Comments,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    change::json,
    poll::{UntoldVote, Vote},
    rights::{Place, Rights},
};

/// A chat, and those of its rows that the changes are about.
#[derive(Clone, Debug, PartialEq)]
pub struct Chat {
    /// What all see of it.
    pub info: ChatInfo,
    /// The seq of its last message; 0 when there is none.
    pub seq: Seq,
    /// Its version.
    pub version: Version,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// What everybody in it may.
    pub rights: Rights,
    /// How many are in it.
    pub count: i64,
    /// Those of the people asked for who are in it, or were.
    pub members: HashMap<UserId, Standing>,
    /// The messages asked for, as far as there are such.
    pub messages: HashMap<Seq, Stored>,
    /// Those of the client ids asked for that are used.
    pub sent: HashMap<(UserId, Uuid), Sent>,
    /// The reactions of those who ask to the messages asked for.
    pub reactions: HashMap<(Seq, UserId), String>,
    /// The votes of those who ask in the polls asked for.
    pub votes: HashMap<(Seq, UserId), Vote>,
    /// What is right in the quizzes asked for.
    pub keys: HashMap<Seq, QuizKey>,
    /// What a channel's counters have not told yet. Known only where it is to be counted anew.
    pub untold: Untold,
    /// The invite links that the changes are about. Known only where they are about some.
    pub invites: BTreeMap<InviteId, StoredInvite>,
    /// Those of whom the changes are about who ask to be let in, and through which link. Known only as above.
    pub asking: BTreeMap<UserId, Asking>,
    /// Up to which message something is hidden from somebody in it; 0: nothing is.
    pub hidden_upto: Seq,
    /// When those who ask posted last. Known only where posts have a time between them.
    pub posted: BTreeMap<UserId, Timestamp>,
}

/// Somebody who asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// Through which link.
    pub through: InviteId,
    /// The turn of their standing then; 0 for somebody who never was in the chat. Whoever has come in since, was removed or has gone asks
    /// no more.
    pub turn: i64,
    /// Since when.
    pub at: Timestamp,
}

/// An invite link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredInvite {
    /// What opens the chat.
    pub secret: String,
    /// What those call it who look after it.
    pub title: Option<String>,
    /// Who made it: it is good as long as they may add.
    pub made_by: UserId,
    /// When.
    pub made_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Option<Timestamp>,
    /// How often it can be used.
    pub max_uses: Option<u32>,
    /// How often it was.
    pub uses: u32,
    /// Whoever comes through it asks first.
    pub approval: bool,
    /// It was taken back.
    pub revoked: bool,
    /// Counts its changes: what was judged is written only where it is still this.
    pub turn: i64,
}

impl StoredInvite {
    /// Whether it opens the chat now, if whoever made it may still add.
    pub fn is_open(&self, now: Timestamp) -> bool {
        !self.revoked
            && self.expires_at.is_none_or(|end| end > now)
            && self.max_uses.is_none_or(|most| self.uses < most)
    }
}

/// What has moved in a channel since its counters were last told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Untold {
    /// When that was.
    pub told_at: Option<Timestamp>,
    /// Whether something has moved.
    pub stale: bool,
    /// Reactions that do not stand in a message's counts as they are.
    pub reactions: BTreeMap<(Seq, UserId), UntoldReaction>,
    /// Votes that do not stand in a poll's counts as they are.
    pub votes: BTreeMap<(Seq, UserId), UntoldVote>,
    /// How often messages were viewed, where that is news.
    pub views: BTreeMap<Seq, u32>,
    /// There is more of them.
    pub more: bool,
}

/// A reaction that its message does not count yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UntoldReaction {
    /// Which; absent when it was taken back.
    pub emoji: Option<String>,
    /// Which one stands in the counts in its place, if any.
    pub stands: Option<String>,
}

/// How somebody stands in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The role; absent when no longer in it.
    pub role: Option<Role>,
    /// What an admin may beside what everybody may.
    pub rights: Rights,
    /// What a member may not, although everybody may.
    pub denied: Rights,
    /// Until when.
    pub denied_until: Option<Timestamp>,
    /// Cannot come back by themselves.
    pub banned: bool,
    /// In a direct chat: since when the other one takes no messages from them, or, negative, does again; 0 for never. Microseconds, by the clock of the
    /// people's side, under the lock of whoever blocks: the later one holds, in whatever order they come.
    pub shut: i64,
    /// Went by themselves: others cannot bring them back.
    pub left: bool,
    /// Has done something here: opened the chat, or written in it.
    pub engaged: bool,
    /// How far they have read. Not kept in channels.
    pub read_seq: Seq,
    /// They see only messages after this one: what was said before they came in is hidden from them.
    pub sees_after: Seq,
    /// Counts the changes of this standing: the person's own list follows it.
    pub turn: i64,
}

impl Standing {
    /// Somebody new in this role.
    pub fn with(role: Role) -> Self {
        Self {
            role: Some(role),
            rights: if role == Role::Admin { Rights::ADMIN } else { Rights::NONE },
            denied: Rights::NONE,
            denied_until: None,
            banned: false,
            shut: 0,
            left: false,
            engaged: false,
            read_seq: Seq(0),
            sees_after: Seq(0),
            turn: 0,
        }
    }

    /// As others see it since a version.
    pub fn member(&self, user_id: UserId, kind: ChatKind, version: Version) -> Member {
        let read_seq = (kind != ChatKind::Channel).then_some(self.read_seq);
        let rights = if self.role == Some(Role::Admin) { self.rights.list() } else { Vec::new() };
        let (denied, denied_until) = (self.denied.list(), self.denied_until);
        Member { user_id, version, role: self.role, read_seq, rights, denied, denied_until, removal: None }
    }
}

/// A message, with what only the table knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// As all see it.
    pub message: Message,
    /// The body as it is to be written; absent when it stays as it is.
    pub json: Option<Arc<str>>,
    /// Of what the client sent.
    pub hash: i64,
}

impl Stored {
    /// Notes that the body is to be written as it is now.
    pub(crate) fn write_body(&mut self) {
        self.json = Some(json(&self.message.body, &Beside::of(&self.message)));
    }

    /// Another body under the same marks. A tombstone has none.
    pub(crate) fn rewrite(&mut self, body: Body) {
        if body == Body::Deleted {
            Beside::default().mark(&mut self.message);
        }
        // Nobody shows one thing and leads to another.
        if let Body::Text(text) = &body
            && self.message.preview.as_ref().is_some_and(|it| !it.belongs_to(text))
        {
            self.message.preview = None;
        }
        self.json = Some(json(&body, &Beside::of(&self.message)));
        self.message.body = body;
    }
}

/// The marks beside a body: what few messages have, and what is no part of what they say. On the wire they are fields of the message; stored
/// they stand in the body's JSON, under [`Beside::KEY`], so that a message without them costs nothing for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// Where it was forwarded from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<Box<Forwarded>>,
    /// When it is deleted by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes_at: Option<Timestamp>,
    /// It is signed with its sender's name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
    /// It was sent without a sound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// Which words of what it answers it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    /// Who wrote what it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<UserId>,
    /// What stands behind a link in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Box<LinkPreview>>,
    /// Of a post: the comments on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<Comments>,
    /// In the group of a channel: which post it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<Seq>,
    /// In which thread it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Seq>,
}

impl Beside {
    /// Under which the marks stand in the JSON of a stored body.
    pub const KEY: &str = "beside";

    /// Those of a message.
    pub fn of(message: &Message) -> Self {
        let Message { deletes_at, signed, silent, answers, .. } = *message;
        let forwarded = message.forwarded.clone().map(Box::new);
        Self {
            forwarded,
            deletes_at,
            signed,
            silent,
            preview: message.preview.clone(),
            quote: message.quote.clone(),
            answers,
            comments: message.comments,
            post: message.post,
            thread: message.thread,
        }
    }

    /// Gives a message these marks, and no others.
    pub fn mark(self, message: &mut Message) {
        let Self { forwarded, deletes_at, signed, silent, quote, preview, answers, comments, post, thread } = self;
        message.forwarded = forwarded.map(|it| *it);
        (message.deletes_at, message.signed, message.silent) = (deletes_at, signed, silent);
        (message.quote, message.answers) = (quote, answers);
        message.preview = preview;
        (message.comments, message.post, message.thread) = (comments, post, thread);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A message that was sent under a client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its place.
    pub seq: Seq,
    /// The chat's version at its last change.
    pub version: Version,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// Of what the client sent.
    pub hash: i64,
}

impl Chat {
    /// A chat that is not there yet.
    pub fn nothing(info: ChatInfo) -> Self {
        Self {
            rights: Rights::of_new(info.kind),
            changed_at: info.created_at,
            info,
            seq: Seq(0),
            version: Version(0),
            count: 0,
            members: HashMap::new(),
            messages: HashMap::new(),
            sent: HashMap::new(),
            reactions: HashMap::new(),
            votes: HashMap::new(),
            keys: HashMap::new(),
            untold: Untold::default(),
            invites: BTreeMap::new(),
            asking: BTreeMap::new(),
            hidden_upto: Seq(0),
            posted: BTreeMap::new(),
        }
    }

    /// Where rights are concerned.
    pub fn place(&self, now: Timestamp) -> Place {
        Place { kind: self.info.kind, rights: self.rights, now }
    }
}
