//! What waits to be stored, and the batches that are made of it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use chapar_protocol::{ChatDelta, ChatId, ErrorCode, UserId, Version, WireError, command::Sent, limit};
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;

use super::Outcome;
use crate::{
    fanout::Fanout,
    metrics::Metrics,
    store::{
        StoreError,
        send::{NewMessage, Stored},
    },
};

/// Messages that wait for one chat; more are refused, so that one flooded chat leaves room for the others of its worker.
const PER_CHAT: usize = 1024;

/// Messages that wait for a worker in all, those of locked chats included.
const IN_ALL: usize = 8192;

/// Most bytes of messages in one batch, unless one alone is more. All of a batch may be of one chat, and is told at once: it
/// must leave room in the queue of each reader (see [`crate::outbox`]).
const BATCH_BYTES: usize = 1024 * 1024;

/// Bytes of messages that wait for a worker, at most.
const IN_ALL_BYTES: usize = 32 * 1024 * 1024;

/// How many messages wait for each chat of a worker.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    in_all: usize,
    bytes: usize,
    by_chat: HashMap<ChatId, usize>,
}

/// A message's place among those that wait for its chat.
pub(super) struct Seat {
    seats: Seats,
    chat: ChatId,
    bytes: usize,
}

impl Seats {
    /// `None` when the chat, or the worker, has all it may have.
    pub(super) fn take(&self, chat: ChatId, bytes: usize) -> Option<Seat> {
        let mut taken = self.0.lock();
        if taken.in_all >= IN_ALL || taken.bytes + bytes > IN_ALL_BYTES {
            return None;
        }
        let of_chat = taken.by_chat.entry(chat).or_default();
        if *of_chat >= PER_CHAT {
            return None;
        }
        *of_chat += 1;
        taken.in_all += 1;
        taken.bytes += bytes;
        Some(Seat { seats: self.clone(), chat, bytes })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock();
        taken.in_all -= 1;
        taken.bytes -= self.bytes;
        if let Some(of_chat) = taken.by_chat.get_mut(&self.chat) {
            *of_chat -= 1;
            if *of_chat == 0 {
                taken.by_chat.remove(&self.chat);
            }
        }
    }
}

/// A message that waits, with everybody who asked for it.
pub(super) struct Waiting {
    pub(super) message: NewMessage,
    pub(super) answers: Vec<oneshot::Sender<Outcome>>,
    /// No try begins after it, nor is another waited for.
    pub(super) deadline: Instant,
    /// It was asked of the database without an answer: it may be stored already.
    pub(super) unknown: bool,
    pub(super) _seat: Seat,
}

impl Waiting {
    pub(super) fn answer(mut self, outcome: &Outcome) {
        self.answer_early(outcome);
    }

    /// Answers all who wait; what comes of it later is told to others only.
    pub(super) fn answer_early(&mut self, outcome: &Outcome) {
        for answer in self.answers.drain(..) {
            let _ = answer.send(outcome.clone());
        }
    }
}

/// A batch: each message once.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) waiting: Vec<Waiting>,
    places: HashMap<(ChatId, UserId, Uuid), usize>,
}

impl Batch {
    pub(super) fn add(&mut self, waiting: Waiting) {
        let place = *self.places.entry(waiting.message.key()).or_insert(self.waiting.len());
        match self.waiting.get_mut(place) {
            None => self.waiting.push(waiting),
            Some(same) if same.message.same_content(&waiting.message) => same.answers.extend(waiting.answers),
            Some(_) => waiting.answer(&Err(StoreError::from(ErrorCode::ClientIdReused).into())),
        }
    }

    /// The messages, to be sent.
    pub(super) fn messages(&self) -> Vec<&NewMessage> {
        self.waiting.iter().map(|it| &it.message).collect()
    }

    /// When the first of them must have an answer.
    pub(super) fn first_deadline(&self) -> Instant {
        self.waiting.iter().map(|it| it.deadline).min().unwrap_or_else(Instant::now)
    }

    /// When all must have one.
    pub(super) fn last_deadline(&self) -> Instant {
        self.waiting.iter().map(|it| it.deadline).max().unwrap_or_else(Instant::now)
    }

    /// The answer to all.
    pub(super) fn refuse(self, error: &WireError) {
        let outcome = Err(error.clone());
        for waiting in self.waiting {
            waiting.answer(&outcome);
        }
    }
}

/// How many from the front make up one batch of at most so many messages.
pub(super) fn one_batch(ready: &VecDeque<Waiting>, most: usize) -> usize {
    fitting(ready.iter().take(most).map(|it| it.message.bytes()))
}

/// How many of these fit into a batch, at least one.
fn fitting(sizes: impl Iterator<Item = usize>) -> usize {
    let mut left = BATCH_BYTES;
    sizes
        .enumerate()
        .take_while(|&(place, bytes)| {
            let fits = place == 0 || bytes <= left;
            left = left.saturating_sub(bytes);
            fits
        })
        .count()
}

/// Gathers what was stored, and tells it.
#[derive(Default)]
pub(super) struct Told {
    deltas: Vec<ChatDelta>,
    last: HashMap<ChatId, Last>,
}

/// The delta that a chat's next message goes into.
struct Last {
    place: usize,
    /// Of its messages.
    bytes: usize,
}

impl Told {
    /// Answers the senders of a stored message, and keeps it for the others.
    pub(super) fn stored(&mut self, waiting: Waiting, stored: &Stored, fanout: &Arc<Fanout>, metrics: &Metrics) {
        let sent = Sent { seq: stored.seq, version: stored.version, sent_at: stored.sent_at };
        for answer in waiting.answers {
            let _ = answer.send(Ok(sent.clone()));
        }
        let chat = waiting.message.chat_id;
        if stored.existed {
            // Its first try may have ended between the commit and the telling.
            fanout.publish_hint(chat, stored.version);
            return;
        }
        metrics.messages.inc();
        let bytes = waiting.message.bytes();
        self.add(chat, stored.version, bytes, waiting.message.into_message(stored));
    }

    /// A delta holds versions that follow on each other. Where somebody else's change lies between two messages, as may be
    /// when they were stored one by one, a new one begins: nobody may take that change for told. So does one where a frame
    /// would become longer than an answer may be.
    fn add(&mut self, chat: ChatId, version: Version, bytes: usize, message: chapar_protocol::Message) {
        let before = Version(version.0 - 1);
        let next = self.deltas.len();
        let last = self.last.entry(chat).or_insert(Last { place: next, bytes: 0 });
        let follows = self.deltas.get(last.place).is_some_and(|it| it.version == before);
        if !follows || last.bytes + bytes > limit::ANSWER_BYTES {
            self.deltas.push(ChatDelta::empty(chat, before));
            *last = Last { place: next, bytes: 0 };
        }
        last.bytes += bytes;
        let delta = &mut self.deltas[last.place];
        delta.version = version;
        delta.messages.push(message);
    }

    /// Tells the others.
    pub(super) fn publish(self, fanout: &Arc<Fanout>) {
        for delta in self.deltas {
            fanout.publish_delta(delta);
        }
    }
}

#[cfg(test)]
mod tests {
    use chapar_protocol::{
        Message, Seq,
        message::{Body, NewBody},
    };

    use super::*;

    fn stored(version: i64, body: Body) -> (Message, usize) {
        let new = NewMessage::new(ChatId(1), UserId(1), Uuid::from_u128(u128::MAX), NewBody::text("x"), None);
        let sent_at = time::OffsetDateTime::UNIX_EPOCH.into();
        let at = Stored { seq: Seq(version), version: Version(version), sent_at, existed: false };
        let bytes = new.bytes() + serde_json::to_string(&body).expect("a body").len();
        (Message { body, ..new.into_message(&at) }, bytes)
    }

    #[test]
    fn a_delta_never_jumps_over_a_change_of_somebody_else() {
        let mut told = Told::default();
        for version in [5, 6, 8, 9, 12] {
            let (message, bytes) = stored(version, Body::Deleted);
            told.add(ChatId(1), Version(version), bytes, message);
        }
        let spans: Vec<_> = told.deltas.iter().map(|it| (it.from.0, it.version.0, it.messages.len())).collect();
        assert_eq!(spans, [(4, 6, 2), (7, 9, 2), (11, 12, 1)]);
    }

    #[test]
    fn no_frame_is_longer_than_an_answer_and_none_is_left_out() {
        let mut told = Told::default();
        let long = Body::Unknown(serde_json::json!({"kind": "long", "text": "x".repeat(32 * 1024)}));
        for version in 11..=266 {
            let (message, bytes) = stored(version, long.clone());
            told.add(ChatId(1), Version(version), bytes, message);
            let (message, bytes) = stored(version, Body::Deleted);
            told.add(ChatId(2), Version(version), bytes, message);
        }
        let mut deltas: HashMap<ChatId, Vec<ChatDelta>> = HashMap::new();
        for delta in told.deltas {
            let frame = serde_json::to_string(&delta).expect("a delta");
            assert!(frame.len() <= limit::ANSWER_BYTES, "{} bytes", frame.len());
            deltas.entry(delta.chat_id).or_default().push(delta);
        }
        assert_eq!(deltas[&ChatId(2)].len(), 1, "short ones go together");
        for deltas in deltas.values() {
            assert_eq!((deltas[0].from, deltas[deltas.len() - 1].version), (Version(10), Version(266)));
            assert!(deltas.windows(2).all(|two| two[1].from == two[0].version));
            assert_eq!(deltas.iter().map(|it| it.messages.len()).sum::<usize>(), 256);
        }
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_and_never_empty() {
        let fit = |sizes: &[usize]| fitting(sizes.iter().copied());
        assert_eq!(fit(&[100; 256]), 256);
        assert_eq!(fit(&[BATCH_BYTES / 4; 6]), 4);
        assert_eq!(fit(&[2 * BATCH_BYTES, 1]), 1);
        assert_eq!(fit(&[1, BATCH_BYTES, 1]), 1, "the order stays");
        assert_eq!(fit(&[]), 0);
    }

    #[test]
    fn one_chat_cannot_take_all_places() {
        let seats = Seats::default();
        let taken: Vec<_> = std::iter::from_fn(|| seats.take(ChatId(1), 300)).collect();
        assert_eq!(taken.len(), PER_CHAT);
        assert!(seats.take(ChatId(2), 300).is_some());
        drop(taken);
        assert!(seats.0.lock().by_chat.is_empty());
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let seats = Seats::default();
        let taken: Vec<_> = (0..64).map_while(|chat| seats.take(ChatId(chat), 1024 * 1024)).collect();
        assert_eq!(taken.len(), 32);
        drop(taken);
        assert!(seats.take(ChatId(1), IN_ALL_BYTES).is_some());
        assert_eq!(seats.0.lock().bytes, 0);
    }
}
