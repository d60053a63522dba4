//! Group commit: while one transaction is in flight the next batch gathers.
//!
//! Invariant: a message is acknowledged only after Postgres has committed it, and told to others only after that.
//! Invariant: the messages of one chat that come through this node keep their order: they go through one worker.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chapar_protocol::{ChatDelta, ChatId, ErrorCode, UserId, Version, WireError, command::Sent};
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    fanout::Fanout,
    metrics::Metrics,
    store::{
        Store, StoreError,
        send::{NewMessage, Stored},
    },
};

/// Most messages in one commit. Larger ones gain nothing and hold the locks of busy chats longer.
const MAX_BATCH: usize = 256;
/// Messages that wait per worker; more are refused with a time to come back.
const QUEUE: usize = 4096;
/// For how long a batch of unknown outcome is sent again before its senders are told to retry themselves.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a message.
pub type Outcome = Result<Sent, WireError>;

struct Waiting {
    message: NewMessage,
    answer: oneshot::Sender<Outcome>,
}

/// The way in.
pub struct Committer {
    workers: Vec<mpsc::Sender<Waiting>>,
    closing: CancellationToken,
}

impl Committer {
    /// Starts `workers` workers, each with one transaction in flight at a time. The handles end after [`Self::close`],
    /// when everything queued is done.
    pub fn start(
        workers: usize,
        store: &Store,
        fanout: &Arc<Fanout>,
        metrics: &Metrics,
    ) -> (Self, Vec<JoinHandle<()>>) {
        let closing = CancellationToken::new();
        let (ways, tasks) = (0..workers.max(1))
            .map(|_| {
                let (way, queue) = mpsc::channel(QUEUE);
                let worker = Worker { store: store.clone(), fanout: fanout.clone(), metrics: metrics.clone() };
                (way, tokio::spawn(worker.run(queue, closing.clone())))
            })
            .unzip();
        (Self { workers: ways, closing }, tasks)
    }

    /// Takes no more messages. What is queued is still stored.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Queues a message at once, so that messages queued after each other keep their order. The answer comes after the commit.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] when too many wait already, [`ErrorCode::Unavailable`] when the node is going away.
    pub fn queue(&self, message: NewMessage) -> Result<oneshot::Receiver<Outcome>, WireError> {
        let (answer, outcome) = oneshot::channel();
        let worker = usize::try_from(message.chat_id.0.unsigned_abs() % self.workers.len() as u64).unwrap_or(0);
        match self.workers[worker].try_send(Waiting { message, answer }) {
            Ok(()) => Ok(outcome),
            Err(TrySendError::Full(_)) => {
                Err(WireError::new(ErrorCode::Overloaded, "too many messages wait to be stored").after_ms(500))
            }
            Err(TrySendError::Closed(_)) => Err(going_away()),
        }
    }
}

struct Worker {
    store: Store,
    fanout: Arc<Fanout>,
    metrics: Metrics,
}

/// A batch: each message once, with everybody who asked for it.
#[derive(Default)]
struct Batch {
    messages: Vec<NewMessage>,
    answers: Vec<Vec<oneshot::Sender<Outcome>>>,
    places: HashMap<(ChatId, UserId, Uuid), usize>,
}

impl Batch {
    fn add(&mut self, Waiting { message, answer }: Waiting) {
        let place = *self.places.entry(message.key()).or_insert(self.messages.len());
        if place == self.messages.len() {
            self.messages.push(message);
            self.answers.push(vec![answer]);
        } else if self.messages[place].same_content(&message) {
            self.answers[place].push(answer);
        } else {
            let _ = answer.send(Err(refusal(ErrorCode::ClientIdReused)));
        }
    }
}

impl Worker {
    async fn run(self, mut queue: mpsc::Receiver<Waiting>, closing: CancellationToken) {
        let mut waiting = Vec::with_capacity(MAX_BATCH);
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled(), if !queue.is_closed() => queue.close(),
                received = queue.recv_many(&mut waiting, MAX_BATCH) => {
                    if received == 0 {
                        return;
                    }
                }
            }
            let mut batch = Batch::default();
            waiting.drain(..).for_each(|it| batch.add(it));
            let outcomes = self.commit(&batch.messages).await;
            self.answer(batch, outcomes);
        }
    }

    /// Commits a batch. One that the database refuses is tried message by message, so that nobody suffers for another's.
    async fn commit(&self, messages: &[NewMessage]) -> Vec<Result<Stored, WireError>> {
        match self.try_commit(messages).await {
            Ok(outcomes) => outcomes.into_iter().map(|it| it.map_err(refusal)).collect(),
            Err(StoreError::Fault(error)) if messages.len() > 1 => {
                tracing::error!(%error, "a batch was refused: storing its messages one by one");
                let mut outcomes = Vec::with_capacity(messages.len());
                for message in messages {
                    let outcome = self.try_commit(std::slice::from_ref(message)).await;
                    let first = outcome
                        .map_err(crate::commands::wire_error)
                        .and_then(|mut it| it.pop().unwrap_or(Err(ErrorCode::Internal)).map_err(refusal));
                    outcomes.push(first);
                }
                outcomes
            }
            Err(error) => {
                // Told to retry, as the outcome is unknown; if nobody does, others must hear of it all the same.
                if matches!(error, StoreError::Unavailable(_)) {
                    self.fanout.doubt(messages.iter().map(|message| message.chat_id), None);
                }
                vec![Err(crate::commands::wire_error(error)); messages.len()]
            }
        }
    }

    /// A lost answer leaves the outcome unknown: the same batch is sent again and finds out.
    async fn try_commit(&self, messages: &[NewMessage]) -> Result<Vec<Result<Stored, ErrorCode>>, StoreError> {
        let begun = Instant::now();
        loop {
            match self.store.send(messages).await {
                Ok(outcomes) => {
                    #[expect(clippy::cast_precision_loss, reason = "batches are small")]
                    self.metrics.batch.observe(messages.len() as f64);
                    self.metrics.commit_seconds.observe(begun.elapsed().as_secs_f64());
                    return Ok(outcomes);
                }
                Err(StoreError::Unavailable(error)) if begun.elapsed() < PATIENCE => {
                    tracing::warn!(%error, messages = messages.len(), "the outcome of a commit is unknown: asking again");
                    self.metrics.commit_retries.inc();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn answer(&self, batch: Batch, outcomes: Vec<Result<Stored, WireError>>) {
        let mut deltas: Vec<ChatDelta> = Vec::new();
        let mut places: HashMap<ChatId, usize> = HashMap::new();
        for ((message, answers), outcome) in batch.messages.into_iter().zip(batch.answers).zip(outcomes) {
            for answer in answers {
                let sent = outcome.as_ref().map(|it| Sent { seq: it.seq, version: it.version, sent_at: it.sent_at });
                let _ = answer.send(sent.map_err(Clone::clone));
            }
            let Ok(stored) = outcome else { continue };
            if stored.existed {
                // Its first try may have ended between the commit and the telling.
                self.fanout.publish_hint(message.chat_id, stored.version);
                continue;
            }
            self.metrics.messages.inc();
            let chat_id = message.chat_id;
            let place = *places.entry(chat_id).or_insert_with(|| {
                deltas.push(ChatDelta::empty(chat_id, Version(stored.version.0 - 1)));
                deltas.len() - 1
            });
            deltas[place].version = stored.version;
            deltas[place].messages.push(message.into_message(&stored));
        }
        for delta in deltas {
            self.fanout.publish_delta(delta);
        }
    }
}

/// For messages that come too late for this node.
pub fn going_away() -> WireError {
    WireError::new(ErrorCode::Unavailable, "the node is going away: send it again elsewhere")
}

fn refusal(code: ErrorCode) -> WireError {
    crate::commands::wire_error(code.into())
}
