//! What one reader knows of one chat, by the rules R2 to R7 of the protocol. No IO.

use std::collections::BTreeMap;

use chapar_protocol::{ChatDelta, ChatRow, ChatSnapshot, Message};

use crate::message::hash;

/// Deltas that are kept back at most; those dropped are asked for again (R4).
const HELD: usize = 2000;

/// A message as it is compared: its version and a hash of all that it is.
pub(super) type Row = (i64, u64);

pub(super) fn row(message: &Message) -> Row {
    (message.version.0, hash(&serde_json::to_vec(message).unwrap_or_default()))
}

/// One chat at one reader.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) version: i64,
    /// The window begins here: what is before it a snapshot left out.
    pub(super) first: i64,
    pub(super) rows: BTreeMap<i64, Row>,
    pub(super) snapshots: u64,
    held: Vec<ChatDelta>,
    /// The highest version that is known to exist.
    heard_of: i64,
}

impl View {
    /// Takes a delta in, with those that waited for it.
    pub(super) fn delta(&mut self, delta: ChatDelta) {
        self.heard_of = self.heard_of.max(delta.version.0);
        if delta.from.0 > self.version {
            if self.held.len() < HELD {
                self.held.push(delta);
            }
            return;
        }
        self.apply(&delta);
        // Each round reaches further or ends.
        while let Some(place) = self.held.iter().position(|it| it.from.0 <= self.version) {
            let next = self.held.swap_remove(place);
            self.apply(&next);
        }
    }

    fn apply(&mut self, delta: &ChatDelta) {
        if delta.version.0 <= self.version {
            return;
        }
        for message in delta.rows.iter().filter_map(ChatRow::message) {
            self.message(message);
        }
        self.version = delta.version.0;
    }

    fn message(&mut self, message: &Message) {
        let new = row(message);
        if message.seq.0 >= self.first && self.rows.get(&message.seq.0).is_none_or(|old| old.0 <= new.0) {
            self.rows.insert(message.seq.0, new);
        }
    }

    /// Takes a snapshot in (R7).
    pub(super) fn snapshot(&mut self, snapshot: &ChatSnapshot) {
        self.heard_of = self.heard_of.max(snapshot.version.0);
        if snapshot.version.0 <= self.version {
            return;
        }
        self.snapshots += u64::from(self.version > 0);
        self.rows.clear();
        self.first = snapshot.messages().map(|it| it.seq.0).min().unwrap_or(snapshot.last_seq.0 + 1);
        for message in snapshot.messages() {
            self.message(message);
        }
        self.version = snapshot.version.0;
        let held = std::mem::take(&mut self.held);
        for delta in held {
            self.delta(delta);
        }
    }

    /// Whether something is known to be missing.
    pub(super) fn behind(&self) -> bool {
        self.heard_of > self.version
    }

    /// Says that there is more than is known here.
    pub(super) fn is_behind(&mut self) {
        self.heard_of = self.heard_of.max(self.version + 1);
    }

    /// The answer to `difference` brought all there is: a hint that there was more is void.
    pub(super) fn is_complete(&mut self) {
        self.heard_of = self.held.iter().map(|it| it.version.0).max().unwrap_or(0).max(self.version);
    }

    /// A lost connection.
    pub(super) fn cut(&mut self) {
        self.held.clear();
        self.heard_of = self.version;
    }

    /// A new epoch (R8).
    pub(super) fn reset(&mut self) {
        *self = Self { snapshots: self.snapshots, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use chapar_protocol::{ChatId, Version};

    use super::*;

    fn delta(from: i64, version: i64) -> ChatDelta {
        ChatDelta { from: Version(from), ..ChatDelta::empty(ChatId(1), Version(version)) }
    }

    #[test]
    fn a_gap_waits_for_what_fills_it() {
        let mut view = View::default();
        view.delta(delta(0, 2));
        view.delta(delta(5, 6));
        view.delta(delta(4, 5));
        assert!(view.behind() && view.version == 2);
        view.delta(delta(2, 4));
        assert!(!view.behind() && view.version == 6);
        view.delta(delta(3, 4));
        assert_eq!(view.version, 6, "what is known is ignored");
    }

    #[test]
    fn a_lost_connection_voids_what_was_kept_back() {
        let mut view = View::default();
        view.delta(delta(3, 4));
        view.cut();
        assert!(!view.behind());
    }
}
