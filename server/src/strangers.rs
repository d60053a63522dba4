//! What those may cost whom nobody knows yet, by their network: requests without a token, and tokens that nobody has.
//!
//! A network that shows many bad tokens is not shut out, since honest people may sit behind the same address: its tokens
//! are looked up slowly, one after the other, apart from everybody else's.

use std::{net::IpAddr, time::Duration};

use chapar_protocol::{ErrorCode, WireError};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::buckets::Buckets;

/// Bad tokens that a network may show before it is slowed down, and how long until it may show another.
const BAD_TOKENS: u32 = 30;
const BAD_TOKEN_EACH: Duration = Duration::from_secs(2);
/// How long it takes until a network that has used up its requests may make all of them again.
const REQUESTS_WITHIN: Duration = Duration::from_secs(10);
/// Look-ups for slowed networks at the same time, and how long each holds its turn at least.
const TURNS: usize = 2;
const TURN: Duration = Duration::from_millis(20);
/// How long such a look-up waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the module.
pub struct Strangers {
    requests: Buckets<IpAddr>,
    bad_tokens: Buckets<IpAddr>,
    turns: Semaphore,
}

impl Strangers {
    /// A network may ask `burst` times at once without a token, and a tenth of that each second.
    pub fn new(burst: usize) -> Self {
        let burst = u32::try_from(burst).unwrap_or(u32::MAX).max(1);
        Self {
            requests: Buckets::new(REQUESTS_WITHIN / burst, burst),
            bad_tokens: Buckets::new(BAD_TOKEN_EACH, BAD_TOKENS),
            turns: Semaphore::new(TURNS),
        }
    }

    /// Counts a request without a token.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`] with the time to wait.
    pub fn request(&self, network: IpAddr) -> Result<(), WireError> {
        self.requests.take(&network, 1).map_err(|wait| {
            let wait = u32::try_from(wait.as_millis() + 1).unwrap_or(u32::MAX);
            WireError::new(ErrorCode::RateLimited, "too many requests from your address").after_ms(wait)
        })
    }

    /// Counts a token that nobody has.
    pub fn failed(&self, network: IpAddr) {
        // One that is slowed down already owes no more than that.
        let _ = self.bad_tokens.take(&network, 1);
    }

    /// To be held while a token is looked up. Only networks that have shown many bad ones wait for it.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] when others of the kind wait, too.
    pub async fn turn(&self, network: IpAddr) -> Result<Option<SemaphorePermit<'_>>, WireError> {
        if !self.bad_tokens.is_empty(&network) {
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
        self.requests.forget_idle();
        self.bad_tokens.forget_idle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

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

    #[test]
    fn those_who_come_after_many_networks_are_counted_too() {
        let strangers = Strangers::new(100);
        for n in 0..1_000_000_u32 {
            let _ = strangers.request(IpAddr::from(n.to_be_bytes()));
        }
        let late = IpAddr::from([250, 1, 2, 3]);
        let refused = (0..300).find_map(|_| strangers.request(late).err()).expect("counted");
        assert_eq!(refused.code, ErrorCode::RateLimited);
    }
}
