//! Polls: votes, and their end.

use std::collections::BTreeSet;

use chapar_protocol::{Body, ChatKind, ErrorCode, Message, Seq, Timestamp, UserId, WireError, poll::Poll};

use super::{Judging, Verdict};
use crate::{
    Principal,
    change::Done,
    poll::{Choice, Vote, recount},
    refusal::{refusal, refuse},
    rights::Action,
};

/// A vote to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voting {
    /// Its turn before; 0 for somebody who had not voted.
    pub before: i64,
    /// Told later, with the counts.
    pub quiet: bool,
}

impl Judging {
    /// Whether a new poll can be asked here.
    pub(super) fn may_ask(&self, body: &Body, now: Timestamp) -> Result<(), WireError> {
        let Body::Poll(poll) = body else { return Ok(()) };
        if poll.public && self.chat.info.kind == ChatKind::Channel {
            return refuse(
                ErrorCode::BadPoll,
                "readers of a channel do not learn of each other: its polls are not public",
            );
        }
        if poll.closes_at.is_some_and(|at| at <= now) {
            return refuse(ErrorCode::BadPoll, "a poll closes in the future");
        }
        Ok(())
    }

    pub(super) fn vote(&mut self, by: UserId, seq: Seq, places: &[u8], now: Timestamp) -> Verdict {
        let message = self.found(by, seq)?;
        let poll = asked_in(message)?;
        let choice = Choice::of(places, poll)?;
        self.may(by, Action::Vote, now)?;
        let old = self.chat.votes.get(&(seq, by)).copied().unwrap_or_default();
        // Also where it is closed by now: a retry of a vote that was taken finds it taken.
        if old.choice == choice {
            return Ok(self.voted(by, seq));
        }
        if poll.closed || poll.closes_at.is_some_and(|at| at <= now) {
            return Err(refusal(ErrorCode::PollClosed));
        }
        if poll.quiz && !old.choice.is_none() {
            return refuse(ErrorCode::BadVote, "an answer in a quiz stands");
        }
        let quiet = self.chat.info.kind == ChatKind::Channel;
        self.chat.votes.insert((seq, by), Vote { choice, turn: old.turn + 1 });
        self.rows.votes.entry((seq, by)).or_insert(Voting { before: old.turn, quiet });
        if quiet {
            self.chat.untold.stale = true;
        } else {
            self.moment(now);
            let version = self.moved_at(seq);
            self.recount_poll(seq, |poll| recount(poll, old.choice, choice));
            if let Some(stored) = self.chat.messages.get_mut(&seq) {
                stored.message.version = version;
            }
            if !choice.is_none() {
                self.engage(by);
            }
        }
        Ok(self.voted(by, seq))
    }

    pub(super) fn close_poll(&mut self, by: Principal, seq: Seq, now: Timestamp) -> Verdict {
        let message = match by {
            Principal::User(user) => self.found(user, seq)?,
            Principal::System(_) => match self.chat.messages.get(&seq) {
                Some(stored) => &stored.message,
                None => return Err(refusal(ErrorCode::MessageNotFound)),
            },
        };
        let (sender, poll) = (message.sender, asked_in(message)?);
        let is_due = poll.closes_at.is_some_and(|at| at <= now);
        match by {
            Principal::User(user) => self.may(user, Action::ClosePoll(sender), now)?,
            Principal::System(_) if !is_due => return Err(refusal(ErrorCode::Forbidden)),
            Principal::System(_) => {}
        }
        if poll.closed {
            return Ok(self.as_it_is());
        }
        self.moment(now);
        let version = self.next();
        let key = self.chat.keys.get(&seq).cloned().unwrap_or_default();
        self.recount_poll(seq, |poll| {
            poll.closed = true;
            poll.key = key;
        });
        if let Some(stored) = self.chat.messages.get_mut(&seq) {
            stored.message.version = version;
        }
        self.moved_at.remove(&seq);
        self.rows.ended.insert(seq, false);
        Ok(Done::Changed(version))
    }

    /// Returns the messages whose counts have moved.
    pub(super) fn count_votes(&mut self) -> BTreeSet<Seq> {
        let mut moved = BTreeSet::new();
        for ((seq, user), it) in std::mem::take(&mut self.chat.untold.votes) {
            self.rows.tallied.insert((seq, user), it.choice);
            if self.recount_poll(seq, |poll| recount(poll, it.stands, it.choice)) {
                moved.insert(seq);
            }
        }
        moved
    }

    /// Whether there is such a poll still.
    fn recount_poll(&mut self, seq: Seq, change: impl FnOnce(&mut Poll)) -> bool {
        let Some(stored) = self.chat.messages.get_mut(&seq) else { return false };
        let Body::Poll(poll) = &mut stored.message.body else { return false };
        change(poll);
        // Written once, however many votes there are: see `Judging::done`.
        self.repolled.insert(seq);
        self.rows.changed.insert(seq);
        true
    }

    /// How somebody's vote stands.
    fn voted(&self, by: UserId, seq: Seq) -> Done {
        let vote = self.chat.votes.get(&(seq, by)).copied().unwrap_or_default();
        Done::Voted { version: self.chat.version, vote: vote.own(seq, self.chat.keys.get(&seq)) }
    }
}

fn asked_in(message: &Message) -> Result<&Poll, WireError> {
    match &message.body {
        Body::Poll(poll) => Ok(poll),
        Body::Deleted => Err(refusal(ErrorCode::MessageNotFound)),
        _ => refuse(ErrorCode::BadVote, "this message is no poll"),
    }
}
