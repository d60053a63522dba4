//! Whether there is any other node to publish for. A node that knows it is alone publishes nothing: each publication would
//! only come back to itself.
//!
//! Every node keeps its name in one sorted set in Redis, by the moment at which its lease ends, and reads with each renewal
//! how many there are.
//!
//! ```text
//! the older node   ──▶ "alone" ····· skips ·····▶ for 1 s after a reading began, at most
//! the newer node          registers ├──── waits 1.5 s ────┤ takes its first connection, which reads the database
//! ```
//!
//! A node that cannot be in the set (of an earlier version, or kept from it by an ACL) is known by what it publishes, at least
//! its heartbeat.
//!
//! So whatever was skipped was committed before a client of the newer node could ask. Where that does not hold (a lease lost
//! by a pause or with Redis' memory), what was skipped is made up for: a node that is no longer alone says so by
//! [`super::BusEvent::Company`], and its listener tells the others to compare with the database.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::Script;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};

use super::{BusEvent, shared::Shared, topic::Topic};

/// How often the lease is renewed and the set read.
const RENEW_EVERY: Duration = Duration::from_millis(300);
/// How often a node that starts looks whether it is linked to Redis.
const LINKING: Duration = Duration::from_millis(20);
/// How long a node counts as there without a renewal, in milliseconds.
const LEASE_MS: u64 = 3_000;
/// How long a reading holds, from the moment at which it began.
const HOLDS: Duration = Duration::from_secs(1);
/// For how long whoever was heard counts as there: longer than three heartbeats.
const HEARD_HOLDS: Duration = Duration::from_secs(7);
/// How long a node that joins others waits before it takes connections: longer than [`HOLDS`].
const SETTLE: Duration = Duration::from_millis(1_500);

/// Renews a node's lease. Key: the set. Arguments: the node, its lease in milliseconds. Returns how many nodes there are. The
/// clock is that of Redis.
static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
        redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return redis.call('ZCARD', KEYS[1])",
    )
});

/// What a node knows of the others.
pub(super) struct Company {
    began: Instant,
    /// Until when this node counts as alone, in microseconds since `began`.
    alone_until: AtomicU64,
    /// Until when somebody else is there, since it was heard; in microseconds since `began`.
    heard_until: AtomicU64,
    /// From when on this node may take connections; `None` before its first registration.
    joined: watch::Sender<Option<Instant>>,
}

impl Company {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            alone_until: AtomicU64::new(0),
            heard_until: AtomicU64::new(0),
            joined: watch::Sender::new(None),
        }
    }

    /// Whether nobody else is there to be told.
    pub(super) fn is_alone(&self) -> bool {
        self.alone_at(Instant::now())
    }

    fn alone_at(&self, now: Instant) -> bool {
        let now = self.micros(now);
        now < self.alone_until.load(Ordering::SeqCst) && now >= self.heard_until.load(Ordering::SeqCst)
    }

    /// Another node has published something.
    pub(super) fn heard(&self, now: Instant) {
        self.heard_until.store(self.micros(now + HEARD_HOLDS), Ordering::SeqCst);
    }

    /// Waits until no other node takes this one for absent any more. Returns false after `patience` without Redis.
    pub(super) async fn joined(&self, patience: Duration) -> bool {
        let mut joined = self.joined.subscribe();
        let registered = tokio::time::timeout(patience, joined.wait_for(Option::is_some)).await;
        let Some(at) = registered.ok().and_then(Result::ok).and_then(|at| *at) else { return false };
        tokio::time::sleep_until(at).await;
        true
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }

    /// Takes in a reading that began and ended then. Returns whether this node is alone.
    fn read(&self, began: Instant, now: Instant, nodes: u64) -> bool {
        let alone = nodes == 1;
        self.alone_until.store(if alone { self.micros(began + HOLDS) } else { 0 }, Ordering::SeqCst);
        self.joined.send_if_modified(|joined| {
            let first = joined.is_none();
            if first {
                *joined = Some(if alone { now } else { now + SETTLE });
            }
            first
        });
        self.alone_at(now)
    }
}

/// Keeps the lease, until it is aborted or nobody listens any more.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(RENEW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut may_have_skipped = false;
    loop {
        ticks.tick().await;
        let Some(route) = shared.routes.load().route(Topic::Node) else {
            ticks.reset_after(if shared.company.joined.borrow().is_none() { LINKING } else { RENEW_EVERY });
            continue;
        };
        let began = Instant::now();
        let channel = Topic::Node.channel();
        let mut renewal = RENEW.key(channel.as_bytes());
        renewal.arg(shared.node).arg(LEASE_MS);
        match renewal.invoke_async(&mut route.connection.clone()).await {
            Ok(nodes) if shared.company.read(began, Instant::now(), nodes) => may_have_skipped = true,
            Ok(_) if may_have_skipped => {
                may_have_skipped = false;
                if shared.events.send(BusEvent::Company).await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            // What was read before holds for its second, and no longer.
            Err(error) => tracing::debug!(%error, "the list of nodes cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_holds_for_a_second_and_whoever_joins_others_waits_longer() {
        let older = Company::new();
        let began = older.began;
        let after = |millis| began + Duration::from_millis(millis);
        assert!(!older.alone_at(began), "nothing is known yet");
        assert!(older.read(after(10), after(400), 1));
        assert_eq!(*older.joined.borrow(), Some(after(400)), "the first node waits for nobody");
        assert!(older.alone_at(after(400)) && older.alone_at(after(1_009)));

        let newer = Company::new();
        assert!(!newer.read(after(11), after(12), 2));
        let takes_connections = newer.joined.borrow().expect("it has registered");
        assert!(!older.alone_at(takes_connections), "without another reading");
        assert!(!newer.alone_at(after(12)));

        assert!(older.read(after(20), after(21), 1) && older.alone_at(after(22)));
        assert!(!older.read(after(23), after(24), 2) && !older.alone_at(after(24)), "at once");
        assert_eq!(*older.joined.borrow(), Some(after(400)), "only the first registration counts");

        older.heard(after(30));
        assert!(!older.read(after(31), after(32), 1), "somebody was heard who is not in the set");
        assert!(older.read(after(7_030), after(7_031), 1), "and not for a long time now");
    }
}
