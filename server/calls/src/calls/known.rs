//! The calls that this node knows from its own steps. Saves the load before a swap, and is what a call is put back from
//! when Redis has lost it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use chapar_protocol::{Timestamp, call::CallId};
use chapar_signaling::call::Call;
use parking_lot::Mutex;

/// The most calls that live and that are remembered, and the most that have ended.
const MOST: usize = 20_000;
/// A call that lives changes at least every 90 s. What did not is carried by another node by now, or over.
const STALE_MS: i64 = 60_000;

/// See the module.
#[derive(Default)]
pub(super) struct Known(Mutex<Calls>);

#[derive(Default)]
struct Calls {
    by_id: HashMap<CallId, Arc<Call>>,
    live: VecDeque<CallId>,
    ended: VecDeque<CallId>,
}

impl Known {
    pub(super) fn get(&self, id: CallId) -> Option<Arc<Call>> {
        self.0.lock().by_id.get(&id).cloned()
    }

    /// Remembers a call, unless a later state is known.
    pub(super) fn put(&self, call: &Arc<Call>) {
        let mut known = self.0.lock();
        let id = call.id();
        let before = known.by_id.get(&id).map(|old| (old.revision(), old.is_live()));
        if before.is_some_and(|(revision, _)| revision >= call.revision()) {
            return;
        }
        known.by_id.insert(id, call.clone());
        match (before, call.is_live()) {
            (None, true) => known.live.push_back(id),
            (None | Some((_, true)), false) => known.ended.push_back(id),
            _ => {}
        }
        known.bound();
    }

    pub(super) fn forget(&self, id: CallId) {
        self.0.lock().by_id.remove(&id);
    }

    /// All of them that are not stale, those that ended included.
    pub(super) fn fresh(&self, now: Timestamp) -> Vec<Arc<Call>> {
        self.0.lock().by_id.values().filter(|call| !is_stale(call, now, 0)).cloned().collect()
    }

    /// Forgets what is stale.
    pub(super) fn tidy(&self, now: Timestamp) {
        let mut known = self.0.lock();
        known.by_id.retain(|_, call| !is_stale(call, now, STALE_MS));
        let Calls { by_id, live, ended } = &mut *known;
        live.retain(|id| by_id.get(id).is_some_and(|call| call.is_live()));
        ended.retain(|id| by_id.contains_key(id));
    }
}

impl Calls {
    fn bound(&mut self) {
        for queue in [&mut self.live, &mut self.ended] {
            while queue.len() > MOST {
                if let Some(oldest) = queue.pop_front() {
                    self.by_id.remove(&oldest);
                }
            }
        }
    }
}

/// A call that lives is stale when a deadline of it has passed; one that has ended, after some minutes.
fn is_stale(call: &Call, now: Timestamp, allowed_ms: i64) -> bool {
    match call.ended_at() {
        Some(at) => now.as_millis() - at.as_millis() > 2 * STALE_MS,
        None => call.next_timer().is_none_or(|at| now.as_millis() - at.as_millis() > allowed_ms),
    }
}
