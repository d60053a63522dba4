//! A node by itself keeps its calls in its memory, and writes down what is to be recorded of each if it dies: whoever
//! starts next on the same database records that. With Redis any node carries a call on, and nothing is written here.

use std::{sync::Arc, time::Duration};

use chapar_protocol::{Timestamp, call::CallMedia};
use chapar_signaling::call::{Call, Record};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{CallStore, Calls};

/// Changes of calls that may wait to be written. More are left out: the record of such a call tells less.
const QUEUE: usize = 16_384;
/// Calls in one statement.
const MAX_BATCH: usize = 256;
/// How long changes gather: a call that is answered at once is written once.
const GATHER: Duration = Duration::from_millis(200);
/// How often the node says that it lives, while it has calls. So exact is the length of a call that dies with it.
const LIVES: Duration = Duration::from_secs(5);
/// How often what others have left is looked at, until nothing is.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The way of changes to the store.
pub(super) struct Unfinished {
    node: i64,
    way: mpsc::Sender<Arc<Call>>,
}

/// What of a call its record tells: only a change of these is written.
fn gist(call: &Call) -> (bool, Option<Timestamp>, Option<Timestamp>, CallMedia) {
    (call.has_rung(), call.answered_at(), call.connected_at(), call.most())
}

impl Unfinished {
    /// Of a node that is about to start, and what is to be given to [`keep`].
    pub(super) fn new() -> (Self, mpsc::Receiver<Arc<Call>>) {
        let (way, changes) = mpsc::channel(QUEUE);
        (Self { node: rand::random(), way }, changes)
    }

    /// The store of the calls has taken a new state.
    pub(super) fn changed(&self, before: Option<&Call>, after: &Arc<Call>) {
        if after.is_live() && before.is_none_or(|before| gist(before) != gist(after)) {
            // Full: the store is away, and the node has other worries.
            let _ = self.way.try_send(after.clone());
        }
    }
}

/// Writes down what changes, and records what others have left. Ends with [`Calls::close`].
pub(super) fn keep(calls: Arc<Calls>, changes: mpsc::Receiver<Arc<Call>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let closing = calls.closing.clone();
        tokio::select! {
            () = closing.cancelled() => {}
            // With Redis there is nothing to write; ending unasked would look like a fault.
            () = async {
                tokio::join!(write(&calls, changes), close_what_was_left(&calls));
                std::future::pending::<()>().await;
            } => {}
        }
    })
}

async fn write(calls: &Calls, mut changes: mpsc::Receiver<Arc<Call>>) {
    // With Redis nothing comes.
    let CallStore::Memory(memory) = &calls.shared else { return };
    let node = calls.unfinished.node;
    let mut lives = tokio::time::interval(LIVES);
    lives.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut batch: Vec<Arc<Call>> = Vec::new();
    loop {
        tokio::select! {
            received = changes.recv_many(&mut batch, MAX_BATCH) => {
                if received == 0 {
                    return;
                }
                tokio::time::sleep(GATHER).await;
                while batch.len() < MAX_BATCH && let Ok(more) = changes.try_recv() {
                    batch.push(more);
                }
                // Of each call the latest, unless it has ended meanwhile.
                batch.sort_by_key(|call| (call.id(), std::cmp::Reverse(call.revision())));
                batch.dedup_by_key(|call| call.id());
                let now = calls.clock.now();
                let latest = batch.drain(..).filter_map(|call| memory.load(call.id()));
                let records: Vec<Record> = latest.filter_map(|call| call.record_if_lost(now)).collect();
                if records.is_empty() {
                    continue;
                }
                if let Err(error) = calls.store.people.put_unfinished_calls(node, &records, now).await {
                    tracing::warn!(%error, calls = records.len(), "calls cannot be written down");
                }
            }
            _ = lives.tick() => {
                if memory.has_live() && let Err(error) = calls.store.people.lone_node_lives(node, calls.clock.now()).await {
                    tracing::debug!(%error, "it cannot be written that this node lives");
                }
            }
        }
    }
}

/// What is recorded goes from the list in the same statement, so whoever dies meanwhile, each is recorded once.
async fn close_what_was_left(calls: &Calls) {
    let node = calls.unfinished.node;
    loop {
        match calls.store.people.left_calls(node, i64::try_from(MAX_BATCH).unwrap_or(i64::MAX)).await {
            Ok(left) if left.is_empty() => break,
            Ok(left) => {
                tracing::info!(calls = left.len(), "recording the calls of a node that died");
                for record in left {
                    if let Some(relays) = &calls.relays {
                        relays.call_ended(record.log.call_id);
                    }
                    if calls.records.send(record).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the calls of a node that died cannot be looked at yet"),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    if let Err(error) = calls.store.people.forget_lone_nodes(node).await {
        tracing::debug!(%error, "nodes that are gone are kept in mind");
    }
}
