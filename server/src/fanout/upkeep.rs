//! The upkeep of the fan-out: what other nodes publish comes in, and what may have been lost is looked for.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use chapar_protocol::{ChatId, CloseCode, UserId, Version};
use tokio::sync::mpsc;

use super::{Fanout, parcel::Parcel};
use crate::bus::{BusEvent, Topic};

const HEARTBEAT: Duration = Duration::from_secs(2);
/// A node that was not heard for this long is dead: what it committed last it may not have published.
const DEAD_AFTER: Duration = Duration::from_secs(7);
/// How often signed-out devices are looked for: `chapar admin` tells the database only, and a word may have been lost.
const DEVICE_SWEEP: Duration = Duration::from_secs(15);
/// How often topics without watchers are unsubscribed. Late, so that a reconnect finds its topics still there.
const UNSUBSCRIBE_SWEEP: Duration = Duration::from_secs(20);
/// Topics compared with the database in one query.
const COMPARE_PAGE: usize = 1000;

impl Fanout {
    /// Takes in what the other nodes publish, and keeps this node's view true. Does not end by itself.
    pub async fn run(self: Arc<Self>, mut events: mpsc::Receiver<BusEvent>) {
        let mut nodes: HashMap<u64, Instant> = HashMap::new();
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        let mut device_sweep = tokio::time::interval(DEVICE_SWEEP);
        let mut unsubscribe_sweep = tokio::time::interval(UNSUBSCRIBE_SWEEP);
        let mut listening = true;
        self.subscribe(&[Topic::Node]).await;
        loop {
            tokio::select! {
                event = events.recv(), if listening => match event {
                    // Without Redis nobody ever sends; the upkeep goes on all the same.
                    None => listening = false,
                    Some(BusEvent::Message { topic: Topic::Node, payload }) => self.accept_from_node(&mut nodes, payload),
                    Some(BusEvent::Message { topic, payload }) => {
                        if let Some(parcel) = Parcel::decode(payload) {
                            self.accept(topic, parcel);
                        } else {
                            tracing::warn!(?topic, "unreadable parcel on the bus: is another version running?");
                        }
                    }
                    Some(BusEvent::Resynchronise { unsent }) => {
                        self.compare();
                        self.make_up_for(unsent);
                        self.resynchronised.send_modify(|times| *times += 1);
                    }
                    Some(BusEvent::Company) => {
                        self.bus.publish(Topic::Node, Parcel::Compare.encode());
                        self.resynchronised.send_modify(|times| *times += 1);
                    }
                },
                _ = heartbeat.tick() => {
                    self.metrics.bus(&self.bus);
                    self.bus.publish(Topic::Node, Parcel::Heartbeat(self.node).encode());
                    if self.doubtful.load(Ordering::Relaxed) && self.store.ping().await.is_ok() {
                        self.doubtful.store(false, Ordering::Relaxed);
                        self.bus.publish(Topic::Node, Parcel::Compare.encode());
                        self.compare();
                    }
                    let before = nodes.len();
                    nodes.retain(|_, heard| heard.elapsed() < DEAD_AFTER);
                    if nodes.len() < before {
                        tracing::warn!("a node has vanished: comparing everything it may have changed");
                        self.compare();
                    }
                }
                _ = device_sweep.tick() => { tokio::spawn(self.clone().close_vanished_devices()); }
                _ = unsubscribe_sweep.tick() => self.unsubscribe_unwatched(),
            }
        }
    }

    /// Tells the other nodes that this one goes in order.
    pub fn goodbye(&self) {
        self.bus.publish(Topic::Node, Parcel::Goodbye(self.node).encode());
    }

    fn accept_from_node(self: &Arc<Self>, nodes: &mut HashMap<u64, Instant>, payload: Bytes) {
        match Parcel::decode(payload) {
            Some(Parcel::Heartbeat(node)) => {
                nodes.insert(node, Instant::now());
            }
            Some(Parcel::Goodbye(node)) => {
                nodes.remove(&node);
            }
            Some(Parcel::Compare) => self.compare(),
            _ => {}
        }
    }

    /// Compares everything watched here with the database, and fills what is missing.
    fn compare(self: &Arc<Self>) {
        self.metrics.comparisons.inc();
        let this = self.clone();
        tokio::spawn(async move {
            let topics = this.hub.topics();
            for page in topics.chunks(COMPARE_PAGE) {
                while let Err(error) = this.compare_page(page).await {
                    tracing::warn!(%error, "could not compare with the database yet");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            this.close_vanished_devices().await;
        });
    }

    async fn compare_page(self: &Arc<Self>, topics: &[Topic]) -> Result<(), crate::store::StoreError> {
        for (topic, version) in self.versions(topics).await? {
            self.known(topic, version);
        }
        Ok(())
    }

    async fn versions(&self, topics: &[Topic]) -> Result<Vec<(Topic, Version)>, crate::store::StoreError> {
        let (mut chats, mut users) = (Vec::new(), Vec::new());
        for topic in topics {
            match *topic {
                Topic::Chat(chat) => chats.push(ChatId(chat)),
                Topic::User(user) => users.push(UserId(user)),
                Topic::Presence(_) | Topic::Node => {}
            }
        }
        let chats =
            self.store.chat_versions(&chats).await?.into_iter().map(|(chat, version)| (Topic::Chat(chat.0), version));
        let users =
            self.store.user_versions(&users).await?.into_iter().map(|(user, version)| (Topic::User(user.0), version));
        Ok(chats.chain(users).collect())
    }

    /// Tells the other nodes of changes that could not be published while the bus was away.
    fn make_up_for(self: &Arc<Self>, unsent: Option<Vec<Topic>>) {
        let Some(topics) = unsent else {
            self.bus.publish(Topic::Node, Parcel::Compare.encode());
            return;
        };
        let this = self.clone();
        tokio::spawn(async move {
            for page in topics.chunks(COMPARE_PAGE) {
                match this.versions(page).await {
                    Ok(versions) => {
                        for (topic, version) in versions {
                            this.bus.publish(topic, Parcel::Hint(version).encode());
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "could not read what was not published: everybody compares");
                        return this.bus.publish(Topic::Node, Parcel::Compare.encode());
                    }
                }
            }
        });
    }

    async fn close_vanished_devices(self: Arc<Self>) {
        let outboxes = self.outboxes();
        for page in outboxes.chunks(COMPARE_PAGE) {
            let devices: Vec<_> = page.iter().filter_map(|outbox| outbox.who()).collect();
            match self.store.vanished_devices(&devices).await {
                Ok(vanished) => {
                    for outbox in page {
                        if outbox.who().is_some_and(|(_, device)| vanished.contains(&device)) {
                            outbox.close(CloseCode::InvalidToken);
                        }
                    }
                }
                Err(error) => return tracing::warn!(%error, "could not look for signed-out devices"),
            }
        }
    }

    fn unsubscribe_unwatched(&self) {
        let topics = std::mem::take(&mut *self.unwatched.lock());
        for topic in topics {
            self.hub.if_unwatched(topic, || self.bus.unsubscribe(&[topic]));
        }
    }
}
