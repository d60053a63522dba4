//! The sums in memory. No clock, no IO: time comes with each call.

use std::collections::HashMap;

use chapar_protocol::{
    Timestamp, UserId,
    call::{CallId, QualityReport},
};
use chapar_signaling::quality::{CallQuality, is_plausible, is_relayed};

use crate::store::people::call_quality::Part;

/// Sides of calls in memory at once, about 300 bytes each. Twice the calls that one node carries at any time.
const MOST: usize = 200_000;
/// What the first report stands for, in milliseconds: devices report every 5 s.
const FIRST_REPORT_MS: u32 = 5_000;
/// A side that is silent for this long, in milliseconds, has ended or moved to another node: a device in a call reports
/// every 5 s, and a call ends when one is away for 15 s.
const SILENT_MS: u64 = 60_000;

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// It is in the sums.
    Yes,
    /// It holds values that cannot be.
    NotPlausible,
    /// There is no room for one more side.
    Full,
}

#[derive(Debug)]
struct Side {
    part: Part,
    last_ms: u64,
    written: u64,
    ended: bool,
}

/// All sides in memory.
#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: HashMap<CallId, Vec<Side>>,
    sides: usize,
}

impl Tally {
    /// Counts a report. `relay` is one that the node knows, with its region.
    pub(super) fn report(
        &mut self,
        call: CallId,
        user: UserId,
        report: &QualityReport,
        relay: Option<(&String, &String)>,
        now_ms: u64,
        at: Timestamp,
    ) -> Counted {
        if !is_plausible(report) {
            return Counted::NotPlausible;
        }
        let Some(side) = self.side(call, user, now_ms, at) else { return Counted::Full };
        let part = &mut side.part;
        let since = if part.quality.reports == 0 {
            FIRST_REPORT_MS
        } else {
            u32::try_from(now_ms.saturating_sub(side.last_ms)).unwrap_or(u32::MAX)
        };
        side.last_ms = now_ms;
        // Two at the same moment: the second stands for no time.
        if part.quality.add(report, since.max(1)) {
            part.changes += 1;
            part.at = at;
            match relay {
                Some((name, region)) if is_relayed(report.path) => part.relay = (name.clone(), region.clone()),
                _ if is_relayed(report.path) => {}
                _ => part.relay = (String::new(), String::new()),
            }
        }
        Counted::Yes
    }

    /// The relay that a side was handed first.
    pub(super) fn relay_given(
        &mut self,
        call: CallId,
        user: UserId,
        (name, region): (&String, &String),
        now_ms: u64,
        at: Timestamp,
    ) {
        // Half of the room is for those that measure.
        if self.sides < MOST / 2
            && let Some(side) = self.side(call, user, now_ms, at)
            && side.part.quality.reports == 0
        {
            side.last_ms = now_ms;
            side.part.relay = (name.clone(), region.clone());
            side.part.changes += 1;
        }
    }

    /// A call has ended. Returns whether anything of it is here.
    pub(super) fn ended(&mut self, call: CallId) -> bool {
        let sides = self.calls.get_mut(&call);
        sides.into_iter().flatten().map(|side| side.ended = true).count() > 0
    }

    /// What is to be written: of ended and silent calls, and of the others too if `all`.
    pub(super) fn waiting(&mut self, all: bool, now_ms: u64) -> Vec<Part> {
        let (mut parts, mut dropped) = (Vec::new(), 0);
        self.calls.retain(|_, sides| {
            sides.retain_mut(|side| {
                let silent = now_ms.saturating_sub(side.last_ms) >= SILENT_MS;
                let measured = side.part.quality.reports > 0;
                // Anybody may ask for relays under any id: without a report or an end there may be no such call.
                if silent && !side.ended && !measured {
                    dropped += 1;
                    return false;
                }
                side.ended |= silent;
                if side.ended || all && measured && side.written < side.part.changes {
                    parts.push(side.part.clone());
                }
                true
            });
            !sides.is_empty()
        });
        self.sides -= dropped;
        parts
    }

    /// These are written as they were. Forgets those that have ended, and returns the mean scores of these.
    pub(super) fn written(&mut self, parts: &[Part]) -> Vec<f64> {
        let mut scores = Vec::new();
        for part in parts {
            let Some(sides) = self.calls.get_mut(&part.call) else { continue };
            let Some(index) = sides.iter().position(|side| side.part.part == part.part) else { continue };
            let side = &mut sides[index];
            side.written = part.changes;
            if side.ended && side.written == side.part.changes {
                scores.extend(side.part.quality.summary().map(|summary| summary.mos));
                sides.swap_remove(index);
                self.sides -= 1;
                if sides.is_empty() {
                    self.calls.remove(&part.call);
                }
            }
        }
        scores
    }

    /// The side of a call that goes on, made if there is room.
    fn side(&mut self, call: CallId, user: UserId, now_ms: u64, at: Timestamp) -> Option<&mut Side> {
        let sides = self.calls.entry(call).or_default();
        let index = match sides.iter().position(|side| side.part.user == user && !side.ended) {
            Some(index) => index,
            None if self.sides >= MOST => {
                if sides.is_empty() {
                    self.calls.remove(&call);
                }
                return None;
            }
            None => {
                self.sides += 1;
                let part = Part {
                    call,
                    user,
                    part: rand::random(),
                    quality: CallQuality::default(),
                    relay: (String::new(), String::new()),
                    at,
                    changes: 0,
                };
                sides.push(Side { part, last_ms: now_ms, written: 0, ended: false });
                sides.len() - 1
            }
        };
        self.calls.get_mut(&call)?.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use chapar_protocol::call::PathKind;
    use uuid::Uuid;

    use super::*;

    const CALL: CallId = CallId(Uuid::from_u128(1));
    const SARA: UserId = UserId(1);
    const AMIR: UserId = UserId(2);

    fn report(path: PathKind) -> QualityReport {
        QualityReport {
            round_trip_ms: 100,
            jitter_ms: 10,
            lost_per_mille: 20,
            concealed_per_mille: 5,
            lost_there_per_mille: 0,
            bit_rate_in: 30_000,
            bit_rate_out: 30_000,
            frame_ms: 20,
            path,
            network: chapar_protocol::call::NetworkClass::Wifi,
            local: chapar_protocol::call::CandidateType::Relay,
            remote: chapar_protocol::call::CandidateType::Host,
            codec: chapar_protocol::call::AudioCodec::Opus,
            relay: Some("tehran-1".to_owned()),
        }
    }

    fn at() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).expect("a time")
    }

    #[test]
    fn what_is_written_grows_and_what_has_ended_is_forgotten() {
        let mut tally = Tally::default();
        let relay = ("tehran-1".to_owned(), "tehran".to_owned());
        let known = Some((&relay.0, &relay.1));
        assert_eq!(tally.report(CALL, SARA, &report(PathKind::RelayUdp), known, 1_000, at()), Counted::Yes);
        assert_eq!(tally.waiting(false, 1_000), [], "the call goes on");
        let first = tally.waiting(true, 1_000);
        assert_eq!((first.len(), first[0].quality.covered_ms), (1, 5_000));
        assert_eq!(first[0].relay, relay);
        assert_eq!(tally.report(CALL, SARA, &report(PathKind::RelayUdp), known, 6_000, at()), Counted::Yes);
        assert_eq!(tally.written(&first), [] as [f64; 0], "it has changed meanwhile");
        let second = tally.waiting(true, 6_000);
        assert_eq!((second[0].part, second[0].quality.covered_ms), (first[0].part, 10_000), "the same part, larger");
        tally.written(&second);
        assert_eq!(tally.waiting(true, 6_000), [], "nothing new");
        assert!(tally.ended(CALL) && !tally.ended(CallId(Uuid::from_u128(9))));
        let last = tally.waiting(false, 6_000);
        assert_eq!(tally.written(&last).len(), 1, "one side with a score");
        assert_eq!((tally.sides, tally.calls.len()), (0, 0));
    }

    #[test]
    fn a_side_that_is_silent_begins_a_new_part_when_it_comes_back() {
        let mut tally = Tally::default();
        tally.report(CALL, AMIR, &report(PathKind::Direct), None, 0, at());
        let silent = tally.waiting(false, SILENT_MS);
        assert_eq!(silent.len(), 1);
        tally.report(CALL, AMIR, &report(PathKind::Direct), None, SILENT_MS + 1, at());
        tally.written(&silent);
        let next = tally.waiting(true, SILENT_MS + 2);
        assert_eq!((next.len(), next[0].quality.covered_ms), (1, 5_000));
        assert_ne!(next[0].part, silent[0].part);
    }

    #[test]
    fn memory_is_bounded_and_nonsense_is_not_counted() {
        let mut tally = Tally { sides: MOST, ..Tally::default() };
        assert_eq!(tally.report(CALL, SARA, &report(PathKind::Direct), None, 0, at()), Counted::Full);
        assert!(tally.calls.is_empty());
        let nonsense = QualityReport { concealed_per_mille: 1001, ..report(PathKind::Direct) };
        assert_eq!(tally.report(CALL, SARA, &nonsense, None, 0, at()), Counted::NotPlausible);
    }

    #[test]
    fn a_call_that_never_had_media_names_the_relay_it_was_given() {
        let mut tally = Tally::default();
        let relay = ("qom-1".to_owned(), "qom".to_owned());
        tally.relay_given(CALL, SARA, (&relay.0, &relay.1), 0, at());
        assert_eq!((tally.waiting(true, SILENT_MS), tally.sides), (Vec::new(), 0), "there may be no such call");
        tally.relay_given(CALL, SARA, (&relay.0, &relay.1), 0, at());
        tally.ended(CALL);
        let parts = tally.waiting(false, 0);
        assert_eq!((parts[0].relay.clone(), parts[0].quality.reports), (relay, 0));
        assert_eq!(tally.written(&parts), [] as [f64; 0], "no score");
    }
}
