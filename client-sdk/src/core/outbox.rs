//! Messages on their way out. They keep their order in each chat and their client id for good.
//!
//! One with a file that is not at the server goes from Saving to Uploading, and when the file is there to Saving again, now without
//! it, so that what is sent is the same for good.
//!
//! ```text
//!            saved            written              Sent
//!  Saving ─────────► Waiting ─────────► Written ──────────► Sent ──► gone when the chat's delta is here
//!     │                ▲   ▲               │  │
//!     │ store failed   │   │ lost, retry   │  │ give up
//!     ▼                │   └───────────────┘  ▼
//!   gone               └──────retry()────── Failed ──discard()──► gone
//! ```
//!
//! One message of a chat is under way at a time: a second one might be stored while the first is refused with
//! "try again", and would then stand before it for good. Chats do not wait for each other. Words do not wait for files on their way
//! up; small files keep their order among each other.

use std::{collections::BTreeSet, path::PathBuf};

use chapar_protocol::{
    ChatId, FileId, FileKind, Seq, Version, WireError, command,
    message::{NewBody, Quote},
    text,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Dice, Millis, backoff::Backoff, event::SendState};

/// Bytes up to which a file keeps its place before the files that come after it: larger ones take too long.
const SMALL: u64 = 8 * 1024 * 1024;

/// A file on this device that is to go up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Where its bytes are.
    pub path: PathBuf,
    /// As what it is sent.
    pub kind: FileKind,
    /// The name that others see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its length in bytes, when it was given to the outbox.
    pub size: u64,
    /// When it was last changed then, in milliseconds since 1970: a file that has changed since is another file.
    pub modified: u64,
    /// The upload at the server, once that has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<FileId>,
}

/// A message as the outbox and the store keep it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboxItem {
    /// Made once, the same for every try.
    pub client_id: Uuid,
    /// Where it goes.
    pub chat_id: ChatId,
    /// What it says.
    pub body: NewBody,
    /// What it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// Which words of that message it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    /// The message with which the thread begins in which it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Seq>,
    /// Without a sound at the others'.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// A link in it of which the server has made a preview, as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// Why the server will never take it, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<WireError>,
    /// The file that goes up before it, while it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Upload>,
}

impl OutboxItem {
    /// A message without a file, or whose file is there.
    pub fn new(client_id: Uuid, chat_id: ChatId, body: NewBody, reply_to: Option<Seq>) -> Self {
        Self {
            client_id,
            chat_id,
            body,
            reply_to,
            quote: None,
            silent: false,
            thread: None,
            preview: None,
            failed: None,
            upload: None,
        }
    }

    /// The request that sends it.
    pub(crate) fn command(&self) -> command::Send {
        command::Send {
            chat_id: self.chat_id,
            client_id: self.client_id,
            body: self.body.clone(),
            reply_to: self.reply_to,
            quote: self.quote.clone(),
            silent: self.silent,
            preview: self.preview.clone(),
            thread: self.thread,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Saving,
    /// Its file goes up, or (not begun) is about to.
    Uploading {
        begun: bool,
    },
    Waiting,
    Written,
    Sent(command::Sent),
    Failed,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) item: OutboxItem,
    stage: Stage,
    /// Whether the server may have it. Only a message that it cannot have can be cancelled.
    ever_written: bool,
    not_before: Millis,
    backoff: Backoff,
    /// Who waits for the answer.
    pub(crate) tickets: Vec<u64>,
}

impl Entry {
    pub(crate) fn state(&self) -> SendState {
        match (&self.stage, &self.item.failed) {
            (Stage::Sent(sent), _) => SendState::Sent { seq: sent.seq, version: sent.version, sent_at: sent.sent_at },
            (Stage::Failed, Some(error)) => SendState::Failed { error: error.clone() },
            _ => SendState::Waiting { written: self.ever_written },
        }
    }

    fn on_its_way(&self) -> bool {
        matches!(self.stage, Stage::Saving | Stage::Waiting | Stage::Written)
    }

    /// Whether files that come later in the same chat wait for its own.
    fn keeps_files_back(&self) -> bool {
        let small = self.item.upload.as_ref().is_some_and(|upload| upload.size <= SMALL);
        matches!(self.stage, Stage::Uploading { .. }) && small
    }
}

/// The outbox, in the order in which the messages were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    entries: Vec<Entry>,
}

impl Outbox {
    /// What a store had kept. It may have been written before the process ended, so it cannot be cancelled.
    pub(crate) fn load(mut items: Vec<OutboxItem>) -> Self {
        for item in &mut items {
            // Kept by a version that did not look: written, it would end each connection.
            if let Err(error) = text::check_body_size(&item.body) {
                item.failed.get_or_insert(error);
            }
        }
        let entry = |item: OutboxItem| Entry {
            stage: match (&item.failed, &item.upload) {
                (Some(_), _) => Stage::Failed,
                (None, Some(_)) => Stage::Uploading { begun: false },
                (None, None) => Stage::Waiting,
            },
            ever_written: item.failed.is_none() && item.upload.is_none(),
            not_before: 0,
            backoff: Backoff::default(),
            tickets: Vec::new(),
            item,
        };
        Self { entries: items.into_iter().map(entry).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn get_mut(&mut self, client_id: Uuid) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.item.client_id == client_id)
    }

    /// Adds a message that the store does not have yet.
    pub(crate) fn push(&mut self, item: OutboxItem, ticket: u64) {
        let entry = Entry {
            item,
            stage: Stage::Saving,
            ever_written: false,
            not_before: 0,
            backoff: Backoff::default(),
            tickets: vec![ticket],
        };
        self.entries.push(entry);
    }

    /// The store has it.
    pub(crate) fn saved(&mut self, client_id: Uuid) {
        if let Some(entry) = self.get_mut(client_id)
            && entry.stage == Stage::Saving
        {
            let uploading = Stage::Uploading { begun: false };
            entry.stage = if entry.item.upload.is_some() { uploading } else { Stage::Waiting };
        }
    }

    /// The store cannot take it. `None` when that does not matter any more.
    pub(crate) fn not_saved(&mut self, client_id: Uuid) -> Option<Entry> {
        let index = self.entries.iter().position(|it| it.item.client_id == client_id && it.stage == Stage::Saving)?;
        Some(self.entries.remove(index))
    }

    /// Takes everybody who waits for an answer.
    pub(crate) fn take_tickets(&mut self) -> Vec<u64> {
        self.entries.iter_mut().flat_map(|entry| std::mem::take(&mut entry.tickets)).collect()
    }

    /// Takes the next message that may be written now, marking it written.
    pub(crate) fn next(&mut self, now: Millis, in_flight: usize) -> Option<OutboxItem> {
        let mut busy = BTreeSet::new();
        let mut files_wait = BTreeSet::new();
        let mut written = 0;
        let mut found = None;
        for (index, entry) in self.entries.iter().enumerate() {
            written += usize::from(entry.stage == Stage::Written);
            if entry.keeps_files_back() {
                files_wait.insert(entry.item.chat_id);
            }
            if entry.item.body.file().is_some()
                && entry.stage == Stage::Waiting
                && files_wait.contains(&entry.item.chat_id)
            {
                continue;
            }
            if !entry.on_its_way() || !busy.insert(entry.item.chat_id) {
                continue;
            }
            if found.is_none() && entry.stage == Stage::Waiting && entry.not_before <= now {
                found = Some(index);
            }
        }
        let entry = self.entries.get_mut(found.filter(|_| written < in_flight)?)?;
        entry.stage = Stage::Written;
        entry.ever_written = true;
        Some(entry.item.clone())
    }

    /// Takes files that may go up now, at most so many at once, marking them begun.
    pub(crate) fn next_uploads(&mut self, at_once: usize) -> Vec<OutboxItem> {
        let under_way = self.entries.iter().filter(|entry| entry.stage == Stage::Uploading { begun: true }).count();
        let waiting = self.entries.iter_mut().filter(|entry| entry.stage == Stage::Uploading { begun: false });
        let begin = |entry: &mut Entry| {
            entry.stage = Stage::Uploading { begun: true };
            entry.item.clone()
        };
        waiting.take(at_once.saturating_sub(under_way)).map(begin).collect()
    }

    /// The server has given a file its id: kept, the upload goes on after the process has ended.
    pub(crate) fn upload_begun(&mut self, client_id: Uuid, file: FileId) -> Option<OutboxItem> {
        let entry = self.get_mut(client_id).filter(|entry| matches!(entry.stage, Stage::Uploading { .. }))?;
        entry.item.upload.as_mut()?.id = Some(file);
        Some(entry.item.clone())
    }

    /// All of the file is at the server. What is sent from now on does not change any more: it is kept before it is written.
    pub(crate) fn uploaded(&mut self, client_id: Uuid, file: FileId) -> Option<OutboxItem> {
        let entry = self.get_mut(client_id).filter(|entry| matches!(entry.stage, Stage::Uploading { .. }))?;
        entry.item.body.set_file(file);
        entry.item.upload = None;
        entry.stage = Stage::Saving;
        Some(entry.item.clone())
    }

    /// Whether its file is on its way up.
    pub(crate) fn is_uploading(&self, client_id: Uuid) -> bool {
        let uploading = |entry: &Entry| matches!(entry.stage, Stage::Uploading { .. });
        self.entries.iter().any(|entry| entry.item.client_id == client_id && uploading(entry))
    }

    /// The server has stored it. Returns who waits; the entry stays as sent.
    pub(crate) fn sent(&mut self, client_id: Uuid, sent: &command::Sent) -> Option<(ChatId, Vec<u64>)> {
        let entry = self.get_mut(client_id)?;
        if matches!(entry.stage, Stage::Sent(_)) {
            return None;
        }
        entry.stage = Stage::Sent(sent.clone());
        entry.item.failed = None;
        Some((entry.item.chat_id, std::mem::take(&mut entry.tickets)))
    }

    /// To be tried again, after `after` milliseconds or with back-off.
    pub(crate) fn again(&mut self, client_id: Uuid, now: Millis, after: Option<Millis>, dice: Dice<'_>) {
        if let Some(entry) = self.get_mut(client_id)
            && entry.stage == Stage::Written
        {
            entry.stage = Stage::Waiting;
            let own = entry.backoff.next(dice);
            entry.not_before = now + after.unwrap_or(own);
        }
    }

    /// The server will never take it.
    pub(crate) fn failed(&mut self, client_id: Uuid, error: &WireError) -> Option<(OutboxItem, Vec<u64>)> {
        let entry = self.get_mut(client_id)?;
        entry.stage = Stage::Failed;
        entry.item.failed = Some(error.clone());
        Some((entry.item.clone(), std::mem::take(&mut entry.tickets)))
    }

    /// The connection is gone: what was under way must be tried again, at once when there is a new one.
    pub(crate) fn lost(&mut self) {
        for entry in &mut self.entries {
            if entry.stage == Stage::Written {
                entry.stage = Stage::Waiting;
                entry.not_before = 0;
            }
        }
    }

    /// Tries a failed message again.
    pub(crate) fn retry(&mut self, client_id: Uuid) -> Option<OutboxItem> {
        let may_go = |item: &OutboxItem| text::check_body_size(&item.body).is_ok();
        let entry = self.get_mut(client_id).filter(|entry| entry.stage == Stage::Failed && may_go(&entry.item))?;
        entry.stage = Stage::Saving;
        entry.item.failed = None;
        entry.not_before = 0;
        entry.backoff.reset();
        Some(entry.item.clone())
    }

    /// Removes a message that the server cannot have, or that failed. `None` when it may be stored already.
    pub(crate) fn remove(&mut self, client_id: Uuid) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.item.client_id == client_id)?;
        let entry = &self.entries[index];
        let ends = matches!(entry.stage, Stage::Failed | Stage::Uploading { .. });
        let free = ends || (!entry.ever_written && entry.on_its_way());
        free.then(|| self.entries.remove(index))
    }

    /// Forgets sent messages of a chat that has reached their version, or which is gone (`None`).
    pub(crate) fn settle(&mut self, chat_id: ChatId, version: Option<Version>) {
        self.entries.retain(|entry| match &entry.stage {
            Stage::Sent(sent) if entry.item.chat_id == chat_id => version.is_some_and(|at| at < sent.version),
            _ => true,
        });
    }

    /// Forgets all sent messages.
    pub(crate) fn settle_all(&mut self) {
        self.entries.retain(|entry| !matches!(entry.stage, Stage::Sent(_)));
    }

    /// When the next message that waits for a time may go.
    pub(crate) fn deadline(&self, now: Millis) -> Option<Millis> {
        let waiting = self.entries.iter().filter(|entry| entry.stage == Stage::Waiting && entry.not_before > now);
        waiting.map(|entry| entry.not_before).min()
    }
}

#[cfg(test)]
mod tests {
    use chapar_protocol::{ErrorCode, limit};

    use super::*;
    use crate::core::{Config, Input, Output, Refusal, Session, requests::Effect, saved::Saved};

    fn too_large() -> OutboxItem {
        let body = NewBody::text("a".repeat(limit::BODY_BYTES));
        OutboxItem::new(Uuid::from_u128(1), ChatId(7), body, None)
    }

    fn session(outbox: Vec<OutboxItem>) -> Session {
        Session::new(Config::default(), "token".to_owned(), Saved { outbox, ..Saved::default() })
    }

    fn handle(session: &mut Session, input: Input<'_>) -> Vec<Output> {
        const NOW: Millis = 0;
        session.handle(NOW, &mut |_| 0, input);
        session.take().into()
    }

    fn refused(outputs: &[Output], ticket: u64) -> bool {
        outputs.iter().any(|output| {
            matches!(output, Output::Answer { ticket: it, outcome: Err(Refusal::Server(error)) }
                if *it == ticket && error.code == ErrorCode::TooLarge)
        })
    }

    #[test]
    fn nothing_is_kept_that_no_frame_can_carry() {
        let mut session = session(Vec::new());
        let outputs = handle(&mut session, Input::Send { ticket: 5, item: too_large() });
        assert!(refused(&outputs, 5), "{outputs:?}");
        assert!(!outputs.iter().any(|output| matches!(output, Output::Store(_))));
        assert_eq!(session.outbox().count(), 0);
    }

    #[test]
    fn one_that_an_older_version_kept_stands_in_nobodys_way() {
        let mut session = session(vec![too_large()]);
        handle(&mut session, Input::Retry(Uuid::from_u128(1)));
        let (_, state) = session.outbox().next().expect("is shown");
        assert!(matches!(state, SendState::Failed { error } if error.code == ErrorCode::TooLarge));
    }

    #[test]
    fn a_request_beyond_the_frame_is_refused_here() {
        let mut session = session(Vec::new());
        let params = format!(r#"{{"x":"{}"}}"#, "a".repeat(limit::FRAME_BYTES));
        let request = Input::Request { ticket: 6, method: "edit", params, effect: Effect::None };
        assert!(refused(&handle(&mut session, request), 6));
    }

    fn with_file(number: u128, size: u64) -> OutboxItem {
        let json = serde_json::json!({ "kind": "document", "file_id": Uuid::nil() });
        let body = serde_json::from_value(json).expect("is a body");
        let (path, kind) = (PathBuf::from("a"), FileKind::Document);
        let upload = Some(Upload { path, kind, name: None, size, modified: 0, id: None });
        OutboxItem { upload, ..OutboxItem::new(Uuid::from_u128(number), ChatId(7), body, None) }
    }

    fn send(outbox: &mut Outbox, item: OutboxItem) {
        let client_id = item.client_id;
        outbox.push(item, 0);
        outbox.saved(client_id);
    }

    fn next(outbox: &mut Outbox) -> Option<u128> {
        outbox.next(0, 16).map(|item| item.client_id.as_u128())
    }

    #[test]
    fn words_do_not_wait_for_files_and_small_files_keep_their_order() {
        let mut outbox = Outbox::default();
        let (file, there) = (FileId(Uuid::from_u128(9)), FileId(Uuid::from_u128(8)));
        send(&mut outbox, with_file(1, 10));
        send(&mut outbox, with_file(2, 10));
        send(&mut outbox, OutboxItem::new(Uuid::from_u128(3), ChatId(7), NewBody::text("x"), None));
        assert_eq!(outbox.next_uploads(1).len(), 1);
        assert_eq!(outbox.next_uploads(1).len(), 0, "one at a time");
        assert_eq!(outbox.next_uploads(2).len(), 1);
        assert_eq!(next(&mut outbox), Some(3));
        assert_eq!(next(&mut outbox), None);
        outbox.sent(Uuid::from_u128(3), &command::Sent { seq: Seq(1), version: Version(1), sent_at: now() });
        // The second is there first.
        assert!(outbox.uploaded(Uuid::from_u128(2), there).is_some_and(|item| item.upload.is_none()));
        outbox.saved(Uuid::from_u128(2));
        assert_eq!(next(&mut outbox), None, "the first comes first");
        let item = outbox.uploaded(Uuid::from_u128(1), file).expect("was on its way");
        assert_eq!(item.body.file().map(|(_, named)| named.file_id), Some(file));
        outbox.saved(Uuid::from_u128(1));
        assert_eq!(next(&mut outbox), Some(1));
        // A large one keeps nobody back.
        let mut outbox = Outbox::default();
        send(&mut outbox, with_file(1, SMALL + 1));
        send(&mut outbox, with_file(2, 10));
        outbox.uploaded(Uuid::from_u128(2), there);
        outbox.saved(Uuid::from_u128(2));
        assert_eq!(next(&mut outbox), Some(2));
    }

    #[test]
    fn an_upload_goes_on_after_the_process_has_ended_and_can_be_taken_back() {
        let mut outbox = Outbox::default();
        send(&mut outbox, with_file(1, 10));
        outbox.next_uploads(3);
        let file = FileId(Uuid::from_u128(9));
        let kept = outbox.upload_begun(Uuid::from_u128(1), file).expect("is on its way");
        let mut outbox = Outbox::load(vec![kept]);
        let again = outbox.next_uploads(3);
        assert_eq!(again[0].upload.as_ref().and_then(|upload| upload.id), Some(file));
        assert!(outbox.is_uploading(Uuid::from_u128(1)));
        assert!(outbox.remove(Uuid::from_u128(1)).is_some(), "the server has no message of it");
        // Once the file is there the message may have been written by an earlier life of the process.
        let mut outbox = Outbox::default();
        send(&mut outbox, with_file(1, 10));
        let kept = outbox.uploaded(Uuid::from_u128(1), file).expect("is on its way");
        let mut outbox = Outbox::load(vec![kept]);
        assert!(outbox.next_uploads(3).is_empty() && outbox.remove(Uuid::from_u128(1)).is_none());
    }

    fn now() -> chapar_protocol::Timestamp {
        chapar_protocol::Timestamp::from_millis(0).expect("a time")
    }
}
