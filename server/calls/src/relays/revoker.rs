//! Takes back what was handed out for calls that have ended: many at once, a little later.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chapar_signaling::relay::{
    ledger::Revoked,
    registry::{REVOKED_FOR_S, Registry},
    server::Relay,
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinHandle},
    time::{Instant, MissedTickBehavior, interval},
};

/// For so long the two devices may still use what they have: the one that lost a glare has gathered with it, and the last
/// packets of a call are under way.
const GRACE: Duration = Duration::from_secs(5);
/// How often what is due is taken back: one look through the relay's allocations each time.
const TICK: Duration = Duration::from_millis(500);
/// What may wait. More is dropped: it expires by itself.
const QUEUE: usize = 65_536;

/// See the module. Dropping it ends it.
pub(super) struct Revoker {
    queue: mpsc::Sender<(Instant, Revoked)>,
    task: AbortHandle,
}

impl Revoker {
    /// Revokes at the own relay, and at all others through the registry.
    pub(super) fn start(own: Option<Arc<Relay>>, registry: Option<Arc<Registry>>) -> (Self, JoinHandle<()>) {
        let (queue, given) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(given, own, registry));
        (Self { queue, task: task.abort_handle() }, task)
    }

    /// Once the grace is over.
    pub(super) fn soon(&self, whom: Revoked) {
        if self.queue.try_send((Instant::now() + GRACE, whom)).is_err() {
            tracing::warn!("too many calls end at once: credentials of some expire by themselves");
        }
    }
}

impl Drop for Revoker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut given: mpsc::Receiver<(Instant, Revoked)>, own: Option<Arc<Relay>>, registry: Option<Arc<Registry>>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut later: VecDeque<(Instant, Revoked)> = VecDeque::new();
    loop {
        ticks.tick().await;
        let (now, until) = (Instant::now(), unix() + REVOKED_FOR_S);
        while later.len() < QUEUE
            && let Ok(one) = given.try_recv()
        {
            later.push_back(one);
        }
        let mut due = Vec::new();
        // All wait equally long, so the first to come is the first to go.
        while let Some((_, whom)) = later.pop_front_if(|(at, _)| *at <= now) {
            due.push((whom, until));
        }
        if due.is_empty() {
            continue;
        }
        if let Some(registry) = &registry {
            registry.revoke(due.iter().cloned());
        }
        if let Some(own) = &own {
            own.revoke(due).await;
        }
    }
}

fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
