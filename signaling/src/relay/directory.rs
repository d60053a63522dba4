//! Which relays there are, and which of them a client is handed.

use std::net::IpAddr;

use chapar_protocol::call::{RelayInfo, RelayRoundTrip};
use serde::{Deserialize, Serialize};

/// The most relays that a client is told of.
pub const MOST_RELAYS: usize = 64;
/// The most relays for one call: each costs a client an allocation on each of its transports.
pub const MOST_SERVERS: usize = 3;
/// A relay this full (of 1000) takes new calls only when no other is left.
const FULL_PER_MILLE: u16 = 950;
/// What a full relay loses against an empty one, in milliseconds: less than the way to another country.
const LOAD_PENALTY_MS: u32 = 40;
/// A relay that a client could not measure comes after all that it could.
const UNMEASURED_MS: u32 = 60_000;

/// A relay as it is known to the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, unique among the relays.
    pub name: String,
    /// Where it stands, in the operator's words.
    pub region: String,
    /// `stun:` URLs (RFC 7064).
    pub stun: Vec<String>,
    /// `turn:` and `turns:` URLs (RFC 7065), the fastest transport first.
    pub turn: Vec<String>,
    /// From where it relays: the addresses that peers see. Empty for one that does not say so.
    #[serde(default)]
    pub relayed: Vec<IpAddr>,
    /// The first and the last relayed port.
    #[serde(default = "any_port")]
    pub ports: (u16, u16),
    /// How much of what it can carry it carries, of 1000.
    #[serde(default)]
    pub load_per_mille: u16,
    /// It takes no new allocations.
    #[serde(default)]
    pub draining: bool,
}

/// Of a relay that does not say on which ports it relays: all that no privilege guards.
pub const ANY_PORT: (u16, u16) = (1_024, 65_535);

fn any_port() -> (u16, u16) {
    ANY_PORT
}

impl Entry {
    /// What a client is told in order to measure it.
    pub fn info(&self) -> RelayInfo {
        RelayInfo { name: self.name.clone(), region: self.region.clone(), stun: self.stun.clone() }
    }

    /// Whether it can be handed to clients: a name, and URLs of the right schemes, none of them endless.
    pub fn is_sound(&self) -> bool {
        let fits = |url: &String, schemes: &[&str]| url.len() <= 256 && schemes.iter().any(|it| url.starts_with(it));
        is_name(&self.name)
            && self.region.len() <= 128
            && self.stun.len() <= 8
            && (1..=8).contains(&self.turn.len())
            && self.stun.iter().all(|url| fits(url, &["stun:", "stuns:"]))
            && self.turn.iter().all(|url| fits(url, &["turn:", "turns:"]))
            && self.relayed.len() <= 4
    }

    /// The hosts in its URLs.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.turn.iter().filter_map(|url| {
            let (_, rest) = url.split_once(':')?;
            let place = rest.split_once('?').map_or(rest, |(place, _)| place);
            let host = match place.rsplit_once(':') {
                Some((host, port)) if !port.contains(']') => host,
                _ => place,
            };
            Some(host.trim_matches(['[', ']']))
        })
    }
}

/// Whether this can name a relay: 1 to 64 letters, digits, `-`, `_`, `.` and `:`. It becomes a label of metrics.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

/// The relays for one side of a call, the nearest first, at most [`MOST_SERVERS`]. A draining one is left out; a full one
/// comes last, and without measurements the emptiest come first. `tie` spreads clients over relays that are alike.
pub fn nearest<'a>(entries: &'a [Entry], measured: &[RelayRoundTrip], tie: u64) -> Vec<&'a Entry> {
    let cost = |entry: &Entry| {
        let ms = measured.iter().filter(|it| it.relay == entry.name).map(|it| it.ms).min();
        let load = u32::from(entry.load_per_mille.min(1000)) * LOAD_PENALTY_MS / 1000;
        ms.map_or(UNMEASURED_MS, |ms| ms.min(UNMEASURED_MS - 1)).saturating_add(load)
    };
    let mut chosen: Vec<&Entry> = entries.iter().filter(|entry| !entry.draining).collect();
    chosen.sort_by_cached_key(|entry| (entry.load_per_mille >= FULL_PER_MILLE, cost(entry), spread(tie, &entry.name)));
    chosen.truncate(MOST_SERVERS);
    chosen
}

/// FNV-1a over the name, begun with `tie`.
fn spread(tie: u64, name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325 ^ tie, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, load_per_mille: u16, draining: bool) -> Entry {
        Entry {
            name: name.to_owned(),
            region: "here".to_owned(),
            stun: vec![format!("stun:{name}.example.org:3478")],
            turn: vec![format!("turn:{name}.example.org:3478?transport=udp")],
            relayed: Vec::new(),
            ports: ANY_PORT,
            load_per_mille,
            draining,
        }
    }

    fn names(entries: &[Entry], measured: &[(&str, u32)]) -> Vec<String> {
        let measured: Vec<RelayRoundTrip> =
            measured.iter().map(|(relay, ms)| RelayRoundTrip { relay: (*relay).to_owned(), ms: *ms }).collect();
        nearest(entries, &measured, 7).into_iter().map(|entry| entry.name.clone()).collect()
    }

    #[test]
    fn the_nearest_come_first_and_never_more_than_three() {
        let all = [entry("a", 0, false), entry("b", 0, false), entry("c", 0, false), entry("d", 0, false)];
        assert_eq!(names(&all, &[("a", 90), ("b", 30), ("c", 60), ("d", 120)]), ["b", "c", "a"]);
        assert_eq!(names(&all, &[("d", 200)])[0], "d", "one that answered is nearer than one that did not");
    }

    #[test]
    fn a_draining_relay_is_not_named_and_a_full_one_last() {
        let all = [entry("full", 990, false), entry("leaving", 0, true), entry("far", 0, false)];
        assert_eq!(names(&all, &[("full", 1), ("leaving", 1), ("far", 150)]), ["far", "full"]);
        assert_eq!(names(&all[..1], &[]), ["full"]);
    }

    #[test]
    fn load_decides_between_neighbours_only() {
        let all = [entry("busy", 800, false), entry("idle", 0, false)];
        assert_eq!(names(&all, &[("busy", 20), ("idle", 30)]), ["idle", "busy"]);
        assert_eq!(names(&all, &[("busy", 20), ("idle", 90)]), ["busy", "idle"]);
        assert_eq!(names(&all, &[]), ["idle", "busy"]);
    }

    #[test]
    fn relays_that_are_alike_share_the_clients() {
        let all = [entry("a", 0, false), entry("b", 0, false)];
        let first = |tie: u64| nearest(&all, &[], tie)[0].name.clone();
        let to_a = (0..1000).filter(|tie| first(tie * 0x9e37_79b9) == "a").count();
        assert!((300..700).contains(&to_a), "{to_a}");
    }

    #[test]
    fn what_cannot_be_handed_out_is_not_sound() {
        assert!(entry("tehran-1", 0, false).is_sound());
        let unsound = [
            Entry { name: String::new(), ..entry("a", 0, false) },
            Entry { name: "a b".to_owned(), ..entry("a", 0, false) },
            Entry { turn: Vec::new(), ..entry("a", 0, false) },
            Entry { turn: vec!["http://x".to_owned()], ..entry("a", 0, false) },
            Entry { stun: vec!["turn:x".to_owned()], ..entry("a", 0, false) },
            Entry { turn: vec![format!("turn:{}", "x".repeat(300))], ..entry("a", 0, false) },
        ];
        for entry in unsound {
            assert!(!entry.is_sound(), "{entry:?}");
        }
    }
}
