//! Threads: which group discusses a channel's posts, how posts come there, and how many comments they have.

use chapar_protocol::{
    AdminAction, Body, ChatId, ChatKind, ErrorCode, Seq, Timestamp, WireError,
    thread::{Comments, Discussion},
};

use super::{Judging, Verdict};
use crate::{
    Principal,
    change::{Done, NewMessage},
    refusal::{refusal, refuse},
    rights::Action,
};

impl Judging {
    /// A channel gets a group for its posts, a group a channel, or none any more.
    pub(super) fn link(&mut self, by: Principal, other: Option<ChatId>, now: Timestamp) -> Verdict {
        let known = self.chat.info.discussion.map(|it| it.chat_id);
        // The server takes back what only one of the two says.
        if let Principal::User(user) = by {
            self.may(user, Action::Link, now)?;
        }
        if known == other {
            return Ok(self.as_it_is());
        }
        if known.is_some() && other.is_some() {
            return refuse(ErrorCode::Forbidden, "it belongs to another one: end that first");
        }
        let since = if self.chat.info.kind == ChatKind::Channel { self.chat.seq } else { Seq(0) };
        self.chat.info.discussion = other.map(|chat_id| Discussion { chat_id, since });
        if let Principal::User(user) = by {
            self.log(user, AdminAction::Discussion { chat_id: other });
        }
        Ok(self.info_changed(now))
    }

    /// A post of the channel comes into its group. Once, however often it is asked.
    pub(super) fn carry(&mut self, by: Principal, new: &NewMessage, now: Timestamp) -> Verdict {
        let Principal::System(author) = by else { return Err(refusal(ErrorCode::Forbidden)) };
        if let Some(old) = self.chat.sent.get(&(author, new.client_id)) {
            return Ok(Done::Sent { seq: old.seq, version: old.version, sent_at: old.sent_at, existed: true });
        }
        let post = new.beside.post.zip(new.beside.forwarded.as_ref().and_then(|it| it.chat_id));
        let Some((post, channel)) = post.filter(|it| self.belongs_to(it.1)) else {
            return Err(refusal(ErrorCode::Forbidden));
        };
        let version = self.next();
        let sent = self.put(author, new.clone(), version, now);
        self.rows.threads.roots.insert(sent.seq, (channel, post));
        Ok(Done::Sent { seq: sent.seq, version, sent_at: sent.sent_at, existed: false })
    }

    pub(super) fn belongs_to(&self, channel: ChatId) -> bool {
        self.chat.info.kind == ChatKind::Group && self.chat.info.discussion.is_some_and(|it| it.chat_id == channel)
    }

    /// How many comments a post has is told, or that it can have some.
    pub(super) fn tell_comments(&mut self, by: Principal, seq: Seq, comments: Comments) -> Verdict {
        if !matches!(by, Principal::System(_)) || self.chat.info.kind != ChatKind::Channel {
            return Err(refusal(ErrorCode::Forbidden));
        }
        let stored = self.chat.messages.get(&seq).filter(|it| it.message.body != Body::Deleted);
        let Some(stored) = stored else { return Err(refusal(ErrorCode::MessageNotFound)) };
        if stored.message.comments == Some(comments) {
            return Ok(self.as_it_is());
        }
        let version = self.next();
        if let Some(stored) = self.chat.messages.get_mut(&seq) {
            stored.message.comments = Some(comments);
            stored.message.version = version;
            stored.write_body();
            self.rows.changed.insert(seq);
        }
        Ok(Done::Changed(version))
    }

    /// Whether a message may stand in a thread: it begins with a post.
    pub(super) fn may_stand_in(&self, thread: Option<Seq>) -> Result<(), WireError> {
        let Some(root) = thread else { return Ok(()) };
        let root = self.chat.messages.get(&root).map(|it| &it.message);
        if root.is_some_and(|it| it.post.is_some() && it.body != Body::Deleted) {
            return Ok(());
        }
        Err(WireError::new(ErrorCode::MessageNotFound, "there is no such thread, or it was deleted"))
    }

    /// A message of a thread is deleted.
    pub(super) fn leaves_its_thread(&mut self, seq: Seq) {
        let thread = self.chat.messages.get(&seq).and_then(|it| it.message.thread);
        if let Some(root) = thread {
            self.rows.threads.gone.insert(seq, root);
        }
    }
}
