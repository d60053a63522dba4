//! One lane for each call: what is asked about it here goes on one after the other, in the order in which it came.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use chapar_protocol::call::CallId;
use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::sync::{Mutex as Lane, OwnedMutexGuard};

/// The lanes of a node. Only those in use are kept.
#[derive(Clone, Default)]
pub struct Lanes(Arc<Mutex<HashMap<CallId, Arc<Lane<()>>>>>);

/// A place in a lane: taken at once, reached later.
pub struct Turn {
    lanes: Lanes,
    id: CallId,
    waiting: Option<Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>>>,
    held: Option<OwnedMutexGuard<()>>,
}

impl Lanes {
    /// Takes the next place in a call's lane.
    pub fn queue(&self, id: CallId) -> Turn {
        let lane = self.0.lock().entry(id).or_default().clone();
        let mut waiting: Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>> = Box::pin(lane.lock_owned());
        // The first look takes the place.
        let held = waiting.as_mut().now_or_never();
        Turn { lanes: self.clone(), id, waiting: held.is_none().then_some(waiting), held }
    }
}

impl Turn {
    /// Waits until everybody before has left. The lane is free again when this is dropped.
    pub async fn come(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            let held = waiting.await;
            self.held = Some(held);
            self.waiting = None;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held = None;
        self.waiting = None;
        let mut lanes = self.lanes.0.lock();
        if lanes.get(&self.id).is_some_and(|lane| Arc::strong_count(lane) == 1) {
            lanes.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn places_are_taken_in_order_and_lanes_are_let_go() {
        let lanes = Lanes::default();
        let id = CallId(Uuid::from_u128(1));
        let (mut first, mut second, mut third) = (lanes.queue(id), lanes.queue(id), lanes.queue(id));
        first.come().await;
        assert!(second.come().now_or_never().is_none());
        assert!(third.come().now_or_never().is_none(), "whoever looks first does not come first");
        drop(first);
        assert!(third.come().now_or_never().is_none());
        second.come().await;
        drop(second);
        third.come().await;
        drop(third);
        assert!(lanes.0.lock().is_empty());
    }
}
