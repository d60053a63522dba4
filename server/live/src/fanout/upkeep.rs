//! The upkeep of the fan-out: what other nodes publish comes in, and what may have been lost is looked for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinSet};

use super::{Fanout, heal::HEALERS, parcel::Parcel};
use crate::bus::{BusEvent, Topic};

const HEARTBEAT: Duration = Duration::from_secs(2);
/// A node that was not heard for this long is dead: what it committed last it may not have published.
const DEAD_AFTER: Duration = Duration::from_secs(7);
/// How long each of the last words of a node that goes may take.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often topics without watchers are unsubscribed. Late, so that a reconnect finds its topics still there.
const UNSUBSCRIBE_SWEEP: Duration = Duration::from_secs(20);

impl Fanout {
    /// Takes in what the other nodes publish, and keeps this node's view true. Does not end by itself.
    pub async fn run(self: Arc<Self>, mut events: mpsc::Receiver<BusEvent>) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        let mut unsubscribe_sweep = tokio::time::interval(UNSUBSCRIBE_SWEEP);
        let mut listening = true;
        // They end with this one; one that ends before it has met a bug.
        let mut helpers = JoinSet::new();
        for _ in 0..HEALERS {
            helpers.spawn(self.clone().heal_gaps());
        }
        helpers.spawn(self.clone().compare_in_rounds());
        helpers.spawn(self.clone().sweep());
        helpers.spawn(self.clone().write_last_seen());
        helpers.spawn(self.clone().look_after_presence());
        self.subscribe(&[Topic::Node]).await;
        loop {
            tokio::select! {
                Some(ended) = helpers.join_next() => {
                    tracing::error!(?ended, "a part of the upkeep has ended");
                    return;
                }
                event = events.recv(), if listening => match event {
                    // Without Redis nobody ever sends; the upkeep goes on all the same.
                    None => listening = false,
                    Some(BusEvent::Message { topic: Topic::Node, payload, .. }) => self.accept_from_node(payload),
                    Some(BusEvent::Message { topic, payload, place }) => {
                        if let Some(parcel) = Parcel::decode(payload) {
                            self.accept(topic, parcel);
                        } else {
                            tracing::warn!(?topic, "unreadable parcel on the bus: is another version running?");
                        }
                        drop(place);
                    }
                    Some(BusEvent::Resynchronise { missed, unsent }) => self.resynchronise(missed, unsent),
                    Some(BusEvent::Company) => {
                        self.bus.publish(Topic::Node, Parcel::Compare.encode());
                        self.resynchronised.send_modify(|times| *times += 1);
                    }
                },
                _ = heartbeat.tick() => {
                    self.metrics.bus(&self.bus);
                    self.bus.publish(Topic::Node, Parcel::Heartbeat(self.node).encode());
                    if self.forget_silent_nodes() {
                        tracing::warn!("a node has vanished: comparing everything it may have changed");
                        self.suspect_all();
                    }
                }
                _ = unsubscribe_sweep.tick() => self.unsubscribe_unwatched(),
            }
        }
    }

    /// Tells the other nodes that this one goes in order, after everything else that it had to tell them: they will not look for
    /// what is missing. Takes [`LAST_WORDS`] at most, three times over.
    pub async fn goodbye(&self) {
        let _ = tokio::time::timeout(LAST_WORDS, self.write_last()).await;
        self.bus.flush(LAST_WORDS).await;
        self.bus.publish(Topic::Node, Parcel::Goodbye(self.node).encode());
        self.bus.flush(LAST_WORDS).await;
    }

    /// Whether another node was heard lately.
    pub(super) fn knows_node(&self, node: u64) -> bool {
        self.nodes.lock().contains_key(&node)
    }

    fn forget_silent_nodes(&self) -> bool {
        let mut nodes = self.nodes.lock();
        let before = nodes.len();
        nodes.retain(|_, heard| heard.elapsed() < DEAD_AFTER);
        nodes.len() < before
    }

    fn accept_from_node(&self, payload: Bytes) {
        match Parcel::decode(payload) {
            Some(Parcel::Heartbeat(node)) => {
                self.nodes.lock().insert(node, Instant::now());
            }
            Some(Parcel::Goodbye(node)) => {
                self.nodes.lock().remove(&node);
            }
            Some(Parcel::Compare) => {
                self.suspect_all();
                self.suspect_presence(None);
            }
            _ => {}
        }
    }

    /// What came from others while the bus was away may have been missed here, and what this node told elsewhere.
    fn resynchronise(&self, missed: Option<Vec<Topic>>, unsent: Option<Vec<Topic>>) {
        let is_of_somebody = |topics: &Option<Vec<Topic>>| {
            topics.as_ref().is_none_or(|topics| topics.iter().any(|topic| matches!(topic, Topic::User(_))))
        };
        if is_of_somebody(&missed) || is_of_somebody(&unsent) {
            self.resynchronised.send_modify(|times| *times += 1);
        }
        self.suspect_presence(missed.as_deref());
        self.repeat_presence(unsent.as_deref().unwrap_or_default());
        match missed {
            Some(topics) => self.suspect(topics),
            None => self.suspect_all(),
        }
        match unsent {
            Some(topics) => self.doubt_topics(topics),
            None => self.doubt_all(),
        }
    }

    fn unsubscribe_unwatched(&self) {
        let topics = std::mem::take(&mut *self.unwatched.lock());
        for topic in topics {
            self.hub.if_unwatched(topic, || self.bus.unsubscribe(&[topic]));
        }
    }
}
