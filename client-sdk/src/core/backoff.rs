//! How long to wait before the next attempt.

use super::{Dice, Millis};

/// Bound of the first wait, in milliseconds.
const FIRST: Millis = 1_000;
/// Bound of the longest wait, in milliseconds.
const LONGEST: Millis = 30_000;

/// Exponential back-off with full jitter: each wait is drawn evenly from zero to a bound that doubles from 1 s to 30 s.
/// A whole city that lost the same server so comes back spread out, not in waves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Draws the next wait, in milliseconds.
    pub(crate) fn next(&mut self, dice: Dice<'_>) -> Millis {
        let bound = (FIRST << self.tries.min(5)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        dice(bound + 1)
    }

    /// Begins anew after a success.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_to_thirty_seconds() {
        let mut backoff = Backoff::default();
        let mut longest = |bound: u64| bound - 1;
        let waits: Vec<_> = (0..7).map(|_| backoff.next(&mut longest)).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.next(&mut longest), 1_000);
    }
}
