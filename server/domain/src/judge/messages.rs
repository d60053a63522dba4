//! Messages and reactions.

use chapar_protocol::{
    AdminAction, Body, ChatKind, ErrorCode, Message, Seq, ServiceAction, Timestamp, UserId, Version, limit,
    message::NewBody,
};
use uuid::Uuid;

use super::{Judging, Verdict};
use crate::{
    Principal,
    change::{Done, NewMessage},
    chat::{Beside, Sent, Stored},
    reactions::recount,
    refusal::{refusal, refuse},
    rights::Action,
};

impl Judging {
    pub(super) fn send(&mut self, by: Principal, new: &NewMessage, now: Timestamp) -> Verdict {
        if let Some(old) = self.known(by.user(), [(new.client_id, new.hash)].into_iter())?.pop() {
            return Ok(Done::Sent { seq: old.seq, version: old.version, sent_at: old.sent_at, existed: true });
        }
        self.may_send(by, new.reply_to, now)?;
        self.may_quote(new)?;
        self.may_stand_in(new.beside.thread)?;
        self.may_ask(&new.body, now)?;
        self.may_post_again(by, now)?;
        self.note_post(by, now);
        let version = self.next();
        let stored = self.put(by.user(), new.clone(), version, now);
        if matches!(by, Principal::User(_)) {
            self.engage(by.user());
        }
        Ok(Done::Sent { seq: stored.seq, version, sent_at: stored.sent_at, existed: false })
    }

    /// One change, so one version, and seqs that follow on each other.
    pub(super) fn send_album(&mut self, by: Principal, new: &[NewMessage], now: Timestamp) -> Verdict {
        let old = self.known(by.user(), new.iter().map(|it| (it.client_id, it.hash)))?;
        if !old.is_empty() {
            return Ok(Done::Album { sent: old, existed: true });
        }
        for message in new {
            self.may_send(by, message.reply_to, now)?;
        }
        self.may_post_again(by, now)?;
        self.note_post(by, now);
        let version = self.next();
        let sent = new.iter().map(|message| self.put(by.user(), message.clone(), version, now)).collect();
        self.engage(by.user());
        Ok(Done::Album { sent, existed: false })
    }

    /// One change, but many may be more than an event holds: each takes a version, and those of one album share one.
    pub(super) fn forward(&mut self, by: Principal, new: &[NewMessage], now: Timestamp) -> Verdict {
        let old = self.known(by.user(), new.iter().map(|it| (it.client_id, it.hash)))?;
        if !old.is_empty() {
            return Ok(Done::Album { sent: old, existed: true });
        }
        for message in new {
            self.may_send(by, message.reply_to, now)?;
        }
        self.may_post_again(by, now)?;
        let album = new.first().and_then(|it| it.body.album());
        let one_post = new.len() == 1 || album.is_some() && new.iter().all(|it| it.body.album() == album);
        if !one_post && self.waits(by) {
            return refuse(ErrorCode::Forbidden, "in this group one waits between two posts: forward one at a time");
        }
        self.note_post(by, now);
        let (mut version, mut album) = (self.chat.version, None);
        let mut sent = Vec::with_capacity(new.len());
        for message in new {
            if message.body.album().is_none() || message.body.album() != album {
                version = self.next();
                album = message.body.album();
            }
            sent.push(self.put(by.user(), message.clone(), version, now));
        }
        self.engage(by.user());
        Ok(Done::Album { sent, existed: false })
    }

    pub(super) fn recall(&self, by: UserId, sent: &[(Uuid, i64)]) -> Verdict {
        let old = self.known(by, sent.iter().copied())?;
        match old.as_slice() {
            [] => Err(refusal(ErrorCode::MessageNotFound)),
            &[Sent { seq, version, sent_at, .. }] => Ok(Done::Sent { seq, version, sent_at, existed: true }),
            _ => Ok(Done::Album { sent: old, existed: true }),
        }
    }

    /// What somebody has sent under these client ids, if it was this: all of it, or nothing.
    fn known(
        &self,
        user: UserId,
        sent: impl ExactSizeIterator<Item = (Uuid, i64)>,
    ) -> Result<Vec<Sent>, chapar_protocol::WireError> {
        // Whoever is not in it learns nothing, not even that the message is there.
        if self.standing(user).is_none_or(|it| it.role.is_none()) {
            return Err(refusal(ErrorCode::ChatNotFound));
        }
        let (all, mut old) = (sent.len(), Vec::new());
        for (client_id, hash) in sent {
            match self.chat.sent.get(&(user, client_id)) {
                Some(sent) if sent.hash != hash => return Err(refusal(ErrorCode::ClientIdReused)),
                Some(sent) => old.push(*sent),
                None => {}
            }
        }
        // What was stored in one change is there as a whole: these ids were used one by one.
        if !old.is_empty() && old.len() < all { Err(refusal(ErrorCode::ClientIdReused)) } else { Ok(old) }
    }

    fn may_send(&self, by: Principal, reply_to: Option<Seq>, now: Timestamp) -> Result<(), chapar_protocol::WireError> {
        if matches!(by, Principal::User(_)) {
            self.may(by.user(), Action::Write, now)?;
        }
        if reply_to.is_some_and(|seq| seq.0 < 1 || seq > self.chat.seq || self.is_hidden(by.user(), seq)) {
            return Err(refusal(ErrorCode::MessageNotFound));
        }
        Ok(())
    }

    /// Whether a message was there before somebody came in from whom that is hidden.
    fn is_hidden(&self, user: UserId, seq: Seq) -> bool {
        self.standing(user).is_some_and(|it| seq <= it.sees_after)
    }

    /// What is quoted is said there now.
    fn may_quote(&self, new: &NewMessage) -> Result<(), chapar_protocol::WireError> {
        let Some(quote) = &new.beside.quote else { return Ok(()) };
        let original = new.reply_to.and_then(|seq| self.chat.messages.get(&seq));
        if original.is_some_and(|it| it.message.body.says(quote)) {
            return Ok(());
        }
        refuse(ErrorCode::BadQuote, "the message does not say this, or not any more")
    }

    /// Writing or reacting in a chat that somebody else has opened answers it; in a group that one was brought into it says that one is
    /// there.
    pub(super) fn engage(&mut self, user: UserId) {
        if self.chat.info.kind == ChatKind::Channel {
            return;
        }
        if self.standing(user).is_some_and(|it| !it.engaged)
            && let Some(standing) = self.turn(user, None)
        {
            standing.engaged = true;
        }
    }

    pub(super) fn put(&mut self, sender: UserId, new: NewMessage, version: Version, now: Timestamp) -> Sent {
        let sent_at = self.moment(now);
        let seq = self.chat.seq.next();
        self.chat.seq = seq;
        let new = self.with_author(sender, new);
        let NewMessage { client_id, body, reply_to, key, beside, json, hash } = self.marked(new, sent_at);
        if let Body::Poll(_) = body {
            let key = key.map(|it| *it).unwrap_or_default();
            self.rows.polls.insert(seq, key.clone());
            self.chat.keys.insert(seq, key);
        }
        if let Some(root) = beside.thread {
            self.rows.threads.said.insert(seq, root);
        }
        let sent = Sent { seq, version, sent_at, hash };
        let mut message = Message { reply_to, ..Message::new(seq, version, sender, client_id, sent_at, body) };
        beside.mark(&mut message);
        self.note_calls(&[], &message);
        self.chat.sent.insert((sender, client_id), sent);
        self.chat.messages.insert(seq, Stored { message, json: Some(json), hash });
        self.rows.fresh.insert(seq);
        sent
    }

    /// Says in an answer whom it answers. Only in groups: of two people each knows it, and readers of a channel are not named to each other.
    fn with_author(&self, sender: UserId, new: NewMessage) -> NewMessage {
        let original = new
            .reply_to
            .filter(|_| self.chat.info.kind == ChatKind::Group)
            .and_then(|seq| self.chat.messages.get(&seq));
        let author = original.filter(|it| !matches!(it.message.body, Body::Service { .. })).map(|it| it.message.sender);
        match author.filter(|author| *author != sender) {
            None => new,
            author => {
                let beside = Beside { answers: author, ..new.beside.clone() };
                new.beside(beside)
            }
        }
    }

    /// Notes whom a message calls, of whom some were called before.
    fn note_calls(&mut self, before: &[UserId], message: &Message) {
        if self.chat.info.kind != ChatKind::Group {
            return;
        }
        for user in before {
            self.rows.called.insert((message.seq, *user), false);
        }
        for user in message.called() {
            self.rows.called.insert((message.seq, user), true);
        }
    }

    /// Tells in the chat what happened. In a channel nothing is told: joins and leaves are no posts.
    pub(super) fn tell(
        &mut self,
        sender: UserId,
        action: ServiceAction,
        version: Version,
        now: Timestamp,
        dice: &mut dyn FnMut() -> Uuid,
    ) {
        if self.chat.info.kind != ChatKind::Channel {
            let line = NewMessage { hash: 0, ..NewMessage::service(dice(), action) };
            self.put(sender, line, version, now);
        }
    }

    /// A message that is there, for somebody who is in the chat.
    pub(super) fn found(&self, by: UserId, seq: Seq) -> Result<&Message, chapar_protocol::WireError> {
        if self.standing(by).is_none_or(|it| it.role.is_none()) {
            return Err(refusal(ErrorCode::ChatNotFound));
        }
        if self.is_hidden(by, seq) {
            return Err(refusal(ErrorCode::MessageNotFound));
        }
        self.chat.messages.get(&seq).map(|it| &it.message).ok_or_else(|| refusal(ErrorCode::MessageNotFound))
    }

    pub(super) fn edit(&mut self, by: UserId, seq: Seq, new: &NewBody, now: Timestamp) -> Verdict {
        let message = self.found(by, seq)?;
        if message.body == Body::Deleted {
            return Err(refusal(ErrorCode::MessageNotFound));
        }
        let body = if message.forwarded.is_some() { None } else { edited(&message.body, new) };
        let Some(body) = body else {
            return refuse(ErrorCode::Forbidden, "only one's own texts can be edited, and those under one's own files");
        };
        self.may(by, Action::Edit(message.sender), now)?;
        // A retry of an edit that took effect changes nothing.
        if message.body == body {
            return Ok(self.as_it_is());
        }
        let edited_at = self.moment(now);
        Ok(self.rewrite(seq, body, |message| message.edited_at = Some(edited_at)))
    }

    pub(super) fn delete(&mut self, by: UserId, seq: Seq, now: Timestamp) -> Verdict {
        self.may_delete(by, seq, now)?;
        let message = self.found(by, seq)?;
        if message.body == Body::Deleted {
            return Ok(self.as_it_is());
        }
        let sender = message.sender;
        if sender != by {
            self.log(by, AdminAction::Deleted { seq, user_id: sender });
        }
        Ok(self.bury(seq, now))
    }

    pub(super) fn delete_some(&mut self, by: UserId, seqs: &[Seq], now: Timestamp) -> Verdict {
        for seq in seqs {
            self.may_delete(by, *seq, now)?;
        }
        for seq in seqs {
            self.delete(by, *seq, now)?;
        }
        Ok(self.as_it_is())
    }

    /// Whether somebody may delete a message, if it is still there.
    fn may_delete(&self, by: UserId, seq: Seq, now: Timestamp) -> Result<(), chapar_protocol::WireError> {
        let message = self.found(by, seq)?;
        self.may(by, Action::Delete(message.sender), now)?;
        if let Body::Service { .. } = message.body {
            return refuse(ErrorCode::Forbidden, "what happened in the chat cannot be deleted");
        }
        Ok(())
    }

    /// A tombstone in place of a message.
    pub(super) fn bury(&mut self, seq: Seq, now: Timestamp) -> Done {
        self.moment(now);
        self.leaves_its_thread(seq);
        let done = self.rewrite(seq, Body::Deleted, |message| message.reactions = Vec::new());
        self.unpin_deleted(seq, self.chat.version);
        done
    }

    fn rewrite(&mut self, seq: Seq, body: Body, more: impl FnOnce(&mut Message)) -> Done {
        let version = self.next();
        if let Some(stored) = self.chat.messages.get_mut(&seq) {
            if let Body::Poll(_) = stored.message.body {
                self.rows.ended.insert(seq, true);
            }
            let before: Vec<UserId> = stored.message.called().collect();
            stored.rewrite(body);
            stored.message.version = version;
            more(&mut stored.message);
            self.rows.changed.insert(seq);
            let message = stored.message.clone();
            self.note_calls(&before, &message);
        }
        self.moved_at.remove(&seq);
        Done::Changed(version)
    }

    pub(super) fn react(&mut self, by: UserId, seq: Seq, emoji: Option<&str>, now: Timestamp) -> Verdict {
        let message = self.found(by, seq)?;
        if message.body == Body::Deleted {
            return Err(refusal(ErrorCode::MessageNotFound));
        }
        self.may(by, Action::React, now)?;
        let old = self.chat.reactions.get(&(seq, by)).cloned();
        if old.as_deref() == emoji {
            return Ok(self.as_it_is());
        }
        // The counts go with the message in every page: they are bounded as its body is.
        let counts = &message.reactions;
        if counts.len() >= limit::REACTION_KINDS && emoji.is_some_and(|new| counts.iter().all(|it| it.emoji != new)) {
            return refuse(ErrorCode::TooLarge, "a message carries at most 50 different reactions");
        }
        if self.chat.info.kind == ChatKind::Channel {
            return Ok(self.react_quietly(by, seq, emoji));
        }
        self.moment(now);
        let version = self.moved_at(seq);
        match emoji {
            Some(emoji) => self.chat.reactions.insert((seq, by), emoji.to_owned()),
            None => self.chat.reactions.remove(&(seq, by)),
        };
        if let Some(stored) = self.chat.messages.get_mut(&seq) {
            recount(&mut stored.message.reactions, old.as_deref(), emoji);
            stored.message.version = version;
            self.rows.changed.insert(seq);
        }
        self.rows.reactions.insert((seq, by), version);
        if emoji.is_some() {
            self.engage(by);
        }
        Ok(Done::Changed(version))
    }
}

/// A body with another text, or another text under the same file. Nothing else of a message changes: what it shows stays what others have
/// answered.
fn edited(old: &Body, new: &NewBody) -> Option<Body> {
    if let (Body::Text(_), NewBody::Text(text)) = (old, new) {
        return Some(Body::Text(text.clone()));
    }
    let (kind, named) = new.file()?;
    if old.file_kind() != Some(kind) || old.file().is_none_or(|file| file.id != named.file_id) {
        return None;
    }
    let mut body = old.clone();
    *body.caption_mut()? = new.caption()?.clone();
    Some(body)
}
