//! Judges what is asked of one chat, one change after the other, each on what those before it have made of the chat.

mod counters;
mod info;
mod invites;
mod log;
mod members;
mod messages;
mod polls;
mod powers;
mod settings;
mod slow;
#[cfg(test)]
mod tests;
mod threads;
mod told;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chapar_protocol::{
    AdminAction, ChatId, ChatInfo, ChatKind, ChatSettings, ErrorCode, InviteId, Role, Seq, Timestamp, UserId, Version,
    WireError, poll::QuizKey,
};
use uuid::Uuid;

pub use self::{
    counters::PAUSE,
    polls::Voting,
    told::{A_FEW, Membership},
};
use crate::{
    change::{Asked, Change, Done, NewChat},
    chat::{Chat, Standing},
    poll::Choice,
    refusal::refusal,
    rights::{Action, Rights, may},
};

/// What a change is answered.
pub type Verdict = Result<Done, WireError>;

/// What judging needs of the world.
pub struct Moment<'a> {
    /// The clock of the database.
    pub now: Timestamp,
    /// Makes ids for lines of the server's own.
    pub dice: &'a mut dyn FnMut() -> Uuid,
}

/// What became of a chat.
#[derive(Debug)]
pub struct Judgement {
    /// The answer to each change, in their order.
    pub verdicts: Vec<Verdict>,
    /// What is to be written, if anything is.
    pub written: Option<Written>,
}

/// A chat that has changed, and which of its rows did.
#[derive(Debug)]
pub struct Written {
    /// As it is now.
    pub chat: Chat,
    /// The version before; 0 for a chat that is new.
    pub from: Version,
    /// Which rows.
    pub rows: Rows,
}

/// The rows of a chat that have changed.
#[derive(Debug, Default)]
pub struct Rows {
    /// What everybody sees of the chat has changed, at this version.
    pub info: Option<Version>,
    /// Its photo among that.
    pub photo: bool,
    /// New messages.
    pub fresh: BTreeSet<Seq>,
    /// Messages that were there and are changed.
    pub changed: BTreeSet<Seq>,
    /// Whom messages call, and whom they do no longer.
    pub called: BTreeMap<(Seq, UserId), bool>,
    /// Whose standing has changed.
    pub members: BTreeMap<UserId, Turned>,
    /// Reactions set or taken back; at version 0 those that are told later, with the counts.
    pub reactions: BTreeMap<(Seq, UserId), Version>,
    /// Reactions of a channel that are told now.
    pub counted: BTreeMap<(Seq, UserId), Counted>,
    /// Votes set or taken back.
    pub votes: BTreeMap<(Seq, UserId), Voting>,
    /// Votes in a channel that are counted now, as what.
    pub tallied: BTreeMap<(Seq, UserId), Choice>,
    /// New polls, with what is right in a quiz.
    pub polls: BTreeMap<Seq, QuizKey>,
    /// Polls that take no more votes; whether their messages are deleted.
    pub ended: BTreeMap<Seq, bool>,
    /// The counters are told now.
    pub told: Option<Timestamp>,
    /// There was more to count than one change tells.
    pub left_over: bool,
    /// Views that are told now.
    pub viewed: BTreeMap<Seq, u32>,
    /// Who was shut out of a direct chat, or let in again, and when: without a version, since nobody may learn of it.
    pub shut: BTreeMap<UserId, i64>,
    /// What was done by those who may: for the log that admins read.
    pub log: Vec<(UserId, AdminAction)>,
    /// Who was removed, by whom and why.
    pub removals: BTreeMap<UserId, (UserId, Option<String>)>,
    /// Who has posted where posts have a time between them.
    pub posted: BTreeSet<UserId>,
    /// Who comes in and sees only what follows, or all again.
    pub newcomers: BTreeSet<UserId>,
    /// Messages that were to be deleted by themselves, and need not be looked after any more.
    pub expired: BTreeSet<Seq>,
    /// What has changed of invite links and of those who ask to be let in: without a version, since few see it.
    pub entry: Entry,
    /// What is new in threads, and what is gone.
    pub threads: Threads,
}

/// What has changed of invite links and of those who ask to be let in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Links that were made or changed, with the turn before; 0 for one that is new.
    pub invites: BTreeMap<InviteId, i64>,
    /// Links that are forgotten.
    pub forgotten: BTreeSet<InviteId>,
    /// Who came through which link.
    pub uses: BTreeSet<(InviteId, UserId)>,
    /// Who asks to be let in from now on, or through another link.
    pub asking: BTreeSet<UserId>,
    /// Who does so no more.
    pub answered: BTreeSet<UserId>,
}

/// What is new in threads, and what is gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Threads {
    /// Messages with which threads begin: of which channel which posts they are.
    pub roots: BTreeMap<Seq, (ChatId, Seq)>,
    /// Messages that stand in threads, by what these begin with.
    pub said: BTreeMap<Seq, Seq>,
    /// Those that are deleted.
    pub gone: BTreeMap<Seq, Seq>,
}

impl Entry {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Rows {
    /// Whether there is something to write that moves no version.
    fn is_quiet(&self) -> bool {
        !self.members.is_empty()
            || !self.reactions.is_empty()
            || !self.votes.is_empty()
            || self.told.is_some()
            || !self.shut.is_empty()
            || !self.entry.is_empty()
            || !self.log.is_empty()
            || !self.expired.is_empty()
    }
}

/// A reaction of a channel that is told with the counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Which; absent when it was taken back.
    pub emoji: Option<String>,
    /// What stands in the counts for it: nothing also where a message carries as many different ones as it may.
    pub stands: Option<String>,
    /// At which version.
    pub version: Version,
}

/// How a standing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turned {
    /// The version at which others see it so; without, they see nothing of it.
    pub version: Option<Version>,
    /// The turn before; 0 for somebody new.
    pub before: i64,
    /// Whether they were in the chat before.
    pub was_in: bool,
}

/// Judges some changes of one chat in their order. `chat` is `None` when there is no such chat.
pub fn judge(id: ChatId, chat: Option<Chat>, asked: &[&Asked], moment: Moment<'_>) -> Judgement {
    let from = chat.as_ref().map_or(Version(0), |it| it.version);
    let mut verdicts = Vec::with_capacity(asked.len());
    let mut judging = chat.map(Judging::new);
    let Moment { now, dice } = moment;
    for it in asked {
        let verdict = match (&mut judging, &it.change) {
            (None, Change::Create(new)) => {
                let judging = judging.insert(Judging::new(nothing(id, new, now)));
                Ok(judging.create(it.by.user(), new, now, dice))
            }
            (None, _) => Err(refusal(ErrorCode::ChatNotFound)),
            (Some(judging), _) => judging.one(it, now, dice),
        };
        verdicts.push(verdict);
    }
    let written = judging.filter(|it| it.chat.version > from || it.rows.is_quiet()).map(|it| it.done(from));
    Judgement { verdicts, written }
}

fn nothing(id: ChatId, new: &NewChat, created_at: Timestamp) -> Chat {
    let (kind, title, handle) = (new.kind, new.title.clone(), new.handle.clone());
    let (rights, member_count) = (Rights::of_new(kind).list(), (kind == ChatKind::Channel).then_some(0));
    let (version, description, photo, pinned) = (Version(0), None, None, Vec::new());
    let info = ChatInfo {
        id,
        version,
        kind,
        title,
        handle,
        created_at,
        rights,
        member_count,
        description,
        photo,
        pinned,
        slow_seconds: 0,
        discussion: None,
        settings: ChatSettings::default(),
    };
    Chat::nothing(info)
}

struct Judging {
    chat: Chat,
    rows: Rows,
    /// Reactions to one message that come together take one version, and so do votes: nobody need hear of each.
    moved_at: HashMap<Seq, Version>,
    /// Polls that say something else than before.
    repolled: BTreeSet<Seq>,
}

impl Judging {
    fn new(chat: Chat) -> Self {
        Self { chat, rows: Rows::default(), moved_at: HashMap::new(), repolled: BTreeSet::new() }
    }

    fn done(mut self, from: Version) -> Written {
        for seq in &self.repolled {
            if let Some(stored) = self.chat.messages.get_mut(seq) {
                stored.write_body();
            }
        }
        Written { chat: self.chat, from, rows: self.rows }
    }

    fn one(&mut self, asked: &Asked, now: Timestamp, dice: &mut dyn FnMut() -> Uuid) -> Verdict {
        let by = asked.by.user();
        match &asked.change {
            Change::Create(_) => {
                if self.standing(by).is_none_or(|it| it.role.is_none()) {
                    return Err(refusal(ErrorCode::ChatNotFound));
                }
                Ok(self.as_it_is())
            }
            Change::Send(message) => self.send(asked.by, message, now),
            Change::SendAlbum(messages) => self.send_album(asked.by, messages, now),
            Change::Forward(messages) => self.forward(asked.by, messages, now),
            Change::Recall(sent) => self.recall(by, sent),
            Change::Edit(seq, body) => self.edit(by, *seq, body, now),
            Change::Delete(seq) => self.delete(by, *seq, now),
            Change::DeleteSome(seqs) => self.delete_some(by, seqs, now),
            Change::React(seq, emoji) => self.react(by, *seq, emoji.as_deref(), now),
            Change::Vote(seq, places) => self.vote(by, *seq, places, now),
            Change::ClosePoll(seq) => self.close_poll(asked.by, *seq, now),
            Change::Add(users, back) => self.add(by, users, back, now, dice),
            Change::Remove(user) => self.remove(by, *user, None, now, dice),
            Change::Ban(user, reason) => self.remove(by, *user, Some(reason), now, dice),
            Change::SetSlow(seconds) => self.set_slow(by, *seconds, now),
            Change::SetSettings(change) => self.set_settings(by, *change, now, dice),
            Change::Expire(seq) => self.expire(asked.by, *seq, now),
            Change::SetRole(user, role) => self.set_role(by, *user, *role, now),
            Change::SetRights(rights) => self.set_rights(by, *rights, now),
            Change::SetAdminRights(user, rights) => self.set_admin_rights(by, *user, *rights, now),
            Change::Restrict(user, denied, until) => self.restrict(by, *user, *denied, *until, now),
            Change::SetInfo(new) => self.set_info(by, new, now),
            Change::Pin(seq) => self.pin(by, *seq, now),
            Change::Unpin(seq) => self.unpin(by, *seq, now),
            Change::UnpinAll => self.unpin_all(by, now),
            Change::Unban(user) => self.unban(by, *user, now),
            Change::Shut(user, since) => self.shut(by, *user, *since),
            Change::Join => self.join(by, None, now, dice),
            Change::JoinFrom(channel) => self.join(by, Some(*channel), now, dice),
            Change::Link(other) => self.link(asked.by, *other, now),
            Change::Carry(message) => self.carry(asked.by, message, now),
            Change::TellComments(seq, comments) => self.tell_comments(asked.by, *seq, *comments),
            Change::SetInvite(new) => self.set_invite(by, new, now, dice),
            Change::RevokeInvite(id) => self.revoke_invite(by, *id, now),
            Change::Enter(secret) => self.enter(by, secret, now, dice),
            Change::AnswerRequest(user, accept) => self.answer_request(by, *user, *accept, now, dice),
            Change::Leave => self.leave(by, now, dice),
            Change::Count => self.count(asked.by, now),
        }
    }

    fn standing(&self, user: UserId) -> Option<&Standing> {
        self.chat.members.get(&user)
    }

    fn may(&self, user: UserId, action: Action, now: Timestamp) -> Result<(), WireError> {
        may(self.chat.place(now), user, self.standing(user), action)
    }

    /// The next version. One change takes one, however many rows it touches.
    fn next(&mut self) -> Version {
        self.chat.version = self.chat.version.next();
        self.chat.version
    }

    /// The version of a change of standings: none where nobody else sees it, since all in the chat would hear of a version. What such a
    /// change was judged by is the `turn` of whom it is about.
    fn step(&mut self, is_seen: bool) -> Version {
        if is_seen { self.next() } else { self.chat.version }
    }

    /// Whether others see how somebody with this role stands. Who reads a channel is nobody else's business, nor who has left.
    fn is_seen(&self, role: Option<Role>) -> bool {
        role > Some(Role::Member) || role.is_some() && self.chat.info.kind != ChatKind::Channel
    }

    /// Notes that somebody's standing is about to change, seen by others at `version`, and counts it.
    fn turn(&mut self, user: UserId, version: Option<Version>) -> Option<&mut Standing> {
        let standing = self.chat.members.get_mut(&user)?;
        let turned = Turned { version, before: standing.turn, was_in: standing.role.is_some() };
        let turned = self.rows.members.entry(user).or_insert(turned);
        turned.version = version.or(turned.version);
        standing.turn += 1;
        Some(standing)
    }

    /// The version at which what is counted of a message moves.
    fn moved_at(&mut self, seq: Seq) -> Version {
        let version = match self.moved_at.get(&seq) {
            Some(version) => *version,
            None => self.next(),
        };
        self.moved_at.insert(seq, version);
        version
    }

    fn as_it_is(&self) -> Done {
        Done::Changed(self.chat.version)
    }

    /// The clock, which never goes back in a chat.
    fn moment(&mut self, now: Timestamp) -> Timestamp {
        self.chat.changed_at = self.chat.changed_at.max(now);
        self.chat.changed_at
    }
}
