//! Token buckets in memory: one value for each key, and a bound on how many keys there are, whoever makes them up.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

const SHARDS: usize = 16;
/// Keys of one limit that have a bucket of their own at the same time. Full buckets need none.
pub(super) const MOST: usize = 1 << 17;
/// Buckets that further keys share.
const SHARED: usize = 1 << 12;
/// How often a shard that is full is looked through for buckets that have filled up.
const SWEEP: u64 = 1_000_000_000;

/// Buckets that refill at one rate. Times are nanoseconds since these were made.
pub(crate) struct Buckets<K> {
    began: Instant,
    /// How long one token takes to come back.
    each: u64,
    /// How long an empty bucket takes to fill.
    window: u64,
    hasher: RandomState,
    shards: Vec<Mutex<Shard<K>>>,
}

struct Shard<K> {
    /// When each bucket will be full. One that is absent is full.
    full_at: HashMap<K, u64>,
    shared: Vec<u64>,
    swept_at: u64,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// One token comes back in `each`; a bucket holds `burst`.
    pub(crate) fn new(each: Duration, burst: u32) -> Self {
        let each = nanoseconds(each).max(1);
        let shard = || Mutex::new(Shard { full_at: HashMap::new(), shared: vec![0; SHARED / SHARDS], swept_at: 0 });
        Self {
            began: Instant::now(),
            each,
            window: each.saturating_mul(burst.max(1).into()),
            hasher: RandomState::new(),
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
        }
    }

    /// Takes some tokens, or says how long until they are there. More than a bucket holds is given when it is full, and
    /// leaves a debt.
    pub(crate) fn take(&self, key: &K, tokens: u64) -> Result<(), Duration> {
        self.take_at(key, tokens, nanoseconds(self.began.elapsed()))
    }

    /// Takes tokens in any case: what was asked for has been had already.
    pub(super) fn charge(&self, key: &K, tokens: u64) {
        let now = nanoseconds(self.began.elapsed());
        let cost = self.each.saturating_mul(tokens);
        self.with(key, now, |full_at| *full_at = (*full_at).max(now).saturating_add(cost));
    }

    /// Gives back tokens that were taken.
    pub(super) fn give_back(&self, key: &K, tokens: u64) {
        let worth = self.each.saturating_mul(tokens);
        self.with(key, nanoseconds(self.began.elapsed()), |full_at| *full_at = full_at.saturating_sub(worth));
    }

    /// Whether there is no whole token left. Makes no bucket.
    pub(crate) fn is_empty(&self, key: &K) -> bool {
        self.is_empty_at(key, nanoseconds(self.began.elapsed()))
    }

    fn is_empty_at(&self, key: &K, now: u64) -> bool {
        let hash = self.hash(key);
        let shard = self.shards[hash % SHARDS].lock();
        let full_at = match shard.full_at.get(key) {
            Some(full_at) => *full_at,
            None if shard.full_at.len() >= MOST / SHARDS => shard.shared[(hash / SHARDS) % (SHARED / SHARDS)],
            None => 0,
        };
        full_at.max(now).saturating_add(self.each) > now.saturating_add(self.window)
    }

    fn hash(&self, key: &K) -> usize {
        usize::try_from(self.hasher.hash_one(key) & 0xffff_ffff).unwrap_or(0)
    }

    fn take_at(&self, key: &K, tokens: u64, now: u64) -> Result<(), Duration> {
        let cost = self.each.saturating_mul(tokens);
        self.with(key, now, |full_at| {
            let from = (*full_at).max(now);
            let wait = from.saturating_add(cost.min(self.window)).saturating_sub(now.saturating_add(self.window));
            if wait > 0 {
                return Err(Duration::from_nanos(wait));
            }
            *full_at = from.saturating_add(cost);
            Ok(())
        })
    }

    fn with<R>(&self, key: &K, now: u64, act: impl FnOnce(&mut u64) -> R) -> R {
        let hash = self.hash(key);
        let mut shard = self.shards[hash % SHARDS].lock();
        let Shard { full_at, shared, swept_at } = &mut *shard;
        if full_at.len() >= MOST / SHARDS && !full_at.contains_key(key) {
            if now >= swept_at.saturating_add(SWEEP) {
                *swept_at = now;
                full_at.retain(|_, full_at| *full_at > now);
            }
            if full_at.len() >= MOST / SHARDS {
                return act(&mut shared[(hash / SHARDS) % (SHARED / SHARDS)]);
            }
        }
        act(full_at.entry(key.clone()).or_insert(0))
    }

    /// Forgets buckets that are full.
    pub(crate) fn forget_idle(&self) {
        let now = nanoseconds(self.began.elapsed());
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.full_at.retain(|_, full_at| *full_at > now);
            shard.full_at.shrink_to_fit();
        }
    }

    #[cfg(test)]
    fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().full_at.len()).sum()
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_then_one_each_and_the_wait_is_exact() {
        let buckets = Buckets::new(Duration::from_secs(6), 10);
        for _ in 0..10 {
            assert_eq!(buckets.take_at(&"key", 1, SECOND), Ok(()));
        }
        assert_eq!(buckets.take_at(&"key", 1, SECOND), Err(Duration::from_secs(6)));
        assert_eq!(buckets.take_at(&"other", 1, SECOND), Ok(()));
        assert_eq!(buckets.take_at(&"key", 1, 7 * SECOND - 1), Err(Duration::from_nanos(1)));
        assert_eq!(buckets.take_at(&"key", 1, 7 * SECOND), Ok(()));
    }

    #[test]
    fn a_look_takes_nothing_and_what_is_given_back_is_there_again() {
        let buckets = Buckets::new(Duration::from_hours(1), 2);
        assert!(!buckets.is_empty(&1) && buckets.keys() == 0);
        assert_eq!(buckets.take(&1, 2), Ok(()));
        assert!(buckets.is_empty(&1) && !buckets.is_empty(&2));
        buckets.give_back(&1, 1);
        assert!(!buckets.is_empty(&1));
        assert_eq!(buckets.take(&1, 1), Ok(()));
        assert!(buckets.take(&1, 1).is_err());
    }

    #[test]
    fn more_than_a_bucket_holds_leaves_a_debt() {
        let buckets = Buckets::new(Duration::from_secs(1), 4);
        assert_eq!(buckets.take_at(&1, 10, 0), Ok(()));
        assert_eq!(buckets.take_at(&1, 0, 0), Err(Duration::from_secs(6)));
        assert_eq!(buckets.take_at(&1, 1, 0), Err(Duration::from_secs(7)));
    }

    #[test]
    fn made_up_keys_are_bounded_and_whoever_was_there_first_keeps_a_bucket() {
        let buckets = Buckets::new(Duration::from_secs(6), 10);
        assert_eq!(buckets.take_at(&u64::MAX, 10, 0), Ok(()));
        for key in 0..1_000_000 {
            let _ = buckets.take_at(&key, 1, key);
        }
        assert!(buckets.keys() <= MOST, "{}", buckets.keys());
        assert!(buckets.take_at(&u64::MAX, 1, SECOND).is_err());
        assert_eq!(buckets.take_at(&2_000_000, 1, 100 * SECOND), Ok(()), "and later there is room again");
        assert!(buckets.keys() < MOST);
    }
}
