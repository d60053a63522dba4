//! What those may cost whom nobody knows yet, by their network: requests without a token, and tokens that nobody has.
//!
//! A network that shows many bad tokens is not shut out, since honest people may sit behind the same address: its tokens
//! are looked up slowly, one after the other, apart from everybody else's.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use chapar_protocol::{ErrorCode, WireError};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bad tokens that a network may show before it is slowed down, and again for each two seconds.
const BAD_TOKENS: f64 = 30.0;
const BAD_TOKENS_PER_SECOND: f64 = 0.5;
/// Networks that are remembered at most: further ones are not counted until others are forgotten.
const MOST_NETWORKS: usize = 100_000;
/// Look-ups for slowed networks at the same time, and how long each holds its turn at least.
const TURNS: usize = 2;
const TURN: Duration = Duration::from_millis(20);
/// How long such a look-up waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the module.
pub struct Strangers {
    requests: Mutex<Buckets>,
    bad_tokens: Mutex<Buckets>,
    turns: Semaphore,
}

impl Strangers {
    /// A network may ask `burst` times at once without a token, and a tenth of that each second.
    pub fn new(burst: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a bound of a rate")]
        let burst = burst as f64;
        Self {
            requests: Mutex::new(Buckets::new(burst, burst / 10.0)),
            bad_tokens: Mutex::new(Buckets::new(BAD_TOKENS, BAD_TOKENS_PER_SECOND)),
            turns: Semaphore::new(TURNS),
        }
    }

    /// Counts a request without a token.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`] with the time to wait.
    pub fn request(&self, network: IpAddr) -> Result<(), WireError> {
        match self.requests.lock().add(network, Instant::now()) {
            None => Ok(()),
            Some(wait) => {
                let wait = u32::try_from(wait.as_millis() + 1).unwrap_or(u32::MAX);
                Err(WireError::new(ErrorCode::RateLimited, "too many requests from your address").after_ms(wait))
            }
        }
    }

    /// Counts a token that nobody has.
    pub fn failed(&self, network: IpAddr) {
        self.bad_tokens.lock().add(network, Instant::now());
    }

    /// To be held while a token is looked up. Only networks that have shown many bad ones wait for it.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] when others of the kind wait, too.
    pub async fn turn(&self, network: IpAddr) -> Result<Option<SemaphorePermit<'_>>, WireError> {
        if !self.bad_tokens.lock().is_full(network, Instant::now()) {
            return Ok(None);
        }
        let Ok(Ok(turn)) = tokio::time::timeout(PATIENCE, self.turns.acquire()).await else {
            let wait = rand::random_range(1000..5000);
            let message = "too many unknown tokens from your address";
            return Err(WireError::new(ErrorCode::Overloaded, message).after_ms(wait));
        };
        tokio::time::sleep(TURN).await;
        Ok(Some(turn))
    }

    /// Forgets those who have been quiet. To be called every minute or so.
    pub fn forget_idle(&self) {
        let now = Instant::now();
        self.requests.lock().forget_idle(now);
        self.bad_tokens.lock().forget_idle(now);
    }
}

/// Leaky buckets: each drop stays until it has leaked out.
struct Buckets {
    most: f64,
    per_second: f64,
    by_network: HashMap<IpAddr, (f64, Instant)>,
}

impl Buckets {
    fn new(most: f64, per_second: f64) -> Self {
        Self { most, per_second, by_network: HashMap::new() }
    }

    fn level(&self, network: IpAddr, now: Instant) -> f64 {
        self.by_network.get(&network).map_or(0.0, |&(level, at)| {
            (level - now.saturating_duration_since(at).as_secs_f64() * self.per_second).max(0.0)
        })
    }

    fn is_full(&self, network: IpAddr, now: Instant) -> bool {
        self.level(network, now) + 1.0 > self.most
    }

    /// Adds a drop; when there is no room, returns how long it takes until there is.
    fn add(&mut self, network: IpAddr, now: Instant) -> Option<Duration> {
        let level = self.level(network, now);
        if level + 1.0 > self.most {
            return Some(Duration::from_secs_f64((level + 1.0 - self.most) / self.per_second));
        }
        if self.by_network.len() < MOST_NETWORKS || self.by_network.contains_key(&network) {
            self.by_network.insert(network, (level + 1.0, now));
        }
        None
    }

    fn forget_idle(&mut self, now: Instant) {
        let per_second = self.per_second;
        self.by_network.retain(|_, (level, at)| *level > now.saturating_duration_since(*at).as_secs_f64() * per_second);
        if self.by_network.capacity() > 4 * self.by_network.len() {
            self.by_network.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    #[test]
    fn a_bucket_fills_says_when_there_is_room_and_leaks() {
        let mut buckets = Buckets::new(3.0, 2.0);
        let now = Instant::now();
        assert!((0..3).all(|_| buckets.add(HERE, now).is_none()));
        let wait = buckets.add(HERE, now).expect("is full");
        assert!(buckets.is_full(HERE, now) && !buckets.is_full(THERE, now));
        assert_eq!(wait, Duration::from_millis(500));
        assert!(buckets.add(HERE, now + wait).is_none(), "whoever waits as told is let in");
        assert!(buckets.add(HERE, now + wait).is_some());
        buckets.forget_idle(now + Duration::from_secs(1));
        assert_eq!(buckets.by_network.len(), 1);
        buckets.forget_idle(now + Duration::from_secs(3));
        assert!(buckets.by_network.is_empty());
    }

    #[tokio::test]
    async fn only_networks_with_many_bad_tokens_wait_for_a_turn() {
        let strangers = Strangers::new(100);
        for _ in 0..30 {
            assert!(strangers.turn(HERE).await.expect("has room").is_none());
            strangers.failed(HERE);
        }
        assert!(strangers.turn(HERE).await.expect("has room").is_some());
        assert!(strangers.turn(THERE).await.expect("has room").is_none());
    }
}
