//! Deltas that came too early, and what was asked to fill the gap before them.

use chapar_protocol::{ChatDelta, Version};

use super::{Millis, backoff::Backoff};

/// Deltas kept back for one chat. Beyond that they are dropped; the version that they named is not forgotten,
/// so the difference brings them.
pub(crate) const KEPT_DELTAS: usize = 64;
/// Rows in the deltas kept back for one chat.
pub(crate) const KEPT_ROWS: usize = 2_000;

/// One chat on its way to a version that it has not reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catchup {
    kept: Vec<ChatDelta>,
    rows: usize,
    /// The newest version that a delta named.
    named: Version,
    /// Whether there is something newer than what is known, without a name for it: `behind`, `more`, an unknown chat.
    pub(crate) wished: bool,
    /// Whether a request for it is under way.
    pub(crate) asked: bool,
    /// Whether it stands in the queue to be asked.
    pub(crate) queued: bool,
    /// Not to be asked before.
    pub(crate) not_before: Option<Millis>,
    pub(crate) backoff: Backoff,
}

impl Catchup {
    /// Keeps a delta for later if there is room.
    pub(crate) fn keep(&mut self, delta: ChatDelta) {
        self.named = self.named.max(delta.version);
        let rows = delta.messages.len() + delta.members.len() + delta.reacted.len();
        if self.kept.len() < KEPT_DELTAS && self.rows + rows <= KEPT_ROWS {
            self.rows += rows;
            self.kept.push(delta);
        }
    }

    /// Takes a kept delta that goes on from a version, having dropped those that are known by then.
    pub(crate) fn take(&mut self, mine: Version) -> Option<ChatDelta> {
        self.kept.retain(|delta| delta.version > mine);
        let index = self.kept.iter().position(|delta| delta.from <= mine)?;
        let delta = self.kept.swap_remove(index);
        self.rows = self.kept.iter().map(|it| it.messages.len() + it.members.len() + it.reacted.len()).sum();
        Some(delta)
    }

    /// Whether something newer than `mine` is known to exist.
    pub(crate) fn behind(&self, mine: Version) -> bool {
        self.wished || self.named > mine
    }
}
