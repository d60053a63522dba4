//! What all shards of a relay share: accounts, sources, ports, reservations, revocations. Touched when an allocation
//! begins or ends, never for a packet; only an account's bandwidth is drawn on by packets, without the lock.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    config::{CoreConfig, Limits, Now, RelayedAddress},
    ports::Ports,
    rate::{Bucket, network},
};

/// How long an EVEN-PORT reservation waits for its second allocation (RFC 8656, section 7.2: at least 30 s).
const RESERVATION_NANOS: u64 = 30_000_000_000;
const MAX_RESERVATIONS: usize = 1_024;

/// A user that has, or lately had, an allocation. It outlives its allocations until its bucket is full again, so that a
/// new allocation does not bring a new quota.
#[derive(Debug)]
pub struct Account {
    /// The user's name in its credentials.
    pub user: String,
    /// The bandwidth that all its allocations share.
    pub bandwidth: Bucket,
}

/// Why an allocation was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The user or the call has been revoked.
    Revoked,
    /// The user has as many as it may.
    UserQuota,
    /// The source address has as many as it may.
    AddressQuota,
}

/// Who may not relay any longer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Revoked {
    /// Everything of a user, named as in the credentials.
    User(String),
    /// A call, named as in the credentials.
    Call(String),
}

/// Many of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations(HashSet<Revoked>);

impl Revocations {
    /// Whether an allocation of this user, made for this call, is meant.
    pub fn concern(&self, user: &str, call: Option<&str>) -> bool {
        self.0.contains(&Revoked::User(user.to_owned()))
            || call.is_some_and(|call| self.0.contains(&Revoked::Call(call.to_owned())))
    }
}

impl FromIterator<Revoked> for Revocations {
    fn from_iter<I: IntoIterator<Item = Revoked>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

/// Which port is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Any.
    Any,
    /// An even one; with its neighbour if true.
    Even(bool),
}

/// The shared state of a relay.
#[derive(Debug)]
pub struct Ledger {
    limits: Limits,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    accounts: HashMap<String, (Arc<Account>, u32)>,
    sources: HashMap<IpAddr, u32>,
    ports: Vec<(RelayedAddress, Ports)>,
    reservations: HashMap<u64, Reservation>,
    revoked: Memory,
    swept: u64,
}

/// The revocations in force, in the order in which they came, which is nearly the order in which they end. Names are kept
/// as hashes with a random key: a busy hour has a hundred thousand.
#[derive(Debug, Default)]
struct Memory {
    hasher: RandomState,
    until: HashMap<u64, u64>,
    order: VecDeque<(u64, u64)>,
}

impl Memory {
    fn holds(&self, whom: &Revoked, unix: u64) -> bool {
        self.until.get(&self.hasher.hash_one(whom)).is_some_and(|until| *until > unix)
    }

    /// With more than `most`, the oldest are forgotten: the credentials that they refused expire by themselves.
    fn put(&mut self, whom: &Revoked, until: u64, unix: u64, most: usize) {
        let name = self.hasher.hash_one(whom);
        self.until.insert(name, until);
        self.order.push_back((name, until));
        while let Some((name, until)) = self.order.front().copied()
            && (until <= unix || self.order.len() > most)
        {
            self.order.pop_front();
            // It may have been prolonged since.
            if self.until.get(&name) == Some(&until) {
                self.until.remove(&name);
            }
        }
    }
}

#[derive(Debug)]
struct Reservation {
    user: String,
    at: RelayedAddress,
    port: u16,
    expires: u64,
}

impl Ledger {
    /// A ledger with all ports free.
    pub fn new(config: &CoreConfig) -> Self {
        let ports = config.relayed.iter().map(|at| (*at, Ports::new(&config.ports))).collect();
        Self { limits: config.limits, inner: Mutex::new(Inner { ports, ..Inner::default() }) }
    }

    /// Counts an allocation for this user and this source, if both may have one more.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn admit(&self, user: &str, call: Option<&str>, source: IpAddr, now: Now) -> Result<Arc<Account>, Refusal> {
        let inner = &mut *self.lock();
        inner.sweep(now.nanos);
        let revoked = |whom: &Revoked| inner.revoked.holds(whom, now.unix);
        if revoked(&Revoked::User(user.to_owned())) || call.is_some_and(|call| revoked(&Revoked::Call(call.to_owned())))
        {
            return Err(Refusal::Revoked);
        }
        let from_here = inner.sources.get(&network(source)).copied().unwrap_or_default();
        if from_here >= self.limits.allocations_per_address {
            return Err(Refusal::AddressQuota);
        }
        let account = || Arc::new(Account { user: user.to_owned(), bandwidth: Bucket::default() });
        let (account, allocations) = inner.accounts.entry(user.to_owned()).or_insert_with(|| (account(), 0));
        if *allocations >= self.limits.allocations_per_user {
            return Err(Refusal::UserQuota);
        }
        *allocations += 1;
        *inner.sources.entry(network(source)).or_default() += 1;
        Ok(Arc::clone(account))
    }

    /// Takes back what [`Self::admit`] counted.
    pub fn release(&self, user: &str, source: IpAddr) {
        let inner = &mut *self.lock();
        if let Some((_, allocations)) = inner.accounts.get_mut(user) {
            *allocations = allocations.saturating_sub(1);
        }
        let source = network(source);
        if let Some(count) = inner.sources.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                inner.sources.remove(&source);
            }
        }
    }

    /// Takes a port of the family.
    pub fn take_port(&self, v6: bool, wish: Wish, random: u64) -> Option<(RelayedAddress, u16)> {
        let inner = &mut *self.lock();
        let (at, ports) = inner.ports.iter_mut().find(|(at, _)| at.bind.is_ipv6() == v6)?;
        let port = match wish {
            Wish::Any => ports.take(random),
            Wish::Even(reserve) => ports.take_even(random, reserve),
        };
        port.map(|port| (*at, port))
    }

    /// Gives a port back.
    pub fn give_back(&self, at: RelayedAddress, port: u16) {
        self.lock().give_back(at, port);
    }

    /// Holds a port that was taken with [`Wish::Even`] for the user's next allocation. False when too many are held; the
    /// port is free again then.
    pub fn reserve(&self, token: u64, user: &str, at: RelayedAddress, port: u16, now: Now) -> bool {
        let inner = &mut *self.lock();
        inner.sweep(now.nanos);
        if inner.reservations.len() >= MAX_RESERVATIONS || inner.reservations.contains_key(&token) {
            inner.give_back(at, port);
            return false;
        }
        let expires = now.nanos + RESERVATION_NANOS;
        inner.reservations.insert(token, Reservation { user: user.to_owned(), at, port, expires });
        true
    }

    /// Redeems a token: by the same user, once, in time.
    pub fn redeem(&self, token: u64, user: &str, now: Now) -> Option<(RelayedAddress, u16)> {
        let inner = &mut *self.lock();
        let held = inner.reservations.get(&token)?;
        if held.user != user || held.expires <= now.nanos {
            return None;
        }
        inner.reservations.remove(&token).map(|held| (held.at, held.port))
    }

    /// Refuses new allocations of a user or for a call until then (Unix seconds). The shards end the running ones.
    pub fn revoke(&self, whom: &Revoked, until: u64, now: Now) {
        self.lock().revoked.put(whom, until, now.unix, self.limits.revocations);
    }

    /// How many accounts are held: for tests of the bound on memory.
    pub fn accounts(&self) -> usize {
        self.lock().accounts.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn give_back(&mut self, at: RelayedAddress, port: u16) {
        if let Some((_, ports)) = self.ports.iter_mut().find(|(own, _)| *own == at) {
            ports.give_back(port);
        }
    }

    /// Once a second at most: forgets idle accounts with full buckets, and reservations nobody redeemed.
    fn sweep(&mut self, now: u64) {
        if now.saturating_sub(self.swept) < 1_000_000_000 {
            return;
        }
        self.swept = now;
        self.accounts.retain(|_, (account, allocations)| *allocations > 0 || !account.bandwidth.is_full(now));
        let late: Vec<u64> =
            self.reservations.iter().filter(|(_, held)| held.expires <= now).map(|(token, _)| *token).collect();
        for token in late {
            if let Some(held) = self.reservations.remove(&token) {
                self.give_back(held.at, held.port);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revocations_are_bounded_and_the_oldest_go_first() {
        let mut memory = Memory::default();
        let call = |n: u32| Revoked::Call(n.to_string());
        for n in 0..100 {
            memory.put(&call(n), 1_000, 500, 10);
        }
        assert_eq!((memory.until.len(), memory.order.len()), (10, 10));
        assert!(memory.holds(&call(99), 999) && !memory.holds(&call(99), 1_000) && !memory.holds(&call(89), 999));
        assert!(!memory.holds(&Revoked::User("99".to_owned()), 999), "a user is no call");
        // Prolonged: the first end does not take it away.
        memory.put(&call(99), 2_000, 500, 10);
        memory.put(&call(100), 3_000, 1_500, 10);
        assert!(memory.holds(&call(99), 1_900));
        assert_eq!(memory.until.len(), 2, "what has run out is gone");
    }
}
