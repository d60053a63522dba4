//! The two connections to one master: one that listens, one that publishes.

use std::collections::HashSet;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ConnectionAddr, Pipeline, RedisResult, Value};

use super::inbox::{EndNotice, Health, Inbox};
use super::publisher::Route;
use super::shared::Shared;
use super::topic::Topic;
use chapar_redis::Endpoint;

/// Subscriptions in one write at most.
const BATCH: usize = 1000;

pub(super) struct Link {
    pub(super) address: ConnectionAddr,
    pub(super) health: Arc<Health>,
    /// What Redis has confirmed.
    pub(super) subscribed: HashSet<Topic>,
    subscriber: MultiplexedConnection,
    publisher: MultiplexedConnection,
}

/// What a link shall change. A topic is in one of the two at most.
#[derive(Default)]
pub(super) struct Errand {
    pub(super) subscribe: Vec<Topic>,
    pub(super) unsubscribe: Vec<Topic>,
}

impl Link {
    pub(super) async fn open(shared: Arc<Shared>, endpoint: &Endpoint, address: ConnectionAddr) -> RedisResult<Self> {
        let health = Arc::new(Health::default());
        let notice = EndNotice { shared: Arc::downgrade(&shared), health: Arc::clone(&health) };
        let inbox = Inbox { shared, health: Arc::clone(&health) };
        let listening = AsyncConnectionConfig::new().set_push_sender(inbox);
        let publishing = AsyncConnectionConfig::new().set_push_sender(notice);
        let (subscriber, publisher) = tokio::try_join!(
            endpoint.connect(address.clone(), listening),
            endpoint.connect(address.clone(), publishing)
        )?;
        Ok(Self { address, health, subscribed: HashSet::new(), subscriber, publisher })
    }

    pub(super) fn route(&self) -> Route {
        Route { connection: self.publisher.clone(), health: Arc::clone(&self.health) }
    }

    /// Subscribes and unsubscribes, and waits for the confirmations. Returns false when the server refused a subscription (its
    /// slot has moved, or rights are missing).
    pub(super) async fn run(&mut self, errand: Errand, sharded: bool) -> RedisResult<bool> {
        let (subscribe, unsubscribe) =
            if sharded { ("SSUBSCRIBE", "SUNSUBSCRIBE") } else { ("SUBSCRIBE", "UNSUBSCRIBE") };
        let mut all_granted = true;
        for topics in errand.unsubscribe.chunks(BATCH) {
            self.health.expect_unsubscribed(topics.len());
            for (topic, granted) in self.send(unsubscribe, topics).await? {
                self.subscribed.remove(&topic);
                if !granted {
                    // The slot has gone to another master, and this one no longer sends it.
                    self.health.unsubscribed();
                }
            }
        }
        for topics in errand.subscribe.chunks(BATCH) {
            for (topic, granted) in self.send(subscribe, topics).await? {
                all_granted &= granted;
                if granted {
                    self.subscribed.insert(topic);
                }
            }
        }
        Ok(all_granted)
    }

    /// One command per topic, so that each has exactly one reply, also when it is an error.
    async fn send(&mut self, command: &str, topics: &[Topic]) -> RedisResult<Vec<(Topic, bool)>> {
        let mut pipeline = Pipeline::with_capacity(topics.len());
        for topic in topics {
            let mut subscription = Cmd::new();
            subscription.arg(command).arg(topic.channel().as_bytes());
            pipeline.add_command(subscription);
        }
        let replies = self.subscriber.send_packed_commands(&pipeline, 0, topics.len()).await?;
        Ok(topics
            .iter()
            .copied()
            .zip(replies)
            .map(|(topic, reply)| (topic, !matches!(reply, Value::ServerError(_))))
            .collect())
    }

    /// Whether both connections answer, and with Sentinel whether this is still the master.
    pub(super) async fn check(&self, endpoint: &Endpoint) -> RedisResult<()> {
        let (mut subscriber, mut publisher) = (self.subscriber.clone(), self.publisher.clone());
        let ping = redis::cmd("PING");
        tokio::try_join!(ping.exec_async(&mut subscriber), ping.exec_async(&mut publisher))?;
        if endpoint.is_sentinel() { endpoint.check_role(&mut publisher).await } else { Ok(()) }
    }

    /// What this master says about the layout; see [`Endpoint::ask`].
    pub(super) async fn ask(&self, endpoint: &Endpoint) -> RedisResult<Option<chapar_redis::Layout>> {
        endpoint.ask(&mut self.publisher.clone(), &self.address).await
    }
}
