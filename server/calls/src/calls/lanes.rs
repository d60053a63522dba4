//! One lane for each call: what is asked about it here goes on one after the other, in the order in which it came. Whoever
//! comes into an empty lane walks it; what others put in meanwhile, the walker takes along.

use std::{collections::HashMap, sync::Arc};

use chapar_protocol::call::CallId;
use parking_lot::Mutex;

type Waiting<T> = Arc<Mutex<HashMap<CallId, Vec<T>>>>;

/// The lanes of a node. Only those in use are kept; what waits in one is bounded by what connections may have under way.
pub(super) struct Lanes<T>(Waiting<T>);

/// The right, and the duty, to take out what waits in a lane.
pub(super) struct Walk<T> {
    lanes: Waiting<T>,
    id: CallId,
    through: bool,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Lanes<T> {
    /// Puts something into a call's lane. Nobody walks it yet where a [`Walk`] comes back.
    pub(super) fn put(&self, id: CallId, thing: T) -> Option<Walk<T>> {
        let mut lanes = self.0.lock();
        if let Some(lane) = lanes.get_mut(&id) {
            lane.push(thing);
            return None;
        }
        lanes.insert(id, vec![thing]);
        Some(Walk { lanes: self.0.clone(), id, through: false })
    }
}

impl<T> Walk<T> {
    /// Which call's lane it is.
    pub(super) fn id(&self) -> CallId {
        self.id
    }

    /// All that waits, in the order in which it came. `None` when nothing does: the walk is over.
    pub(super) fn next(&mut self) -> Option<Vec<T>> {
        let mut lanes = self.lanes.lock();
        let waiting = std::mem::take(lanes.get_mut(&self.id)?);
        if waiting.is_empty() {
            lanes.remove(&self.id);
            self.through = true;
            return None;
        }
        Some(waiting)
    }
}

impl<T> Drop for Walk<T> {
    fn drop(&mut self) {
        if !self.through {
            // Given up half-way, by a fault of ours. The lane must not stay closed: what waits is let go, and whoever waits
            // for an answer to it finds that out.
            let left = self.lanes.lock().remove(&self.id);
            drop(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ONE: CallId = CallId(Uuid::from_u128(1));
    const OTHER: CallId = CallId(Uuid::from_u128(2));

    #[test]
    fn what_waits_is_taken_in_order_by_one_walker_and_lanes_are_let_go() {
        let lanes = Lanes::default();
        let mut walk = lanes.put(ONE, 1).expect("nobody walks yet");
        assert!(lanes.put(ONE, 2).is_none());
        assert!(lanes.put(OTHER, 9).is_some(), "another call has a lane of its own");
        assert_eq!(walk.next(), Some(vec![1, 2]));
        assert!(lanes.put(ONE, 3).is_none(), "it is still walked");
        assert_eq!(walk.next(), Some(vec![3]));
        assert_eq!(walk.next(), None);
        let next = lanes.put(ONE, 4).expect("the lane is empty again");
        drop(walk);
        assert_eq!(lanes.0.lock().len(), 1, "a walk that is over touches nothing");
        assert!(lanes.put(ONE, 5).is_none());
        drop(next);
        assert!(lanes.0.lock().is_empty());
    }
}
