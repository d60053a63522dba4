//! A worker: one batch in flight at a time, and beside it the lanes of chats that somebody else has locked.
//!
//! A batch skips chats that are locked just now, so that nobody waits for another's chat. What was skipped goes into a lane,
//! which waits in the database's own queue for that lock. While a chat has a lane, what follows for it is held back here.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chapar_protocol::{ChatId, ErrorCode, WireError};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Told, Waiting, one_batch};
use crate::{
    fanout::Fanout,
    health::DiskWatch,
    metrics::Metrics,
    store::{
        BATCH, Store, StoreError,
        send::{Locks, Outcome},
    },
};

/// Most messages in one commit. Larger ones gain nothing and hold the locks of busy chats longer.
const MAX_BATCH: usize = 256;
/// Between two tries, while the database does not answer.
const PAUSE: Duration = Duration::from_millis(100);

/// What a worker and its lanes share.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) store: Store,
    pub(super) fanout: Arc<Fanout>,
    pub(super) metrics: Metrics,
    /// Places for lanes that wait in the database, all workers together.
    pub(super) lanes: Arc<Semaphore>,
    pub(super) disk: DiskWatch,
    pub(super) round: Arc<Round>,
}

/// Since when a worker has been busy with the same batch.
pub(super) struct Round {
    started: Instant,
    /// Milliseconds after `started`, plus one; 0 while it waits for messages.
    busy_since: AtomicU64,
}

impl Default for Round {
    fn default() -> Self {
        Self { started: Instant::now(), busy_since: AtomicU64::new(0) }
    }
}

impl Round {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX) + 1
    }

    fn begin(&self) {
        self.busy_since.store(self.now(), Ordering::Relaxed);
    }

    fn end(&self) {
        self.busy_since.store(0, Ordering::Relaxed);
    }

    /// For how long the worker has been busy with one batch.
    pub(super) fn busy_for(&self) -> Duration {
        match self.busy_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis(self.now().saturating_sub(since)),
        }
    }
}

impl Worker {
    /// Ends when `closing` is cancelled and everything queued is done.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Waiting>, closing: CancellationToken) {
        let mut received = Vec::with_capacity(MAX_BATCH);
        let mut lanes: JoinSet<ChatId> = JoinSet::new();
        // Behind each lane, what came for its chat meanwhile: bounded by the seats of that chat.
        let mut behind: HashMap<ChatId, Vec<Waiting>> = HashMap::new();
        // What comes next, the oldest of each chat first: more than one batch when messages are long.
        let mut ready: VecDeque<Waiting> = VecDeque::new();
        loop {
            let mut next = Vec::new();
            tokio::select! {
                biased;
                () = closing.cancelled(), if !queue.is_closed() => queue.close(),
                Some(ended) = lanes.join_next() => match ended {
                    Ok(chat) => next = behind.remove(&chat).unwrap_or_default(),
                    // A panic, a bug of ours: the worker ends with it, and the node with the worker.
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = std::future::ready(()), if !ready.is_empty() => {}
                count = queue.recv_many(&mut received, MAX_BATCH) => {
                    if count == 0 && lanes.is_empty() {
                        return;
                    }
                    if count == 0 && let Some(Ok(chat)) = lanes.join_next().await {
                        next = behind.remove(&chat).unwrap_or_default();
                    }
                }
            }
            // What waited behind a lane is older than all that is ready for its chat.
            next.into_iter().rev().for_each(|it| ready.push_front(it));
            ready.extend(received.drain(..));
            let mut batch = Batch::default();
            let count = one_batch(&ready, MAX_BATCH);
            let now = Instant::now();
            for waiting in ready.drain(..count) {
                // Never asked of the database, and too late to ask: what comes after it has its time still.
                if waiting.deadline <= now && !waiting.unknown {
                    waiting.answer(&Err(crate::store::busy(TOO_LATE).into()));
                    continue;
                }
                match behind.get_mut(&waiting.message.chat_id) {
                    Some(behind) => behind.push(waiting),
                    None => batch.add(waiting),
                }
            }
            if batch.waiting.is_empty() {
                continue;
            }
            self.round.begin();
            for (chat, locked) in self.store_batch(batch).await {
                behind.insert(chat, Vec::new());
                lanes.spawn(self.clone().wait_in_lane(chat, locked));
            }
            self.round.end();
        }
    }

    /// Stores a batch and answers its senders. Returns what it skipped, by chat.
    async fn store_batch(&self, mut batch: Batch) -> HashMap<ChatId, Batch> {
        match self.store_all(&mut batch, Locks::Skip).await {
            Ok(outcomes) => self.settle(batch, outcomes),
            Err(error) => {
                self.give_up(batch, error);
                HashMap::new()
            }
        }
    }

    /// What became of each message of a batch. One that the database refuses costs the others nothing.
    async fn store_all(&self, batch: &mut Batch, locks: Locks) -> Result<Vec<Result<Outcome, WireError>>, StoreError> {
        match self.try_store(batch, locks).await {
            Ok(outcomes) => Ok(outcomes.into_iter().map(Ok).collect()),
            Err(StoreError::Fault(error)) if batch.waiting.len() > 1 => {
                tracing::error!(%error, "a batch was refused: storing its messages one by one");
                Ok(self.one_by_one(batch, locks).await)
            }
            Err(error) => Err(error),
        }
    }

    /// Answers the senders of a batch, and tells the others. Returns what was skipped, by chat.
    fn settle(&self, batch: Batch, outcomes: Vec<Result<Outcome, WireError>>) -> HashMap<ChatId, Batch> {
        let mut locked: HashMap<ChatId, Batch> = HashMap::new();
        let mut told = Told::default();
        for (waiting, outcome) in batch.waiting.into_iter().zip(outcomes) {
            match outcome {
                // Behind one that waits for its chat, all that follow in it wait: the order stays.
                Ok(Outcome::Locked) => locked.entry(waiting.message.chat_id).or_default().add(waiting),
                Ok(Outcome::Stored(stored)) => told.stored(waiting, &stored, &self.fanout, &self.metrics),
                Ok(Outcome::Refused(code)) => waiting.answer(&Err(StoreError::from(code).into())),
                Err(error) => waiting.answer(&Err(error)),
            }
        }
        told.publish(&self.fanout);
        locked
    }

    /// So that nobody suffers for another's message.
    async fn one_by_one(&self, batch: &Batch, locks: Locks) -> Vec<Result<Outcome, WireError>> {
        let mut outcomes = Vec::with_capacity(batch.waiting.len());
        let mut skipped: Vec<ChatId> = Vec::new();
        let until = Instant::now() + BATCH;
        let mut away = false;
        for waiting in &batch.waiting {
            let chat = waiting.message.chat_id;
            // The batch was undone as a whole, so what is not asked is not stored, unless an earlier try left that open.
            if away || Instant::now() >= until {
                outcomes.push(Err(if waiting.unknown { not_known() } else { crate::store::busy(TOO_LATE).into() }));
                continue;
            }
            if skipped.contains(&chat) {
                outcomes.push(Ok(Outcome::Locked));
                continue;
            }
            let outcome = self.store.send(&[&waiting.message], locks, until).await;
            if let Err(StoreError::Unavailable(_)) = outcome {
                self.fanout.doubt([chat], None);
                away = true;
            }
            let outcome = outcome.map(|it| it.first().copied().unwrap_or(Outcome::Refused(ErrorCode::Internal)));
            if let Ok(Outcome::Locked) = outcome {
                skipped.push(chat);
            }
            outcomes.push(outcome.map_err(WireError::from));
        }
        outcomes
    }

    /// A lost answer leaves the outcome unknown: the same batch is sent again, over another connection, and finds out.
    async fn try_store(&self, batch: &mut Batch, locks: Locks) -> Result<Vec<Outcome>, StoreError> {
        let begun = Instant::now();
        let deadline = batch.last_deadline();
        loop {
            let outcome = self.store.send(&batch.messages(), locks, Instant::now() + BATCH).await;
            match outcome {
                Ok(outcomes) => {
                    if outcomes.iter().any(|it| matches!(it, Outcome::Stored(stored) if !stored.existed)) {
                        self.disk.worked();
                    }
                    #[expect(clippy::cast_precision_loss, reason = "batches are small")]
                    self.metrics.batch.observe(batch.waiting.len() as f64);
                    self.metrics.commit_seconds.observe(begun.elapsed().as_secs_f64());
                    return Ok(outcomes);
                }
                Err(error @ StoreError::Unavailable(_)) if error.could_not_write() => {
                    // An answer, and a clear one: it is not stored, and would not be in a moment.
                    self.disk.failed();
                    return Err(error);
                }
                Err(StoreError::Unavailable(error)) => {
                    let now = Instant::now();
                    for waiting in &mut batch.waiting {
                        waiting.unknown = true;
                        if waiting.deadline <= now + PAUSE {
                            // It stays in the batch, so that others hear of it when it is stored.
                            waiting.answer_early(&Err(not_known()));
                        }
                    }
                    if Instant::now() + PAUSE >= deadline {
                        return Err(StoreError::Unavailable(error));
                    }
                    tracing::warn!(%error, messages = batch.waiting.len(), "the outcome of a commit is unknown: asking again");
                    self.metrics.commit_retries.inc();
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Stores what a batch skipped, as soon as the chat's lock can be had. Others' locks hold up nobody but that chat.
    async fn wait_in_lane(self, chat: ChatId, mut batch: Batch) -> ChatId {
        // The last try begins before that, and ends by Postgres's word that the lock was not to be had: a clear answer.
        let deadline = batch.first_deadline();
        loop {
            // Taken anew for each try, so that many locked chats take turns.
            let place = tokio::time::timeout_at(deadline, self.lanes.acquire()).await;
            let outcome = match place {
                Ok(Ok(_place)) => self.store_all(&mut batch, Locks::Wait).await,
                _ => Err(crate::store::busy(BUSY_CHAT)),
            };
            match outcome {
                Ok(outcomes) => {
                    for locked in self.settle(batch, outcomes).into_values() {
                        locked.refuse(&crate::store::busy(BUSY_CHAT).into());
                    }
                    return chat;
                }
                Err(StoreError::Refused(_)) if Instant::now() < deadline => {}
                Err(error) => {
                    self.give_up(batch, error);
                    return chat;
                }
            }
        }
    }

    /// The end of patience. Where nothing is known, the senders are told to ask again, and others must hear of it all the same.
    fn give_up(&self, batch: Batch, error: StoreError) {
        let unknown = matches!(error, StoreError::Unavailable(_)) || batch.waiting.iter().any(|it| it.unknown);
        let mut error = WireError::from(error);
        if unknown {
            self.fanout.doubt(batch.waiting.iter().map(|it| it.message.chat_id), None);
            if error.code == ErrorCode::Overloaded {
                error = not_known();
            }
        }
        batch.refuse(&error);
    }
}

fn not_known() -> WireError {
    WireError::new(ErrorCode::Unavailable, "whether this was stored is unknown, try again").after_ms(1000)
}

const TOO_LATE: &str = "messages are stored too slowly just now: this one was not stored, try again";
const BUSY_CHAT: &str = "others change this chat just now: nothing was stored, try again";
