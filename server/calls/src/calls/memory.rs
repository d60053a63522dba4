//! The calls of one node, in its memory.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use chapar_protocol::{Timestamp, UserId, call::CallId};
use chapar_signaling::call::Call;
use parking_lot::Mutex;

use super::shared::{Created, Due, KEEP_ENDED_MS, Newer, Swapped};

/// See the module.
#[derive(Default)]
pub struct MemoryCalls(Mutex<Held>);

#[derive(Default)]
struct Held {
    calls: HashMap<CallId, Entry>,
    due: BTreeSet<(Timestamp, CallId)>,
    live: HashMap<UserId, Vec<CallId>>,
    /// Ended calls, by when they are forgotten. They end in about this order.
    ended: VecDeque<(i64, CallId)>,
}

struct Entry {
    call: Arc<Call>,
    /// Where it stands in `due`.
    due: Option<Timestamp>,
}

impl MemoryCalls {
    pub(super) fn load(&self, id: CallId) -> Option<Arc<Call>> {
        self.0.lock().call(id)
    }

    pub(super) fn newer(&self, id: CallId, revision: u64) -> Newer {
        match self.load(id) {
            Some(call) if call.revision() == revision => Newer::Same,
            Some(call) => Newer::Call(call),
            None => Newer::Gone,
        }
    }

    pub(super) fn live(&self, user: UserId) -> Vec<Arc<Call>> {
        self.0.lock().live([user])
    }

    /// Every call that lives.
    pub(super) fn all_live(&self) -> Vec<Arc<Call>> {
        self.0.lock().calls.values().filter(|entry| entry.call.is_live()).map(|entry| entry.call.clone()).collect()
    }

    /// Whether any call lives.
    pub(super) fn has_live(&self) -> bool {
        !self.0.lock().live.is_empty()
    }

    pub(super) fn create(&self, call: &Arc<Call>, seen: &[Arc<Call>], also: Option<&Arc<Call>>) -> Created {
        let mut held = self.0.lock();
        if let Some(there) = held.call(call.id()) {
            return Created::Exists(there);
        }
        let there = held.live(call.people());
        let same = |it: &Arc<Call>| seen.iter().any(|old| old.id() == it.id() && old.revision() == it.revision());
        if there.len() != seen.len() || !there.iter().all(same) {
            return Created::Meets(there);
        }
        held.put(call);
        if let Some(also) = also {
            held.put(also);
        }
        Created::Stored
    }

    pub(super) fn swap(&self, call: &Arc<Call>, from: u64) -> Swapped {
        let mut held = self.0.lock();
        match held.call(call.id()) {
            None => Swapped::Gone,
            Some(there) if there.revision() != from => Swapped::Behind(there),
            Some(_) => {
                held.put(call);
                Swapped::Stored
            }
        }
    }

    pub(super) fn due(&self, now: Timestamp, lease: Timestamp, most: usize) -> Due {
        let mut held = self.0.lock();
        while held.ended.front().is_some_and(|(until, _)| *until <= now.as_millis()) {
            if let Some((_, id)) = held.ended.pop_front() {
                held.forget(id);
            }
        }
        let ids: Vec<(Timestamp, CallId)> =
            held.due.iter().take_while(|(at, _)| *at <= now).take(most).copied().collect();
        let mut calls = Vec::with_capacity(ids.len());
        for place in ids {
            held.due.remove(&place);
            held.due.insert((lease, place.1));
            if let Some(entry) = held.calls.get_mut(&place.1) {
                entry.due = Some(lease);
                calls.push(entry.call.clone());
            }
        }
        Due { calls, pending: held.due.len(), store_ms: None }
    }
}

impl Held {
    fn call(&self, id: CallId) -> Option<Arc<Call>> {
        self.calls.get(&id).map(|entry| entry.call.clone())
    }

    fn live(&self, users: impl IntoIterator<Item = UserId>) -> Vec<Arc<Call>> {
        let mut ids: Vec<CallId> =
            users.into_iter().filter_map(|user| self.live.get(&user)).flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.call(id)).collect()
    }

    fn put(&mut self, call: &Arc<Call>) {
        let id = call.id();
        let due = call.next_timer();
        let before = self.calls.insert(id, Entry { call: call.clone(), due });
        if let Some(at) = before.as_ref().and_then(|entry| entry.due) {
            self.due.remove(&(at, id));
        }
        self.due.extend(due.map(|at| (at, id)));
        let lived = before.is_some_and(|entry| entry.call.is_live());
        if call.is_live() && !lived {
            for user in call.people() {
                self.live.entry(user).or_default().push(id);
            }
        }
        if let Some(at) = call.ended_at()
            && before_or_new(lived, call)
        {
            self.leave(call);
            self.ended.push_back((at.as_millis().saturating_add(KEEP_ENDED_MS), id));
        }
    }

    fn leave(&mut self, call: &Call) {
        for user in call.people() {
            if let Some(ids) = self.live.get_mut(&user) {
                ids.retain(|id| *id != call.id());
                if ids.is_empty() {
                    self.live.remove(&user);
                }
            }
        }
    }

    /// Unless its record is not stored yet: then it is kept, and looked at again.
    fn forget(&mut self, id: CallId) {
        if let Some(entry) = self.calls.remove(&id)
            && let Some(at) = entry.due
        {
            self.ended.push_back((at.as_millis().saturating_add(KEEP_ENDED_MS), id));
            self.calls.insert(id, entry);
        }
    }
}

/// Whether an ended call has just ended, or was dead when it came.
fn before_or_new(lived: bool, call: &Call) -> bool {
    lived || call.revision() == 1
}
