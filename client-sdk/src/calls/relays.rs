//! How far away each relay is: one STUN question (RFC 8489) to each, now and then.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chapar_protocol::{
    call::{RelayInfo, RelayRoundTrip},
    command::GetRelays,
};
use stun_types::message::{BINDING, Message, MessageWrite as _, MessageWriteExt as _, MessageWriteVec};
use tokio::{net::UdpSocket, task::JoinSet, time::timeout};

use super::peer::{RelayUrl, own_address};
use crate::Client;

/// The most relays that are asked.
const MAX_RELAYS: usize = 16;
/// How often each is asked; the least round trip counts.
const QUESTIONS: usize = 3;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long a measurement holds.
const FRESH: Duration = Duration::from_mins(10);

/// The round trips measured last.
#[derive(Clone, Default)]
pub(crate) struct RoundTrips(Arc<Mutex<(Option<Instant>, Vec<RelayRoundTrip>)>>);

impl RoundTrips {
    /// What is known now. An old measurement is renewed in the background: no call waits for it.
    pub(crate) fn known(&self, client: &Client) -> Vec<RelayRoundTrip> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0.is_none_or(|at| at.elapsed() > FRESH) {
            held.0 = Some(Instant::now());
            let (client, this) = (client.clone(), self.clone());
            tokio::spawn(async move {
                // A server without this command, or without relays, has nothing to measure.
                let Ok(known) = client.call(&GetRelays {}).await else { return };
                let measured = measure(known.relays).await;
                this.0.lock().unwrap_or_else(PoisonError::into_inner).1 = measured;
            });
        }
        held.1.clone()
    }
}

/// Asks all at once; those that do not answer are left out.
pub(crate) async fn measure(relays: Vec<RelayInfo>) -> Vec<RelayRoundTrip> {
    let mut asked = JoinSet::new();
    for relay in relays.into_iter().take(MAX_RELAYS) {
        asked.spawn(async move {
            let url = relay.stun.iter().find_map(|url| RelayUrl::parse(url))?;
            let mut least: Option<Duration> = None;
            for _ in 0..QUESTIONS {
                let round_trip = timeout(PATIENCE, ask(&url)).await.ok().flatten();
                least = round_trip.map_or(least, |it| Some(least.map_or(it, |least| least.min(it))));
            }
            let ms = u32::try_from(least?.as_millis()).unwrap_or(u32::MAX);
            Some(RelayRoundTrip { relay: relay.name, ms })
        });
    }
    asked.join_all().await.into_iter().flatten().collect()
}

async fn ask(url: &RelayUrl) -> Option<Duration> {
    let remote = tokio::net::lookup_host((url.host.as_str(), url.port)).await.ok()?.next()?;
    let socket = UdpSocket::bind((own_address(remote).ok()?, 0)).await.ok()?;
    socket.connect(remote).await.ok()?;
    let request = Message::builder_request(BINDING, MessageWriteVec::new());
    let transaction = request.transaction_id();
    let began = Instant::now();
    socket.send(&request.finish()).await.ok()?;
    let mut buffer = [0; 1_024];
    loop {
        let length = socket.recv(&mut buffer).await.ok()?;
        let answers =
            Message::from_bytes(&buffer[..length]).is_ok_and(|message| message.transaction_id() == transaction);
        if answers {
            return Some(began.elapsed());
        }
    }
}
