//! Rate limits, with the honest time to wait. Kept per node and bounded in memory: a limit on messages guards this node's
//! work, and what a client gains by spreading over nodes is bounded by their number. What must not grow with the nodes is
//! paid for in Postgres: [`crate::store::people::budgets`].

pub(crate) mod buckets;

use std::{hash::Hash, net::IpAddr, time::Duration};

use chapar_protocol::{DeviceId, ErrorCode, UserId, WireError, call::CallId};

use buckets::Buckets;

/// Every limit, in one list.
pub struct Limits {
    /// Sends, edits, deletes and reactions of one user; absent when the operator has switched it off.
    messages: Option<Buckets<UserId>>,
    /// All other commands of one user.
    commands: Buckets<UserId>,
    /// `typing` of one user.
    typing: Buckets<UserId>,
    /// Chats made, and members added, by one user.
    creations: Buckets<UserId>,
    /// Items that one user sets.
    items: Buckets<UserId>,
    /// Names that one user takes: each is told to all who know them.
    names: Buckets<UserId>,
    /// People whom one user reports.
    reports: Buckets<UserId>,
    /// Links that one user has looked at.
    previews: Buckets<UserId>,
    /// Credentials for relays, asked by one user: each call and each of its moves asks once.
    relays: Buckets<UserId>,
    /// Calls begun by one user, and by one user to another; absent when the operator has switched it off.
    calls: Option<CallLimits>,
    /// What one device asks of calls.
    asks: Buckets<DeviceId>,
    /// Candidates that one device sends in one call.
    candidates: Buckets<(CallId, DeviceId)>,
    /// Bytes of answers to one user, charged when they are known; absent together with the bound on messages.
    answers: Option<Buckets<UserId>>,
    /// Tries to sign in to one account from one address that failed, and those under way.
    sign_in_pair: Buckets<(String, IpAddr)>,
    /// The same from all networks that the account does not know.
    sign_in_handle: Buckets<String>,
    /// Tries to sign in from one network. Many people sit behind one address of a carrier.
    sign_in_network: Buckets<IpAddr>,
    /// Accounts made from one network, for a moment and for a day.
    register_network: [Buckets<IpAddr>; 2],
}

/// See [`Limits`].
struct CallLimits {
    each: Buckets<UserId>,
    pair: Buckets<(UserId, UserId)>,
}

/// What one user may read for each message that they may send, sustained. 16 times that at once.
const ANSWER_BYTES: u64 = 128 * 1024;
/// So many people that are asked about count as one more command.
const PEOPLE_FOR_ONE: u64 = 10;
/// In these bytes answers are counted, rounded up.
const ANSWER_UNIT: u64 = 256;
/// Candidates in one ask, more than a command can hold.
const MOST_CANDIDATES: u64 = 128;

impl Limits {
    /// With `messages_per_second` sustained per user, and bursts of four times that; 0 for no bound on messages. With
    /// `calls_per_minute` begun by a user, and half of that to the same person; 0 for no bound on calls.
    pub fn new(messages_per_second: u32, calls_per_minute: u32) -> Self {
        let minute = Duration::from_mins(1);
        Self {
            calls: (calls_per_minute > 0).then(|| {
                let half = calls_per_minute.div_ceil(2);
                CallLimits {
                    each: Buckets::new(minute / calls_per_minute, calls_per_minute),
                    pair: Buckets::new(minute / half, half),
                }
            }),
            asks: Buckets::new(Duration::from_millis(50), 400),
            candidates: Buckets::new(Duration::from_secs(1), 128),
            messages: (messages_per_second > 0).then(|| {
                Buckets::new(Duration::from_secs(1) / messages_per_second, messages_per_second.saturating_mul(4))
            }),
            commands: Buckets::new(Duration::from_millis(10), 1000),
            typing: Buckets::new(Duration::from_secs(1), 5),
            creations: Buckets::new(Duration::from_secs(1), 60),
            names: Buckets::new(Duration::from_mins(1), 20),
            reports: Buckets::new(Duration::from_mins(10), 20),
            previews: Buckets::new(Duration::from_secs(3), 20),
            items: Buckets::new(Duration::from_millis(20), 5000),
            relays: Buckets::new(Duration::from_secs(2), 30),
            answers: (messages_per_second > 0).then(|| {
                let units = u64::from(messages_per_second) * ANSWER_BYTES / ANSWER_UNIT;
                Buckets::new(Duration::from_nanos(1_000_000_000 / units), u32::try_from(16 * units).unwrap_or(u32::MAX))
            }),
            sign_in_pair: Buckets::new(Duration::from_secs(6), 10),
            sign_in_handle: Buckets::new(Duration::from_secs(2), 200),
            sign_in_network: Buckets::new(Duration::from_millis(200), 200),
            register_network: [
                Buckets::new(Duration::from_secs(1), 100),
                Buckets::new(Duration::from_hours(24) / 1000, 1000),
            ],
        }
    }

    /// For sends, edits, deletes and reactions.
    pub fn message(&self, user: UserId) -> Result<(), WireError> {
        self.messages.as_ref().map_or(Ok(()), |limiter| check(limiter, &user, "messages"))
    }

    /// For some that are sent together.
    pub fn messages(&self, user: UserId, count: usize) -> Result<(), WireError> {
        let Some(limiter) = &self.messages else { return Ok(()) };
        limiter.take(&user, u64::try_from(count).unwrap_or(u64::MAX)).map_err(|wait| refusal("messages", wait))
    }

    /// For all other commands.
    pub fn command(&self, user: UserId) -> Result<(), WireError> {
        self.commands(user, 1)
    }

    /// For so many people whose presence is to be heard: each may be asked for on all nodes.
    pub fn watch(&self, user: UserId, people: usize) -> Result<(), WireError> {
        self.commands(user, 1 + u64::try_from(people).unwrap_or(u64::MAX) / PEOPLE_FOR_ONE)
    }

    /// For so many people to be told about, in a command that has been paid for as one.
    pub fn people(&self, user: UserId, people: usize) -> Result<(), WireError> {
        self.commands(user, u64::try_from(people).unwrap_or(u64::MAX) / PEOPLE_FOR_ONE)
    }

    fn commands(&self, user: UserId, tokens: u64) -> Result<(), WireError> {
        self.commands.take(&user, tokens).map_err(|wait| refusal("requests", wait))?;
        let Some(answers) = &self.answers else { return Ok(()) };
        answers.take(&user, 0).map_err(|wait| refusal("bytes read", wait))
    }

    /// What was answered to a command.
    pub fn answered(&self, user: UserId, bytes: usize) {
        if let Some(answers) = &self.answers {
            answers.charge(&user, u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(ANSWER_UNIT));
        }
    }

    /// For `typing`.
    pub fn typing(&self, user: UserId) -> Result<(), WireError> {
        check(&self.typing, &user, "typing events")
    }

    /// For chats made and members added.
    pub fn creation(&self, user: UserId) -> Result<(), WireError> {
        check(&self.creations, &user, "new chats or members")
    }

    /// For so many items to be set.
    pub fn items(&self, user: UserId, items: usize) -> Result<(), WireError> {
        let items = u64::try_from(items).unwrap_or(u64::MAX);
        self.items.take(&user, items).map_err(|wait| refusal("items set", wait))
    }

    /// For another name.
    pub fn name(&self, user: UserId) -> Result<(), WireError> {
        check(&self.names, &user, "names")
    }

    /// For somebody to be reported.
    pub fn report(&self, user: UserId) -> Result<(), WireError> {
        check(&self.reports, &user, "reports")
    }

    /// For a link to be looked at.
    pub fn preview(&self, user: UserId) -> Result<(), WireError> {
        check(&self.previews, &user, "links to be looked at")
    }

    /// For credentials at the relays.
    pub fn relays(&self, user: UserId) -> Result<(), WireError> {
        check(&self.relays, &user, "requests for relays")
    }

    /// For a call that begins.
    pub fn call(&self, from: UserId, to: UserId) -> Result<(), WireError> {
        let Some(calls) = &self.calls else { return Ok(()) };
        check(&calls.pair, &(from, to), "calls to the same person")?;
        check(&calls.each, &from, "calls")
    }

    /// For what a device asks of a call, and for so many candidates in it.
    pub fn call_ask(&self, device: DeviceId, call: CallId, candidates: usize) -> Result<(), WireError> {
        check(&self.asks, &device, "requests about calls")?;
        let candidates = u64::try_from(candidates).unwrap_or(u64::MAX);
        if candidates > MOST_CANDIDATES {
            return Err(WireError::new(ErrorCode::TooLarge, "at most 16 candidates at once"));
        }
        self.candidates.take(&(call, device), candidates).map_err(|wait| refusal("candidates", wait))
    }

    /// For a try to sign in, whatever the account.
    pub fn sign_in_from(&self, network: IpAddr) -> Result<(), WireError> {
        check(&self.sign_in_network, &network, "tries to sign in from your network")
    }

    /// For a try to sign in to an account from an address; `known` when the account knows its network. Neither neighbours
    /// nor strangers elsewhere lock out whoever comes from there.
    pub fn sign_in_to(&self, handle: &str, address: IpAddr, known: bool) -> Result<(), WireError> {
        const WHAT: &str = "tries to sign in to this account";
        check(&self.sign_in_pair, &(handle.to_owned(), network(address)), WHAT)?;
        if known { Ok(()) } else { check(&self.sign_in_handle, &handle.to_owned(), WHAT) }
    }

    /// Gives back what such a try took: the password was right.
    pub fn signed_in_to(&self, handle: &str, address: IpAddr, known: bool) {
        self.sign_in_pair.give_back(&(handle.to_owned(), network(address)), 1);
        if !known {
            self.sign_in_handle.give_back(&handle.to_owned(), 1);
        }
    }

    /// For a new account.
    pub fn register(&self, network: IpAddr) -> Result<(), WireError> {
        let mut limits = self.register_network.iter();
        limits.try_for_each(|limit| check(limit, &network, "new accounts from your network"))
    }

    /// Forgets those who have been quiet. To be called every minute or so; the bound on the memory does not need it.
    pub fn forget_idle(&self) {
        let users = [
            &self.commands,
            &self.typing,
            &self.creations,
            &self.items,
            &self.names,
            &self.reports,
            &self.previews,
            &self.relays,
        ];
        let some = [&self.messages, &self.answers].into_iter().flatten();
        users.into_iter().chain(some).for_each(Buckets::forget_idle);
        if let Some(calls) = &self.calls {
            calls.each.forget_idle();
            calls.pair.forget_idle();
        }
        self.asks.forget_idle();
        self.candidates.forget_idle();
        self.sign_in_pair.forget_idle();
        self.sign_in_handle.forget_idle();
        self.sign_in_network.forget_idle();
        self.register_network.iter().for_each(Buckets::forget_idle);
    }
}

fn check<K: Hash + Eq + Clone>(limit: &Buckets<K>, key: &K, what: &str) -> Result<(), WireError> {
    limit.take(key, 1).map_err(|wait| refusal(what, wait))
}

fn refusal(what: &str, wait: Duration) -> WireError {
    // Rounded up, so that whoever waits exactly this long is let in.
    let wait = u32::try_from(wait.as_millis() + 1).unwrap_or(u32::MAX);
    WireError::new(ErrorCode::RateLimited, format!("too many {what}")).after_ms(wait)
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

/// What counts as one network where accounts are made and signed in to: the /24 of an IPv4 address, or the /64.
pub fn subnet(address: IpAddr) -> IpAddr {
    match network(address) {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::from([a, b, c, 0])
        }
        v6 @ IpAddr::V6(_) => v6,
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
        let of = |text: &str| subnet(text.parse().expect("an address"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.254"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
    }

    #[test]
    fn strangers_do_not_lock_an_account_out_of_its_own_network() {
        let limits = Limits::new(20, 4);
        let network = |n: u8| IpAddr::from([192, 0, n, 0]);
        let refused = |n| (0..11).filter(|_| limits.sign_in_to("sara", network(n), false).is_err()).count();
        assert_eq!(refused(1), 1, "ten tries from one network");
        assert!(limits.sign_in_to("sara", network(2), false).is_ok(), "from elsewhere that is nobody's fault");
        assert!((3..60).map(refused).sum::<usize>() > 300, "two hundred from everywhere");
        assert!(limits.sign_in_to("sara", network(200), false).is_err());
        assert!(limits.sign_in_to("sara", network(200), true).is_ok(), "but from where she has been before");
    }

    #[test]
    fn a_neighbour_locks_nobody_out_and_the_right_password_costs_nothing() {
        let limits = Limits::new(20, 4);
        let of = |text: &str| text.parse().expect("an address");
        let refused = |text| (0..11).filter(|_| limits.sign_in_to("sara", of(text), true).is_err()).count();
        assert_eq!(refused("192.0.2.7"), 1, "ten tries from one address");
        assert!(limits.sign_in_to("sara", of("192.0.2.8"), true).is_ok(), "the neighbour is another");
        assert_eq!(refused("2001:db8:1:2::1"), 1);
        assert!(limits.sign_in_to("sara", of("2001:db8:1:2::2"), true).is_err(), "one subscriber has the whole /64");
        for known in [true, false].repeat(200) {
            limits.sign_in_to("omid", of("192.0.2.7"), known).expect("the last one was right");
            limits.signed_in_to("omid", of("192.0.2.7"), known);
        }
    }

    #[test]
    fn to_watch_many_costs_more() {
        let limits = Limits::new(20, 4);
        let many = (0..1000).take_while(|_| limits.watch(UserId(1), 200).is_ok()).count();
        assert!((47..60).contains(&many), "{many}");
        assert!((0..900).all(|_| limits.watch(UserId(2), 1).is_ok()), "for one person as before");
        let many = (0..1000).take_while(|_| limits.people(UserId(3), 200).is_ok()).count();
        assert!((50..63).contains(&many), "{many}");
    }

    #[test]
    fn what_is_read_is_charged_and_paid_off() {
        let limits = Limits::new(32, 4);
        let (reader, other) = (UserId(1), UserId(2));
        for _ in 0..16 {
            limits.command(reader).expect("64 MiB are a burst");
            limits.answered(reader, 4 * 1024 * 1024 + 150_000);
        }
        let error = limits.command(reader).expect_err("too much");
        let wait = error.retry_after_ms.expect("says when");
        assert!((100..600).contains(&wait), "{wait}");
        limits.command(other).expect("others are not meant");
    }
}
