//! The relay without its sockets: `(frame or packet, now)` in, [`Outputs`] out.
//!
//! ```text
//!              Allocate, proven         opened(Ok)
//!   (nothing) ------------------> opening -------> live --+-- Refresh, ChannelBind, CreatePermission
//!        ^                           | opened(Err),       |
//!        |                           | no port left       | Refresh 0, expiry, stream closed,
//!        +---------------------------+--------------------+ revocation
//! ```
//!
//! One core serves one shard: the clients whose packets the kernel hands to one socket. What shards have in common is in
//! the [`Ledger`].

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    net::SocketAddr,
    sync::Arc,
};

use stun_types::message::Message;

use super::{
    allocation::Allocation,
    auth::{Authority, Nonces},
    config::{CoreConfig, Now},
    counters::{Counter, Counters},
    frame::{self, Frame},
    ledger::{Ledger, Revocations},
    outputs::{AllocationId, FiveTuple, Output, Outputs},
    rate::SourceBuckets,
    replies::Replies,
};

mod allocate;
mod data;
mod manage;
mod reply;
mod request;

/// A random 64-bit number at each call: ports and reservation tokens must not be foretold.
pub type Entropy = Box<dyn FnMut() -> u64 + Send>;

/// Who is to lose its allocations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Those of a user, or made for a call, that may not relay any longer.
    Of(Arc<Revocations>),
    /// Everybody's: the end of draining.
    Everybody,
}

/// One shard's state.
pub struct Core {
    config: Arc<CoreConfig>,
    ledger: Arc<Ledger>,
    counters: Arc<Counters>,
    authority: Arc<dyn Authority>,
    entropy: Entropy,
    nonces: Nonces,
    slots: Vec<Option<Allocation>>,
    free: Vec<u32>,
    generation: u32,
    by_client: HashMap<FiveTuple, u32>,
    by_relayed: HashMap<SocketAddr, u32>,
    /// One entry per allocation; a refreshed one is put back when its old time comes.
    expiries: BinaryHeap<Reverse<(u64, AllocationId)>>,
    replies: Replies,
    challenges: SourceBuckets,
    indications: u64,
    draining: bool,
}

impl Core {
    /// A core without clients.
    pub fn new(
        config: Arc<CoreConfig>,
        ledger: Arc<Ledger>,
        counters: Arc<Counters>,
        authority: Arc<dyn Authority>,
        entropy: Entropy,
    ) -> Self {
        let limits = config.limits;
        Self {
            nonces: Nonces::new(&config.nonce_key, limits.nonce_lifetime),
            replies: Replies::new(limits.replies),
            challenges: SourceBuckets::new(limits.challenge_entries, limits.challenges),
            config,
            ledger,
            counters,
            authority,
            entropy,
            slots: Vec::new(),
            free: Vec::new(),
            generation: 0,
            by_client: HashMap::new(),
            by_relayed: HashMap::new(),
            expiries: BinaryHeap::new(),
            indications: 0,
            draining: false,
        }
    }

    /// A datagram, or one whole frame of a stream, from a client.
    pub fn input(&mut self, from: FiveTuple, bytes: &[u8], now: Now, out: &mut Outputs) {
        match frame::parse(bytes) {
            Ok(Frame::Channel { number, data }) => self.channel_data(from, number, data, now, out),
            Ok(Frame::Stun(bytes)) => match Message::from_bytes(bytes) {
                Ok(message) => self.message(from, &message, now, out),
                Err(_) => self.counters.count(Counter::Junk),
            },
            Err(_) => self.counters.count(Counter::Junk),
        }
    }

    /// A client's stream has ended, and its allocation with it (RFC 8656, section 3.1).
    pub fn client_gone(&mut self, client: FiveTuple, out: &mut Outputs) {
        if let Some(slot) = self.by_client.get(&client) {
            self.end(*slot, out);
        }
    }

    /// Whether this client has an allocation.
    pub fn has_allocation(&self, client: FiveTuple) -> bool {
        self.by_client.contains_key(&client)
    }

    /// How many allocations there are.
    pub fn allocations(&self) -> usize {
        self.by_client.len()
    }

    /// From now on no new allocations. The running ones go on.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Ends allocations at once. That the user or the call may make no new ones is the ledger's to know.
    pub fn revoke(&mut self, whose: &Whose, out: &mut Outputs) {
        let hit = |allocation: &Allocation| match whose {
            Whose::Of(revoked) => revoked.concern(&allocation.account.user, allocation.call.as_deref()),
            Whose::Everybody => true,
        };
        for slot in 0..self.slots.len() {
            let Some(allocation) = self.slots[slot].as_ref().filter(|allocation| hit(allocation)) else { continue };
            let client = allocation.client;
            self.counters.count(Counter::Revoked);
            self.end(u32::try_from(slot).unwrap_or_default(), out);
            if client.transport.is_stream() {
                out.list.push(Output::Hangup { to: client });
            }
        }
    }

    /// When [`Self::on_timer`] wants to be called, in nanoseconds.
    pub fn next_timer(&self) -> Option<u64> {
        self.expiries.peek().map(|Reverse((at, _))| *at)
    }

    /// Ends what has expired.
    pub fn on_timer(&mut self, now: Now, out: &mut Outputs) {
        self.replies.forget(now.nanos);
        while let Some(Reverse((at, id))) = self.expiries.peek().copied()
            && at <= now.nanos
        {
            self.expiries.pop();
            let Some(expires) = self.live(id).map(|allocation| allocation.expires) else { continue };
            if expires > now.nanos {
                self.expiries.push(Reverse((expires, id)));
            } else {
                self.counters.count(Counter::Expired);
                self.end(id.slot, out);
            }
        }
    }

    fn live(&self, id: AllocationId) -> Option<&Allocation> {
        self.slots.get(id.slot as usize)?.as_ref().filter(|allocation| allocation.generation == id.generation)
    }

    fn of_client(&mut self, client: FiveTuple) -> Option<(u32, &mut Allocation)> {
        let slot = *self.by_client.get(&client)?;
        Some((slot, self.slots.get_mut(slot as usize)?.as_mut()?))
    }

    fn end(&mut self, slot: u32, out: &mut Outputs) {
        let Some(allocation) = self.slots.get_mut(slot as usize).and_then(Option::take) else { return };
        self.free.push(slot);
        self.by_client.remove(&allocation.client);
        self.by_relayed.remove(&allocation.public());
        self.ledger.release(&allocation.account.user, allocation.client.client.ip());
        self.ledger.give_back(allocation.relayed, allocation.port);
        if allocation.opening.is_none() {
            self.counters.count(Counter::Ended);
        }
        out.list.push(Output::Close { id: AllocationId { slot, generation: allocation.generation } });
    }
}
