//! What the metrics learn from the steps of calls.

use std::time::Duration;

use chapar_protocol::Timestamp;
use chapar_signaling::call::{Call, Phase};

use crate::{metrics::Metrics, store::people::calls::reason_name};

/// See the module.
pub(super) struct Figures {
    metrics: Metrics,
}

impl Figures {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }

    /// A call has a new state.
    pub(super) fn changed(&self, before: Option<&Call>, after: &Call) {
        let lived = before.is_none_or(Call::is_live);
        if let Phase::Ended { reason, .. } = after.phase()
            && lived
        {
            self.metrics.calls_ended.get_or_create(&[("reason", reason_name(reason).0)]).inc();
        }
        if let Some(connected) = after.connected_at()
            && before.is_none_or(|before| before.connected_at().is_none())
        {
            self.metrics.call_setup_seconds.observe(seconds(after.invited_at(), connected));
            if let Some(answered) = after.answered_at() {
                self.metrics.call_connect_seconds.observe(seconds(answered, connected));
            }
        }
    }

    /// So many calls have something left to do.
    pub(super) fn pending(&self, calls: usize) {
        self.metrics.calls_live.set(i64::try_from(calls).unwrap_or(i64::MAX));
    }

    /// So many calls were recorded together.
    pub(super) fn recorded(&self, calls: usize, took: Duration) {
        self.metrics.calls_recorded.inc_by(calls as u64);
        self.metrics.call_record_seconds.observe(took.as_secs_f64());
    }
}

#[expect(clippy::cast_precision_loss, reason = "calls begin within days of each other")]
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_millis() - from.as_millis()).max(0) as f64 / 1000.0
}
