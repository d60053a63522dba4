//! Messages on their way out. They keep their order in each chat and their client id for good.
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
//! "try again", and would then stand before it for good. Chats do not wait for each other.

use std::collections::BTreeSet;

use chapar_protocol::{ChatId, Seq, Version, WireError, command, message::NewBody, text};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Dice, Millis, backoff::Backoff, event::SendState};

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
    /// Why the server will never take it, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<WireError>,
}

impl OutboxItem {
    /// The request that sends it.
    pub(crate) fn command(&self) -> command::Send {
        command::Send {
            chat_id: self.chat_id,
            client_id: self.client_id,
            body: self.body.clone(),
            reply_to: self.reply_to,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Saving,
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
            stage: if item.failed.is_some() { Stage::Failed } else { Stage::Waiting },
            ever_written: item.failed.is_none(),
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
            entry.stage = Stage::Waiting;
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
        let mut written = 0;
        let mut found = None;
        for (index, entry) in self.entries.iter().enumerate() {
            written += usize::from(entry.stage == Stage::Written);
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
        let free = matches!(entry.stage, Stage::Failed) || (!entry.ever_written && entry.on_its_way());
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
        OutboxItem { client_id: Uuid::from_u128(1), chat_id: ChatId(7), body, reply_to: None, failed: None }
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
}
