//! What both sides of the calls measure: summed up in the node's memory, written every 30 s and when a call has ended.
//!
//! A node that dies loses what it had not written: 30 s of figures at most. What is written is a part's whole so far, so
//! that writing it twice does no harm; see `migrations/people/0006_call_quality.sql`.

mod tally;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use chapar_protocol::{
    UserId,
    call::{CallId, QualityReport, RelayInfo},
};
use chapar_signaling::satisfaction::Rating;
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::sync::Notify;

pub use crate::store::people::call_quality::Part;
use tally::{Counted, Tally};

use crate::{metrics::Metrics, store::Store};

/// How often what calls have measured so far is written.
const WRITE_EVERY: Duration = Duration::from_secs(30);
/// Calls that end one after the other are written together: no two writes are closer than this.
const GATHER: Duration = Duration::from_millis(250);
/// Parts in one statement.
const BATCH: usize = 1000;
/// Relays that are known by name. Beyond these, those that are gone are forgotten.
const MOST_RELAYS: usize = 256;
const STARS: [&str; 5] = ["1", "2", "3", "4", "5"];

/// The measurements of the calls whose devices are connected here.
pub struct CallQualities {
    tally: Mutex<Tally>,
    /// The regions of the relays by name. A relay that is not known counts as none: a client could make up any.
    regions: ArcSwap<HashMap<String, String>>,
    began: Instant,
    store: Store,
    metrics: Metrics,
    ended: Notify,
}

impl CallQualities {
    /// Nothing measured yet.
    pub fn new(store: Store, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            tally: Mutex::default(),
            regions: ArcSwap::default(),
            began: Instant::now(),
            store,
            metrics,
            ended: Notify::new(),
        })
    }

    /// Which relays there are, and in which region each stands. Those that are gone stay known: calls may still use them.
    pub fn know_relays(&self, relays: impl IntoIterator<Item = RelayInfo>) {
        let known = self.regions.load();
        let new: HashMap<_, _> = relays.into_iter().map(|it| (it.name, it.region)).collect();
        if new.iter().all(|(name, region)| known.get(name) == Some(region)) {
            return;
        }
        let old = if known.len() < MOST_RELAYS { HashMap::clone(&known) } else { HashMap::new() };
        self.regions.store(Arc::new(old.into_iter().chain(new).collect()));
    }

    /// A device in a call has reported. What cannot be is left out; beyond the bound of the memory too.
    pub fn report(&self, call: CallId, user: UserId, report: &QualityReport) {
        let regions = self.regions.load();
        let relay = report.relay.as_ref().and_then(|name| regions.get_key_value(name));
        let at = OffsetDateTime::now_utc().into();
        let counted = self.tally.lock().report(call, user, report, relay, self.now_ms(), at);
        let outcome = match counted {
            Counted::Yes => "counted",
            Counted::NotPlausible => "implausible",
            Counted::Full => "dropped",
        };
        self.metrics.call_reports.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Which relay a side of a call was handed first: what is known of its path if no media ever flows.
    pub fn relay_given(&self, call: CallId, user: UserId, name: &str) {
        if let Some(relay) = self.regions.load().get_key_value(name) {
            let at = OffsetDateTime::now_utc().into();
            self.tally.lock().relay_given(call, user, relay, self.now_ms(), at);
        }
    }

    /// A call has ended: what it measured here is written at once.
    pub fn ended(&self, call: CallId) {
        if self.tally.lock().ended(call) {
            self.ended.notify_one();
        }
    }

    /// Counts a rating.
    pub fn rated(&self, rating: Rating) {
        if let Some(stars) = STARS.get(usize::from(u8::from(rating)).saturating_sub(1)) {
            self.metrics.call_ratings.get_or_create(&[("stars", *stars)]).inc();
        }
    }

    /// Writes until the task is aborted.
    pub async fn keep_writing(self: Arc<Self>) {
        let mut all = tokio::time::interval(WRITE_EVERY);
        loop {
            tokio::select! {
                _ = all.tick() => self.write(true).await,
                () = self.ended.notified() => self.write(false).await,
            }
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Writes all that has not been written: for a node that goes away.
    pub async fn write_all(&self) {
        self.write(true).await;
    }

    async fn write(&self, all: bool) {
        let waiting = self.tally.lock().waiting(all, self.now_ms());
        for batch in waiting.chunks(BATCH) {
            if let Err(error) = self.store.people.write_call_quality(batch).await {
                // It stays in memory, which is bounded, and goes again with the next round.
                return tracing::warn!(%error, parts = waiting.len(), "measurements of calls cannot be written yet");
            }
            for score in self.tally.lock().written(batch) {
                self.metrics.call_mos.observe(score);
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
