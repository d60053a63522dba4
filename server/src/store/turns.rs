//! Who may change a chat now. What waits for the same chat waits here, in memory and in order, and not over a connection to the
//! database: otherwise a few people who react to one post would hold the connections of everybody.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use chapar_protocol::ChatId;
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use super::{Result, busy};

/// Requests that wait for one chat; more are refused.
const WAITING: usize = 256;
/// How long one of them waits.
const PATIENCE: Duration = Duration::from_millis(2500);
/// The same for readers: what they do under their turn takes no lock that is waited for, so there is time left for it.
const READERS_PATIENCE: Duration = Duration::from_secs(4);

/// For what a turn is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum For {
    /// A change, under the chat's lock: one at a time.
    Change,
    /// A reader of a channel who comes or goes, which changes nothing of the channel: some at a time, so that a channel that
    /// everybody joins leaves connections for the others.
    Reader,
}

impl For {
    fn patience(self) -> Duration {
        match self {
            Self::Change => PATIENCE,
            Self::Reader => READERS_PATIENCE,
        }
    }
}

type Key = (ChatId, For);

/// The queues of all chats. Only those in use are kept.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    queues: Arc<Mutex<HashMap<Key, Queue>>>,
    readers: usize,
}

#[derive(Debug)]
struct Queue {
    places: Arc<Semaphore>,
    there: usize,
}

/// The right to go on. Given back on drop.
#[derive(Debug)]
pub struct Turn {
    /// When it was asked for.
    pub(super) asked: Instant,
    // Before `_there`: whoever waits must find the queue.
    _place: OwnedSemaphorePermit,
    _there: There,
}

#[derive(Debug)]
struct There {
    turns: Turns,
    key: Key,
}

impl Turns {
    /// Of each channel so many readers come or go at a time.
    pub(super) fn new(readers: u32) -> Self {
        Self { queues: Arc::default(), readers: usize::try_from(readers).unwrap_or(1).max(1) }
    }

    /// Waits for one's turn.
    ///
    /// # Errors
    /// `overloaded` when too many wait already, or for too long. Nothing was changed then.
    pub(super) async fn take(&self, chat: ChatId, what: For) -> Result<Turn> {
        let asked = Instant::now();
        let (places, there) = self.join((chat, what))?;
        match timeout(what.patience(), places.acquire_owned()).await {
            Ok(Ok(place)) => Ok(Turn { asked, _place: place, _there: there }),
            _ => Err(busy(TOO_MANY)),
        }
    }

    fn join(&self, key: Key) -> Result<(Arc<Semaphore>, There)> {
        let at_once = match key.1 {
            For::Change => 1,
            For::Reader => self.readers,
        };
        let mut queues = self.queues.lock();
        let queue = queues.entry(key).or_insert_with(|| Queue { places: Arc::new(Semaphore::new(at_once)), there: 0 });
        if queue.there >= WAITING {
            return Err(busy(TOO_MANY));
        }
        queue.there += 1;
        Ok((queue.places.clone(), There { turns: self.clone(), key }))
    }
}

const TOO_MANY: &str = "too many change this chat at once: nothing was changed, try again";

impl Drop for There {
    fn drop(&mut self) {
        if let Entry::Occupied(mut queue) = self.turns.queues.lock().entry(self.key) {
            queue.get_mut().there -= 1;
            if queue.get().there == 0 {
                queue.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chapar_protocol::ErrorCode;

    use super::*;
    use crate::store::StoreError;

    #[tokio::test]
    async fn one_at_a_time_and_nobody_without_end() {
        let turns = Turns::new(2);
        let first = turns.take(ChatId(1), For::Change).await.expect("nobody is there");
        assert!(turns.take(ChatId(2), For::Change).await.is_ok(), "another chat has a queue of its own");
        assert!(turns.take(ChatId(1), For::Reader).await.is_ok(), "readers wait apart");
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take(ChatId(1), For::Change).await.map(drop) }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.expect("no panic").is_ok());

        let _first = turns.take(ChatId(1), For::Change).await.expect("free again");
        match turns.take(ChatId(1), For::Change).await {
            Err(StoreError::Refused(error)) => assert_eq!(error.code, ErrorCode::Overloaded),
            other => panic!("it cannot have its turn: {other:?}"),
        }
    }

    #[tokio::test]
    async fn more_than_so_many_do_not_wait_and_an_empty_queue_is_let_go() {
        let turns = Turns::new(2);
        let first = turns.take(ChatId(1), For::Change).await.expect("nobody is there");
        let waiting: Vec<_> = (1..WAITING).map(|_| turns.join((ChatId(1), For::Change)).expect("room")).collect();
        assert!(turns.take(ChatId(1), For::Change).await.is_err());
        drop((first, waiting));
        assert!(turns.queues.lock().is_empty());
    }
}
