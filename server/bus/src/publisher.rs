//! Publishes what waits in the outbox: many in one write.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use tokio::time::Instant;

use super::inbox::{Frame, Health};
use super::shared::{Counts, Shared};
use super::topic::Topic;
use chapar_redis::Layout;

/// Publications in one write at most.
const BATCH: usize = 512;
/// Payload bytes after which a batch is closed.
const BATCH_BYTES: usize = 1 << 20;
/// Writes that may be without their answer.
const IN_FLIGHT: usize = 2;
/// After a write, the next waits so long that more can gather. The first after a pause goes at once.
const GATHER: Duration = Duration::from_millis(1);

/// Where each topic is published now.
#[derive(Default)]
pub(super) struct Routes {
    /// `None` before the first layout is known.
    pub(super) layout: Option<Arc<Layout>>,
    /// By index of the layout's masters; `None` for one that is not linked.
    pub(super) masters: Vec<Option<Route>>,
}

#[derive(Clone)]
pub(super) struct Route {
    pub(super) connection: MultiplexedConnection,
    pub(super) health: Arc<Health>,
}

impl Routes {
    /// Whether there is nowhere to publish at all.
    pub(super) fn is_empty(&self) -> bool {
        self.masters.iter().all(Option::is_none)
    }

    /// The way to the master of a topic, if it is linked.
    pub(super) fn route(&self, topic: Topic) -> Option<Route> {
        self.masters.get(self.owner(topic)?)?.clone()
    }

    fn owner(&self, topic: Topic) -> Option<usize> {
        let owner = self.layout.as_ref()?.owner(topic.slot())?;
        self.masters.get(owner)?.as_ref().map(|_| owner)
    }
}

/// Runs until it is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut flights = FuturesUnordered::new();
    let mut gather_until = Instant::now();
    loop {
        tokio::select! {
            biased;
            Some(()) = flights.next(), if !flights.is_empty() => {}
            () = shared.filled.notified(), if flights.len() < IN_FLIGHT => {
                if shared.waiting_publications() < BATCH {
                    tokio::time::sleep_until(gather_until).await;
                }
                let (batch, left) = shared.take_publications(BATCH, BATCH_BYTES);
                if left > 0 {
                    shared.filled.notify_one();
                }
                gather_until = Instant::now() + GATHER;
                if !batch.is_empty() {
                    flights.push(publish(&shared, batch));
                }
            }
        }
    }
}

/// What goes to one master in one write.
struct Parcel {
    route: Route,
    pipeline: Pipeline,
    topics: Vec<Topic>,
}

async fn publish(shared: &Shared, batch: Vec<(Topic, Bytes)>) {
    let routes = shared.routes.load_full();
    let command = if routes.layout.as_ref().is_some_and(|layout| layout.is_sharded()) { "SPUBLISH" } else { "PUBLISH" };
    let mut parcels: Vec<Option<Parcel>> = routes.masters.iter().map(|_| None).collect();
    let mut homeless = Vec::new();
    for (topic, payload) in &batch {
        let Some((owner, route)) =
            routes.owner(*topic).and_then(|owner| Some((owner, routes.masters[owner].as_ref()?)))
        else {
            homeless.push(*topic);
            continue;
        };
        let parcel = parcels[owner].get_or_insert_with(|| Parcel {
            route: route.clone(),
            pipeline: Pipeline::with_capacity(batch.len()),
            topics: Vec::with_capacity(batch.len()),
        });
        let channel = topic.channel();
        let mut publication =
            Cmd::with_capacity(3, command.len() + channel.as_bytes().len() + size_of::<u64>() + payload.len());
        publication.arg(command).arg(channel.as_bytes()).arg(Frame { node: shared.node, payload });
        parcel.pipeline.add_command(publication);
        parcel.topics.push(*topic);
    }
    let count = batch.len();
    drop(batch);
    if !homeless.is_empty() {
        shared.lose(homeless);
    }
    join_all(parcels.into_iter().flatten().map(|parcel| send(shared, parcel))).await;
    shared.under_way.fetch_sub(count, Ordering::SeqCst);
}

async fn send(shared: &Shared, mut parcel: Parcel) {
    let count = parcel.topics.len();
    let Ok(replies) = parcel.route.connection.send_packed_commands(&parcel.pipeline, 0, count).await else {
        shared.lose(parcel.topics);
        parcel.route.health.break_down(shared);
        return;
    };
    let refused: Vec<_> = parcel
        .topics
        .iter()
        .zip(&replies)
        .filter(|(_, reply)| matches!(reply, Value::ServerError(_)))
        .map(|(topic, _)| *topic)
        .collect();
    Counts::add(&shared.counts.published, count - refused.len());
    if !refused.is_empty() {
        // The slot has moved, or the server is loading or lacks its master: the driver looks again.
        shared.lose(refused);
        shared.doubt.store(true, Ordering::SeqCst);
        shared.wake.notify_one();
    }
}
