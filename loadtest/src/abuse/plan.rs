//! What the attackers know: the world that they were given, handed to their process in a file. And what they did.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};

/// The world of the attackers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) node: SocketAddr,
    pub(super) seed: u64,
    /// The account that does its worst.
    pub(super) attacker: String,
    /// A second account in the attacker's chats.
    pub(super) accomplice: String,
    /// Accounts that react and join together.
    pub(super) crowd: Vec<String>,
    /// A group of attacker, accomplice and some of the crowd, with fat messages.
    pub(super) group: i64,
    /// How many of the crowd are in that group.
    pub(super) in_group: usize,
    /// How many links the largest message has that this server takes.
    pub(super) links: usize,
    /// A public channel of the accomplice.
    pub(super) channel: String,
    /// People whom the attacker does not know: ids and handles, which can be guessed.
    pub(super) strangers: Vec<(i64, String)>,
    /// Somebody with a password, who wants to sign in.
    pub(super) victim: String,
}

/// What was tried, and what came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) tried: u64,
    pub(super) accepted: u64,
    /// Refusals by code.
    pub(super) refused: BTreeMap<String, u64>,
    /// Connections that the server closed, by close code; 1006 is without one.
    pub(super) closed: BTreeMap<u16, u64>,
    /// Connections that were not taken.
    pub(super) not_taken: u64,
    /// Counts and seconds of this kind only; of several, the largest counts.
    pub(super) notes: BTreeMap<String, f64>,
}

impl Tally {
    pub(super) fn refuse(&mut self, code: &str) {
        *self.refused.entry(code.to_owned()).or_default() += 1;
    }

    pub(super) fn close(&mut self, code: u16) {
        *self.closed.entry(code).or_default() += 1;
    }

    pub(super) fn note(&mut self, what: &str, value: f64) {
        let it = self.notes.entry(what.to_owned()).or_default();
        *it = it.max(value);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.tried += other.tried;
        self.accepted += other.accepted;
        self.not_taken += other.not_taken;
        for (code, count) in other.refused {
            *self.refused.entry(code).or_default() += count;
        }
        for (code, count) in other.closed {
            *self.closed.entry(code).or_default() += count;
        }
        for (what, value) in other.notes {
            self.note(&what, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_did_is_summed_and_the_largest_note_counts() {
        let (mut one, mut other) = (Tally::default(), Tally { tried: 2, accepted: 1, ..Tally::default() });
        one.refuse("rate_limited");
        one.note("held", 3.0);
        other.refuse("rate_limited");
        other.close(4008);
        other.note("held", 2.0);
        one.add(other);
        assert_eq!((one.tried, one.accepted, one.refused["rate_limited"], one.closed[&4008]), (2, 1, 2, 1));
        assert!((one.notes["held"] - 3.0).abs() < f64::EPSILON);
    }
}
