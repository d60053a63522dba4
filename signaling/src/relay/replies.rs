//! The last replies, kept for clients that ask again because the first reply was lost (RFC 8489, section 6.3.1).

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
};

use super::outputs::FiveTuple;

/// How long a reply is kept: a client gives up after 39.5 s (RFC 8489, section 6.2.1).
pub const KEEP_NANOS: u64 = 40_000_000_000;

type Key = (FiveTuple, [u8; 12]);

#[derive(Debug)]
struct Kept {
    request: u64,
    expires: u64,
    reply: Box<[u8]>,
}

/// A cache of bounded size. Only replies to requests that proved who they are go in, so strangers cannot fill it.
#[derive(Debug)]
pub struct Replies {
    kept: HashMap<Key, Kept>,
    order: VecDeque<(u64, Key)>,
    capacity: usize,
    hasher: RandomState,
}

impl Replies {
    /// Keeps at most `capacity` replies, the newest.
    pub fn new(capacity: usize) -> Self {
        Self { kept: HashMap::new(), order: VecDeque::new(), capacity, hasher: RandomState::new() }
    }

    /// The reply that this very request got before. The same transaction id with other contents is another request.
    pub fn get(&self, from: FiveTuple, transaction: [u8; 12], request: &[u8], now: u64) -> Option<&[u8]> {
        let kept = self.kept.get(&(from, transaction))?;
        (kept.expires > now && kept.request == self.hasher.hash_one(request)).then_some(&*kept.reply)
    }

    /// Remembers a reply.
    pub fn put(&mut self, from: FiveTuple, transaction: [u8; 12], request: &[u8], reply: &[u8], now: u64) {
        self.forget(now);
        let key = (from, transaction);
        let expires = now + KEEP_NANOS;
        let kept = Kept { request: self.hasher.hash_one(request), expires, reply: reply.into() };
        self.kept.insert(key, kept);
        self.order.push_back((expires, key));
        while self.order.len() > self.capacity {
            self.drop_oldest();
        }
    }

    /// Drops what has expired.
    pub fn forget(&mut self, now: u64) {
        while self.order.front().is_some_and(|(expires, _)| *expires <= now) {
            self.drop_oldest();
        }
    }

    /// How many replies are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn drop_oldest(&mut self) {
        let Some((expires, key)) = self.order.pop_front() else { return };
        // The key may have been put again since; the newer entry has its own place in the order.
        if self.kept.get(&key).is_some_and(|kept| kept.expires == expires) {
            self.kept.remove(&key);
        }
    }
}
