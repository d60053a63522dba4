//! Who is writing to which upload on this node: one connection each, and a bounded number of each person's.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chapar_protocol::{ErrorCode, UserId, media::FileId};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};

use crate::refusal::Refusal;

/// A connection that has brought nothing for so long is most likely dead, and its client has another by now.
const SILENT: Duration = Duration::from_secs(2);
/// How long whoever takes over waits for what has come to be made durable.
const HANDOVER: Duration = Duration::from_secs(5);
/// Uploads that one person writes to at once.
const OF_PERSON: usize = 16;
/// Uploads that are written to at once.
const OF_NODE: usize = 1024;

/// See the module.
pub(crate) struct Writers {
    began: Instant,
    silent: Duration,
    all: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    files: HashMap<FileId, Arc<Writing>>,
    people: HashMap<UserId, usize>,
}

/// One upload that is written to.
pub(crate) struct Writing {
    lock: Arc<Semaphore>,
    /// Milliseconds since the node began.
    heard: AtomicU64,
    /// Up to here it is durable; [`UNKNOWN`] before the writer has looked.
    durable: AtomicU64,
    stop: Notify,
}

const UNKNOWN: u64 = u64::MAX;
/// How often it is looked whether the writer knows.
const LOOK: Duration = Duration::from_millis(5);

/// The right to write to an upload, until it is dropped.
pub(crate) struct Hold {
    writers: Arc<Writers>,
    writing: Arc<Writing>,
    file: FileId,
    user: UserId,
    // Taken out on drop only.
    lock: Option<OwnedSemaphorePermit>,
}

impl Writers {
    pub(crate) fn new() -> Arc<Self> {
        Self::with(SILENT)
    }

    fn with(silent: Duration) -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), silent, all: Mutex::default() })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes an upload, from a connection that has fallen silent too.
    pub(crate) async fn take(self: &Arc<Self>, user: UserId, file: FileId) -> Result<Hold, Refusal> {
        let writing = {
            let mut all = self.all.lock();
            let mine = all.people.get(&user).copied().unwrap_or(0);
            if mine >= OF_PERSON || all.files.len() >= OF_NODE {
                let message = "so many uploads are under way already: wait for one of them";
                return Err(Refusal::new(ErrorCode::Overloaded, message).after_ms(rand::random_range(1000..3000)));
            }
            let new = || {
                let (lock, heard, durable) = (Arc::new(Semaphore::new(1)), self.now().into(), UNKNOWN.into());
                Arc::new(Writing { lock, heard, durable, stop: Notify::new() })
            };
            all.files.entry(file).or_insert_with(new).clone()
        };
        let lock = match writing.lock.clone().try_acquire_owned() {
            Ok(lock) => lock,
            Err(_) if self.is_silent(&writing) => {
                writing.stop.notify_one();
                match timeout(HANDOVER, writing.lock.clone().acquire_owned()).await {
                    Ok(Ok(lock)) => lock,
                    _ => return Err(locked()),
                }
            }
            Err(_) => return Err(locked()),
        };
        writing.heard.store(self.now(), Ordering::Relaxed);
        writing.durable.store(UNKNOWN, Ordering::Relaxed);
        let mut all = self.all.lock();
        *all.people.entry(user).or_default() += 1;
        // Whoever had it before may have taken it off the list.
        all.files.insert(file, writing.clone());
        drop(all);
        Ok(Hold { writers: self.clone(), writing, file, user, lock: Some(lock) })
    }

    fn is_silent(&self, writing: &Writing) -> bool {
        Duration::from_millis(self.now().saturating_sub(writing.heard.load(Ordering::Relaxed))) >= self.silent
    }

    /// How far an upload is durable that is being written to, after a connection that has fallen silent was ended. `None`: nobody writes.
    pub(crate) async fn durable(&self, file: FileId) -> Option<u64> {
        let writing = self.all.lock().files.get(&file).cloned()?;
        if writing.lock.available_permits() > 0 {
            return None;
        }
        if self.is_silent(&writing) {
            writing.stop.notify_one();
            if let Ok(Ok(_ended)) = timeout(HANDOVER, writing.lock.clone().acquire_owned()).await {
                return None;
            }
        }
        // It begins: in a moment it knows, or is gone.
        while writing.lock.available_permits() == 0 {
            match writing.durable.load(Ordering::Relaxed) {
                UNKNOWN => sleep(LOOK).await,
                durable => return Some(durable),
            }
        }
        None
    }

    /// How many uploads are written to.
    pub(crate) fn count(&self) -> usize {
        self.all.lock().files.len()
    }
}

impl Hold {
    /// Bytes have come.
    pub(crate) fn heard(&self) {
        self.writing.heard.store(self.writers.now(), Ordering::Relaxed);
    }

    /// Up to here it is durable.
    pub(crate) fn durable(&self, offset: u64) {
        self.writing.durable.store(offset, Ordering::Relaxed);
    }

    /// Ends when another connection takes over.
    pub(crate) async fn is_wanted(&self) {
        self.writing.stop.notified().await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut all = self.writers.all.lock();
        if let Some(count) = all.people.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                all.people.remove(&self.user);
            }
        }
        drop(self.lock.take());
        // The table's, and this one: nobody waits for it.
        if Arc::strong_count(&self.writing) <= 2 {
            all.files.remove(&self.file);
        }
    }
}

pub(crate) fn locked() -> Refusal {
    Refusal::new(ErrorCode::UploadLocked, "another connection writes to this upload").after_ms(1000)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ME: UserId = UserId(1);

    #[tokio::test]
    async fn an_upload_has_one_writer() {
        let (writers, file) = (Writers::with(Duration::from_hours(1)), FileId(Uuid::new_v4()));
        let first = writers.take(ME, file).await.expect("free");
        first.heard();
        first.durable(7);
        assert_eq!(writers.take(ME, file).await.err().map(|it| it.code()), Some(ErrorCode::UploadLocked));
        assert_eq!(writers.durable(file).await, Some(7));
        drop(first);
        // One that has not looked yet is not taken to stand at the beginning.
        let second = writers.take(ME, file).await.expect("free");
        let (told, ()) = tokio::join!(writers.durable(file), async {
            sleep(LOOK * 2).await;
            second.durable(9);
        });
        assert_eq!(told, Some(9));
        drop(second);
        assert!(writers.take(ME, file).await.is_ok());
        assert_eq!((writers.count(), writers.durable(file).await), (0, None));
    }

    #[tokio::test]
    async fn a_writer_that_has_fallen_silent_gives_way() {
        let (writers, file) = (Writers::with(Duration::ZERO), FileId(Uuid::new_v4()));
        let first = writers.take(ME, file).await.expect("free");
        let (second, ()) = tokio::join!(writers.take(ME, file), async {
            first.is_wanted().await;
            drop(first);
        });
        let second = second.expect("taken over");
        assert_eq!(writers.count(), 1);
        drop(second);
        assert_eq!(writers.count(), 0);
    }

    #[tokio::test]
    async fn one_person_writes_to_so_many_at_once() {
        let writers = Writers::new();
        let mut holds = Vec::new();
        for _ in 0..OF_PERSON {
            holds.push(writers.take(ME, FileId(Uuid::new_v4())).await.expect("free"));
        }
        let more = writers.take(ME, FileId(Uuid::new_v4())).await;
        assert_eq!(more.err().map(|it| it.code()), Some(ErrorCode::Overloaded));
        assert!(writers.take(UserId(2), FileId(Uuid::new_v4())).await.is_ok());
        holds.clear();
        assert!(writers.all.lock().people.is_empty() && writers.count() == 0);
    }
}
