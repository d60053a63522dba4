//! Invite links, and those who ask to be let in. What is done to links moves no version: all in the chat would hear of one, and few see
//! links. What such a change was judged by is the `turn` of the link.

use chapar_protocol::{AdminAction, ErrorCode, InviteId, Role, Timestamp, UserId, invite::SECRET_LENGTH, limit};
use uuid::Uuid;

use super::{Judging, Verdict, members::Dice};
use crate::{
    change::{Done, NewInvite},
    chat::{Asking, StoredInvite},
    refusal::{refusal, refuse},
    rights::Action,
};

impl Judging {
    pub(super) fn set_invite(&mut self, by: UserId, new: &NewInvite, now: Timestamp, dice: Dice<'_>) -> Verdict {
        self.may(by, Action::Add, now)?;
        let old = self.chat.invites.get(&new.id);
        if old.is_some_and(|it| it.revoked) {
            return Err(refusal(ErrorCode::InviteGone));
        }
        let as_wished = |it: &StoredInvite| {
            (&it.title, it.expires_at, it.max_uses, it.approval)
                == (&new.title, new.expires_at, new.max_uses, new.approval)
        };
        if old.is_some_and(as_wished) {
            return Ok(self.as_it_is());
        }
        if new.expires_at.is_some_and(|end| end <= now) {
            return refuse(ErrorCode::BadRequest, "the end of an invite link lies in the future");
        }
        if old.is_none() {
            self.forget_for_one_more()?;
            let made = StoredInvite {
                secret: secret(dice()),
                title: None,
                made_by: by,
                made_at: now,
                expires_at: None,
                max_uses: None,
                uses: 0,
                approval: false,
                revoked: false,
                turn: 0,
            };
            self.chat.invites.insert(new.id, made);
        }
        if let Some(invite) = self.change_invite(new.id) {
            invite.title.clone_from(&new.title);
            (invite.expires_at, invite.max_uses, invite.approval) = (new.expires_at, new.max_uses, new.approval);
        }
        self.log(by, AdminAction::Invite { invite_id: new.id, title: new.title.clone() });
        Ok(self.as_it_is())
    }

    /// A chat remembers so many links: the one that was taken back first goes, and of those that are good none.
    fn forget_for_one_more(&mut self) -> Result<(), chapar_protocol::WireError> {
        if self.chat.invites.len() < limit::INVITES {
            return Ok(());
        }
        let revoked = self.chat.invites.iter().filter(|it| it.1.revoked);
        let Some(oldest) = revoked.min_by_key(|it| (it.1.made_at, *it.0)).map(|it| *it.0) else {
            return refuse(ErrorCode::TooLarge, "at most 200 invite links: take one back first");
        };
        self.chat.invites.remove(&oldest);
        // One that was made in the same breath was never written.
        if self.rows.entry.invites.remove(&oldest) != Some(0) {
            self.rows.entry.forgotten.insert(oldest);
        }
        Ok(())
    }

    pub(super) fn revoke_invite(&mut self, by: UserId, id: InviteId, now: Timestamp) -> Verdict {
        self.may(by, Action::Add, now)?;
        let Some(invite) = self.chat.invites.get(&id) else { return Err(refusal(ErrorCode::InviteGone)) };
        let title = invite.title.clone();
        if !invite.revoked
            && let Some(invite) = self.change_invite(id)
        {
            invite.revoked = true;
            self.log(by, AdminAction::InviteRevoked { invite_id: id, title });
        }
        Ok(self.as_it_is())
    }

    pub(super) fn enter(&mut self, by: UserId, secret: &str, now: Timestamp, dice: Dice<'_>) -> Verdict {
        let found = self.chat.invites.iter().find(|it| it.1.secret == secret);
        let Some((id, invite)) = found.map(|(id, invite)| (*id, invite.clone())) else {
            return Err(refusal(ErrorCode::InviteGone));
        };
        if self.standing(by).is_some_and(|it| it.role.is_some()) {
            return Ok(self.as_it_is());
        }
        // One that everybody has left stays empty, since nobody would own it.
        if !invite.is_open(now) || self.may(invite.made_by, Action::Add, now).is_err() || self.chat.count == 0 {
            return Err(refusal(ErrorCode::InviteGone));
        }
        if self.standing(by).is_some_and(|it| it.banned) {
            return refuse(ErrorCode::Forbidden, "you were removed from this chat: an admin can add you again");
        }
        self.has_room(1)?;
        if invite.approval {
            let asks = Asking { through: id, turn: self.turn_of(by), at: now };
            let before = self.chat.asking.get(&by);
            if before.is_none_or(|it| (it.through, it.turn) != (asks.through, asks.turn)) {
                self.chat.asking.insert(by, asks);
                self.rows.entry.asking.insert(by);
                self.rows.entry.answered.remove(&by);
            }
            return Ok(Done::Waits(self.chat.version));
        }
        Ok(self.let_in(by, id, now, dice))
    }

    pub(super) fn answer_request(
        &mut self,
        by: UserId,
        user: UserId,
        accept: bool,
        now: Timestamp,
        dice: Dice<'_>,
    ) -> Verdict {
        self.may(by, Action::Add, now)?;
        let inside = self.standing(user).is_some_and(|it| it.role.is_some());
        let asks = self.chat.asking.get(&user).copied().filter(|it| it.turn == self.turn_of(user));
        let Some(asks) = asks else {
            // A retry of what let them in.
            return if inside && accept { Ok(self.as_it_is()) } else { refuse(ErrorCode::UserNotFound, NOBODY_ASKS) };
        };
        if !accept {
            self.asks_no_more(user);
            self.log(by, AdminAction::JoinAnswered { user_id: user, accepted: false });
            return Ok(self.as_it_is());
        }
        self.has_room(1)?;
        self.log(by, AdminAction::JoinAnswered { user_id: user, accepted: true });
        Ok(self.let_in(user, asks.through, now, dice))
    }

    fn turn_of(&self, user: UserId) -> i64 {
        self.standing(user).map_or(0, |it| it.turn)
    }

    fn let_in(&mut self, user: UserId, through: InviteId, now: Timestamp, dice: Dice<'_>) -> Done {
        let version = self.step(self.is_seen(Some(Role::Member)));
        self.asks_no_more(user);
        // Counted when they come in; one whose request is granted may be one more than the bound.
        if let Some(invite) = self.change_invite(through) {
            invite.uses = invite.uses.saturating_add(1);
            self.rows.entry.uses.insert((through, user));
        }
        self.comes_in(user, version, now, dice);
        Done::Changed(version)
    }

    fn asks_no_more(&mut self, user: UserId) {
        // What was asked in the same breath was never written.
        if self.chat.asking.remove(&user).is_some() && !self.rows.entry.asking.remove(&user) {
            self.rows.entry.answered.insert(user);
        }
    }

    /// Notes that a link is about to change, and counts it.
    fn change_invite(&mut self, id: InviteId) -> Option<&mut StoredInvite> {
        let invite = self.chat.invites.get_mut(&id)?;
        self.rows.entry.invites.entry(id).or_insert(invite.turn);
        invite.turn += 1;
        Some(invite)
    }
}

const NOBODY_ASKS: &str = "this user does not ask to be let in, or was answered already";

/// What nobody guesses, as it stands in an address.
fn secret(random: Uuid) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = random.as_u128();
    let digit = |place: usize| char::from(DIGITS[usize::try_from((number >> (6 * place)) & 63).unwrap_or(0)]);
    (0..SECRET_LENGTH).map(digit).collect()
}
