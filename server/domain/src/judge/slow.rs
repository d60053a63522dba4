//! A time between two posts of somebody in a group who is no admin.

use chapar_protocol::{AdminAction, ChatKind, ErrorCode, Role, Timestamp, UserId, WireError};

use super::{Judging, Verdict};
use crate::{Principal, refusal::refuse, rights::Action};

impl Judging {
    pub(super) fn set_slow(&mut self, by: UserId, seconds: u32, now: Timestamp) -> Verdict {
        self.may(by, Action::Remove(None), now)?;
        if self.chat.info.kind != ChatKind::Group {
            return refuse(ErrorCode::BadRequest, "in a channel only admins post");
        }
        if self.chat.info.slow_seconds == seconds {
            return Ok(self.as_it_is());
        }
        self.chat.info.slow_seconds = seconds;
        self.log(by, AdminAction::Slow { seconds });
        Ok(self.info_changed(now))
    }

    /// Whether somebody is made to wait between two posts here.
    pub(super) fn waits(&self, by: Principal) -> bool {
        let role = self.standing(by.user()).and_then(|it| it.role);
        self.chat.info.slow_seconds > 0 && matches!(by, Principal::User(_)) && role == Some(Role::Member)
    }

    /// An album is one post, however many messages it has; what is sent again after a loss was found before.
    pub(super) fn may_post_again(&self, by: Principal, now: Timestamp) -> Result<(), WireError> {
        let Some(last) = self.chat.posted.get(&by.user()).filter(|_| self.waits(by)) else { return Ok(()) };
        let pause = i64::from(self.chat.info.slow_seconds) * 1000;
        let since = now.as_millis() - last.as_millis();
        // Not for longer than that when the clock has gone back.
        if since >= pause || since < -pause {
            return Ok(());
        }
        let error = WireError::new(ErrorCode::SlowMode, "in this group one waits between two posts");
        Err(error.after_ms(u32::try_from((pause - since).clamp(1, pause)).unwrap_or(u32::MAX)))
    }

    pub(super) fn note_post(&mut self, by: Principal, now: Timestamp) {
        if self.waits(by) {
            self.chat.posted.insert(by.user(), now);
            self.rows.posted.insert(by.user());
        }
    }
}
