//! Rate limits, with the honest time to wait. Kept per node: a limit on messages guards this node's work, and what a
//! client gains by spreading over nodes is bounded by their number.

use std::{hash::Hash, net::IpAddr, num::NonZeroU32, time::Duration};

use chapar_protocol::{DeviceId, ErrorCode, UserId, WireError, call::CallId};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::DefaultKeyedStateStore,
};

type Limiter<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>;

/// Every limit, in one list.
pub struct Limits {
    clock: DefaultClock,
    /// Sends, edits, deletes and reactions of one user; absent when the operator has switched it off.
    messages: Option<Limiter<UserId>>,
    /// All other commands of one user.
    commands: Limiter<UserId>,
    /// `typing` of one user.
    typing: Limiter<UserId>,
    /// Chats made, and members added, by one user.
    creations: Limiter<UserId>,
    /// Credentials for relays, asked by one user: each call and each of its moves asks once.
    relays: Limiter<UserId>,
    /// Calls begun by one user, and by one user to another; absent when the operator has switched it off.
    calls: Option<CallLimits>,
    /// What one device asks of calls.
    asks: Limiter<DeviceId>,
    /// Candidates that one device sends in one call.
    candidates: Limiter<(CallId, DeviceId)>,
    /// Tries to sign in to one account.
    sign_in_handle: Limiter<String>,
    /// Tries to sign in from one address. Many people sit behind one address of a carrier.
    sign_in_address: Limiter<IpAddr>,
    /// Accounts made from one address.
    register_address: Limiter<IpAddr>,
}

/// See [`Limits`].
struct CallLimits {
    each: Limiter<UserId>,
    pair: Limiter<(UserId, UserId)>,
}

fn limiter<K: Hash + Eq + Clone>(every: Duration, burst: u32) -> Limiter<K> {
    let quota = Quota::with_period(every).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    RateLimiter::keyed(quota.allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN)))
}

impl Limits {
    /// With `messages_per_second` sustained per user, and bursts of four times that; 0 for no bound on messages. With
    /// `calls_per_minute` begun by a user, and half of that to the same person; 0 for no bound on calls.
    pub fn new(messages_per_second: u32, calls_per_minute: u32) -> Self {
        let minute = Duration::from_mins(1);
        Self {
            calls: (calls_per_minute > 0).then(|| {
                let half = calls_per_minute.div_ceil(2);
                CallLimits {
                    each: limiter(minute / calls_per_minute, calls_per_minute),
                    pair: limiter(minute / half, half),
                }
            }),
            asks: limiter(Duration::from_millis(50), 400),
            candidates: limiter(Duration::from_secs(1), 128),
            clock: DefaultClock::default(),
            messages: (messages_per_second > 0)
                .then(|| limiter(Duration::from_secs(1) / messages_per_second, messages_per_second.saturating_mul(4))),
            commands: limiter(Duration::from_millis(10), 1000),
            typing: limiter(Duration::from_secs(1), 5),
            creations: limiter(Duration::from_secs(1), 60),
            relays: limiter(Duration::from_secs(2), 30),
            sign_in_handle: limiter(Duration::from_secs(6), 10),
            sign_in_address: limiter(Duration::from_millis(200), 200),
            register_address: limiter(Duration::from_secs(1), 100),
        }
    }

    fn check<K: Hash + Eq + Clone>(&self, limiter: &Limiter<K>, key: &K, what: &str) -> Result<(), WireError> {
        limiter.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            // Rounded up, so that whoever waits exactly this long is let in.
            let wait = u32::try_from(wait.as_millis() + 1).unwrap_or(u32::MAX);
            WireError::new(ErrorCode::RateLimited, format!("too many {what}")).after_ms(wait)
        })
    }

    /// For sends, edits, deletes and reactions.
    pub fn message(&self, user: UserId) -> Result<(), WireError> {
        self.messages.as_ref().map_or(Ok(()), |limiter| self.check(limiter, &user, "messages"))
    }

    /// For all other commands.
    pub fn command(&self, user: UserId) -> Result<(), WireError> {
        self.check(&self.commands, &user, "requests")
    }

    /// For `typing`.
    pub fn typing(&self, user: UserId) -> Result<(), WireError> {
        self.check(&self.typing, &user, "typing events")
    }

    /// For chats made and members added.
    pub fn creation(&self, user: UserId) -> Result<(), WireError> {
        self.check(&self.creations, &user, "new chats or members")
    }

    /// For credentials at the relays.
    pub fn relays(&self, user: UserId) -> Result<(), WireError> {
        self.check(&self.relays, &user, "requests for relays")
    }

    /// For a call that begins.
    pub fn call(&self, from: UserId, to: UserId) -> Result<(), WireError> {
        let Some(calls) = &self.calls else { return Ok(()) };
        self.check(&calls.pair, &(from, to), "calls to the same person")?;
        self.check(&calls.each, &from, "calls")
    }

    /// For what a device asks of a call, and for so many candidates in it.
    pub fn call_ask(&self, device: DeviceId, call: CallId, candidates: usize) -> Result<(), WireError> {
        self.check(&self.asks, &device, "requests about calls")?;
        let Some(count) = u32::try_from(candidates).ok().and_then(NonZeroU32::new) else { return Ok(()) };
        match self.candidates.check_key_n(&(call, device), count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => {
                let wait = not_until.wait_time_from(self.clock.now());
                let wait = u32::try_from(wait.as_millis() + 1).unwrap_or(u32::MAX);
                Err(WireError::new(ErrorCode::RateLimited, "too many candidates").after_ms(wait))
            }
            Err(_) => Err(WireError::new(ErrorCode::TooLarge, "at most 16 candidates at once")),
        }
    }

    /// For a try to sign in.
    pub fn sign_in(&self, handle: &str, address: IpAddr) -> Result<(), WireError> {
        self.check(&self.sign_in_address, &network(address), "tries to sign in from your address")?;
        self.check(&self.sign_in_handle, &handle.to_owned(), "tries to sign in to this account")
    }

    /// For a new account.
    pub fn register(&self, address: IpAddr) -> Result<(), WireError> {
        self.check(&self.register_address, &network(address), "new accounts from your address")
    }

    /// Forgets those who have been quiet. To be called every minute or so: it bounds the memory.
    pub fn forget_idle(&self) {
        if let Some(limiter) = &self.messages {
            limiter.retain_recent();
        }
        for limiter in [&self.commands, &self.typing, &self.creations, &self.relays] {
            limiter.retain_recent();
        }
        if let Some(calls) = &self.calls {
            calls.each.retain_recent();
            calls.pair.retain_recent();
        }
        self.asks.retain_recent();
        self.candidates.retain_recent();
        self.sign_in_handle.retain_recent();
        self.sign_in_address.retain_recent();
        self.register_address.retain_recent();
    }
}

/// What counts as one address: an IPv4 address, or the /64 that one IPv6 subscriber has.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_as_told_is_let_in() {
        let limits = Limits::new(20, 4);
        let user = UserId(1);
        let refusal = (0..200).find_map(|_| limits.message(user).err()).expect("80 are a burst");
        let wait = refusal.retry_after_ms.expect("says when");
        assert!((1..=51).contains(&wait), "{wait}");
        assert!(limits.message(UserId(2)).is_ok(), "others are not meant");
        tokio::time::sleep(Duration::from_millis(wait.into())).await;
        assert!(limits.message(user).is_ok());
    }

    #[test]
    fn one_subscriber_is_one_address() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
