//! Token buckets of one word each (GCRA): they need no task to refill them, and shards can share one without a lock.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

const NANOS: u64 = 1_000_000_000;

/// A bucket's size: so many units a second, and a burst of as many as come in `burst_nanos`.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Units (bytes, replies) a second; at least 1.
    pub per_second: u64,
    /// How much unused time can be saved up, in nanoseconds.
    pub burst_nanos: u64,
}

impl Rate {
    /// A rate with a burst of this many seconds' worth.
    pub const fn with_burst_seconds(per_second: u64, seconds: u64) -> Self {
        Self { per_second, burst_nanos: seconds * NANOS }
    }

    fn cost(self, units: u64) -> u64 {
        units.saturating_mul(NANOS) / self.per_second.max(1)
    }
}

/// A bucket that many threads draw from. It holds the time at which it will be full again.
#[derive(Debug, Default)]
pub struct Bucket(AtomicU64);

impl Bucket {
    /// Takes `units` if they are there. `now` is in nanoseconds on any monotonic clock.
    pub fn take(&self, rate: Rate, units: u64, now: u64) -> bool {
        let cost = rate.cost(units);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| draw(full_at, cost, rate.burst_nanos, now))
            .is_ok()
    }

    /// Whether nothing is owed: a full bucket can be forgotten without giving anything away.
    pub fn is_full(&self, now: u64) -> bool {
        self.0.load(Ordering::Relaxed) <= now
    }
}

/// One bucket per source address in a table of fixed size. Two sources that fall on one entry share it, which costs them
/// some of their rate and the relay no memory; the keyed hash keeps a sender from choosing whom it shares with.
#[derive(Debug)]
pub struct SourceBuckets {
    full_at: Box<[u64]>,
    hasher: RandomState,
    rate: Rate,
}

impl SourceBuckets {
    /// A table with `entries` buckets.
    pub fn new(entries: usize, rate: Rate) -> Self {
        Self { full_at: vec![0; entries.max(1)].into(), hasher: RandomState::new(), rate }
    }

    /// Takes `units` from the bucket of this address (of its /64, for IPv6).
    pub fn take(&mut self, ip: IpAddr, units: u64, now: u64) -> bool {
        let hash = self.hasher.hash_one(network(ip));
        let index = usize::try_from(hash % self.full_at.len() as u64).unwrap_or_default();
        let entry = &mut self.full_at[index];
        match draw(*entry, self.rate.cost(units), self.rate.burst_nanos, now) {
            Some(full_at) => {
                *entry = full_at;
                true
            }
            None => false,
        }
    }
}

/// What counts as one source: an IPv4 address, or an IPv6 /64, since one subscriber has the whole of that.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & (u128::MAX << 64)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn draw(full_at: u64, cost: u64, burst: u64, now: u64) -> Option<u64> {
    let next = full_at.max(now).saturating_add(cost);
    (next - now <= burst).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let rate = Rate::with_burst_seconds(1000, 2);
        let bucket = Bucket::default();
        let taken = (0..5000).filter(|_| bucket.take(rate, 1, 7)).count();
        assert_eq!(taken, 2000);
        let second = 7 + NANOS;
        let taken = (0..5000).filter(|_| bucket.take(rate, 1, second)).count();
        assert_eq!(taken, 1000);
        assert!(!bucket.is_full(second) && bucket.is_full(second + 2 * NANOS));
    }

    #[test]
    fn the_addresses_of_one_subscriber_share_a_bucket() {
        let mut buckets = SourceBuckets::new(4096, Rate::with_burst_seconds(1, 1));
        assert!(buckets.take("2a01::1".parse().unwrap(), 1, 0));
        assert!(!buckets.take("2a01::2".parse().unwrap(), 1, 0));
        assert!(!buckets.take("2a01::1:2:3:4".parse().unwrap(), 1, 0));
    }
}
