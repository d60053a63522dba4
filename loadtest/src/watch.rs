//! What some users are told of one chat that the ledger does not know: how long its posts take to reach them, and how often the
//! counts of one of them are told.

use std::collections::BTreeMap;

use chapar_protocol::{Body, ChatDelta, ChatRow, Message, WireError};
use hdrhistogram::Histogram;
use serde::Deserialize;

use crate::stats::latencies;

/// An answer to what a scenario has asked.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who asked.
    pub user: u32,
    /// What, by the number that it was given.
    pub number: u64,
    /// When the answer came, in microseconds of the run.
    pub at_us: u64,
    /// Why not, if it was refused.
    pub error: Option<WireError>,
}

/// Those who watch, and what they have seen.
#[derive(Debug)]
pub struct Watch {
    /// Users from this one on watch.
    from: u32,
    /// When each post was due, by its number.
    due: Vec<u64>,
    /// The number of the next post that each watcher has not had: they come in order.
    next: BTreeMap<u32, usize>,
    /// How many posts have reached a watcher, in all.
    pub arrived: u64,
    /// From the time at which a post was due until a watcher had it. A scenario takes it when a part of the run is over.
    pub to_receive: Histogram<u64>,
    /// Whose counts are watched.
    pub seq: Option<i64>,
    /// When the first watcher was told of those, in microseconds of the run, with the sum of the reactions on it.
    pub told: Vec<(u64, u64)>,
}

#[derive(Deserialize)]
struct Event {
    data: ChatDelta,
}

const PREFIX: &str = "post ";

impl Watch {
    /// Users from this one on watch.
    pub fn new(from: u32) -> Self {
        let (due, next, told) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { from, due, next, arrived: 0, to_receive: latencies(), seq: None, told }
    }

    /// The number and the text of the next post, which is due at that time.
    pub fn post(&mut self, at_us: u64) -> (u64, String) {
        let number = self.due.len() as u64;
        self.due.push(at_us);
        // As long as a message mostly is.
        (number, format!("{PREFIX}{number} {}", "x".repeat(180)))
    }

    /// What was recorded since the last time.
    pub fn take(&mut self) -> Histogram<u64> {
        std::mem::replace(&mut self.to_receive, latencies())
    }

    /// How many posts there were.
    pub fn posts(&self) -> u64 {
        self.due.len() as u64
    }

    /// A frame with a delta came to a user.
    pub fn heard(&mut self, user: u32, frame: &[u8], now_us: u64) {
        if user < self.from {
            return;
        }
        let Ok(Event { data }) = serde_json::from_slice::<Event>(frame) else { return };
        for message in data.rows.iter().filter_map(ChatRow::message) {
            if Some(message.seq.0) == self.seq {
                if user == self.from {
                    let sum = message.reactions.iter().map(|it| u64::from(it.count)).sum();
                    self.told.push((now_us, sum));
                }
            } else if let Some(number) = number(message) {
                let next = self.next.entry(user).or_default();
                // Views and reactions bring a message again.
                if number >= *next
                    && let Some(at_us) = self.due.get(number)
                {
                    *next = number + 1;
                    self.arrived += 1;
                    self.to_receive.saturating_record(now_us.saturating_sub(*at_us));
                }
            }
        }
    }
}

/// Which post a message is; `None` when it is none of ours.
fn number(message: &Message) -> Option<usize> {
    let Body::Text(text) = &message.body else { return None };
    text.text.strip_prefix(PREFIX)?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(seq: i64, text: &str, reactions: &str) -> String {
        format!(
            r#"{{"event":"delta","data":{{"chat_id":9,"from":1,"version":2,"rows":[{{"row":"message","seq":{seq},"version":2,"sender":7,"client_id":"00000000-0000-4000-8000-000000000000","sent_at":"2026-11-23T08:30:00.125Z","body":{{"kind":"text","text":"{text}"}},"reactions":{reactions}}}]}}}}"#
        )
    }

    #[test]
    fn a_post_counts_once_for_each_watcher_and_told_counts_for_the_first() {
        let mut watch = Watch::new(5);
        watch.seq = Some(1);
        let (number, text) = watch.post(1000);
        assert_eq!(number, 0);
        let (post, counts) = (frame(2, &text, "[]"), frame(1, "hello", r#"[{"emoji":"👍","count":3}]"#));
        for user in [4, 5, 6, 6] {
            watch.heard(user, post.as_bytes(), 3000);
            watch.heard(user, counts.as_bytes(), 4000);
        }
        assert_eq!((watch.posts(), watch.arrived, watch.told.as_slice()), (1, 2, [(4000, 3)].as_slice()));
        assert_eq!((watch.take().len(), watch.take().len()), (2, 0));
    }
}
