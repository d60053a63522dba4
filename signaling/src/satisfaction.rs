//! Whether people were satisfied, and whether calls came about: many calls, as sums that can be added in any order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::quality::{POOR, Summary};

/// What a person says after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Rating(u8);

impl Rating {
    /// 1 to 5.
    pub fn new(stars: u8) -> Option<Self> {
        (1..=5).contains(&stars).then_some(Self(stars))
    }

    /// 4 and 5 count as satisfied.
    pub fn is_satisfied(self) -> bool {
        self.0 >= 4
    }
}

impl TryFrom<u8> for Rating {
    type Error = &'static str;
    fn try_from(stars: u8) -> Result<Self, Self::Error> {
        Self::new(stars).ok_or("a rating is 1 to 5")
    }
}

impl From<Rating> for u8 {
    fn from(rating: Rating) -> Self {
        rating.0
    }
}

/// How long set-ups took, in steps of a tenth: step n holds those from `0.01 · 1.1ⁿ` seconds on, 0 to 119 (14 minutes).
/// The same steps are those of `call_sums` in the migrations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetupTimes(BTreeMap<u16, u64>);

impl SetupTimes {
    /// The last step.
    pub const LAST: u16 = 119;
    const FIRST_S: f64 = 0.01;
    const RATIO: f64 = 1.1;

    /// In which step a time falls.
    pub fn step(seconds: f64) -> u16 {
        (0..Self::LAST).find(|step| seconds < Self::begin(step + 1)).unwrap_or(Self::LAST)
    }

    /// Counts `count` of them in a step.
    pub fn add(&mut self, step: u16, count: u64) {
        if count > 0 {
            *self.0.entry(step.min(Self::LAST)).or_default() += count;
        }
    }

    /// The time within which the share `quantile` (0 to 1) of the set-ups was done, in seconds, at most 5 % wrong.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let all: u64 = self.0.values().sum();
        let wanted = precise(all) * quantile.clamp(0.0, 1.0);
        let mut seen = 0;
        let step = self.0.iter().find_map(|(step, count)| {
            seen += count;
            (precise(seen) >= wanted).then_some(*step)
        })?;
        Some(Self::begin(step) * Self::RATIO.sqrt())
    }

    fn begin(step: u16) -> f64 {
        Self::FIRST_S * Self::RATIO.powi(i32::from(step))
    }
}

/// Many calls, or many sides of calls, summed up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Satisfaction {
    /// How many.
    pub calls: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Of these, those where media flowed.
    pub connected: u64,
    /// From the answer to media on both sides, of the connected.
    pub setup: SetupTimes,
    /// Sides with a score.
    pub scored: u64,
    /// The sum of their scores.
    pub mos_sum: f64,
    /// Sides with a score below [`POOR`].
    pub poor: u64,
    /// Sides that rated.
    pub rated: u64,
    /// Those who rated 4 or 5.
    pub satisfied: u64,
    /// The sum of the stars.
    pub stars: u64,
}

impl Satisfaction {
    /// Counts what one side measured and said.
    pub fn add_side(&mut self, quality: Option<&Summary>, rating: Option<Rating>) {
        if let Some(Summary { mos, .. }) = quality {
            self.scored += 1;
            self.mos_sum += mos;
            self.poor += u64::from(*mos < POOR);
        }
        if let Some(rating) = rating {
            self.rated += 1;
            self.satisfied += u64::from(rating.is_satisfied());
            self.stars += u64::from(u8::from(rating));
        }
    }

    /// Adds another sum to this one.
    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.answered += other.answered;
        self.connected += other.connected;
        for (step, count) in &other.setup.0 {
            self.setup.add(*step, *count);
        }
        self.scored += other.scored;
        self.mos_sum += other.mos_sum;
        self.poor += other.poor;
        self.rated += other.rated;
        self.satisfied += other.satisfied;
        self.stars += other.stars;
    }

    /// Connected of answered: how often a set-up succeeds.
    pub fn setup_success(&self) -> Option<f64> {
        share(self.connected, self.answered)
    }

    /// The share of poor sides among those with a score.
    pub fn poor_share(&self) -> Option<f64> {
        share(self.poor, self.scored)
    }

    /// The mean score.
    pub fn mos(&self) -> Option<f64> {
        (self.scored > 0).then(|| self.mos_sum / precise(self.scored))
    }

    /// The mean of the stars.
    pub fn mean_stars(&self) -> Option<f64> {
        share(self.stars, self.rated)
    }

    /// The share of the satisfied among those who rated, with its 95 % interval (Wilson 1927): `(low, share, high)`.
    /// Few ratings make a wide one, which keeps an operator from reading much into them.
    pub fn satisfied_share(&self) -> Option<(f64, f64, f64)> {
        const Z: f64 = 1.959_964;
        let share = share(self.satisfied, self.rated)?;
        let count = precise(self.rated);
        let scale = 1.0 + Z * Z / count;
        let middle = (share + Z * Z / (2.0 * count)) / scale;
        let half = Z / scale * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
        Some(((middle - half).max(0.0), share, (middle + half).min(1.0)))
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| precise(part) / precise(whole))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn precise(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64, by: f64) {
        assert!((got - want).abs() <= by, "{got} is not {want} ± {by}");
    }

    #[test]
    fn satisfaction_adds_up_and_says_how_sure_it_is() {
        let (mut one, mut other) = (Satisfaction::default(), Satisfaction::default());
        assert_eq!((one.satisfied_share(), one.mos(), one.mean_stars(), one.setup_success()), (None, None, None, None));
        for stars in [5, 4, 4, 5, 1, 3, 4, 5] {
            one.add_side(None, Rating::new(stars));
        }
        for _ in 0..2 {
            other.add_side(None, Rating::new(5));
        }
        other.add_side(None, None);
        one.merge(&other);
        assert_eq!((one.rated, one.satisfied, one.stars), (10, 8, 41));
        let (low, share, high) = one.satisfied_share().expect("rated");
        near(share, 0.8, 1e-9);
        near(low, 0.490, 0.001); // Wilson for 8 of 10
        near(high, 0.943, 0.001);
        near(one.mean_stars().expect("rated"), 4.1, 1e-9);
        assert!(Rating::new(0).is_none() && Rating::new(6).is_none());
        assert_eq!(one.mos(), None);
    }

    #[test]
    fn set_up_times_are_at_most_five_percent_wrong() {
        let mut times = SetupTimes::default();
        assert_eq!(times.quantile(0.5), None);
        for millis in 1..=1000 {
            times.add(SetupTimes::step(f64::from(millis) / 1000.0), 1);
        }
        near(times.quantile(0.5).expect("some"), 0.5, 0.025);
        near(times.quantile(0.95).expect("some"), 0.95, 0.0475);
        assert_eq!(SetupTimes::step(0.0), 0);
        assert_eq!(SetupTimes::step(1e9), SetupTimes::LAST);
    }
}
