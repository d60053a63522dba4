//! The calls of the cluster: loads a call, asks the state machine in `signaling` what an input does to it, stores the
//! result by compare-and-swap, and only then tells the devices.
//!
//! ```text
//! command, hello, connection lost, timer ──input──▶ step ──▶ store (memory or Redis, compare-and-swap)
//!                                                            │ taken
//!                         fan-out, to one device each ◀──────┤
//!                         recorder (chat, log, counters) ◀───┘
//! ```
//!
//! Invariant: what a step puts out is carried out only after the store has taken the call's new state.
//! Invariant: the asks of one connection about one call keep their order.

mod ask;
mod figures;
mod invite;
mod known;
mod lanes;
mod memory;
mod pipe;
pub mod quality;
mod reach;
mod recorder;
mod redis;
mod shared;
mod step;
mod timers;
mod unfinished;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use chapar_protocol::{
    DeviceId, ErrorCode, Timestamp, UserId, WireError,
    call::{CallId, Party},
};
use chapar_signaling::{
    call::{Ask, CallError, Input, Record},
    sdp::{CandidatePolicy, RelayPlace},
};
use parking_lot::RwLock;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use self::{
    ask::Answered,
    memory::MemoryCalls,
    redis::RedisCalls,
    shared::{Away, CallStore},
};
use self::{ask::Waiting, figures::Figures, lanes::Lanes, quality::CallQualities, reach::Reach};
use crate::{committer::Committer, fanout::Fanout, metrics::Metrics, relays::Relays, store::Store};

/// How often a step begins again because somebody was faster.
const MAX_TRIES: usize = 32;
/// Records of ended calls that may wait. More are dropped here and come again by the call's own timer.
const RECORD_QUEUE: usize = 65_536;

/// The clock of the calls: one for all nodes. Where Redis keeps the calls, its clock counts, and this follows it: a node
/// whose own clock is wrong ends nobody's ringing early.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    /// By how much it was moved, in milliseconds. Only tests do.
    moved: AtomicI64,
    /// By how much the machine's own clock is wrong. Only tests say so.
    wrong: AtomicI64,
    /// What the store's clock shows more than the machine's.
    correction: AtomicI64,
    /// That was told.
    follows: AtomicBool,
}

impl Clock {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        let millis = self.own_ms() + self.0.correction.load(Ordering::Relaxed) + self.moved_ms();
        Timestamp::from_millis(millis).unwrap_or_else(|| time::OffsetDateTime::now_utc().into())
    }

    /// Moves it forward, as if so much time had passed here.
    pub fn advance_ms(&self, millis: i64) {
        self.0.moved.fetch_add(millis, Ordering::Relaxed);
    }

    /// Makes the machine's clock wrong.
    pub fn is_wrong_by_ms(&self, millis: i64) {
        self.0.wrong.store(millis, Ordering::Relaxed);
    }

    /// The store's clock showed this when the machine's showed `own`.
    fn follow(&self, store_ms: i64, own_ms: i64) {
        self.0.correction.store(store_ms - own_ms, Ordering::Relaxed);
        self.0.follows.store(true, Ordering::Relaxed);
    }

    /// Whether the store's clock was ever seen.
    fn follows(&self) -> bool {
        self.0.follows.load(Ordering::Relaxed)
    }

    fn own_ms(&self) -> i64 {
        let real = Timestamp::from(time::OffsetDateTime::now_utc()).as_millis();
        real + self.0.wrong.load(Ordering::Relaxed)
    }

    fn moved_ms(&self) -> i64 {
        self.0.moved.load(Ordering::Relaxed)
    }
}

/// What an operator says about calls.
#[derive(Clone, Debug)]
pub struct CallRules {
    rating_percent: u32,
    open: CandidatePolicy,
    relay_only: CandidatePolicy,
}

impl CallRules {
    /// Of `rating_percent` calls in a hundred the two people are asked how it was. `candidates` may pass; `relay_only` is
    /// each call's own.
    pub fn new(rating_percent: u32, candidates: CandidatePolicy) -> Self {
        let relay_only = CandidatePolicy { relay_only: true, ..candidates.clone() };
        Self { rating_percent, open: CandidatePolicy { relay_only: false, ..candidates }, relay_only }
    }

    /// Which candidates may pass.
    fn candidates(&self, relay_only: bool) -> &CandidatePolicy {
        if relay_only { &self.relay_only } else { &self.open }
    }

    /// The same with other relays.
    fn with_relays(&self, relays: Vec<RelayPlace>) -> Self {
        Self::new(self.rating_percent, CandidatePolicy { relays, ..self.open.clone() })
    }
}

/// What the calls stand on.
pub struct Parts {
    /// Where those that live are kept.
    pub calls: CallStore,
    /// Where those that ended are kept.
    pub store: Store,
    /// The way of a service message into its chat.
    pub committer: Arc<Committer>,
    /// The way to the devices.
    pub fanout: Arc<Fanout>,
    /// The relays that carry them, to be told of the end.
    pub relays: Option<Arc<Relays>>,
    /// Metrics.
    pub metrics: Metrics,
    /// What calls measure.
    pub quality: Arc<CallQualities>,
    /// The clock.
    pub clock: Clock,
    /// The operator's rules.
    pub rules: CallRules,
}

/// The calls, as this node carries them.
pub struct Calls {
    shared: CallStore,
    known: known::Known,
    lanes: Lanes<Waiting>,
    store: Store,
    reach: Reach,
    fanout: Arc<Fanout>,
    committer: Arc<Committer>,
    figures: Figures,
    quality: Arc<CallQualities>,
    relays: Option<Arc<Relays>>,
    clock: Clock,
    rules: RwLock<Arc<CallRules>>,
    records: mpsc::Sender<Record>,
    unfinished: unfinished::Unfinished,
    closing: CancellationToken,
}

/// Why a step was not taken.
enum Trouble {
    NoSuchCall,
    Away(Away),
    Refused(CallError),
    Bad(WireError),
    Contended,
}

impl From<Away> for Trouble {
    fn from(away: Away) -> Self {
        Self::Away(away)
    }
}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Self {
        Self::Bad(error)
    }
}

impl From<Trouble> for WireError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NoSuchCall => no_such_call(),
            Trouble::Away(away) => {
                tracing::warn!(%away, "a call could not take a step");
                Self::new(ErrorCode::Unavailable, "calls are not available now: try again").after_ms(1000)
            }
            Trouble::Refused(error) => refusal(error),
            Trouble::Bad(error) => error,
            Trouble::Contended => {
                Self::new(ErrorCode::Overloaded, "too much happens to this call at once").after_ms(100)
            }
        }
    }
}

fn no_such_call() -> WireError {
    WireError::new(ErrorCode::CallNotFound, "there is no such call, or you are not in it")
}

/// A refusal as a client sees it.
fn refusal(error: CallError) -> WireError {
    let code = match error {
        CallError::NotInCall => return no_such_call(),
        CallError::TooSoon => {
            let wait = u32::try_from(chapar_signaling::call::RESTART_GAP_MS).unwrap_or(1000);
            return WireError::new(ErrorCode::RateLimited, error.to_string()).after_ms(wait);
        }
        CallError::Ended(_) => ErrorCode::CallEnded,
        CallError::AnsweredElsewhere => ErrorCode::CallElsewhere,
        CallError::TooManyCandidates | CallError::TooManyDevices => ErrorCode::TooLarge,
        CallError::SelfCall => ErrorCode::CallForbidden,
        CallError::WrongSide
        | CallError::NotAnswered
        | CallError::NotRinging
        | CallError::NotRung
        | CallError::NoOffer
        | CallError::AlreadyThere
        | CallError::StaleGeneration
        | CallError::NoAnswer
        | CallError::NothingAsked
        | CallError::SameDevice
        | CallError::NotRelayOnly
        | CallError::NotForVoice => ErrorCode::CallConflict,
    };
    WireError::new(code, error.to_string())
}

impl Calls {
    /// Begins to carry calls, and records those that a node which died has left. The tasks fire timers, record what has
    /// ended, write down what lives, and look up who may call; the second and the third end after [`Self::close`].
    pub fn start(parts: Parts) -> (Arc<Self>, [JoinHandle<()>; 4]) {
        let Parts { calls, store, committer, fanout, relays, metrics, quality, clock, rules } = parts;
        let (records, queue) = mpsc::channel(RECORD_QUEUE);
        let (unfinished, changes) = unfinished::Unfinished::new();
        let (reach, looking_up) = Reach::start(store.clone());
        let this = Arc::new(Self {
            shared: calls,
            known: known::Known::default(),
            lanes: Lanes::default(),
            reach,
            store,
            fanout,
            committer,
            figures: Figures::new(metrics),
            quality,
            relays,
            clock,
            rules: RwLock::new(Arc::new(rules)),
            records,
            unfinished,
            closing: CancellationToken::new(),
        });
        let tasks = [
            tokio::spawn(this.clone().keep_time()),
            tokio::spawn(recorder::run(this.clone(), queue)),
            unfinished::keep(this.clone(), changes),
            looking_up,
        ];
        (this, tasks)
    }

    /// Begins nothing new, and records what waits already. Nodes that share the calls carry them on; those of a node by
    /// itself end with it.
    pub async fn close(&self) {
        self.end_with_node().await;
        self.closing.cancel();
    }

    /// Ends the calls of a node by itself: they cannot outlive its memory. Calls that nodes share go on.
    pub async fn end_with_node(&self) {
        if let CallStore::Memory(calls) = &self.shared {
            for call in calls.all_live() {
                let _ = self.step(call.id(), &Input::NodeStops).await;
            }
        }
    }

    /// A device has said `hello`: it is told of its person's calls, and rings if they ring.
    pub async fn online(&self, who: Party) {
        self.for_each_call(who.user_id, Input::Online(who)).await;
    }

    /// A device's connection is gone. Nothing happens while it has another one here.
    pub async fn gone(&self, who: Party) {
        if !self.fanout.is_connected(who) {
            self.for_each_call(who.user_id, Input::Gone(who)).await;
        }
    }

    /// A device was signed out.
    pub async fn signed_out(&self, user_id: UserId, device_id: DeviceId) {
        self.for_each_call(user_id, Input::SignedOut(Party { user_id, device_id })).await;
    }

    /// Somebody has blocked somebody: what rings between them or goes on is over.
    pub async fn blocked(&self, who: Party, other: UserId) {
        match self.shared.live(who.user_id).await {
            Ok(calls) => {
                for call in calls.into_iter().filter(|call| call.people().contains(&other)) {
                    let seat = call.seats().into_iter().flatten().find(|seat| seat.user_id == who.user_id);
                    let _ = self.step(call.id(), &Input::Ask { who: seat.unwrap_or(who), ask: Ask::HangUp }).await;
                }
            }
            Err(away) => tracing::warn!(%away, "a blocked call may go on: the person's calls cannot be looked at now"),
        }
    }

    /// Whether a call that ended a moment ago waits to be recorded, as seen by one of its two people.
    ///
    /// # Errors
    /// `CallNotFound` for whoever is not in it; `CallConflict` while it lives; `Unavailable`.
    pub async fn has_just_ended(&self, id: CallId, user: UserId) -> Result<(), WireError> {
        let call = self.shared.load(id).await.map_err(Trouble::from)?;
        match call.filter(|call| call.people().contains(&user)) {
            None => Err(no_such_call()),
            Some(call) if call.is_live() => Err(WireError::new(ErrorCode::CallConflict, "the call has not ended yet")),
            Some(_) => Ok(()),
        }
    }

    fn rules(&self) -> Arc<CallRules> {
        self.rules.read().clone()
    }

    /// Relays come and go: only the candidates of those that are known pass as relays'.
    fn look_at_relays(&self) {
        let Some(relays) = &self.relays else { return };
        let (rules, now) = (self.rules(), relays.places());
        if rules.open.relays != now {
            *self.rules.write() = Arc::new(rules.with_relays(now));
        }
    }

    async fn for_each_call(&self, user: UserId, input: Input) {
        match self.shared.live(user).await {
            Ok(calls) => {
                for call in calls {
                    // Refusals are for nobody here; what the store could not do, the call's own timers make good.
                    let _ = self.step(call.id(), &input).await;
                }
            }
            Err(away) => tracing::debug!(%away, "a person's calls cannot be looked at now"),
        }
    }
}
