//! So many at a time for each account, or each address: whoever asks for very much at once waits for themselves, and stands in
//! everybody's queue with few.

use std::{collections::HashMap, hash::Hash, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The shares of all. Only of those who have or want one something is kept.
pub struct Shares<K: Hash + Eq + Copy> {
    each: usize,
    of: Mutex<HashMap<K, Arc<Semaphore>>>,
}

/// One of somebody's places, until it is dropped.
pub struct Share<'a, K: Hash + Eq + Copy> {
    // Before `_entry`, which looks who else has the semaphore.
    _permit: OwnedSemaphorePermit,
    _entry: Entry<'a, K>,
}

/// Somebody who has or waits for a place.
struct Entry<'a, K: Hash + Eq + Copy> {
    shares: &'a Shares<K>,
    key: K,
    places: Arc<Semaphore>,
}

impl<K: Hash + Eq + Copy> Drop for Entry<'_, K> {
    fn drop(&mut self) {
        let mut of = self.shares.of.lock();
        // The map's own, and this one: nobody else has or waits for a place.
        if Arc::strong_count(&self.places) <= 2 {
            of.remove(&self.key);
        }
    }
}

impl<K: Hash + Eq + Copy> Shares<K> {
    /// With so many places for each.
    pub fn new(each: usize) -> Self {
        Self { each, of: Mutex::default() }
    }

    /// A place; none when it takes longer than that.
    pub async fn take(&self, key: K, patience: Duration) -> Option<Share<'_, K>> {
        let places = self.of.lock().entry(key).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone();
        let entry = Entry { shares: self, key, places };
        let permit = tokio::time::timeout(patience, entry.places.clone().acquire_owned()).await;
        match permit {
            Ok(Ok(permit)) => Some(Share { _permit: permit, _entry: entry }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_has_as_many_and_keeps_nobody_else() {
        let shares = Shares::new(2);
        let take = |key: i32| shares.take(key, Duration::from_millis(50));
        let (one, two) = (take(1).await.expect("one"), take(1).await.expect("two"));
        assert!(take(1).await.is_none(), "no third");
        drop(take(2).await.expect("another"));
        drop(one);
        drop(take(1).await.expect("a place has come back"));
        drop(two);
        assert!(shares.of.lock().is_empty(), "nothing is kept of those who are through");
    }
}
