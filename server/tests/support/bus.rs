//! A node's side of the bus, for tests.

#![allow(dead_code, reason = "each test file uses another part")]

use std::time::Duration;

use bytes::Bytes;
use chapar_server::bus::{Bus, BusEvent, Topic};
use tokio::sync::mpsc;

use super::redis::wait_for;

/// A bus with its queue of events.
pub(crate) struct Node {
    pub(crate) bus: Bus,
    pub(crate) events: mpsc::Receiver<BusEvent>,
}

impl Node {
    pub(crate) fn start(url: &str, id: u64) -> Self {
        Self::with_queue(url, id, 10_000)
    }

    pub(crate) fn with_queue(url: &str, id: u64, length: usize) -> Self {
        let (sender, events) = mpsc::channel(length);
        Self { bus: Bus::start(Some(url), id, sender).expect("a good URL"), events }
    }

    pub(crate) async fn connected(&self) {
        wait_for("the bus is connected", async || self.bus.is_connected()).await;
    }

    pub(crate) async fn disconnected(&self) {
        wait_for("the bus is disconnected", async || !self.bus.is_connected()).await;
    }

    /// The next event; panics after 20 seconds.
    pub(crate) async fn next(&mut self) -> BusEvent {
        tokio::time::timeout(Duration::from_secs(20), self.events.recv())
            .await
            .expect("an event in time")
            .expect("the bus lives")
    }

    /// The next message; a `Resynchronise` here is a failure.
    pub(crate) async fn message(&mut self) -> (Topic, Bytes) {
        loop {
            match self.next().await {
                BusEvent::Message { topic, payload, .. } => return (topic, payload),
                BusEvent::Company => {}
                BusEvent::Resynchronise { unsent, .. } => panic!("nothing was lost, but: resynchronise {unsent:?}"),
            }
        }
    }

    /// Passes over messages until a `Resynchronise`, and returns its unsent topics, sorted.
    pub(crate) async fn resynchronise(&mut self) -> Option<Vec<Topic>> {
        loop {
            if let BusEvent::Resynchronise { unsent, .. } = self.next().await {
                return unsent.map(|mut unsent| {
                    unsent.sort_by_key(|topic| format!("{topic:?}"));
                    unsent
                });
            }
        }
    }

    /// Whether a publication of `from` arrives here, after at most a second; passes over everything else.
    pub(crate) async fn hears(&mut self, from: &Self, topic: Topic, payload: &'static str) -> bool {
        from.bus.publish(topic, Bytes::from_static(payload.as_bytes()));
        let heard = async {
            while let Some(event) = self.events.recv().await {
                if matches!(&event, BusEvent::Message { topic: at, payload: got, .. } if *at == topic && got == payload)
                {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(Duration::from_secs(1), heard).await.unwrap_or(false)
    }
}

pub(crate) fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}
