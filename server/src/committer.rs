//! Group commit: while one transaction is in flight the next batch gathers.
//!
//! Invariant: a message is acknowledged only after Postgres has committed it, and told to others only after that.
//! Invariant: the messages of one chat that come through this node keep their order: they go through one worker.

mod batch;
mod worker;

use std::{sync::Arc, time::Duration};

use chapar_protocol::{ErrorCode, WireError, command::Sent};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    fanout::Fanout,
    health::DiskWatch,
    metrics::Metrics,
    store::{Shares, Store, send::NewMessage},
};
use batch::{Seats, Waiting};
use worker::{Round, Worker};

/// Messages that wait per worker; more are refused with a time to come back.
const QUEUE: usize = 4096;
/// No try begins later after a message came; with the last one, of two seconds, its sender waits for less than six. While the outcome is unknown the same batch is sent again for so long; then its
/// senders are told to retry themselves.
const PATIENCE: Duration = Duration::from_millis(3800);
/// A worker that is busy with one batch for longer than this hangs: the batch was sent again, and not answered again.
const HANGS_AFTER: Duration = Duration::from_secs(3);

/// What became of a message.
pub type Outcome = Result<Sent, WireError>;

/// The way in.
pub struct Committer {
    workers: Vec<Way>,
    closing: CancellationToken,
}

struct Way {
    queue: mpsc::Sender<Waiting>,
    seats: Seats,
    round: Arc<Round>,
}

impl Committer {
    /// Makes `workers` workers, each with one transaction in flight at a time. Each of the futures is to be run; they end after
    /// [`Self::close`], when everything queued is done.
    pub fn start(
        workers: usize,
        store: &Store,
        fanout: &Arc<Fanout>,
        metrics: &Metrics,
        disk: &DiskWatch,
    ) -> (Self, Vec<impl Future<Output = ()> + Send + 'static + use<>>) {
        let closing = CancellationToken::new();
        let lanes = Arc::new(Semaphore::new(usize::try_from(Shares::LANES).unwrap_or(1)));
        let (ways, runs): (Vec<_>, Vec<_>) = (0..workers.max(1))
            .map(|_| {
                let (way, queue) = mpsc::channel(QUEUE);
                let round = Arc::<Round>::default();
                let worker = Worker {
                    store: store.clone(),
                    fanout: fanout.clone(),
                    metrics: metrics.clone(),
                    lanes: lanes.clone(),
                    disk: disk.clone(),
                    round: round.clone(),
                };
                (Way { queue: way, seats: Seats::default(), round }, worker.run(queue, closing.clone()))
            })
            .unzip();
        (Self { workers: ways, closing }, runs)
    }

    /// Takes no more messages. What is queued is still stored.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Whether a worker has not come round for some seconds.
    pub fn hangs(&self) -> bool {
        self.workers.iter().any(|way| way.round.busy_for() > HANGS_AFTER)
    }

    /// Queues a message at once, so that messages queued after each other keep their order. The answer comes after the commit.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] when too many wait already, [`ErrorCode::Unavailable`] when the node is going away.
    pub fn queue(&self, message: NewMessage) -> Result<oneshot::Receiver<Outcome>, WireError> {
        let (answer, outcome) = oneshot::channel();
        let worker = usize::try_from(message.chat_id.0.unsigned_abs() % self.workers.len() as u64).unwrap_or(0);
        let way = &self.workers[worker];
        let Some(seat) = way.seats.take(message.chat_id, message.bytes()) else {
            return Err(overloaded("too many messages of this chat, or too large ones, wait to be stored"));
        };
        let deadline = Instant::now() + PATIENCE;
        let waiting = Waiting { message, answers: vec![answer], deadline, unknown: false, _seat: seat };
        match way.queue.try_send(waiting) {
            Ok(()) => Ok(outcome),
            Err(TrySendError::Full(_)) => Err(overloaded("too many messages wait to be stored")),
            Err(TrySendError::Closed(_)) => Err(going_away()),
        }
    }
}

fn overloaded(why: &str) -> WireError {
    WireError::new(ErrorCode::Overloaded, why).after_ms(500)
}

/// For messages that come too late for this node.
pub fn going_away() -> WireError {
    WireError::new(ErrorCode::Unavailable, "the node is going away: send it again elsewhere")
}
