//! What `/readyz` answers: whether people should be sent here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::store::Store;

/// For how long an answer holds: balancers ask often, and many of them.
const HOLDS: Duration = Duration::from_millis(100);
/// How long the database may take. Balancers wait for seconds at most, and no answer tells them less than a bad one.
const PATIENCE: Duration = Duration::from_secs(1);

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
    last: Mutex<Option<Look>>,
}

/// What was found, and when.
struct Look {
    at: Instant,
    complaint: Option<&'static str>,
}

impl Health {
    /// With what the committer notes.
    pub fn new(disk: DiskWatch) -> Self {
        Self { disk, last: Mutex::default() }
    }

    /// What is wrong, as a sentence, where it is known whether a committer's worker hangs. One look at a time, for all who ask meanwhile,
    /// and never for long.
    pub async fn complaint(&self, store: &Store, hangs: bool) -> Option<&'static str> {
        if hangs {
            return Some("messages are not stored: a worker hangs");
        }
        let mut last = self.last.lock().await;
        match &*last {
            // What was good before the disk was full is old.
            Some(look) if look.at.elapsed() < HOLDS && (look.complaint.is_some() || !self.disk.has_failed()) => {
                look.complaint
            }
            _ => {
                let complaint = self.look(store).await;
                *last = Some(Look { at: Instant::now(), complaint });
                complaint
            }
        }
    }

    async fn look(&self, store: &Store) -> Option<&'static str> {
        match timeout(PATIENCE, store.takes_changes()).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Some("the database takes no changes: it is a standby, or read-only"),
            _ => return Some("the database does not answer"),
        }
        if self.disk.has_failed() {
            if !matches!(timeout(PATIENCE, store.has_room()).await, Ok(Ok(()))) {
                return Some("the database cannot write: is its disk full?");
            }
            self.disk.worked();
        }
        None
    }
}
