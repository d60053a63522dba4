//! What waits to be stored, and how much of it goes into one batch.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use chapar_domain::change::Asked;
use chapar_protocol::ChatId;
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};

use super::Outcome;

/// Changes that wait for one chat; more are refused, so that one flooded chat leaves room for the others of its worker.
const PER_CHAT: usize = 1024;

/// Changes that wait for a worker in all, those of locked chats included.
const IN_ALL: usize = 8192;

/// Most bytes of changes in one batch, unless one alone is more. All of a batch may be of one chat, and is told at once: it
/// must leave room in the queue of each reader (see [`crate::outbox`]).
const BATCH_BYTES: usize = 1024 * 1024;

/// Bytes of changes that wait for a worker, at most.
const IN_ALL_BYTES: usize = 32 * 1024 * 1024;

/// How many changes wait for each chat of a worker.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    in_all: usize,
    bytes: usize,
    by_chat: HashMap<ChatId, usize>,
}

/// A change's place among those that wait for its chat.
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

/// A change that waits.
pub(super) struct Waiting {
    pub(super) asked: Asked,
    /// Taken once it is answered.
    pub(super) answer: Option<oneshot::Sender<Outcome>>,
    /// No try begins after it, nor is another waited for.
    pub(super) deadline: Instant,
    /// It was asked of the database without an answer: it may be stored already.
    pub(super) unknown: bool,
    #[expect(dead_code, reason = "given back on drop")]
    pub(super) seat: Seat,
}

impl Waiting {
    pub(super) fn answer(&mut self, outcome: Outcome) {
        if let Some(answer) = self.answer.take() {
            // Nobody waits any more: the client is gone.
            let _ = answer.send(outcome);
        }
    }
}

/// How many from the front make up one batch of at most so many changes.
pub(super) fn one_batch(ready: &VecDeque<Waiting>, most: usize) -> usize {
    fitting(ready.iter().take(most).map(|it| it.asked.bytes()))
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

#[cfg(test)]
mod tests {
    use super::*;

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
