//! The one way for every change of a chat: what waits for a chat is carried out together, in one commit.
//!
//! Invariant: a change is acknowledged only after Postgres has committed it, and told to others only after that.
//! Invariant: the changes of one chat that come through this node keep their order: they go through one worker.

mod batch;
mod worker;

use std::{sync::Arc, time::Duration};

use chapar_domain::{
    Principal,
    change::{Asked, Change, Done},
};
use chapar_protocol::{ChatId, ErrorCode, UserId, Version, WireError};
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
    counters::Counters,
    fanout::Fanout,
    health::DiskWatch,
    lists::Lists,
    metrics::Metrics,
    store::{Chats, Shares},
};
use batch::{Seats, Waiting};
use worker::{Round, Worker};

/// Changes that wait per worker; more are refused with a time to come back.
const QUEUE: usize = 4096;
/// No try begins later after a change came; with the last one, of two seconds, whoever asked waits for less than six. While the
/// outcome is unknown the same batch is tried again for so long; then those who asked are told to retry themselves.
const PATIENCE: Duration = Duration::from_millis(3800);
/// A worker that is busy with one batch for longer than this hangs: the batch was sent again, and not answered again.
const HANGS_AFTER: Duration = Duration::from_secs(3);

/// What became of a change.
pub type Outcome = Result<Done, WireError>;

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

/// What workers need.
pub struct Parts {
    /// Where chats are kept.
    pub chats: Chats,
    /// Who brings people's lists into line.
    pub lists: Arc<Lists>,
    /// Who has channels counted.
    pub counters: Arc<Counters>,
    /// Who tells others.
    pub fanout: Arc<Fanout>,
    /// Counts.
    pub metrics: Metrics,
    /// Notes whether the disk is full.
    pub disk: DiskWatch,
}

impl Committer {
    /// Makes `workers` workers, each with one transaction in flight at a time. Each of the futures is to be run; they end after
    /// [`Self::close`], when everything queued is done.
    pub fn start(workers: usize, parts: &Parts) -> (Self, Vec<impl Future<Output = ()> + Send + 'static + use<>>) {
        let closing = CancellationToken::new();
        let lanes = Arc::new(Semaphore::new(usize::try_from(Shares::LANES).unwrap_or(1)));
        let (ways, runs): (Vec<_>, Vec<_>) = (0..workers.max(1))
            .map(|_| {
                let (way, queue) = mpsc::channel(QUEUE);
                let round = Arc::<Round>::default();
                let worker = Worker {
                    chats: parts.chats.clone(),
                    lists: parts.lists.clone(),
                    counters: parts.counters.clone(),
                    fanout: parts.fanout.clone(),
                    metrics: parts.metrics.clone(),
                    lanes: lanes.clone(),
                    disk: parts.disk.clone(),
                    round: round.clone(),
                };
                (Way { queue: way, seats: Seats::default(), round }, worker.run(queue, closing.clone()))
            })
            .unzip();
        (Self { workers: ways, closing }, runs)
    }

    /// Takes no more changes. What is queued is still carried out.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Whether a worker has not come round for some seconds.
    pub fn hangs(&self) -> bool {
        self.workers.iter().any(|way| way.round.busy_for() > HANGS_AFTER)
    }

    /// Queues a change at once, so that changes queued after each other keep their order. The answer comes after the commit.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] when too many wait already, [`ErrorCode::Unavailable`] when the node is going away.
    pub fn queue(&self, by: Principal, chat: ChatId, change: Change) -> Result<oneshot::Receiver<Outcome>, WireError> {
        let asked = Asked { by, chat, change };
        let (answer, outcome) = oneshot::channel();
        // By the high bits: the low ones will say which database holds the chat.
        let worker = usize::try_from((chat.0 >> 10).unsigned_abs() % self.workers.len() as u64).unwrap_or(0);
        let way = &self.workers[worker];
        let Some(seat) = way.seats.take(chat, asked.bytes()) else {
            return Err(overloaded("too many changes of this chat, or too large ones, wait to be stored"));
        };
        let deadline = Instant::now() + PATIENCE;
        let waiting = Waiting { asked, answer: Some(answer), deadline, unknown: false, seat };
        match way.queue.try_send(waiting) {
            Ok(()) => Ok(outcome),
            Err(TrySendError::Full(_)) => Err(overloaded("too many changes wait to be stored")),
            Err(TrySendError::Closed(_)) => Err(going_away()),
        }
    }

    /// Has a channel tell its counters.
    ///
    /// # Errors
    /// As below.
    pub async fn count(self: Arc<Self>, chat: ChatId) -> Result<Version, WireError> {
        self.change(Principal::System(UserId(0)), chat, Change::Count).await
    }

    /// Queues a change at once, and waits for the chat's version afterwards.
    ///
    /// # Errors
    /// Why it was not done, or not known to be.
    pub async fn change(&self, by: Principal, chat: ChatId, change: Change) -> Result<Version, WireError> {
        let outcome = self.queue(by, chat, change)?;
        match outcome.await.unwrap_or_else(|_| Err(going_away()))? {
            Done::Changed(version) | Done::Sent { version, .. } => Ok(version),
        }
    }
}

fn overloaded(why: &str) -> WireError {
    WireError::new(ErrorCode::Overloaded, why).after_ms(500)
}

/// For changes that come too late for this node.
pub fn going_away() -> WireError {
    WireError::new(ErrorCode::Unavailable, "the node is going away: send it again elsewhere")
}
