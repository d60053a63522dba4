//! Where the calls that live are kept: in the memory of one node, or in Redis for many.
//!
//! Every change is a compare-and-swap on a call's revision, so that any node can carry the next step. Beside the calls
//! stand an index by deadline (so that a node's death stops no timer) and one by person (so that two invites that cross
//! see each other). Calls that have ended are kept for ten minutes, for a device that asks late.

use std::sync::Arc;

use chapar_protocol::{Timestamp, UserId, call::CallId};
use chapar_signaling::call::Call;

use super::{memory::MemoryCalls, redis::RedisCalls};

/// How long an ended call is kept, in milliseconds.
pub(super) const KEEP_ENDED_MS: i64 = 600_000;

/// The store does not answer. What was asked for may have been done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store of the calls does not answer: {0}")]
pub struct Away(pub String);

/// What became of a new call.
#[derive(Debug)]
pub enum Created {
    /// It is there.
    Stored,
    /// There is one with this id.
    Exists(Arc<Call>),
    /// One of the two people has calls that were not expected, or they have changed: all of them, as they are now.
    Meets(Vec<Arc<Call>>),
}

/// What became of a change.
#[derive(Debug)]
pub enum Swapped {
    /// It is there.
    Stored,
    /// Somebody was faster: the call as it is now.
    Behind(Arc<Call>),
    /// There is no such call.
    Gone,
}

/// How a call stands against what somebody knows of it.
#[derive(Debug)]
pub enum Newer {
    /// As known.
    Same,
    /// It has another revision.
    Call(Arc<Call>),
    /// There is no such call.
    Gone,
}

/// Calls whose time has come, and how many calls have something left to do.
#[derive(Debug, Default)]
pub struct Due {
    /// To be stepped now.
    pub calls: Vec<Arc<Call>>,
    /// All that have something left to do.
    pub pending: usize,
    /// What the store's clock showed, in milliseconds since 1970; `None` for a store that goes by the node's.
    pub store_ms: Option<i64>,
}

/// The store of the calls.
pub enum CallStore {
    /// Of one node.
    Memory(MemoryCalls),
    /// Of many.
    Redis(RedisCalls),
}

macro_rules! each {
    ($self:ident, $store:ident => $act:expr) => {
        match $self {
            Self::Memory($store) => Ok($act),
            Self::Redis($store) => $act.await,
        }
    };
}

impl CallStore {
    /// A call.
    ///
    /// # Errors
    /// [`Away`], like all below.
    pub async fn load(&self, id: CallId) -> Result<Option<Arc<Call>>, Away> {
        each!(self, store => store.load(id))
    }

    /// Whether a call has another revision than this one.
    pub async fn newer(&self, id: CallId, revision: u64) -> Result<Newer, Away> {
        each!(self, store => store.newer(id, revision))
    }

    /// The calls of a person that live.
    pub async fn live(&self, user: UserId) -> Result<Vec<Arc<Call>>, Away> {
        each!(self, store => store.live(user))
    }

    /// Stores a new call, if the calls of its two people that live are exactly those `seen`, unchanged; together with
    /// `also`, the next state of one of them.
    pub async fn create(
        &self,
        call: &Arc<Call>,
        seen: &[Arc<Call>],
        also: Option<&Arc<Call>>,
    ) -> Result<Created, Away> {
        each!(self, store => store.create(call, seen, also))
    }

    /// Stores the next state of a call, if its revision is still `from`.
    pub async fn swap(&self, call: &Arc<Call>, from: u64) -> Result<Swapped, Away> {
        each!(self, store => store.swap(call, from))
    }

    /// Calls whose time has come, at most `most`. Nobody else is given them for `lease_ms`. Redis goes by its own clock, so
    /// that the clocks of the nodes do not count: a test's that was moved by `moved_ms` does.
    pub async fn due(&self, now: Timestamp, moved_ms: i64, lease_ms: i64, most: usize) -> Result<Due, Away> {
        match self {
            Self::Memory(store) => {
                let lease = Timestamp::from_millis(now.as_millis() + lease_ms).unwrap_or(now);
                Ok(store.due(now, lease, most))
            }
            Self::Redis(store) => store.due(moved_ms, lease_ms, most).await,
        }
    }

    /// Puts a call back that the store has lost: if it is absent or older there.
    pub async fn restore(&self, call: &Arc<Call>) -> Result<(), Away> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(store) => store.restore(call).await,
        }
    }
}
