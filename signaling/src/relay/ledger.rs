//! What all shards of a relay share: accounts, sources, ports, reservations, revocations. Touched when an allocation
//! begins or ends, never for a packet; only an account's bandwidth is drawn on by packets, without the lock.

use std::{
    collections::HashMap,
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
    revoked: HashMap<String, u64>,
    swept: u64,
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
        let revoked = |key: &str| inner.revoked.get(key).is_some_and(|until| *until > now.unix);
        if revoked(&user_key(user)) || call.is_some_and(|call| revoked(&call_key(call))) {
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

    /// Refuses new allocations of a user until then (Unix seconds). The shards end the running ones.
    pub fn revoke_user(&self, user: &str, until: u64, now: Now) {
        self.revoke(user_key(user), until, now);
    }

    /// Refuses new allocations for a call until then (Unix seconds).
    pub fn revoke_call(&self, call: &str, until: u64, now: Now) {
        self.revoke(call_key(call), until, now);
    }

    /// How many accounts are held: for tests of the bound on memory.
    pub fn accounts(&self) -> usize {
        self.lock().accounts.len()
    }

    fn revoke(&self, key: String, until: u64, now: Now) {
        let inner = &mut *self.lock();
        if inner.revoked.len() >= self.limits.revocations {
            inner.revoked.retain(|_, until| *until > now.unix);
        }
        // Still full: forget the one that ends first rather than the newest.
        if inner.revoked.len() >= self.limits.revocations
            && let Some(first) = inner.revoked.iter().min_by_key(|(_, until)| **until).map(|(key, _)| key.clone())
        {
            inner.revoked.remove(&first);
        }
        inner.revoked.insert(key, until);
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

fn user_key(user: &str) -> String {
    format!("u:{user}")
}

fn call_key(call: &str) -> String {
    format!("c:{call}")
}
