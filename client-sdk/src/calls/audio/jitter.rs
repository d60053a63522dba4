//! The jitter buffer: puts payloads in order, waits as long as the path makes it worth while, and says what is to be
//! decoded next. Pure, and bounded in memory whatever arrives.
//!
//! The moment of play of a sample is `timestamp + delay`. The delay follows the transit times seen (arrival − timestamp)
//! so that all but a few of the payloads are there in time, whether they came by themselves or as a copy in a later packet:
//! so a path on which copies are needed gets the time to wait for them. It grows while nothing is there to be played, and
//! shrinks in silence, where nobody hears it.

use std::collections::{BTreeMap, VecDeque};

use super::{FRAME, RATE};

/// Milliseconds on any clock that only goes forward.
pub type Millis = u64;

/// The most payloads held.
const MAX_HELD: usize = 256;
/// Transit times remembered: about five seconds.
const WINDOW: usize = 256;
/// Of so many in a thousand the delay waits.
const IN_TIME_PER_MILLE: usize = 975;
/// A timestamp so far from the expected one begins a new stream, in samples: 5 s.
const JUMP: i64 = 5 * RATE as i64;
/// The most delay, in samples.
const MAX_DELAY: i64 = RATE as i64;
#[expect(clippy::cast_possible_wrap, reason = "960")]
const FRAME_I: i64 = FRAME as i64;
/// Samples in a millisecond.
const PER_MS: i64 = (RATE / 1000) as i64;

/// What is to be decoded next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Play {
    /// Nothing has come yet: silence.
    Nothing,
    /// A payload.
    Payload(Vec<u8>),
    /// The payload that came after a lost one, for what it says about that one: so many samples before it.
    Before(Vec<u8>, usize),
    /// So many samples are to be invented, and the time of play goes on: they were lost, or are silence not sent.
    Conceal {
        /// How many.
        samples: usize,
        /// The other side is silent: nothing is missing.
        silence: bool,
    },
    /// So many samples are to be invented while the time of play stands still: to wait for what is late.
    Stretch(usize),
}

/// What was counted, in units of 20 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Played as they came.
    pub played: u64,
    /// Of those, how many came only as a copy.
    pub copies: u64,
    /// Recovered by in-band FEC.
    pub fec: u64,
    /// Invented, since nothing was there.
    pub concealed: u64,
    /// Came too late to be played.
    pub late: u64,
    /// Invented in order to wait.
    pub stretched: u64,
    /// Left out in order to catch up.
    pub skipped: u64,
}

#[derive(Debug)]
struct Held {
    payload: Vec<u8>,
    samples: i64,
    copy: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Jitter {
    held: BTreeMap<i64, Held>,
    /// The newest timestamp, unwrapped.
    newest: Option<i64>,
    /// The next sample to be played; `None` before the first.
    cursor: Option<i64>,
    transits: VecDeque<i64>,
    /// What the delay should be: play at `timestamp + delay`, in samples on the local clock.
    delay: i64,
    seen: u64,
    /// When the first payload may be played.
    begins_at: Option<i64>,
    silent: bool,
    /// In-band FEC is not to be asked.
    without_fec: bool,
    counted: Counted,
}

impl Jitter {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that never asks a payload about the one before it.
    pub fn without_fec() -> Self {
        Self { without_fec: true, ..Self::default() }
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        self.counted
    }

    /// How long a payload waits between the fastest arrival and its play, in milliseconds.
    pub fn delay_ms(&self) -> u64 {
        let fastest = self.transits.iter().min().copied().unwrap_or(0);
        u64::try_from((self.delay - fastest) / PER_MS).unwrap_or(0)
    }

    /// Takes a payload of so many samples that began at `timestamp`. `silence` when it says that nothing is said;
    /// `copy` when it came within a later packet.
    pub fn push(&mut self, now: Millis, timestamp: u32, payload: &[u8], samples: usize, silence: bool, copy: bool) {
        let at = self.unwrap(timestamp);
        if self.newest.is_some_and(|newest| (at - newest).abs() > JUMP) {
            if copy {
                return;
            }
            self.restart();
        }
        let at = if self.newest.is_none() { self.unwrap(timestamp) } else { at };
        let samples = i64::try_from(samples).unwrap_or(FRAME_I).max(1);
        self.newest = Some(self.newest.map_or(at, |newest| newest.max(at)));
        let late = self.cursor.is_some_and(|cursor| at < cursor);
        let told = self.held.contains_key(&at) || (late && copy);
        if !told {
            self.measure(local(now) - at);
        }
        if late {
            if !copy {
                self.counted.late += units(samples);
            }
            return;
        }
        if self.begins_at.is_none() {
            // Two frames of patience, until it is known what the path needs.
            self.begins_at = Some(local(now) + 2 * FRAME_I);
            self.delay = self.delay.max(local(now) - at + 2 * FRAME_I);
        }
        if silence && self.newest == Some(at) && self.held.is_empty() {
            // Told again and again while it lasts.
            self.silent = true;
        }
        self.held.entry(at).or_insert_with(|| Held { payload: payload.to_vec(), samples, copy });
        while self.held.len() > MAX_HELD {
            self.held.pop_first();
        }
    }

    /// What to decode next. `quiet`: what was played last was hardly loud, so that nobody would hear a change of the delay.
    pub fn pull(&mut self, now: Millis, quiet: bool) -> Play {
        let Some(cursor) = self.begin(local(now)) else { return Play::Nothing };
        // Positive: played too early, so more delay is wanted.
        let wanted = cursor + self.delay - local(now);
        let quiet = quiet || self.silent;
        if wanted < -FRAME_I && (quiet || wanted < -6 * FRAME_I) {
            let gap = self.held.first_key_value().map_or(FRAME_I, |(at, _)| (at - cursor).clamp(1, FRAME_I));
            let skipped = self.held.remove(&cursor).map_or(gap, |held| held.samples);
            self.counted.skipped += units(skipped);
            self.cursor = Some(cursor + skipped);
            return self.pull_at(cursor + skipped, 0);
        }
        if wanted > FRAME_I && quiet && !self.held.is_empty() {
            self.counted.stretched += 1;
            return Play::Stretch(FRAME);
        }
        self.pull_at(cursor, wanted)
    }

    fn pull_at(&mut self, cursor: i64, wanted: i64) -> Play {
        if let Some(held) = self.held.remove(&cursor) {
            self.cursor = Some(cursor + held.samples);
            self.counted.played += units(held.samples);
            self.counted.copies += if held.copy { units(held.samples) } else { 0 };
            self.silent = held.payload.len() <= super::codec::DTX_LENGTH;
            return Play::Payload(held.payload);
        }
        if !self.silent && wanted > FRAME_I / 2 {
            // It may still come: others that took as long did.
            self.counted.stretched += 1;
            return Play::Stretch(FRAME);
        }
        let Some((next_at, next)) = self.held.first_key_value() else { return self.conceal(cursor, FRAME_I) };
        let gap = next_at - cursor;
        if gap < 0 {
            // Of another grid than what was played: no more use.
            let at = *next_at;
            self.held.remove(&at);
            return self.conceal(cursor, FRAME_I);
        }
        if !self.silent && !self.without_fec && gap <= next.samples && !next.copy {
            let payload = next.payload.clone();
            self.cursor = Some(*next_at);
            self.counted.fec += units(gap);
            return Play::Before(payload, usize::try_from(gap).unwrap_or(FRAME));
        }
        self.conceal(cursor, gap.min(FRAME_I))
    }

    fn conceal(&mut self, cursor: i64, samples: i64) -> Play {
        self.cursor = Some(cursor + samples);
        let silence = self.silent;
        self.counted.concealed += u64::from(!silence);
        Play::Conceal { samples: usize::try_from(samples).unwrap_or(FRAME), silence }
    }

    /// The cursor, once it is time to begin.
    fn begin(&mut self, now: i64) -> Option<i64> {
        if self.cursor.is_none() && self.begins_at.is_some_and(|begins| begins <= now) {
            self.cursor = self.held.first_key_value().map(|(at, _)| *at);
        }
        self.cursor
    }

    fn measure(&mut self, transit: i64) {
        if self.transits.len() == WINDOW {
            self.transits.pop_front();
        }
        self.transits.push_back(transit);
        self.seen += 1;
        // A timestamp that leaps forward makes all that came before look slow: the bound holds at once.
        let fastest = self.transits.iter().min().copied().unwrap_or(transit);
        self.delay = self.delay.min(fastest + MAX_DELAY);
        if !self.seen.is_multiple_of(8) && self.seen > 32 {
            return;
        }
        let mut sorted: Vec<i64> = self.transits.iter().copied().collect();
        sorted.sort_unstable();
        let place = (sorted.len() * IN_TIME_PER_MILLE).div_ceil(1000).saturating_sub(1);
        // Half a frame beyond, since it is asked for in whole ones.
        let enough = sorted[place.min(sorted.len() - 1)] + FRAME_I / 2;
        self.delay = enough.clamp(sorted[0] + FRAME_I, sorted[0] + MAX_DELAY);
    }

    fn unwrap(&self, timestamp: u32) -> i64 {
        let Some(newest) = self.newest else { return i64::from(timestamp) };
        let low = u32::try_from(newest.rem_euclid(1 << 32)).unwrap_or(0);
        newest + i64::from(timestamp.wrapping_sub(low).cast_signed())
    }

    fn restart(&mut self) {
        *self = Self { counted: self.counted, without_fec: self.without_fec, ..Self::default() };
    }
}

fn local(now: Millis) -> i64 {
    i64::try_from(now).unwrap_or(i64::MAX / PER_MS).saturating_mul(PER_MS)
}

fn units(samples: i64) -> u64 {
    u64::try_from((samples + FRAME_I / 2) / FRAME_I).unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What arrives: when, its number, whether it is a copy.
    fn play(arrivals: &[(Millis, u32, bool)], until: Millis) -> (Vec<Play>, Jitter) {
        let mut jitter = Jitter::new();
        let mut played = Vec::new();
        let mut arrivals = arrivals.to_vec();
        arrivals.sort_unstable();
        let mut arrivals = arrivals.into_iter().peekable();
        for now in (0..until).step_by(20) {
            while let Some((at, number, copy)) = arrivals.next_if(|(at, ..)| *at <= now) {
                jitter.push(at, number.wrapping_mul(960), &number.to_be_bytes(), 960, false, copy);
            }
            played.push(jitter.pull(now, false));
        }
        (played, jitter)
    }

    fn numbers(played: &[Play]) -> Vec<u32> {
        let number = |p: &Play| match p {
            Play::Payload(bytes) => Some(u32::from_be_bytes(bytes[..4].try_into().expect("four bytes"))),
            _ => None,
        };
        played.iter().filter_map(number).collect()
    }

    #[test]
    fn a_clean_path_plays_everything_in_order() {
        let arrivals: Vec<_> = (0..200).map(|n| (u64::from(n) * 20 + 50, n, false)).collect();
        let (played, jitter) = play(&arrivals, 4_300);
        assert_eq!(numbers(&played), (0..200).collect::<Vec<_>>());
        assert!(jitter.delay_ms() <= 40, "{} ms", jitter.delay_ms());
    }

    #[test]
    fn a_timestamp_that_wraps_is_no_jump() {
        let first = u32::MAX / 960 - 20;
        let arrivals: Vec<_> = (0..100).map(|n| (u64::from(n) * 20 + 50, first + n, false)).collect();
        let mut jitter = Jitter::new();
        let mut count = 0;
        for (at, number, _) in arrivals {
            jitter.push(at, number.wrapping_mul(960), b"abcd", 960, false, false);
            count += usize::from(matches!(jitter.pull(at, false), Play::Payload(_)));
        }
        assert!(count > 90, "{count}");
    }

    #[test]
    fn what_comes_in_the_wrong_order_is_played_in_the_right_one() {
        let arrivals: Vec<_> =
            (0..200_u32).map(|n| (u64::from(n) * 20 + 50 + u64::from(n % 3) * 35, n, false)).collect();
        let (played, jitter) = play(&arrivals, 4_100);
        let numbers = numbers(&played);
        assert!(numbers.is_sorted());
        assert!(numbers.len() > 190, "{} of 200; {:?}", numbers.len(), jitter.counted());
    }

    #[test]
    fn a_copy_stands_in_for_what_was_lost() {
        let mut arrivals = Vec::new();
        for n in 0..300_u32 {
            if n % 5 != 2 {
                let at = u64::from(n) * 20 + 50;
                arrivals.push((at, n, false));
                if n > 0 {
                    arrivals.push((at, n - 1, true));
                }
            }
        }
        let (played, jitter) = play(&arrivals, 6_060);
        let counted = jitter.counted();
        assert!(numbers(&played).len() > 290, "{counted:?}");
        assert!(counted.copies > 50 && counted.concealed < 8, "{counted:?}");
    }

    #[test]
    fn without_a_copy_the_packet_after_it_is_asked() {
        let arrivals: Vec<_> = (0..100).filter(|n| n % 10 != 5).map(|n| (u64::from(n) * 20 + 50, n, false)).collect();
        let (played, jitter) = play(&arrivals, 2_500);
        assert!(jitter.counted().fec >= 8, "{:?}", jitter.counted());
        let at = played.iter().position(|p| matches!(p, Play::Before(..))).expect("one is recovered");
        let (Play::Before(before, 960), Play::Payload(after)) = (&played[at], &played[at + 1]) else {
            panic!("{played:?}")
        };
        assert_eq!(before, after, "the packet that says it is played next");
    }

    #[test]
    fn a_path_that_becomes_slower_is_waited_for() {
        let slow = |n: u32| if n < 100 { 50 } else { 250 };
        let arrivals: Vec<_> = (0..400).map(|n| (u64::from(n) * 20 + slow(n), n, false)).collect();
        let (played, jitter) = play(&arrivals, 8_500);
        let counted = jitter.counted();
        assert!(counted.late < 60 && counted.stretched >= 4, "{counted:?}");
        let tail = numbers(&played).into_iter().filter(|n| *n > 200).count();
        assert!(tail > 190, "{tail} of the last 199; {counted:?}");
    }

    #[test]
    fn silence_that_is_not_sent_is_not_counted_as_lost() {
        let mut jitter = Jitter::new();
        let mut silent = 0;
        for now in (0..4_000_u64).step_by(20) {
            let number = u32::try_from(now / 20).expect("small");
            if number < 50 || number % 10 == 0 {
                let payload: &[u8] = if number < 50 { b"speech" } else { b"-" };
                jitter.push(now, number * 960, payload, 960, number >= 50, false);
            }
            silent += usize::from(matches!(jitter.pull(now, false), Play::Conceal { silence: true, .. }));
        }
        assert!(silent > 100, "{silent}");
        assert!(jitter.counted().concealed < 12, "{:?}", jitter.counted());
    }

    proptest! {
        #[test]
        fn any_order_loss_and_repetition_is_survived(
            packets in proptest::collection::vec((0_u64..60, any::<u32>(), 0_u32..2_000, any::<(bool, bool)>(), 1_usize..5_000), 0..400),
            quiet in any::<bool>(),
        ) {
            let mut jitter = Jitter::new();
            let mut now = 0;
            for (wait, wild, tame, (is_wild, copy), samples) in packets {
                now += wait;
                let timestamp = if is_wild { wild } else { tame * 480 };
                jitter.push(now, timestamp, b"some bytes", samples, false, copy);
                prop_assert!(jitter.held.len() <= MAX_HELD && jitter.transits.len() <= WINDOW);
                match jitter.pull(now, quiet) {
                    Play::Conceal { samples, .. } | Play::Stretch(samples) => prop_assert!(samples <= FRAME),
                    Play::Before(_, samples) => prop_assert!(samples <= 5_000),
                    Play::Payload(_) | Play::Nothing => {}
                }
            }
        }

        #[test]
        fn what_is_played_is_played_once_and_in_order(
            delays in proptest::collection::vec((0_u64..120, 0_u8..10), 50..300),
        ) {
            let mut arrivals = Vec::new();
            for (number, (delay, luck)) in (0_u32..).zip(&delays) {
                if *luck > 0 {
                    arrivals.push((u64::from(number) * 20 + delay, number, false));
                }
                if *luck > 7 {
                    arrivals.push((u64::from(number) * 20 + delay + 30, number, true));
                }
            }
            let (played, _) = play(&arrivals, 9_000);
            let numbers = numbers(&played);
            prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
