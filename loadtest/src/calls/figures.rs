//! How long each phase of a call took.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::stats::Percentiles;

/// A phase of a call, from one thing that somebody sees to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Due → it rings at the callee.
    Rings,
    /// Due → the caller sees that it rings.
    SeenRinging,
    /// The callee accepts → the caller has the answer.
    Answered,
    /// The caller has the answer → both see that media flows on both sides.
    Connected,
    /// Due → both see that media flows: the whole set-up, as if the callee had answered at once.
    SetUp,
    /// One hangs up → both see the end.
    Ended,
    /// Both saw the end → both have its line in the chat.
    Recorded,
}

impl Phase {
    /// All, with their names in the report.
    pub const ALL: [(Self, &str); 7] = [
        (Self::Rings, "invite → rings at the callee"),
        (Self::SeenRinging, "invite → caller sees ringing"),
        (Self::Answered, "accept → caller has the answer"),
        (Self::Connected, "answer → active on both sides"),
        (Self::SetUp, "invite → active on both sides"),
        (Self::Ended, "hang up → ended on both sides"),
        (Self::Recorded, "ended → line in the chat on both sides"),
    ];
}

/// Counts of a run.
#[derive(Debug)]
pub struct Figures {
    /// The measured window, in microseconds of the run.
    pub window: (u64, u64),
    /// Calls begun.
    pub begun: u64,
    /// Calls done: line in the chat on both sides.
    pub complete: u64,
    /// Calls whose set-up was complete within the window.
    pub window_set_up: u64,
    /// Calls that were given up before an answer, on purpose.
    pub cancelled: u64,
    /// Calls that were due and had to wait for a free pair.
    pub waited: u64,
    /// Errors by code.
    pub errors: BTreeMap<String, u64>,
    phases: Vec<Histogram<u64>>,
}

impl Default for Figures {
    fn default() -> Self {
        let histogram = || Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are constants that fit");
        Self {
            window: (0, u64::MAX),
            begun: 0,
            complete: 0,
            window_set_up: 0,
            cancelled: 0,
            waited: 0,
            errors: BTreeMap::new(),
            phases: Phase::ALL.iter().map(|_| histogram()).collect(),
        }
    }
}

impl Figures {
    /// Records a phase that began at `from_us` and ended at `now_us`, if it ended within the window.
    pub fn phase(&mut self, phase: Phase, from_us: u64, now_us: u64) {
        if !(self.window.0..self.window.1).contains(&now_us) {
            return;
        }
        if phase == Phase::SetUp {
            self.window_set_up += 1;
        }
        if let Some(histogram) = self.phases.get_mut(phase as usize) {
            histogram.saturating_record(now_us.saturating_sub(from_us).max(1));
        }
    }

    /// Counts an error.
    pub fn error(&mut self, code: &str) {
        *self.errors.entry(code.to_owned()).or_default() += 1;
    }

    /// The phases by name.
    pub fn percentiles(&self) -> Vec<(String, Percentiles)> {
        Phase::ALL.iter().zip(&self.phases).map(|((_, name), it)| ((*name).to_owned(), Percentiles::from(it))).collect()
    }
}
