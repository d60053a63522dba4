//! The version rule of `chapar_protocol::delta`, for one reader of one chat, and the proof that this reader sees every
//! message once and in order.

use std::{collections::VecDeque, rc::Rc};

use crate::{ledger::Violations, message::Ident};

/// One message of a delta, checked against the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its place.
    pub seq: i64,
    /// Its version.
    pub version: i64,
    /// Which; `None` when nobody sent it.
    pub ident: Option<Ident>,
    /// When it should have left its sender, in microseconds of the run.
    pub at_us: u64,
}

/// A delta, parsed and checked once and shared by all its readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Index of the chat.
    pub chat: u32,
    /// The version that the reader must have reached.
    pub from: i64,
    /// The version that the reader has afterwards.
    pub version: i64,
    /// Its messages, by version.
    pub messages: Vec<Seen>,
}

/// What became of a delta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Known already.
    Ignored,
    /// Applied: its messages from this index on are new.
    New(usize),
    /// It starts beyond the reader's version. It was kept; the chat's difference must be asked if `ask`.
    Gap {
        /// Whether nobody has asked yet.
        ask: bool,
    },
}

/// Deltas kept back over a gap; more are dropped, and the difference brings them.
const HELD: usize = 1024;

/// How far one reader knows one chat.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// Index of the reader, for the words of a violation.
    pub reader: u32,
    /// Index of the chat.
    pub chat: u32,
    /// The reader's version; 0 when the chat is unknown.
    pub version: i64,
    /// The last message seen.
    pub last_seq: i64,
    /// Messages that a snapshot leapt over, as inclusive ranges of seq: a client reads them by `history`.
    pub holes: Vec<(i64, i64)>,
    /// Whether a difference is on its way.
    pub asked: bool,
    /// The version at the start of the run: below it the chat is not known (again) yet. A new direct chat may begin at 0.
    base: i64,
    held: VecDeque<Rc<Delta>>,
}

impl Cursor {
    /// A reader who knows the chat as it was at the start of the run.
    pub fn new(reader: u32, chat: u32, version: i64, last_seq: i64) -> Self {
        Self { reader, chat, version, last_seq, base: version, ..Self::default() }
    }

    /// Applies the version rule to a delta.
    pub fn delta(&mut self, delta: &Rc<Delta>, violations: &mut Violations) -> Applied {
        if delta.version <= self.version {
            return Applied::Ignored;
        }
        if delta.from > self.version {
            if self.held.len() < HELD {
                self.held.push_back(Rc::clone(delta));
            }
            return Applied::Gap { ask: !std::mem::replace(&mut self.asked, true) };
        }
        // Every change of a load test is a new message, so a version without one is a change that this reader never saw.
        let known = usize::try_from(self.version - delta.from).unwrap_or(0);
        let start = delta.messages.iter().take(known).filter(|seen| seen.version <= self.version).count();
        let (reader, chat, before) = (self.reader, self.chat, self.version);
        let fresh = &delta.messages[start..];
        for seen in fresh {
            if seen.version != self.version + 1 {
                let mine = self.version;
                violations.add("a version was skipped", || {
                    format!("reader {reader}, chat #{chat}: version {} after {mine}", seen.version)
                });
            }
            if seen.seq != self.last_seq + 1 {
                let last = self.last_seq;
                violations.add("a message was missed, doubled or out of order", || {
                    format!("reader {reader}, chat #{chat}: seq {} after {last}", seen.seq)
                });
            }
            self.version = seen.version;
            self.last_seq = self.last_seq.max(seen.seq);
        }
        if self.version != delta.version {
            violations.add("a version was skipped", || {
                format!("reader {reader}, chat #{chat}: nothing for the end of {before} → {}", delta.version)
            });
            self.version = delta.version;
        }
        Applied::New(start)
    }

    /// Begins anew at a snapshot. What lies between is to be read by `history`.
    pub fn snapshot(&mut self, version: i64, last_seq: i64, violations: &mut Violations) {
        let (reader, chat, mine) = (self.reader, self.chat, self.last_seq);
        if last_seq < mine {
            violations.add("a snapshot went back", || {
                format!("reader {reader}, chat #{chat}: ends at seq {last_seq}, seen was {mine}")
            });
        } else if last_seq > mine {
            self.holes.push((mine + 1, last_seq));
        }
        self.version = version;
        self.last_seq = mine.max(last_seq);
    }

    /// The next delta that was kept back, once the reader has reached its start.
    pub fn next_held(&mut self) -> Option<Rc<Delta>> {
        while self.held.front().is_some_and(|delta| delta.version <= self.version) {
            self.held.pop_front();
        }
        if self.held.front()?.from <= self.version { self.held.pop_front() } else { None }
    }

    /// Whether deltas are still kept back.
    pub fn has_gap(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the reader has the chat at least as it was at the start.
    pub fn known(&self) -> bool {
        self.version >= self.base
    }

    /// A lost connection: what was kept back and asked is void.
    pub fn cut(&mut self) {
        self.held.clear();
        self.asked = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(from: i64, versions: &[(i64, i64)]) -> Rc<Delta> {
        let messages =
            versions.iter().map(|(version, seq)| Seen { seq: *seq, version: *version, ident: None, at_us: 0 });
        let version = versions.last().map_or(from, |it| it.0);
        Rc::new(Delta { chat: 0, from, version, messages: messages.collect() })
    }

    fn kinds(violations: &Violations) -> Vec<&'static str> {
        violations.counts.keys().copied().collect()
    }

    #[test]
    fn the_four_cases_of_the_version_rule() {
        let (mut cursor, mut wrong) = (Cursor::new(1, 0, 10, 5), Violations::default());
        assert_eq!(cursor.delta(&delta(10, &[(11, 6), (12, 7)]), &mut wrong), Applied::New(0));
        assert_eq!(cursor.delta(&delta(10, &[(11, 6), (12, 7)]), &mut wrong), Applied::Ignored);
        assert_eq!(cursor.delta(&delta(11, &[(12, 7), (13, 8)]), &mut wrong), Applied::New(1), "overlaps");
        assert_eq!(cursor.delta(&delta(15, &[(16, 11)]), &mut wrong), Applied::Gap { ask: true });
        assert_eq!(cursor.delta(&delta(16, &[(17, 12)]), &mut wrong), Applied::Gap { ask: false });
        assert!(cursor.next_held().is_none(), "not reached yet");
        assert_eq!(cursor.delta(&delta(13, &[(14, 9), (15, 10), (16, 11)]), &mut wrong), Applied::New(0));
        let held = cursor.next_held().expect("the second one");
        assert_eq!(cursor.delta(&held, &mut wrong), Applied::New(0));
        assert!(!cursor.has_gap());
        assert_eq!((cursor.version, cursor.last_seq, wrong.total()), (17, 12, 0));
    }

    #[test]
    fn skipped_versions_and_doubled_messages_are_caught() {
        let cases: [(&[(i64, i64)], &str); 4] = [
            (&[(11, 6), (13, 7)], "a version was skipped"),
            (&[(11, 6), (12, 8)], "a message was missed, doubled or out of order"),
            (&[(11, 6), (12, 6)], "a message was missed, doubled or out of order"),
            (&[(11, 5)], "a message was missed, doubled or out of order"),
        ];
        for (messages, expected) in cases {
            let (mut cursor, mut wrong) = (Cursor::new(1, 0, 10, 5), Violations::default());
            cursor.delta(&delta(10, messages), &mut wrong);
            assert_eq!(kinds(&wrong), [expected], "{messages:?}");
        }
        let (mut cursor, mut wrong) = (Cursor::new(1, 0, 10, 5), Violations::default());
        let mut short = Rc::unwrap_or_clone(delta(10, &[(11, 6)]));
        short.version = 12;
        cursor.delta(&Rc::new(short), &mut wrong);
        assert_eq!(kinds(&wrong), ["a version was skipped"], "an end without its message");
    }

    #[test]
    fn a_snapshot_leaves_a_hole_to_be_read_and_never_goes_back() {
        let (mut cursor, mut wrong) = (Cursor::new(1, 0, 10, 5), Violations::default());
        cursor.snapshot(40, 35, &mut wrong);
        assert_eq!((cursor.holes.as_slice(), wrong.total()), ([(6, 35)].as_slice(), 0));
        cursor.snapshot(20, 30, &mut wrong);
        assert_eq!(kinds(&wrong), ["a snapshot went back"]);
    }
}
