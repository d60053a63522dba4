//! What admins set of a chat, and what that makes of new messages.

use chapar_protocol::{
    AdminAction, Body, ChatKind, ErrorCode, Seq, ServiceAction, SettingsChange, Timestamp, UserId, limit,
};

use super::{Judging, Verdict, members::Dice};
use crate::{
    Principal,
    change::NewMessage,
    chat::Beside,
    refusal::{refusal, refuse},
    rights::Action,
};

impl Judging {
    pub(super) fn set_settings(&mut self, by: UserId, wish: SettingsChange, now: Timestamp, dice: Dice<'_>) -> Verdict {
        self.may(by, Action::ChangeSettings, now)?;
        let kind = self.chat.info.kind;
        if kind != ChatKind::Channel && wish.signed.is_some() {
            return refuse(ErrorCode::BadRequest, "only posts of a channel are signed");
        }
        if kind == ChatKind::Channel && wish.hidden_history.is_some() {
            return refuse(ErrorCode::BadRequest, "readers of a channel see all of it");
        }
        if kind == ChatKind::Direct && (wish.no_forwarding.is_some() || wish.hidden_history.is_some()) {
            return refuse(
                ErrorCode::BadRequest,
                "in a direct chat nothing is set but when messages delete themselves",
            );
        }
        if wish.delete_after.is_some_and(|after| after > 0 && !limit::DELETE_AFTER_SECONDS.contains(&after)) {
            return refuse(ErrorCode::BadRequest, "messages delete themselves after 5 seconds to 366 days");
        }
        let (settings, change) = self.chat.info.settings.changed(wish);
        if change.is_empty() {
            return Ok(self.as_it_is());
        }
        self.chat.info.settings = settings;
        self.log(by, AdminAction::Settings { change });
        let done = self.info_changed(now);
        self.tell(by, ServiceAction::Settings { change }, done.version(), now, dice);
        Ok(done)
    }

    /// A new message with the marks that the settings of the chat give it.
    pub(super) fn marked(&self, new: NewMessage, sent_at: Timestamp) -> NewMessage {
        let settings = self.chat.info.settings;
        if settings.is_empty() || matches!(new.body, Body::Service { .. }) {
            return new;
        }
        let after = i64::from(settings.delete_after) * 1000;
        let deletes_at = if after > 0 { Timestamp::from_millis(sent_at.as_millis() + after) } else { None };
        let signed = settings.signed && self.chat.info.kind == ChatKind::Channel;
        if deletes_at.is_none() && !signed {
            return new;
        }
        let beside = Beside { deletes_at, signed, ..new.beside.clone() };
        new.beside(beside)
    }

    /// What is not there any more, or was deleted before, is not looked after any more, either.
    pub(super) fn expire(&mut self, by: Principal, seq: Seq, now: Timestamp) -> Verdict {
        let Principal::System(_) = by else { return Err(refusal(ErrorCode::Forbidden)) };
        let deletes_at = self.chat.messages.get(&seq).and_then(|it| it.message.deletes_at);
        if deletes_at.is_some_and(|at| at > now) {
            return Err(refusal(ErrorCode::Forbidden));
        }
        self.rows.expired.insert(seq);
        Ok(if deletes_at.is_some() { self.bury(seq, now) } else { self.as_it_is() })
    }
}
