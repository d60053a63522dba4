//! The bus carries payloads between chat nodes, over Redis pub/sub.
//!
//! It may lose: whoever listens heals gaps by version, and compares with the database at [`BusEvent::Resynchronise`].
//! It never waits on the way in, holds nothing without bound, and needs no Redis to start.
//!
//! ```text
//! publish ─▶ outbox ─▶ publisher ─▶ PUBLISH … (many in one write)     Redis
//! subscribe ─▶ wants ─▶ driver ──▶ SUBSCRIBE …, PING, who is master? ──▶ │
//! events ◀────────────── inbox ◀── pushed messages ◀─────────────────────┘
//! ```
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};

mod company;
mod driver;
mod inbox;
mod link;
mod outbox;
mod publisher;
mod room;
mod shared;
mod topic;

pub use chapar_redis::{Endpoint, UrlError, slot_of};
pub use room::Place;
pub use topic::Topic;

use shared::Shared;

/// A subscription that Redis has not confirmed after this time is reported as [`Away`].
const CONFIRM_WITHIN: Duration = Duration::from_secs(1);

/// What the bus tells whoever listens.
#[derive(Debug)]
pub enum BusEvent {
    /// Another node has published this. A node's own publications do not come back.
    Message {
        /// Where it was published.
        topic: Topic,
        /// What was published.
        payload: Bytes,
        /// Dropped once the payload has been taken in: until then it counts among what waits.
        place: Place,
    },
    /// Messages may have been missed (the connection was lost, or this queue was full), and everything wanted is
    /// subscribed again: whoever listens must compare with the database. Comes at most once a second.
    Resynchronise {
        /// Topics of which something may have been missed; `None` for all.
        missed: Option<Vec<Topic>>,
        /// Topics on which this node failed to publish meanwhile; `None` if there were too many to remember.
        unsent: Option<Vec<Topic>>,
    },
    /// This node was alone and is so no longer: what it has not published meanwhile may be missed elsewhere, and others must
    /// compare with the database.
    Company,
}

/// Redis is away. What was asked for is remembered, and done on reconnection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bus is away")]
pub struct Away;

/// What the bus has done since its start, for the metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BusFigures {
    /// Payloads that Redis has taken.
    pub published: u64,
    /// Payloads that were not published, because Redis was away or the queue full.
    pub unsent: u64,
    /// Messages of other nodes that were handed on.
    pub received: u64,
    /// Messages of other nodes that were dropped, because nobody took them from the queue.
    pub overflowed: u64,
    /// Links to Redis masters that were lost.
    pub links_lost: u64,
}

/// The bus of this node. Dropping it closes the connections.
pub enum Bus {
    /// There is no other node: publishing does nothing, subscribing succeeds at once.
    Alone,
    /// Other nodes are reached over Redis.
    Redis(RedisBus),
}

/// The bus over Redis.
pub struct RedisBus {
    shared: Arc<Shared>,
    tasks: [AbortHandle; 3],
    handles: Vec<JoinHandle<()>>,
}

impl Bus {
    /// Starts the bus; connects in the background, and keeps trying. Must be called within a Tokio runtime.
    ///
    /// `url` is one of `redis://[user:password@]host[:port][/db]`, `rediss://…` (TLS, verified with the certificates of
    /// the system), `redis+unix:///path`, `redis+sentinel://[user:password@]h1[:port],h2[:port]/service[/db]` (with
    /// `?sentinel_username=…&sentinel_password=…` for the Sentinels themselves) and
    /// `redis+cluster://[user:password@]h1[:port],h2[:port]`; the last two also with `rediss+`. Redis must be 6 or later
    /// (RESP3), a cluster 7 or later (sharded pub/sub). `None` is [`Bus::Alone`].
    ///
    /// `node` is a random id by which this node knows its own publications. `events` and 64 MiB bound what may wait:
    /// beyond either, messages are dropped and a [`BusEvent::Resynchronise`] with their topics follows.
    ///
    /// # Errors
    /// Only for a URL that cannot be read; never because Redis is down.
    pub fn start(url: Option<&str>, node: u64, events: mpsc::Sender<BusEvent>) -> Result<Self, UrlError> {
        let Some(url) = url else { return Ok(Self::Alone) };
        let endpoint = Endpoint::parse(url)?;
        let shared = Arc::new(Shared::new(node, events));
        let driver = driver::Driver::new(Arc::clone(&shared), endpoint);
        let handles = [
            tokio::spawn(driver.run()),
            tokio::spawn(publisher::run(Arc::clone(&shared))),
            tokio::spawn(company::run(Arc::clone(&shared))),
        ];
        let tasks = handles.each_ref().map(JoinHandle::abort_handle);
        Ok(Self::Redis(RedisBus { shared, tasks, handles: handles.into() }))
    }

    /// What runs the bus, for whoever watches that it does. Given out once.
    pub fn take_tasks(&mut self) -> Vec<JoinHandle<()>> {
        match self {
            Self::Alone => Vec::new(),
            Self::Redis(bus) => std::mem::take(&mut bus.handles),
        }
    }

    /// Queues a payload for the other nodes; never waits. When the queue (32,768 payloads or 32 MiB) is full or Redis is
    /// away, only the topic is remembered, and comes back in [`BusEvent::Resynchronise`].
    pub fn publish(&self, topic: Topic, payload: Bytes) {
        if let Self::Redis(bus) = self {
            bus.shared.publish(topic, payload);
        }
    }

    /// Waits until everything that was published so far has reached Redis, or is lost. Returns after `patience` all the same.
    pub async fn flush(&self, patience: Duration) {
        let Self::Redis(bus) = self else { return };
        let flushed = async {
            while !bus.shared.is_flushed() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(patience, flushed).await;
    }

    /// Whether there is certainly no other node: then a publication reaches nobody, and may be left out. What is left out must
    /// have been committed before this was asked; see [`BusEvent::Company`].
    pub fn is_alone(&self) -> bool {
        match self {
            Self::Alone => true,
            Self::Redis(bus) => bus.shared.company.is_alone(),
        }
    }

    /// Waits until all other nodes publish for this one: 1.5 s where there are any. To be called before connections are
    /// taken. Returns after `patience` without Redis: when it is back, everybody is told to compare.
    pub async fn joined(&self, patience: Duration) {
        if let Self::Redis(bus) = self
            && !bus.shared.company.joined(patience).await
        {
            tracing::warn!("Redis does not tell who else is there: serving all the same");
        }
    }

    /// Subscribes, and returns once Redis has confirmed all, so that a database read that follows cannot miss an event.
    /// Subscribing twice is subscribing once: the caller counts.
    ///
    /// # Errors
    /// [`Away`] within a second when Redis does not confirm; the topics are remembered, subscribed on reconnection, and
    /// a [`BusEvent::Resynchronise`] follows.
    pub async fn subscribe(&self, topics: &[Topic]) -> Result<(), Away> {
        let Self::Redis(bus) = self else { return Ok(()) };
        if topics.is_empty() {
            return Ok(());
        }
        let confirmed = bus.shared.want(topics)?;
        if let Ok(Ok(answer)) = tokio::time::timeout(CONFIRM_WITHIN, confirmed).await {
            return answer;
        }
        bus.shared.miss(topics);
        Err(Away)
    }

    /// Unsubscribes; does not wait, and late messages may still come.
    pub fn unsubscribe(&self, topics: &[Topic]) {
        if let Self::Redis(bus) = self {
            bus.shared.unwant(topics);
        }
    }

    /// Whether every master is linked and everything wanted is subscribed.
    pub fn is_connected(&self) -> bool {
        match self {
            Self::Alone => true,
            Self::Redis(bus) => bus.shared.whole.load(Ordering::Relaxed),
        }
    }

    /// What the bus has done since its start.
    pub fn figures(&self) -> BusFigures {
        let Self::Redis(bus) = self else { return BusFigures::default() };
        let counts = &bus.shared.counts;
        BusFigures {
            published: counts.published.load(Ordering::Relaxed),
            unsent: counts.unsent.load(Ordering::Relaxed),
            received: counts.received.load(Ordering::Relaxed),
            overflowed: counts.overflowed.load(Ordering::Relaxed),
            links_lost: counts.links_lost.load(Ordering::Relaxed),
        }
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
