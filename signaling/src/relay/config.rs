//! How a relay is set up, as far as the core is concerned.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
};

use super::{address::PeerPolicy, rate::Rate};

/// The time, read once per batch by the driver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds on a monotonic clock with any origin (the same for all shards).
    pub nanos: u64,
    /// Unix seconds.
    pub unix: u64,
}

/// An address from which relayed packets are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayedAddress {
    /// The address that is bound.
    pub bind: IpAddr,
    /// The address that peers see: differs from `bind` behind a one-to-one NAT.
    pub public: IpAddr,
}

/// Bounds on what one client can take. A device in a call takes one allocation for each URL that it was handed, of up to
/// three relays with four transports each, and as many again while it restarts ICE.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Allocations in one shard, and so the memory of the core.
    pub allocations: usize,
    /// Allocations of one user over all shards.
    pub allocations_per_user: u32,
    /// Allocations from one source address (IPv6: /64). Many people share one behind a carrier's NAT.
    pub allocations_per_address: u32,
    /// Permissions in one allocation.
    pub permissions: usize,
    /// Channels in one allocation.
    pub channels: usize,
    /// Bytes a second of one user, both directions and all allocations together.
    pub bandwidth: Rate,
    /// Replies a second to one source address that has not proved who it is.
    pub challenges: Rate,
    /// Sources for which that is counted separately.
    pub challenge_entries: usize,
    /// Replies kept for repeated requests, per shard.
    pub replies: usize,
    /// Users and calls whose revocation is remembered.
    pub revocations: usize,
    /// The longest lifetime of an allocation between refreshes, in seconds.
    pub max_lifetime: u32,
    /// How old an allocation may become, however often it is refreshed, in seconds. Whoever relays on needs a credential
    /// that is good by then.
    pub max_age: u32,
    /// How long a nonce is good, in seconds.
    pub nonce_lifetime: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            allocations: 100_000,
            allocations_per_user: 40,
            allocations_per_address: 4_096,
            permissions: 64,
            channels: 64,
            bandwidth: Rate::with_burst_seconds(1_000_000, 2),
            challenges: Rate::with_burst_seconds(200, 5),
            challenge_entries: 16_384,
            replies: 16_384,
            revocations: 262_144,
            max_lifetime: 3_600,
            max_age: 86_400,
            nonce_lifetime: 3_600,
        }
    }
}

/// What the core has to know. Not printable: it holds a key.
#[derive(Clone)]
pub struct CoreConfig {
    /// The realm: at most [`MAX_REALM`] bytes.
    pub realm: String,
    /// At most one address per family.
    pub relayed: Vec<RelayedAddress>,
    /// The ports of relayed addresses.
    pub ports: RangeInclusive<u16>,
    /// Where may be sent.
    pub policy: PeerPolicy,
    /// Bounds.
    pub limits: Limits,
    /// The key of the nonces: random, or shared by relays behind one address.
    pub nonce_key: [u8; 32],
    /// Whither new clients are sent while this relay drains; without it they are told 508.
    pub alternate: Option<SocketAddr>,
}

/// With a longer realm the first challenge would be more than three times as long as the request it answers.
pub const MAX_REALM: usize = 24;
