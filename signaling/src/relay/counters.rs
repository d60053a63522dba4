//! What a relay counts. The list of its metrics is this file.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::directory::Entry;

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A counter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Counter { $($(#[$doc])* $variant),+ }
        impl Counter {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// The name in the exposition, without prefix.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

counters! {
    /// Binding requests answered.
    Bindings = "stun_bindings_total",
    /// Allocations made.
    Allocated = "allocations_total",
    /// Allocations ended, for whatever reason.
    Ended = "allocations_ended_total",
    /// Of those, ended because nobody refreshed them.
    Expired = "allocations_expired_total",
    /// Of those, ended by a revocation.
    Revoked = "allocations_revoked_total",
    /// Requests answered 401 or 438.
    Challenged = "challenges_total",
    /// Requests whose password was wrong or whose username was worth nothing.
    Unauthorized = "unauthorized_total",
    /// Requests refused for a quota, for lack of ports or because the relay drains.
    OverQuota = "over_quota_total",
    /// Peers refused by the address policy.
    ForbiddenPeers = "forbidden_peers_total",
    /// Other error replies.
    Errors = "errors_total",
    /// Requests answered from the cache of replies.
    Repeated = "repeated_requests_total",
    /// Replies left out because the sender asks too often, or because the reply would amplify.
    Suppressed = "suppressed_replies_total",
    /// Frames that are neither STUN nor ChannelData, or belong to nothing.
    Junk = "junk_frames_total",
    /// Packets relayed from clients to peers.
    PacketsOut = "packets_to_peers_total",
    /// Their payload.
    BytesOut = "bytes_to_peers_total",
    /// Packets relayed from peers to clients.
    PacketsIn = "packets_to_clients_total",
    /// Their payload.
    BytesIn = "bytes_to_clients_total",
    /// Packets relayed between two clients of one shard without leaving the process (counted in both directions too).
    Hairpins = "packets_between_clients_total",
    /// Packets dropped because the user was over its bandwidth.
    Throttled = "throttled_packets_total",
    /// Packets dropped for want of a permission or a channel.
    NotPermitted = "not_permitted_packets_total",
    /// Packets the driver could not send, or that a slow stream did not take.
    SendDropped = "send_dropped_total",
    /// Streams accepted.
    Streams = "streams_total",
    /// Streams closed for what came on them, for slowness, or for idling.
    StreamsCut = "streams_cut_total",
}

/// The counters of one shard. Only its thread writes them, so no cache line travels.
#[derive(Debug)]
pub struct Counters([AtomicU64; Counter::ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Counters {
    /// Adds one.
    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Adds `n`.
    pub fn add(&self, counter: Counter, n: u64) {
        self.0[counter as usize].fetch_add(n, Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize].load(Ordering::Relaxed)
    }
}

/// The sum over the shards, in text that Prometheus reads as its own format and as `OpenMetrics` (without the end mark),
/// labelled with the relay's name and region.
pub fn exposition(shards: &[Arc<Counters>], entry: &Entry) -> String {
    let mut text = String::new();
    let sum = |counter| shards.iter().map(|shard| shard.get(counter)).sum::<u64>();
    let labels = format!("{{relay=\"{}\",region=\"{}\"}}", escaped(&entry.name), escaped(&entry.region));
    let mut write = |family: &str, kind: &str, suffix: &str, value: u64| {
        let _ = writeln!(text, "# TYPE chapar_relay_{family} {kind}\nchapar_relay_{family}{suffix}{labels} {value}");
    };
    for counter in Counter::ALL {
        let name = counter.name();
        // OpenMetrics names a counter's family without the suffix of its sample.
        let (family, suffix) = name.strip_suffix("_total").map_or((name, ""), |family| (family, "_total"));
        write(family, "counter", suffix, sum(*counter));
    }
    write("live_allocations", "gauge", "", sum(Counter::Allocated).saturating_sub(sum(Counter::Ended)));
    write("load_per_mille", "gauge", "", entry.load_per_mille.into());
    write("draining", "gauge", "", entry.draining.into());
    text
}

/// As a label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
