//! What is sent, by what the path loses and how long it takes.
//!
//! Two ways in which a path is bad ask for opposite things. One that loses packets whatever is sent (radio, an
//! overloaded cell) wants redundancy; one that is full (packets queue, then drop) wants fewer bits. They are told apart by
//! the round trip: a full one grows.

use std::time::Duration;

/// The least and the most bits a second of sound.
pub const BIT_RATES: std::ops::RangeInclusive<u32> = 16_000..=32_000;
/// How much the round trip grows over its least before the path counts as full.
const FULL: Duration = Duration::from_millis(250);
/// So many good reports in a row before a step back: quickly careful, slowly careless.
const PATIENCE: u32 = 4;

/// How to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The length of a packet: 20, 40 or 60 ms.
    pub frame_ms: u32,
    /// Bits a second of sound, without headers and copies.
    pub bit_rate: u32,
    /// How many earlier packets each one repeats, where RED is spoken.
    pub redundancy: usize,
    /// In-band FEC.
    pub fec: bool,
    /// The loss that the encoder is to expect, in percent.
    pub expected_loss: u8,
    /// Silence is not sent.
    pub dtx: bool,
}

impl Plan {
    /// Before anything was measured: one copy, since the first second of a call is the worst to lose.
    pub const FIRST: Self =
        Self { frame_ms: 20, bit_rate: 24_000, redundancy: 1, fec: true, expected_loss: 10, dtx: true };
    /// Without any protection, for comparison.
    pub const BARE: Self =
        Self { frame_ms: 20, bit_rate: 24_000, redundancy: 0, fec: false, expected_loss: 0, dtx: true };

    /// In units of 20 ms.
    pub(crate) fn frames(&self) -> usize {
        (self.frame_ms / 20).clamp(1, 3) as usize
    }
}

/// What the other side and the path say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    /// The fraction of packets that the other side missed since its last report, 0 to 1.
    pub loss: f32,
    /// The round trip.
    pub round_trip: Option<Duration>,
}

/// Turns reports into plans. Pure.
#[derive(Clone, Debug)]
pub struct Controller {
    red: bool,
    loss: f32,
    least_round_trip: Option<Duration>,
    /// 0: room enough; 1: 40 ms; 2: 60 ms and the least bits.
    thrift: u8,
    good: u32,
}

impl Controller {
    /// `red` when both sides can.
    pub fn new(red: bool) -> Self {
        Self { red, loss: 0.05, least_round_trip: None, thrift: 0, good: 0 }
    }

    /// The loss as it is held to be, 0 to 1.
    pub fn loss(&self) -> f32 {
        self.loss
    }

    /// Takes a report, about one a second.
    pub fn report(&mut self, measured: Measured) {
        let loss = if measured.loss.is_finite() { measured.loss.clamp(0.0, 1.0) } else { 0.0 };
        // Up at once, down slowly: a burst comes back.
        let weight = if loss > self.loss { 0.5 } else { 0.12 };
        self.loss += (loss - self.loss) * weight;
        let Some(round_trip) = measured.round_trip else { return };
        let least = self.least_round_trip.map_or(round_trip, |least| least.min(round_trip));
        // The least may rise again, after a switch to a longer path: by 2 % a report.
        self.least_round_trip = Some(least + round_trip.saturating_sub(least) / 50);
        if round_trip > least + FULL && loss > 0.02 || round_trip > least + 3 * FULL {
            self.thrift = (self.thrift + 1).min(2);
            self.good = 0;
        } else if round_trip < least + FULL / 2 {
            self.good += 1;
            if self.good >= PATIENCE {
                self.good = 0;
                self.thrift = self.thrift.saturating_sub(1);
            }
        }
    }

    /// How to send from now on.
    pub fn plan(&self) -> Plan {
        let expected_loss = percent(self.loss);
        let (redundancy, bit_rate) = match (self.red, expected_loss) {
            // FEC needs 19 kbit/s and more to carry anything at 10 % loss.
            (_, 0..2) => (0, 32_000),
            (false, _) => (0, 28_000),
            (true, 2..7) => (1, 28_000),
            (true, 7..25) => (2, 24_000),
            (true, _) => (3, 20_000),
        };
        // Copies carry most of the repair; what FEC is told is what they leave over.
        let left = self.loss.powi(i32::try_from(redundancy).unwrap_or(0) + 1);
        let fec_for = if redundancy == 0 { expected_loss } else { percent(left) };
        let plan = Plan { frame_ms: 20, bit_rate, redundancy, fec: true, expected_loss: fec_for, dtx: true };
        match self.thrift {
            0 => plan,
            1 => Plan { frame_ms: 40, bit_rate: bit_rate.min(20_000), redundancy: redundancy.min(1), ..plan },
            _ => Plan { frame_ms: 60, bit_rate: *BIT_RATES.start(), redundancy: redundancy.min(1), ..plan },
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 100 before")]
fn percent(fraction: f32) -> u8 {
    (fraction * 100.0).round().clamp(0.0, 100.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(reports: u32, loss: f32, round_trip_ms: u64, red: bool) -> Controller {
        let mut controller = Controller::new(red);
        for _ in 0..reports {
            controller.report(Measured { loss, round_trip: Some(Duration::from_millis(round_trip_ms)) });
        }
        controller
    }

    #[test]
    fn a_lossy_path_gets_copies_and_a_clean_one_gets_bits() {
        let lossy = after(10, 0.19, 300, true).plan();
        assert_eq!((lossy.redundancy, lossy.frame_ms), (2, 20));
        let clean = after(60, 0.0, 300, true).plan();
        assert_eq!((clean.redundancy, clean.bit_rate), (0, 32_000));
        let without_red = after(10, 0.19, 300, false).plan();
        assert!(without_red.fec && without_red.redundancy == 0 && without_red.expected_loss >= 15);
    }

    #[test]
    fn a_full_path_gets_fewer_bits_and_later_more_again() {
        let mut controller = after(5, 0.0, 100, true);
        for _ in 0..3 {
            controller.report(Measured { loss: 0.1, round_trip: Some(Duration::from_millis(900)) });
        }
        let plan = controller.plan();
        assert_eq!((plan.frame_ms, plan.bit_rate), (60, 16_000));
        for _ in 0..60 {
            controller.report(Measured { loss: 0.0, round_trip: Some(Duration::from_millis(110)) });
        }
        assert_eq!(controller.plan().frame_ms, 20);
    }

    #[test]
    fn it_is_careful_at_once_and_careless_slowly() {
        let mut controller = after(60, 0.0, 100, true);
        controller.report(Measured { loss: 0.3, round_trip: None });
        assert!(controller.plan().redundancy >= 1, "one bad report is enough");
        let mut reports = 0;
        while controller.plan().redundancy > 0 {
            controller.report(Measured { loss: 0.0, round_trip: None });
            reports += 1;
        }
        assert!(reports > 8, "{reports} good ones were enough");
    }

    proptest! {
        #[test]
        fn any_reports_give_a_plan_within_bounds(
            reports in proptest::collection::vec((any::<f32>(), proptest::option::of(0_u64..100_000)), 0..200),
            red in any::<bool>(),
        ) {
            let mut controller = Controller::new(red);
            for (loss, ms) in reports {
                controller.report(Measured { loss, round_trip: ms.map(Duration::from_millis) });
                let plan = controller.plan();
                prop_assert!([20, 40, 60].contains(&plan.frame_ms));
                prop_assert!(BIT_RATES.contains(&plan.bit_rate));
                prop_assert!(plan.redundancy <= 3 && (red || plan.redundancy == 0));
            }
        }
    }
}
