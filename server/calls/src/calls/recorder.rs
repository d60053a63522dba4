//! What is left of an ended call: the line in its chat, the log, the counter of missed calls. Many in one commit.
//!
//! Exactly once: the service message has the call's id as its client id, and the log is keyed by the call. A node that
//! dies between the end of a call and its record leaves a timer in the shared store; another node gets the record then.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chapar_domain::{
    Principal,
    change::{Change, NewMessage},
};
use chapar_protocol::{ErrorCode, message::ServiceAction};
use chapar_signaling::call::{Input, Record};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::Calls;
use crate::{committer::Outcome, store::StoreError};

/// Most calls in one commit.
const MAX_BATCH: usize = 256;
/// After a commit, the next waits so long that more can gather. The first after a pause goes at once.
const GATHER: Duration = Duration::from_millis(20);
/// Steps under way at once.
const AT_ONCE: usize = 64;

/// Records what comes in. Ends when the calls are closed and everything queued is done.
pub(super) async fn run(calls: Arc<Calls>, mut queue: mpsc::Receiver<Record>) {
    let closing = calls.closing.clone();
    let mut batch = Vec::with_capacity(MAX_BATCH);
    let mut gather_until = tokio::time::Instant::now();
    loop {
        tokio::select! {
            biased;
            () = closing.cancelled(), if !queue.is_closed() => queue.close(),
            received = queue.recv_many(&mut batch, MAX_BATCH) => {
                if received == 0 {
                    return;
                }
                if batch.len() < MAX_BATCH && !queue.is_closed() {
                    tokio::time::sleep_until(gather_until).await;
                    while batch.len() < MAX_BATCH && let Ok(record) = queue.try_recv() {
                        batch.push(record);
                    }
                }
                calls.record(std::mem::take(&mut batch)).await;
                gather_until = tokio::time::Instant::now() + GATHER;
            }
        }
    }
}

impl Calls {
    async fn record(&self, batch: Vec<Record>) {
        let begun = Instant::now();
        let mut ready = Vec::with_capacity(batch.len());
        let waiting: Vec<_> = batch.into_iter().map(|record| (self.note(&record), record)).collect();
        for (note, record) in waiting {
            let outcome = match note {
                Some(Ok(outcome)) => outcome.await.unwrap_or_else(|_| Err(crate::committer::going_away())),
                Some(Err(error)) => Err(error),
                None => {
                    ready.push(record);
                    continue;
                }
            };
            match outcome {
                Ok(_) => ready.push(record),
                // A chat that is gone, or an id that its caller has used for a message: the log stands without it.
                Err(error) if matches!(error.code, ErrorCode::ChatNotFound | ErrorCode::ClientIdReused) => {
                    tracing::warn!(call = %record.log.call_id, code = error.code.name(), "a call leaves no line in its chat");
                    ready.push(record);
                }
                // It comes again by the call's own timer.
                Err(error) => tracing::warn!(code = error.code.name(), "a call cannot be recorded yet"),
            }
        }
        if ready.is_empty() {
            return;
        }
        match self.store.people.record_calls(&ready).await {
            Ok(moved) => {
                for (user, delta) in moved {
                    self.fanout.publish_own(user, delta);
                }
            }
            Err(error) => {
                if let StoreError::InDoubt { users, .. } = &error {
                    self.fanout.doubt(None, users.iter().copied());
                }
                return tracing::warn!(%error, calls = ready.len(), "calls cannot be recorded yet");
            }
        }
        self.figures.recorded(ready.len(), begun.elapsed());
        stream::iter(ready)
            .for_each_concurrent(AT_ONCE, |record| async move {
                let _ = self.step(record.log.call_id, &Input::Recorded).await;
            })
            .await;
    }

    fn note(
        &self,
        record: &Record,
    ) -> Option<Result<tokio::sync::oneshot::Receiver<Outcome>, chapar_protocol::WireError>> {
        let note = record.note.clone()?;
        let (chat, sender, id) = (record.log.chat_id, record.log.caller, record.log.call_id.0);
        let line = Change::Send(NewMessage::service(id, ServiceAction::Call { note }));
        Some(self.committer.queue(Principal::System(sender), chat, line))
    }
}
