//! What the callers of the bus and its two tasks have in common.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};

use super::company::Company;
use super::outbox::{Bounds, Lost, Outbox};
use super::publisher::Routes;
use super::room::Room;
use super::topic::Topic;
use super::{Away, BusEvent};

/// Bytes of what other nodes published that may wait to be taken in. A payload has some 256 KiB at most.
pub(super) const UNTAKEN_BYTES: usize = 64 << 20;
/// Topics that are remembered by name when something of theirs may have been missed.
const MISSED: usize = 10_000;

pub(super) struct Shared {
    /// The random id of this node, that begins every frame it publishes.
    pub(super) node: u64,
    pub(super) events: mpsc::Sender<BusEvent>,
    /// For the messages among the events.
    pub(super) room: Room,
    outbox: Mutex<Outbox>,
    /// Publications taken from the outbox that Redis has not answered.
    pub(super) under_way: AtomicUsize,
    /// Woken when the outbox is no longer empty.
    pub(super) filled: Notify,
    wants: Mutex<Wants>,
    /// Wakes the driver: wants have changed, a link has broken, or the layout is in doubt.
    pub(super) wake: Notify,
    /// Every topic's master is linked, and all that is wanted is subscribed.
    pub(super) whole: AtomicBool,
    /// Where something may have been missed, so that a `Resynchronise` is due.
    missed: Mutex<Lost>,
    /// A reply said that the layout is another one than we think.
    pub(super) doubt: AtomicBool,
    pub(super) routes: ArcSwap<Routes>,
    pub(super) company: Company,
    pub(super) counts: Counts,
}

/// Which topics are wanted, and what of it the driver has not seen yet.
#[derive(Default)]
struct Wants {
    wanted: HashSet<Topic>,
    /// Topics whose wish has changed since the driver looked. While nothing is linked it holds wanted topics only, and
    /// so it is bounded by what is wanted.
    changed: HashSet<Topic>,
    waiters: Vec<Waiter>,
    /// At least one master is linked.
    linked: bool,
}

/// Somebody who waits until these topics are subscribed.
pub(super) struct Waiter {
    pub(super) topics: Vec<Topic>,
    pub(super) done: oneshot::Sender<Result<(), Away>>,
}

/// What has changed since the driver looked last.
pub(super) struct Changes {
    /// Each topic, and whether it is wanted now.
    pub(super) topics: Vec<(Topic, bool)>,
    pub(super) waiters: Vec<Waiter>,
}

/// Counters since the start.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) published: AtomicU64,
    pub(super) unsent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) overflowed: AtomicU64,
    pub(super) links_lost: AtomicU64,
}

impl Counts {
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl Shared {
    pub(super) fn new(node: u64, events: mpsc::Sender<BusEvent>) -> Self {
        Self {
            node,
            events,
            room: Room::new(UNTAKEN_BYTES),
            outbox: Mutex::new(Outbox::new(Bounds::default())),
            under_way: AtomicUsize::new(0),
            filled: Notify::new(),
            wants: Mutex::default(),
            wake: Notify::new(),
            whole: AtomicBool::new(false),
            missed: Mutex::new(Lost::new(MISSED)),
            doubt: AtomicBool::new(false),
            routes: ArcSwap::from_pointee(Routes::default()),
            company: Company::new(),
            counts: Counts::default(),
        }
    }

    pub(super) fn publish(&self, topic: Topic, payload: Bytes) {
        if self.routes.load().is_empty() {
            self.lose([topic]);
            return;
        }
        let mut outbox = self.outbox.lock();
        let was_empty = outbox.len() == 0;
        let fits = outbox.push(topic, payload);
        drop(outbox);
        if !fits {
            Counts::add(&self.counts.unsent, 1);
            self.wake.notify_one();
        }
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// The oldest publications, at most `count` of them, and how many still wait.
    pub(super) fn take_publications(&self, count: usize, bytes: usize) -> (Vec<(Topic, Bytes)>, usize) {
        let mut outbox = self.outbox.lock();
        let batch = outbox.take(count, bytes);
        self.under_way.fetch_add(batch.len(), Ordering::SeqCst);
        (batch, outbox.len())
    }

    /// Whether nothing waits to be published, or for Redis to take it.
    pub(super) fn is_flushed(&self) -> bool {
        let outbox = self.outbox.lock();
        outbox.len() == 0 && self.under_way.load(Ordering::SeqCst) == 0
    }

    pub(super) fn waiting_publications(&self) -> usize {
        self.outbox.lock().len()
    }

    /// Remembers topics on which something was not published.
    pub(super) fn lose(&self, topics: impl IntoIterator<Item = Topic>) {
        let mut outbox = self.outbox.lock();
        let mut count = 0;
        for topic in topics {
            outbox.lose(topic);
            count += 1;
        }
        drop(outbox);
        Counts::add(&self.counts.unsent, count);
        // The driver reports it; while nothing is linked it has nothing to report to, and comes to it by itself.
        if self.whole.load(Ordering::Relaxed) {
            self.wake.notify_one();
        }
    }

    pub(super) fn lost_publications(&self) -> bool {
        self.outbox.lock().lost_something()
    }

    pub(super) fn take_unsent(&self) -> Option<Vec<Topic>> {
        self.outbox.lock().take_unsent()
    }

    /// Notes that something of these topics may have passed by this node.
    pub(super) fn miss(&self, topics: &[Topic]) {
        let mut missed = self.missed.lock();
        for topic in topics {
            missed.add(*topic);
        }
    }

    /// The same for everything.
    pub(super) fn miss_all(&self) {
        self.missed.lock().add_all();
    }

    pub(super) fn missed_something(&self) -> bool {
        !self.missed.lock().is_empty()
    }

    /// Where something may have been missed since; `None` for everywhere.
    pub(super) fn take_missed(&self) -> Option<Vec<Topic>> {
        self.missed.lock().take()
    }

    /// Notes the wish. `Err` when nothing is linked: the wish stands, and is fulfilled on reconnection.
    pub(super) fn want(&self, topics: &[Topic]) -> Result<oneshot::Receiver<Result<(), Away>>, Away> {
        let (done, receiver) = oneshot::channel();
        let mut wants = self.wants.lock();
        wants.wanted.extend(topics);
        wants.changed.extend(topics);
        if !wants.linked {
            drop(wants);
            self.miss(topics);
            return Err(Away);
        }
        wants.waiters.push(Waiter { topics: topics.to_vec(), done });
        drop(wants);
        self.wake.notify_one();
        Ok(receiver)
    }

    pub(super) fn unwant(&self, topics: &[Topic]) {
        let mut wants = self.wants.lock();
        for topic in topics {
            wants.wanted.remove(topic);
            if wants.linked {
                wants.changed.insert(*topic);
            } else {
                wants.changed.remove(topic);
            }
        }
        let linked = wants.linked;
        drop(wants);
        if linked {
            self.wake.notify_one();
        }
    }

    /// What has changed; the driver calls it until nothing has.
    pub(super) fn take_changes(&self) -> Changes {
        let mut wants = self.wants.lock();
        let changed = std::mem::take(&mut wants.changed);
        let topics = changed.into_iter().map(|topic| (topic, wants.wanted.contains(&topic))).collect();
        Changes { topics, waiters: std::mem::take(&mut wants.waiters) }
    }

    /// All that is wanted, for links that have just been made; the changes up to now are part of it.
    pub(super) fn take_wanted(&self) -> Vec<Topic> {
        let mut wants = self.wants.lock();
        wants.linked = true;
        // Those who wait are answered at the next look at the changes, by when these topics are subscribed.
        wants.changed.clear();
        wants.wanted.iter().copied().collect()
    }

    /// No master is linked: everybody who waits is told so.
    pub(super) fn unlinked(&self) {
        let mut wants = self.wants.lock();
        let Wants { wanted, changed, waiters, linked } = &mut *wants;
        *linked = false;
        changed.retain(|topic| wanted.contains(topic));
        let waiters = std::mem::take(waiters);
        drop(wants);
        for waiter in waiters {
            self.miss(&waiter.topics);
            let _ = waiter.done.send(Err(Away));
        }
    }
}
