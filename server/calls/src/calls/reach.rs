//! Who may call whom, asked of Postgres for many invites at once: while one statement is under way the next batch gathers.

use std::time::Duration;

use chapar_protocol::{ErrorCode, UserId, WireError};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use crate::store::{Store, StoreError, people::calls::Reached};

/// Invites in one statement.
const BATCH: usize = 256;
/// Invites that may wait; more wait with whoever asks.
const QUEUE: usize = 4096;

/// After a statement, the next waits so long that more can gather. The first after a pause goes at once.
const GATHER: Duration = Duration::from_millis(3);

struct Waiting {
    from: UserId,
    to: UserId,
    answer: oneshot::Sender<Result<Reached, WireError>>,
}

/// The way in. Dropping it ends its task, after what waits.
pub(super) struct Reach(mpsc::Sender<Waiting>);

impl Reach {
    pub(super) fn start(store: Store) -> (Self, JoinHandle<()>) {
        let (way, queue) = mpsc::channel(QUEUE);
        (Self(way), tokio::spawn(run(store, queue)))
    }

    /// See [`Store::reach`].
    pub(super) async fn ask(&self, from: UserId, to: UserId) -> Result<Reached, WireError> {
        let fault = || WireError::new(ErrorCode::Internal, "a fault of the server");
        let (answer, answered) = oneshot::channel();
        self.0.send(Waiting { from, to, answer }).await.map_err(|_| fault())?;
        answered.await.map_err(|_| fault())?
    }
}

async fn run(store: Store, mut queue: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut gather_until = Instant::now();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        if batch.len() < BATCH {
            tokio::time::sleep_until(gather_until).await;
            while batch.len() < BATCH
                && let Ok(more) = queue.try_recv()
            {
                batch.push(more);
            }
        }
        let pairs: Vec<_> = batch.iter().map(|it| (it.from, it.to)).collect();
        match store.people.reach(&pairs).await {
            Ok(reached) => {
                for (waiting, reached) in batch.drain(..).zip(reached) {
                    let forbidden = || WireError::from(StoreError::from(ErrorCode::CallForbidden));
                    let _ = waiting.answer.send(reached.ok_or_else(forbidden));
                }
            }
            Err(error) => {
                let error = WireError::from(error);
                for waiting in batch.drain(..) {
                    let _ = waiting.answer.send(Err(error.clone()));
                }
            }
        }
        gather_until = Instant::now() + GATHER;
    }
}
