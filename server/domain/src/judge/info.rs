//! What stands above a chat: title, description, photo, pinned messages.

use chapar_protocol::{AdminAction, Body, ErrorCode, Seq, Timestamp, UserId, Version, limit};

use super::{Judging, Verdict};
use crate::{
    change::{Done, NewInfo},
    refusal::{refusal, refuse},
    rights::Action,
};

impl Judging {
    pub(super) fn set_info(&mut self, by: UserId, new: &NewInfo, now: Timestamp) -> Verdict {
        self.may(by, Action::ChangeInfo, now)?;
        let info = &mut self.chat.info;
        let title = new.title.as_ref().filter(|new| info.title.as_ref() != Some(*new));
        let description = new.description.as_ref().filter(|new| info.description != **new);
        let photo = new.photo.filter(|new| info.photo != *new);
        if title.is_none() && description.is_none() && photo.is_none() {
            return Ok(self.as_it_is());
        }
        let action =
            AdminAction::Info { title: title.cloned(), description: description.is_some(), photo: photo.is_some() };
        if let Some(title) = title {
            info.title = Some(title.clone());
        }
        if let Some(description) = description {
            info.description.clone_from(description);
        }
        if let Some(photo) = photo {
            info.photo = photo;
            self.rows.photo = true;
        }
        self.log(by, action);
        Ok(self.info_changed(now))
    }

    pub(super) fn pin(&mut self, by: UserId, seq: Seq, now: Timestamp) -> Verdict {
        if self.found(by, seq)?.body == Body::Deleted {
            return Err(refusal(ErrorCode::MessageNotFound));
        }
        self.may(by, Action::Pin, now)?;
        if self.chat.info.pinned.contains(&seq) {
            return Ok(self.as_it_is());
        }
        if self.chat.info.pinned.len() >= limit::PINNED {
            return refuse(ErrorCode::TooLarge, "at most 20 messages are pinned: take a pin back first");
        }
        self.chat.info.pinned.push(seq);
        self.log(by, AdminAction::Pinned { seq });
        Ok(self.info_changed(now))
    }

    pub(super) fn unpin(&mut self, by: UserId, seq: Seq, now: Timestamp) -> Verdict {
        self.may(by, Action::Pin, now)?;
        if !self.chat.info.pinned.contains(&seq) {
            return Ok(self.as_it_is());
        }
        self.chat.info.pinned.retain(|it| *it != seq);
        self.log(by, AdminAction::Unpinned { seq });
        Ok(self.info_changed(now))
    }

    pub(super) fn unpin_all(&mut self, by: UserId, now: Timestamp) -> Verdict {
        self.may(by, Action::Pin, now)?;
        if self.chat.info.pinned.is_empty() {
            return Ok(self.as_it_is());
        }
        self.chat.info.pinned.clear();
        Ok(self.info_changed(now))
    }

    /// What is deleted is pinned no longer, at the version that deletes it.
    pub(super) fn unpin_deleted(&mut self, seq: Seq, version: Version) {
        if self.chat.info.pinned.contains(&seq) {
            self.chat.info.pinned.retain(|it| *it != seq);
            self.rows.info = Some(version);
        }
    }

    pub(super) fn info_changed(&mut self, now: Timestamp) -> Done {
        let version = self.next();
        self.rows.info = Some(version);
        self.moment(now);
        Done::Changed(version)
    }
}
