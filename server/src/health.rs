//! What `/readyz` answers: whether people should be sent here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};

use crate::{committer::Committer, store::Store};

/// For how long a good answer holds: balancers ask often, and many of them.
const HOLDS: Duration = Duration::from_millis(100);

/// Noted by whoever stores: whether the disk of the database had no room. Reading would still work.
#[derive(Clone, Debug, Default)]
pub struct DiskWatch(Arc<AtomicBool>);

impl DiskWatch {
    /// What was to be stored could not be written.
    pub fn failed(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Something new was written.
    pub fn worked(&self) {
        if self.0.load(Ordering::Relaxed) {
            self.0.store(false, Ordering::Relaxed);
        }
    }

    fn has_failed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The health of the node.
#[derive(Default)]
pub struct Health {
    disk: DiskWatch,
    good_until: Mutex<Option<Instant>>,
}

impl Health {
    /// With what the committer notes.
    pub fn new(disk: DiskWatch) -> Self {
        Self { disk, good_until: Mutex::default() }
    }

    /// What is wrong, as a sentence. One look at a time, and never for long: the store's time-outs bound it.
    pub async fn complaint(&self, store: &Store, committer: &Committer) -> Option<&'static str> {
        if committer.hangs() {
            return Some("messages are not stored: a worker hangs");
        }
        let mut good_until = self.good_until.lock().await;
        if !self.disk.has_failed() && good_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        if store.ping().await.is_err() {
            return Some("the database does not answer");
        }
        if self.disk.has_failed() {
            if store.has_room().await.is_err() {
                return Some("the database cannot write: is its disk full?");
            }
            self.disk.worked();
        }
        *good_until = Some(Instant::now() + HOLDS);
        None
    }
}
