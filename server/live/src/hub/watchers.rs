//! The connections that watch one topic: a list to tell in one go, from which one leaves without a search.

use std::{collections::HashMap, sync::Arc};

use crate::outbox::Outbox;

/// With more watchers than this their places are kept; with fewer a search costs less than the memory.
const SEARCHED: usize = 32;

/// See the module.
#[derive(Default)]
pub(super) struct Watchers {
    list: Vec<Arc<Outbox>>,
    /// Boxed, because most topics have few watchers, and a node has very many topics.
    places: Option<Box<Places>>,
}

/// Where each one stands, by the number of the connection.
struct Places(HashMap<u64, usize>);

impl Watchers {
    pub(super) fn add(&mut self, outbox: &Arc<Outbox>) {
        let is_there = match &self.places {
            Some(places) => places.0.contains_key(&outbox.id()),
            None => self.list.iter().any(|it| it.id() == outbox.id()),
        };
        if is_there {
            return;
        }
        if let Some(places) = &mut self.places {
            places.0.insert(outbox.id(), self.list.len());
        }
        self.list.push(outbox.clone());
        if self.places.is_none() && self.list.len() > SEARCHED {
            let places = self.list.iter().enumerate().map(|(place, it)| (it.id(), place)).collect();
            self.places = Some(Box::new(Places(places)));
        }
    }

    pub(super) fn remove(&mut self, outbox: &Outbox) {
        let place = match &mut self.places {
            Some(places) => places.0.remove(&outbox.id()),
            None => self.list.iter().position(|it| it.id() == outbox.id()),
        };
        let Some(place) = place else { return };
        self.list.swap_remove(place);
        if let (Some(places), Some(moved)) = (&mut self.places, self.list.get(place)) {
            places.0.insert(moved.id(), place);
        }
        if self.list.len() < SEARCHED / 2 {
            self.places = None;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Arc<Outbox>> {
        self.list.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_leaves_by_the_own_place() {
        let outboxes: Vec<_> = (0..200).map(|_| Arc::new(Outbox::new())).collect();
        let mut watchers = Watchers::default();
        for outbox in &outboxes {
            watchers.add(outbox);
        }
        // In an order that is neither that of coming nor its reverse.
        for step in 0..200 {
            let leaving = &outboxes[step * 77 % 200];
            watchers.remove(leaving);
            watchers.remove(leaving);
            assert_eq!(watchers.list.len(), 199 - step);
            for (place, it) in watchers.list.iter().enumerate() {
                assert!(watchers.places.as_ref().is_none_or(|places| places.0[&it.id()] == place));
                assert_ne!(it.id(), leaving.id());
            }
        }
        assert!(watchers.is_empty() && watchers.places.is_none());
    }

    #[test]
    fn whoever_is_added_twice_is_there_once() {
        for count in [2, 200] {
            let outboxes: Vec<_> = (0..count).map(|_| Arc::new(Outbox::new())).collect();
            let mut watchers = Watchers::default();
            for outbox in outboxes.iter().chain(&outboxes) {
                watchers.add(outbox);
            }
            assert_eq!(watchers.list.len(), count);
            for outbox in &outboxes {
                watchers.remove(outbox);
            }
            assert!(watchers.is_empty());
        }
    }

    /// With a search each of 20,000 readers would be compared with 10,000 others: 200 million comparisons under the lock.
    #[test]
    #[ignore = "measures: cargo test --release -p chapar-live --lib -- --ignored --nocapture a_channel_of_20_000"]
    fn a_channel_of_20_000_readers_empties_at_once() {
        let outboxes: Vec<_> = (0..20_000).map(|_| Arc::new(Outbox::new())).collect();
        let mut watchers = Watchers::default();
        for outbox in &outboxes {
            watchers.add(outbox);
        }
        let began = std::time::Instant::now();
        outboxes.iter().rev().step_by(2).chain(outboxes.iter().step_by(2)).for_each(|outbox| watchers.remove(outbox));
        println!("20,000 readers left in {:?}", began.elapsed());
        assert!(watchers.is_empty());
    }
}
