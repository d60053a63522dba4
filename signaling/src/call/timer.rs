//! Deadlines. They are settled in their own order and as of their own time, so a timer that fires late does what it
//! would have done in time.

use chapar_protocol::Timestamp;
use chapar_protocol::call::{EndReason, Renew};

use super::{Call, GRACE_MS, Phase, RECORD_AGAIN_MS, RESTART_AGAIN_MS, Role, Side, after};

impl Call {
    pub(crate) fn deadlines(&self) -> [Option<Timestamp>; 7] {
        match self.phase {
            Phase::Ended { record_at, .. } => [record_at, None, None, None, None, None, None],
            Phase::Active => self.live_deadlines(None, None),
            Phase::Ringing { until } | Phase::Connecting { until } => self.live_deadlines(Some(until), None),
            Phase::Reconnecting { until, restart_at } => self.live_deadlines(Some(until), Some(restart_at)),
        }
    }

    fn live_deadlines(&self, until: Option<Timestamp>, restart_at: Option<Timestamp>) -> [Option<Timestamp>; 7] {
        [
            until,
            restart_at,
            self.caller.presence(),
            self.callee.presence(),
            self.caller.take_over.map(|t| t.until),
            self.callee.take_over.map(|t| t.until),
            self.video_asked.map(|v| v.until),
        ]
    }

    /// Does everything that was due by `now`.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        while let Some(at) = self.next_timer().filter(|at| *at <= now) {
            if let Phase::Ended { record_at, .. } = &mut self.phase {
                *record_at = Some(after(now, RECORD_AGAIN_MS));
                return;
            }
            self.fire(at);
        }
    }

    /// Why it ends when nobody has answered.
    pub(crate) fn unanswered(&self) -> EndReason {
        if self.has_rung() { EndReason::Missed } else { EndReason::Unreachable }
    }

    /// The node that keeps it goes. Where it rang, nobody has answered.
    pub(crate) fn end_with_node(&mut self, reason: EndReason, now: Timestamp) {
        if let Phase::Ringing { .. } = self.phase {
            self.end(self.unanswered(), None, now);
        } else if self.is_live() {
            self.end(reason, None, now);
        }
    }

    /// Does what is due at `at`, the earliest deadline. Each branch removes or moves its deadline.
    fn fire(&mut self, at: Timestamp) {
        match self.phase {
            Phase::Ringing { until } if until <= at => {
                return self.end(self.unanswered(), None, until);
            }
            Phase::Connecting { until } if until <= at => return self.end(EndReason::NotConnected, None, until),
            Phase::Reconnecting { until, .. } if until <= at => return self.end(EndReason::Dropped, None, until),
            Phase::Reconnecting { until, restart_at } if restart_at <= at => {
                self.phase = Phase::Reconnecting { until, restart_at: after(restart_at, RESTART_AGAIN_MS) };
                self.renew(Renew::Ice, at);
            }
            _ => {}
        }
        for role in [Role::Caller, Role::Callee] {
            let side = self.side_mut(role);
            if side.take_over.is_some_and(|t| t.until <= at) {
                side.take_over = None;
            }
            match side.gone_until {
                Some(until) if until <= at => {
                    let by = side.party();
                    return self.end(EndReason::Vanished, by, until);
                }
                None if side.device.is_some() && side.lease_until <= at => {
                    side.gone_until = Some(after(side.lease_until, GRACE_MS));
                }
                _ => {}
            }
        }
        if self.video_asked.is_some_and(|v| v.until <= at) {
            self.video_asked = None;
        }
    }

    /// Begins a new exchange.
    pub(crate) fn renew(&mut self, renew: Renew, now: Timestamp) {
        self.exchange = self.exchange.next(renew);
        self.restarted_at = Some(now);
    }
}

impl Side {
    fn presence(&self) -> Option<Timestamp> {
        self.device?;
        Some(self.gone_until.unwrap_or(self.lease_until))
    }
}
