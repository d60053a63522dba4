//! How many bytes of what other nodes published wait here to be taken in.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What a message takes besides its payload.
const OVERHEAD: usize = 128;

/// Room for messages, shared between the queue and those in it.
#[derive(Debug)]
pub(super) struct Room {
    taken: Arc<AtomicUsize>,
    bytes: usize,
}

/// The room that one message takes, until this is dropped.
#[derive(Debug)]
pub struct Place {
    taken: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self { taken: Arc::default(), bytes }
    }

    /// Takes room for a payload, if there is any.
    pub(super) fn take(&self, payload: usize) -> Option<Place> {
        let bytes = payload + OVERHEAD;
        let fits = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= self.bytes);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Place { taken: self.taken.clone(), bytes })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_in_makes_room_for_what_follows() {
        let room = Room::new(2 * (100 + OVERHEAD));
        let first = room.take(100).expect("room");
        let second = room.take(100).expect("room");
        assert!(room.take(0).is_none());
        drop(first);
        assert!(room.take(101).is_none());
        let third = room.take(100).expect("room again");
        drop((second, third));
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
