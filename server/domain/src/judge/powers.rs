//! What everybody may, what an admin may, and what is taken from a member.

use chapar_protocol::{AdminAction, ErrorCode, Role, Timestamp, UserId};

use super::{Judging, Verdict};
use crate::{
    change::Done,
    refusal::{refusal, refuse},
    rights::{Action, Rights, rights_of},
};

impl Judging {
    pub(super) fn rights_of(&self, user: UserId, now: Timestamp) -> Rights {
        self.standing(user).map_or(Rights::NONE, |it| rights_of(self.chat.place(now), it))
    }

    pub(super) fn set_rights(&mut self, by: UserId, rights: Rights, now: Timestamp) -> Verdict {
        self.may(by, Action::Name, now)?;
        let kept = Rights::kept(self.chat.info.kind);
        if !Rights::of_everybody(self.chat.info.kind).with(kept).has(rights) {
            return refuse(ErrorCode::BadRequest, "this cannot be everybody's right here");
        }
        let rights = rights.with(kept);
        if self.chat.rights == rights {
            return Ok(self.as_it_is());
        }
        if !self.rights_of(by, now).has(rights.without(self.chat.rights)) {
            return refuse(ErrorCode::Forbidden, "nobody gives what they do not have");
        }
        let version = self.next();
        self.chat.rights = rights;
        self.chat.info.rights = rights.list();
        self.rows.info = Some(version);
        self.log(by, AdminAction::Rights { rights: rights.list() });
        self.moment(now);
        Ok(Done::Changed(version))
    }

    pub(super) fn set_admin_rights(&mut self, by: UserId, user: UserId, rights: Rights, now: Timestamp) -> Verdict {
        self.may(by, Action::Name, now)?;
        let Some(old) = self.standing(user).filter(|it| it.role.is_some()).cloned() else {
            return Err(refusal(ErrorCode::UserNotFound));
        };
        if old.role != Some(Role::Admin) {
            return refuse(ErrorCode::BadRequest, "only an admin has rights of their own");
        }
        // Of two admins neither says what the other may.
        let owns = self.standing(by).is_some_and(|it| it.role == Some(Role::Owner));
        if !owns {
            return refuse(ErrorCode::Forbidden, "only the owner says what an admin may");
        }
        if old.rights == rights {
            return Ok(self.as_it_is());
        }
        let version = self.next();
        if let Some(standing) = self.turn(user, Some(version)) {
            standing.rights = rights;
        }
        self.log(by, AdminAction::AdminRights { user_id: user, rights: rights.list() });
        self.moment(now);
        Ok(Done::Changed(version))
    }

    pub(super) fn restrict(
        &mut self,
        by: UserId,
        user: UserId,
        denied: Rights,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Verdict {
        self.may(by, Action::Remove(None), now)?;
        let Some(old) = self.standing(user).cloned() else { return Err(refusal(ErrorCode::UserNotFound)) };
        self.may(by, Action::Remove(old.role), now)?;
        if old.role > Some(Role::Member) {
            return refuse(ErrorCode::BadRequest, "an admin is not restricted: take their role first");
        }
        if !Rights::of_everybody(self.chat.info.kind).has(denied) {
            return refuse(ErrorCode::BadRequest, "this cannot be taken from a member here");
        }
        if until.is_some_and(|until| until <= now) {
            return refuse(ErrorCode::BadRequest, "the end of a restriction lies in the future");
        }
        let until = until.filter(|_| denied != Rights::NONE);
        if (old.denied, old.denied_until) == (denied, until) {
            return Ok(self.as_it_is());
        }
        let seen = self.is_seen(old.role);
        let version = self.step(seen);
        if let Some(standing) = self.turn(user, seen.then_some(version)) {
            (standing.denied, standing.denied_until) = (denied, until);
        }
        self.log(by, AdminAction::Restricted { user_id: user, denied: denied.list(), until });
        self.moment(now);
        Ok(Done::Changed(version))
    }

    pub(super) fn unban(&mut self, by: UserId, user: UserId, now: Timestamp) -> Verdict {
        self.may(by, Action::Remove(None), now)?;
        let Some(old) = self.standing(user) else { return Err(refusal(ErrorCode::UserNotFound)) };
        if !old.banned {
            return Ok(self.as_it_is());
        }
        if let Some(standing) = self.turn(user, None) {
            standing.banned = false;
        }
        self.log(by, AdminAction::Unbanned { user_id: user });
        Ok(self.as_it_is())
    }
}
