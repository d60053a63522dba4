//! Timers. They stand in the shared store by their moment, so any node fires those of a node that died; a short lease
//! keeps two nodes from firing the same.

use std::{sync::Arc, time::Duration};

use chapar_signaling::call::Input;
use futures_util::{StreamExt, stream};

use super::{CallStore, Calls};

/// How often the index is looked at. A timer fires this much late at most, and settles as of its own time.
const LOOK: Duration = Duration::from_millis(200);
/// How long a node has for the timers it has taken, in milliseconds.
const LEASE_MS: i64 = 5_000;
/// Timers taken at once, and steps under way at once.
const MOST: usize = 256;
const AT_ONCE: usize = 32;
/// What the store's clock showed is not believed after an answer that took longer, in milliseconds: nobody knows when it
/// was.
const SLOW_MS: i64 = 500;
/// How often what this node knows is tidied.
const TIDY: Duration = Duration::from_secs(10);

impl Calls {
    /// Fires what is due, and tells everything again when the store or the bus has come back. Does not end by itself.
    pub(super) async fn keep_time(self: Arc<Self>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tidy = tokio::time::interval(TIDY);
        let mut bus_back = self.fanout.resynchronised();
        let mut links = 0;
        loop {
            tokio::select! {
                _ = look.tick() => {
                    self.fire().await;
                    self.look_at_relays();
                    let now = self.links();
                    if now > links && links > 0 {
                        self.tell_all_again().await;
                    }
                    links = now;
                }
                _ = tidy.tick() => self.known.tidy(self.clock.now()),
                Ok(()) = bus_back.changed() => self.tell_all_again().await,
            }
        }
    }

    /// Fires every timer that is due.
    pub async fn fire(&self) {
        loop {
            let asked_at = self.clock.own_ms();
            let due = match self.shared.due(self.clock.now(), self.clock.moved_ms(), LEASE_MS, MOST).await {
                Ok(due) => due,
                Err(away) => return tracing::debug!(%away, "the timers of the calls wait"),
            };
            let took = self.clock.own_ms() - asked_at;
            if let Some(store_ms) = due.store_ms
                && (took < SLOW_MS || !self.clock.follows())
            {
                self.clock.follow(store_ms, asked_at + took / 2);
            }
            self.figures.pending(due.pending);
            let full = due.calls.len() == MOST;
            stream::iter(due.calls)
                .for_each_concurrent(AT_ONCE, |call| async move {
                    self.known.put(&call);
                    let _ = self.step(call.id(), &Input::Tick).await;
                })
                .await;
            if !full {
                return;
            }
        }
    }

    /// The store or the bus has come back, and may have lost something: what this node knows is put back, and every
    /// device is told again how its calls stand.
    async fn tell_all_again(&self) {
        let calls = self.known.fresh(self.clock.now());
        if !calls.is_empty() {
            tracing::info!(calls = calls.len(), "telling again how the calls stand");
        }
        stream::iter(calls)
            .for_each_concurrent(AT_ONCE, |call| async move {
                if self.shared.restore(&call).await.is_err() {
                    return;
                }
                if let Ok(Some(call)) = self.shared.load(call.id()).await {
                    self.known.put(&call);
                    self.carry_out(call.tell_all());
                }
            })
            .await;
    }

    fn links(&self) -> u64 {
        match &self.shared {
            CallStore::Memory(_) => 0,
            CallStore::Redis(store) => store.links(),
        }
    }
}
