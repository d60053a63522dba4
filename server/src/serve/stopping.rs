//! How a node ends: what asks it to, and its way down, every step of which has a bound.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use chapar_protocol::{CloseCode, Event, event::Drain, frame};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;
use crate::app::App;

/// From the word that the node goes away until its connections are closed: time to finish what is under way.
const LAST_ORDERS: Duration = Duration::from_secs(1);
/// How long each other step of the way down may take. What it leaves undone others find out as from a node that was killed.
const STEP: Duration = Duration::from_secs(5);

/// The signals that end a node in order. One that came since they are listened for is not lost.
pub(super) struct Stopped {
    term: Signal,
    int: Signal,
}

impl Stopped {
    pub(super) fn listen() -> Result<Self, Failure> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn signal(&mut self) {
        tokio::select! { _ = self.term.recv() => {} _ = self.int.recv() => {} }
    }
}

/// Tells everybody to come back elsewhere, spread over time, lets what is under way finish, and closes. People come first, and
/// are told whatever the other steps wait for.
pub(super) async fn drain(app: &Arc<App>) {
    app.draining.store(true, Ordering::Relaxed);
    tracing::info!(connections = app.metrics.connections.get(), "draining");
    let deadline = Instant::now() + Duration::from_secs(app.settings.drain_seconds);
    let spread = u32::try_from(app.settings.reconnect_spread_ms).unwrap_or(u32::MAX);
    for outbox in app.fanout.outboxes() {
        let reconnect_after_ms = rand::random_range(0..=spread);
        outbox.push(frame::event(&Event::Drain(Drain { reconnect_after_ms })).into());
    }
    tokio::join!(
        step("telling of the relay's end", app.relays.drain()),
        // Those who talk over this node alone are told so while they are connected.
        step("ending the calls", app.calls.end_with_node()),
        tokio::time::sleep(LAST_ORDERS.min(Duration::from_secs(app.settings.drain_seconds))),
    );
    // Also those who said `hello` just before the node began to drain, and were not told.
    for outbox in app.fanout.outboxes() {
        outbox.close(CloseCode::Drain);
    }
    while (app.metrics.connections.get() > 0 || app.answering.any()) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tracing::info!(connections = app.metrics.connections.get(), "drained");
}

/// A step of the way down, which ends.
pub(super) async fn step(what: &'static str, doing: impl Future<Output = ()>) {
    step_within(what, STEP, doing).await;
}

async fn step_within(what: &'static str, patience: Duration, doing: impl Future<Output = ()>) {
    if tokio::time::timeout(patience, doing).await.is_err() {
        tracing::warn!(what, seconds = patience.as_secs(), "not done in time: going on without it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_step_that_does_not_end_is_left() {
        step_within("nothing", Duration::from_millis(10), std::future::pending()).await;
    }
}
