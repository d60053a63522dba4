//! The figures of a run: counts, latencies, and their roll-up.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Microseconds from 1 to 10 minutes with three digits.
pub(crate) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are constants that fit")
}

/// Counted while the run goes.
#[derive(Debug)]
pub struct Stats {
    /// The measured window in microseconds of the run: after the warm-up, until sending stops.
    pub window: (u64, u64),
    /// Requests to send that left, retries included.
    pub sent: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Messages that arrived at readers other than their senders.
    pub delivered: u64,
    /// Messages that arrived at their own senders.
    pub echoed: u64,
    /// Acknowledged within the window.
    pub window_acknowledged: u64,
    /// Delivered within the window.
    pub window_delivered: u64,
    /// Errors by code.
    pub errors: BTreeMap<String, u64>,
    /// Lost connections by reason.
    pub lost: BTreeMap<String, u64>,
    /// Gaps that were asked for.
    pub gaps: u64,
    /// Chats begun anew at a snapshot after the start.
    pub snapshots: u64,
    /// Deltas ignored because they were known.
    pub repeated: u64,
    /// Sends given up by the generator because a user's outbox was full.
    pub not_sent: u64,
    /// When the last delivery was seen.
    pub last_delivery_us: u64,
    /// Intended send to acknowledgement, for messages of the window.
    pub to_ack: Histogram<u64>,
    /// Intended send to receipt at each other reader, for messages of the window.
    pub to_receive: Histogram<u64>,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            window: (0, u64::MAX),
            sent: 0,
            acknowledged: 0,
            delivered: 0,
            echoed: 0,
            window_acknowledged: 0,
            window_delivered: 0,
            errors: BTreeMap::new(),
            lost: BTreeMap::new(),
            gaps: 0,
            snapshots: 0,
            repeated: 0,
            not_sent: 0,
            last_delivery_us: 0,
            to_ack: latencies(),
            to_receive: latencies(),
        }
    }
}

impl Stats {
    /// Begins a new window, with latencies of its own.
    pub(crate) fn begin_window(&mut self, window: (u64, u64)) {
        self.window = window;
        (self.to_ack, self.to_receive) = (latencies(), latencies());
        (self.window_acknowledged, self.window_delivered) = (0, 0);
    }

    fn in_window(&self, at_us: u64) -> bool {
        (self.window.0..self.window.1).contains(&at_us)
    }

    /// An acknowledgement at `now_us` of a message that should have left at `at_us`.
    pub fn acknowledge(&mut self, at_us: u64, now_us: u64) {
        self.acknowledged += 1;
        self.window_acknowledged += u64::from(self.in_window(now_us));
        if self.in_window(at_us) {
            self.to_ack.saturating_record(now_us.saturating_sub(at_us));
        }
    }

    /// Counts one delta's messages at one reader.
    pub fn deliver(&mut self, others: u64, own: u64, now_us: u64) {
        self.delivered += others;
        self.echoed += own;
        if others > 0 {
            self.last_delivery_us = now_us;
            if self.in_window(now_us) {
                self.window_delivered += others;
            }
        }
    }

    /// The latency of one message at one reader.
    pub fn receive(&mut self, at_us: u64, now_us: u64) {
        if self.in_window(at_us) {
            self.to_receive.saturating_record(now_us.saturating_sub(at_us));
        }
    }

    /// Counts an error by its code.
    pub fn error(&mut self, code: &str) {
        bump(&mut self.errors, code);
    }

    /// Counts a lost connection by its reason.
    pub fn lose(&mut self, why: &str) {
        bump(&mut self.lost, why);
    }
}

fn bump(counts: &mut BTreeMap<String, u64>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count += 1;
    } else {
        counts.insert(key.to_owned(), 1);
    }
}

/// A histogram in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// How many were recorded.
    pub count: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Half are at most this.
    pub p50_ms: f64,
    /// 90 % are at most this.
    pub p90_ms: f64,
    /// 95 % are at most this.
    pub p95_ms: f64,
    /// 99 % are at most this.
    pub p99_ms: f64,
    /// 99.9 % are at most this.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl From<&Histogram<u64>> for Percentiles {
    fn from(micros: &Histogram<u64>) -> Self {
        if micros.is_empty() {
            return Self::default();
        }
        let at = |quantile| millis(micros.value_at_quantile(quantile));
        Self {
            count: micros.len(),
            mean_ms: (micros.mean()).round() / 1000.0,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: millis(micros.max()),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a run are far below 2^52")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_by_intended_time_and_throughput_by_arrival() {
        let mut stats = Stats { window: (1_000_000, 2_000_000), ..Stats::default() };
        stats.acknowledge(900_000, 1_100_000);
        stats.acknowledge(1_900_000, 2_100_000);
        stats.acknowledge(1_500_000, 1_501_000);
        assert_eq!((stats.acknowledged, stats.window_acknowledged, stats.to_ack.len()), (3, 2, 2));
        let it = Percentiles::from(&stats.to_ack);
        assert!((199.0..201.0).contains(&it.max_ms) && (0.9..1.1).contains(&it.p50_ms), "{it:?}");
        assert_eq!(Percentiles::from(&stats.to_receive), Percentiles::default());
    }
}
