//! How good a call sounded, as a number: the E-model, summed up over a call.
//!
//! ITU-T G.107: `R = Ro − Is − Id − Ie,eff + A`. With all other parameters at their defaults `Ro − Is` is 93.2 (94.2 in the
//! editions before 2000, which Cole and Rosenbluth use), and the advantage factor `A` is 0:
//!
//! - `Id`, the harm of delay, in the approximation of Cole and Rosenbluth («Voice over IP performance monitoring»,
//!   ACM CCR 31(2), 2001) of G.107 section 7.4: `0.024 d + 0.11 (d − 177.3) [d > 177.3]`, d one way in milliseconds.
//! - `Ie,eff = Ie + (95 − Ie) · Ppl / (Ppl / BurstR + Bpl)` (G.107 equation 7-29), Ppl in percent, BurstR 1 (random).
//! - `MOS = 1 + 0.035 R + R (R − 60)(100 − R) · 7·10⁻⁶` for 0 < R < 100 (G.107 annex B).
//!
//! ITU-T has published no Ie and Bpl of Opus. We take Ie 0, and Bpl 25.1, that of G.711 with concealment (G.113
//! appendix I; without concealment it would be 4.3): so this MOS compares calls with each other, and is no measurement of
//! Opus. Loss is what remains after FEC and RED, since that is what is heard.
//!
//! The constants were compared with a dozen public implementations that cite these texts: all agree on Id, equation 7-29,
//! annex B and (0, 25.1) of G.711 with concealment; for Ro − Is, 93.2 where G.107 of 2000 or later is cited.

use chapar_protocol::call::{AudioCodec, CandidateType, NetworkClass, PathKind, QualityReport};

/// A codec in the E-model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Equipment {
    /// Impairment without loss, 0 to 95.
    pub impairment: f64,
    /// Robustness against random loss, at least 1.
    pub robustness: f64,
}

/// Opus at 24 kbit/s or more, as assumed above.
pub const OPUS: Equipment = Equipment { impairment: 0.0, robustness: 25.1 };

/// What Opus adds to the frame itself: its algorithmic delay is 26.5 ms with frames of 20 ms.
const LOOK_AHEAD_MS: f64 = 6.5;
/// R of a call without delay and loss.
const BEST: f64 = 93.2;
/// Below this score a call counts as poor: G.107 annex B, «nearly all users dissatisfied» (R below 60).
pub const POOR: f64 = 3.1;
/// The longest time that one report may stand for, in milliseconds: what came after a gap says nothing of the gap.
pub const LONGEST_REPORT_MS: u32 = 15_000;

/// The rating factor R, 0 to 100.
///
/// `one_way_ms` is mouth to ear, `loss` the share of packets not played, 0 to 1. Values outside are taken as the nearest
/// inside, and what is not a number as the worst.
pub fn rating(one_way_ms: f64, loss: f64, equipment: Equipment) -> f64 {
    let worst_if_nan = |value: f64, worst: f64| if value.is_nan() { worst } else { value.clamp(0.0, worst) };
    let delay = worst_if_nan(one_way_ms, 60_000.0);
    let percent = worst_if_nan(loss, 1.0) * 100.0;
    let by_delay = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let Equipment { impairment, robustness } = equipment;
    let by_loss = impairment + (95.0 - impairment) * percent / (percent + robustness);
    (BEST - by_delay - by_loss).clamp(0.0, 100.0)
}

/// The mean opinion score that R stands for, 1 to 4.5.
pub fn mos(rating: f64) -> f64 {
    if rating.is_nan() || rating <= 0.0 {
        return 1.0;
    }
    if rating >= 100.0 {
        return 4.5;
    }
    // Between 0 and 6.5 the cubic dips below 1, which is no score.
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6).max(1.0)
}

/// The score of one report. One way is half the round trip, a jitter buffer of twice the jitter, one frame and the
/// codec's look-ahead.
pub fn score(report: &QualityReport) -> f64 {
    let one_way = f64::from(report.round_trip_ms) / 2.0
        + 2.0 * f64::from(report.jitter_ms)
        + f64::from(report.frame_ms)
        + LOOK_AHEAD_MS;
    mos(rating(one_way, f64::from(report.concealed_per_mille) / 1000.0, OPUS))
}

/// Whether a report holds only values that can be. Anything else is a client's fault or a lie, and is not counted.
pub fn is_plausible(report: &QualityReport) -> bool {
    let shares = [report.lost_per_mille, report.concealed_per_mille, report.lost_there_per_mille];
    report.round_trip_ms <= 60_000
        && report.jitter_ms <= 60_000
        && shares.iter().all(|share| *share <= 1000)
        && report.bit_rate_in <= 100_000_000
        && report.bit_rate_out <= 100_000_000
        && (10..=120).contains(&report.frame_ms)
}

/// What one side of a call has reported, as sums over time that can be added; no address is in it. A sum is in
/// milliseconds times the unit of what is summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CallQuality {
    /// How long the reports cover, in milliseconds.
    pub covered_ms: u64,
    /// How many reports.
    pub reports: u32,
    /// Scores.
    pub mos: f64,
    /// The time with a score below [`POOR`], in milliseconds.
    pub poor_ms: u64,
    /// The worst score of a single report; `None` before the first.
    pub worst: Option<f64>,
    /// Round trips, in milliseconds.
    pub round_trip: f64,
    /// Jitter, in milliseconds.
    pub jitter: f64,
    /// The share lost on the way here, 0 to 1.
    pub lost: f64,
    /// The share lost on the way there, 0 to 1.
    pub lost_there: f64,
    /// The share not played, 0 to 1.
    pub concealed: f64,
    /// Bits a second that arrived.
    pub bits_in: f64,
    /// Bits a second that left.
    pub bits_out: f64,
    /// The time over a relay, in milliseconds.
    pub relayed_ms: u64,
    /// The path at the last report, like all that follow.
    pub path: PathKind,
    /// The network of the device.
    pub network: NetworkClass,
    /// The own end of the path.
    pub local: CandidateType,
    /// The other end of the path.
    pub remote: CandidateType,
    /// How audio that arrived was coded.
    pub codec: AudioCodec,
}

/// Means over the covered time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Mean opinion score.
    pub mos: f64,
    /// The worst score of a single report.
    pub worst_mos: f64,
    /// Milliseconds.
    pub round_trip_ms: f64,
    /// Milliseconds.
    pub jitter_ms: f64,
    /// Share of packets lost on the way, before repair.
    pub lost: f64,
    /// Share of packets not played.
    pub concealed: f64,
    /// Share of the time over a relay.
    pub relayed: f64,
    /// The network at the last report.
    pub network: NetworkClass,
}

impl CallQuality {
    /// Counts a report that stands for the `since_last_ms` milliseconds before it, at most [`LONGEST_REPORT_MS`]. Not
    /// plausible ones are left out; returns whether it was counted.
    pub fn add(&mut self, report: &QualityReport, since_last_ms: u32) -> bool {
        if !is_plausible(report) || since_last_ms == 0 {
            return false;
        }
        let covered = since_last_ms.min(LONGEST_REPORT_MS);
        let weight = f64::from(covered);
        let score = score(report);
        let share = |per_mille: u32| f64::from(per_mille) / 1000.0;
        self.covered_ms += u64::from(covered);
        self.reports = self.reports.saturating_add(1);
        self.mos += weight * score;
        self.poor_ms += if score < POOR { u64::from(covered) } else { 0 };
        self.worst = Some(self.worst.map_or(score, |worst| worst.min(score)));
        self.round_trip += weight * f64::from(report.round_trip_ms);
        self.jitter += weight * f64::from(report.jitter_ms);
        self.lost += weight * share(report.lost_per_mille);
        self.lost_there += weight * share(report.lost_there_per_mille);
        self.concealed += weight * share(report.concealed_per_mille);
        self.bits_in += weight * f64::from(report.bit_rate_in);
        self.bits_out += weight * f64::from(report.bit_rate_out);
        self.relayed_ms += if is_relayed(report.path) { u64::from(covered) } else { 0 };
        self.path = report.path;
        self.local = report.local;
        self.remote = report.remote;
        self.codec = report.codec;
        self.network = report.network;
        true
    }

    /// The means; `None` before the first report.
    pub fn summary(&self) -> Option<Summary> {
        let worst_mos = self.worst?;
        let covered = precise(self.covered_ms);
        Some(Summary {
            mos: self.mos / covered,
            worst_mos,
            round_trip_ms: self.round_trip / covered,
            jitter_ms: self.jitter / covered,
            lost: self.lost / covered,
            concealed: self.concealed / covered,
            relayed: precise(self.relayed_ms) / covered,
            network: self.network,
        })
    }
}

/// Whether media goes over a relay.
pub fn is_relayed(path: PathKind) -> bool {
    matches!(path, PathKind::RelayUdp | PathKind::RelayTcp | PathKind::RelayTls)
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

    fn report(round_trip_ms: u32, jitter_ms: u32, concealed_per_mille: u32) -> QualityReport {
        QualityReport {
            round_trip_ms,
            jitter_ms,
            lost_per_mille: concealed_per_mille,
            concealed_per_mille,
            lost_there_per_mille: 0,
            bit_rate_in: 32_000,
            bit_rate_out: 32_000,
            frame_ms: 20,
            path: PathKind::Direct,
            network: NetworkClass::Wifi,
            local: CandidateType::Host,
            remote: CandidateType::Host,
            codec: AudioCodec::Opus,
            relay: None,
        }
    }

    #[test]
    fn scores_are_those_of_g107_table_b1() {
        for (rating, want) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58), (93.2, 4.41)] {
            near(mos(rating), want, 0.01);
        }
        near(mos(0.0), 1.0, 0.0);
        near(mos(-5.0), 1.0, 0.0);
        near(mos(100.0), 4.5, 0.0);
        near(mos(f64::NAN), 1.0, 0.0);
    }

    #[test]
    fn impairments_are_those_of_the_published_formulas() {
        // Cole and Rosenbluth: Id(100) 2.4, Id(177.3) 4.26, Id(300) 20.7, Id(400) 34.1
        for (delay, harm) in [(0.0, 0.0), (100.0, 2.4), (177.3, 4.255), (300.0, 20.697), (400.0, 34.097)] {
            near(rating(delay, 0.0, OPUS), 93.2 - harm, 0.001);
        }
        // G.113 appendix I: G.711 with concealment (0, 25.1), G.729A (11, 19), G.723.1 at 6.3 kbit/s (15, 16.1)
        for (impairment, robustness, percent, harm) in
            [(0.0, 25.1, 1.0, 3.640), (11.0, 19.0, 2.0, 19.0), (15.0, 16.1, 4.0, 30.920), (0.0, 25.1, 10.0, 27.066)]
        {
            let equipment = Equipment { impairment, robustness };
            near(rating(0.0, percent / 100.0, equipment), 93.2 - harm, 0.001);
        }
    }

    #[test]
    fn worse_never_scores_better() {
        let mut last = 5.0;
        for step in 0..=100 {
            let score = score(&report(step * 20, step * 2, step * 10));
            assert!(score <= last && (1.0..=4.5).contains(&score));
            last = score;
        }
        near(last, 1.0, 0.0);
        near(rating(f64::NAN, 0.0, OPUS), 0.0, 0.0);
        near(rating(f64::INFINITY, f64::NEG_INFINITY, OPUS), 0.0, 0.0);
    }

    #[test]
    fn a_call_is_summed_up_by_time_and_not_by_reports() {
        let (good, bad) = (report(40, 5, 0), report(600, 60, 200));
        let mut quality = CallQuality::default();
        assert_eq!(quality.summary(), None);
        assert!(quality.add(&good, 9_000));
        assert!(quality.add(&bad, 1_000));
        let summary = quality.summary().expect("reports");
        near(summary.mos, 0.9 * score(&good) + 0.1 * score(&bad), 1e-9);
        near(summary.worst_mos, score(&bad), 0.0);
        near(summary.round_trip_ms, 96.0, 1e-9);
        assert!(quality.add(&good, 3_600_000), "after an hour without reports");
        assert_eq!(quality.covered_ms, 25_000, "only 15 s are known");
    }

    #[test]
    fn what_cannot_be_is_not_counted() {
        let mut quality = CallQuality::default();
        assert!(!quality.add(&report(60_001, 0, 0), 5_000));
        assert!(!quality.add(&report(10, 0, 1_001), 5_000));
        assert!(!quality.add(&QualityReport { frame_ms: 0, ..report(10, 0, 0) }, 5_000));
        assert!(!quality.add(&report(10, 0, 0), 0));
        assert_eq!(quality, CallQuality::default());
    }
}
