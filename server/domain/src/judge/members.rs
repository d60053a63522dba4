//! Who is in a chat, and in which role.

use chapar_protocol::{
    AdminAction, ChatId, ChatKind, ErrorCode, Role, Seq, ServiceAction, Timestamp, UserId, Version, limit,
};
use uuid::Uuid;

use super::{Judging, Verdict};
use crate::{
    change::{Done, NewChat},
    chat::Standing,
    refusal::{refusal, refuse},
    rights::{Action, Rights},
};

pub(super) type Dice<'a> = &'a mut dyn FnMut() -> Uuid;

impl Judging {
    pub(super) fn create(&mut self, by: UserId, new: &NewChat, now: Timestamp, dice: Dice<'_>) -> Done {
        let version = self.next();
        self.rows.info = Some(version);
        // In a direct chat two equals; with oneself, one.
        let own = if new.kind == ChatKind::Direct { Role::Member } else { Role::Owner };
        self.give(by, Some(own), version);
        for user in new.members.iter().filter(|user| **user != by) {
            self.give(*user, Some(Role::Member), version);
        }
        if let Some(standing) = self.chat.members.get_mut(&by) {
            standing.engaged = true;
        }
        if new.kind == ChatKind::Channel {
            self.chat.info.member_count = u32::try_from(self.chat.count).ok();
        }
        if new.kind != ChatKind::Direct {
            self.tell(by, ServiceAction::Created, version, now, dice);
        }
        Done::Changed(version)
    }

    /// Gives somebody a role, or takes them out.
    fn give(&mut self, user: UserId, role: Option<Role>, version: Version) {
        let read_seq = self.chat.seq;
        let hides = self.chat.info.settings.hidden_history && self.chat.info.kind == ChatKind::Group;
        let sees_after = if hides { read_seq } else { Seq(0) };
        let nobody = || Standing { role: None, ..Standing::with(Role::Member) };
        let old = self.chat.members.entry(user).or_insert_with(nobody).role;
        let quiet = !self.is_seen(role.max(old));
        self.chat.untold.stale |= quiet;
        let Some(standing) = self.turn(user, (!quiet).then_some(version)) else { return };
        if role.is_some() && old.is_none() {
            standing.read_seq = read_seq;
            let veils = standing.sees_after != sees_after;
            standing.sees_after = sees_after;
            (standing.left, standing.banned) = (false, false);
            if veils {
                self.rows.newcomers.insert(user);
            }
        }
        let Some(standing) = self.chat.members.get_mut(&user) else { return };
        standing.role = role;
        // What is taken from a member is not taken from an admin, and does not come back with the role.
        if role > Some(Role::Member) {
            (standing.denied, standing.denied_until) = (Rights::NONE, None);
        }
        standing.rights = if role == Some(Role::Admin) { Rights::ADMIN } else { Rights::NONE };
        self.chat.count += i64::from(role.is_some()) - i64::from(old.is_some());
        if self.rows.newcomers.contains(&user) && sees_after > self.chat.hidden_upto {
            // It stands beside what all see of the chat, and is written with that.
            self.chat.hidden_upto = sees_after;
            self.rows.info = Some(version);
        }
    }

    pub(super) fn add(
        &mut self,
        by: UserId,
        users: &[UserId],
        back: &[UserId],
        now: Timestamp,
        dice: Dice<'_>,
    ) -> Verdict {
        self.may(by, Action::Add, now)?;
        let mut newcomers: Vec<UserId> = Vec::new();
        for user in users {
            let standing = self.standing(*user);
            let inside = standing.is_some_and(|it| it.role.is_some());
            if standing.is_some_and(|it| it.role.is_none() && it.left) && !back.contains(user) {
                let message = format!("user {user} has left this chat, and comes back only by joining it");
                return refuse(ErrorCode::HasLeft, &message);
            }
            if standing.is_some_and(|it| it.banned) && self.may(by, Action::Remove(None), now).is_err() {
                let message = format!("user {user} was removed from this chat: who may remove people brings them back");
                return refuse(ErrorCode::Forbidden, &message);
            }
            if !inside && !newcomers.contains(user) {
                newcomers.push(*user);
            }
        }
        newcomers.sort_unstable();
        if newcomers.is_empty() {
            return Ok(self.as_it_is());
        }
        self.has_room(newcomers.len())?;
        let version = self.step(self.is_seen(Some(Role::Member)));
        for user in &newcomers {
            self.give(*user, Some(Role::Member), version);
        }
        self.moment(now);
        self.log(by, AdminAction::Added { user_ids: newcomers.clone() });
        self.tell(by, ServiceAction::Added { user_ids: newcomers }, version, now, dice);
        Ok(Done::Changed(version))
    }

    pub(super) fn has_room(&self, more: usize) -> Result<(), chapar_protocol::WireError> {
        let there = usize::try_from(self.chat.count).unwrap_or(0);
        if self.chat.info.kind == ChatKind::Group && there + more > limit::GROUP_MEMBERS {
            return Err(refusal(ErrorCode::ChatFull));
        }
        Ok(())
    }

    pub(super) fn remove(
        &mut self,
        by: UserId,
        user: UserId,
        reason: Option<&String>,
        now: Timestamp,
        dice: Dice<'_>,
    ) -> Verdict {
        if user == by && self.chat.info.kind != ChatKind::Direct {
            return refuse(ErrorCode::BadRequest, "nobody removes themselves: use leave");
        }
        self.may(by, Action::Remove(None), now)?;
        let Some(standing) = self.standing(user).cloned() else { return Err(refusal(ErrorCode::UserNotFound)) };
        self.may(by, Action::Remove(standing.role), now)?;
        if standing.role.is_none() && standing.banned {
            return Ok(self.as_it_is());
        }
        let version = self.step(self.is_seen(standing.role));
        if standing.role.is_some() {
            self.give(user, None, version);
            self.tell(by, ServiceAction::Removed { user_id: user }, version, now, dice);
        }
        // Also of whoever has just left: they must not be able to come and go as they like.
        if let Some(standing) = self.turn(user, None) {
            standing.banned = true;
        }
        self.rows.removals.insert(user, (by, reason.cloned()));
        self.log(by, AdminAction::Removed { user_id: user, reason: reason.cloned() });
        self.moment(now);
        Ok(Done::Changed(version))
    }

    pub(super) fn set_role(&mut self, by: UserId, user: UserId, role: Role, now: Timestamp) -> Verdict {
        let mine = self.standing(by).and_then(|it| it.role);
        // An admin may become a member again without anybody's leave.
        let resigns = user == by && mine == Some(Role::Admin) && role == Role::Member;
        if !resigns {
            self.may(by, if role == Role::Owner { Action::GiveAway } else { Action::Name }, now)?;
            if user == by {
                return refuse(ErrorCode::BadRequest, "an owner stops being one by naming another");
            }
        }
        let Some(old) = self.standing(user).and_then(|it| it.role) else {
            return Err(refusal(ErrorCode::UserNotFound));
        };
        if old == role {
            return Ok(self.as_it_is());
        }
        // An admin who may name others names those below, and gives no more than they have.
        let few = role == Role::Admin && !self.rights_of(by, now).has(Rights::ADMIN);
        if !resigns && (mine <= Some(old) || few) {
            return Err(refusal(ErrorCode::Forbidden));
        }
        let version = self.next();
        self.give(user, Some(role), version);
        if role == Role::Owner {
            self.give(by, Some(Role::Admin), version);
        }
        self.log(by, AdminAction::Role { user_id: user, role });
        self.moment(now);
        Ok(Done::Changed(version))
    }

    /// Nobody hears of it, and the version stays: whoever is shut out learns it by a refusal, and not before.
    pub(super) fn shut(&mut self, by: UserId, user: UserId, since: i64) -> Verdict {
        if self.standing(by).is_none_or(|it| it.role.is_none()) {
            return Err(refusal(ErrorCode::ChatNotFound));
        }
        if self.chat.info.kind != ChatKind::Direct || user == by {
            return Err(refusal(ErrorCode::Forbidden));
        }
        let Some(standing) = self.chat.members.get_mut(&user) else { return Err(refusal(ErrorCode::UserNotFound)) };
        if standing.shut.unsigned_abs() < since.unsigned_abs() {
            standing.shut = since;
            self.rows.shut.insert(user, since);
        }
        Ok(self.as_it_is())
    }

    pub(super) fn join(&mut self, by: UserId, from: Option<ChatId>, now: Timestamp, dice: Dice<'_>) -> Verdict {
        let standing = self.standing(by);
        if standing.is_some_and(|it| it.role.is_some()) {
            return Ok(self.as_it_is());
        }
        // A chat is found by its handle, or beside its channel; one that everybody has left stays empty, since nobody would own it.
        let found = match from {
            Some(channel) => self.belongs_to(channel),
            None => self.chat.info.handle.is_some(),
        };
        if !found || self.chat.count == 0 {
            return Err(refusal(ErrorCode::ChatNotFound));
        }
        if standing.is_some_and(|it| it.banned) {
            return refuse(ErrorCode::Forbidden, "you were removed from this chat: an admin can add you again");
        }
        self.has_room(1)?;
        let version = self.next();
        self.comes_in(by, version, now, dice);
        Ok(Done::Changed(version))
    }

    /// Somebody comes in by their own wish.
    pub(super) fn comes_in(&mut self, user: UserId, version: Version, now: Timestamp, dice: Dice<'_>) {
        self.give(user, Some(Role::Member), version);
        if let Some(standing) = self.chat.members.get_mut(&user) {
            standing.engaged = true;
        }
        self.moment(now);
        self.tell(user, ServiceAction::Joined, version, now, dice);
    }

    pub(super) fn leave(&mut self, by: UserId, now: Timestamp, dice: Dice<'_>) -> Verdict {
        // Also of whoever is out already: then it closes the door behind them.
        if let Some(gone) = self.standing(by).filter(|it| it.role.is_none()) {
            if !gone.left
                && let Some(gone) = self.turn(by, None)
            {
                gone.left = true;
            }
            return Ok(self.as_it_is());
        }
        self.may(by, Action::Leave, now)?;
        if self.standing(by).is_some_and(|it| it.role == Some(Role::Owner)) && self.chat.count > 1 {
            return Err(refusal(ErrorCode::OwnerCannotLeave));
        }
        let version = self.next();
        self.give(by, None, version);
        if let Some(standing) = self.chat.members.get_mut(&by) {
            standing.left = true;
        }
        self.moment(now);
        self.tell(by, ServiceAction::Left, version, now, dice);
        Ok(Done::Changed(version))
    }
}
