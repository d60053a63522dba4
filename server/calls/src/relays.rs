//! The relays of calls, as a node knows them: its own, those elsewhere, and the credentials for them.

mod own;
mod revoker;
mod secret;
mod watch;

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use chapar_protocol::{
    ErrorCode, Timestamp, UserId, WireError,
    call::{CallId, IceServer, RelayInfo, RelayRoundTrip},
    command::CallServers,
};
use chapar_signaling::{
    credentials::LIFETIME_S,
    relay::{
        directory::{Entry, MOST_RELAYS, nearest},
        ledger::Revoked,
        registry::{Part, Registry},
        secrets::Secrets,
        server::Relay,
    },
    sdp::{RelayPlace, address::Network},
};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::settings::Settings;

use own::Own;
use revoker::Revoker;
use watch::Watched;

/// Why the own relay could not be started, in a sentence for the operator.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The names of TURN and STUN in TLS (RFC 7443).
pub const TURN: [&[u8]; 2] = [b"stun.turn", b"stun.nat-discovery"];

/// Which relays there are, and what opens them.
pub struct Relays {
    secrets: Arc<Secrets>,
    own: Option<Own>,
    /// Those that the settings name.
    fixed: Vec<Watched>,
    /// Those that register themselves, and the way to them.
    registry: Option<Arc<Registry>>,
    revoker: Revoker,
}

impl Relays {
    /// Starts the node's own relay, unless it is switched off. HTTP is served at `listens`, with TLS or without. The tasks go on
    /// as long as the node does.
    ///
    /// # Errors
    /// A sentence for the operator: an address that was asked for cannot be had.
    pub async fn start(
        settings: &Settings,
        listens: SocketAddr,
        tls: Option<&TlsAcceptor>,
    ) -> Result<(Arc<Self>, Vec<JoinHandle<()>>), Failure> {
        let secrets = Arc::new(Secrets::new(secret::of(settings)?));
        let own = Own::start(settings, listens, tls, &secrets).await?;
        let mut tasks = Vec::new();
        let registry = match &settings.redis_url {
            Some(url) => {
                let mut registry = Registry::start(url.expose(), part(settings, own.as_ref(), &secrets))?;
                tasks.extend(registry.take_task());
                Some(Arc::new(registry))
            }
            None => None,
        };
        let fixed = settings.relay.others.iter().cloned().map(|entry| Watched::start(entry, &mut tasks)).collect();
        let (revoker, task) = Revoker::start(own.as_ref().map(|own| own.relay.clone()), registry.clone());
        tasks.push(task);
        Ok((Arc::new(Self { secrets, own, fixed, registry, revoker }), tasks))
    }

    /// The node's own relay, if it runs one.
    pub fn own(&self) -> Option<Arc<Relay>> {
        self.own.as_ref().map(|own| own.relay.clone())
    }

    /// Every relay that can be measured, at most [`MOST_RELAYS`].
    pub fn list(&self) -> Vec<RelayInfo> {
        let known = self.known();
        known.iter().filter(|entry| !entry.draining).take(MOST_RELAYS).map(Entry::info).collect()
    }

    /// From where the relays relay, in a settled order.
    pub fn places(&self) -> Vec<RelayPlace> {
        let mut all: Vec<(IpAddr, (u16, u16))> =
            self.known().iter().flat_map(|it| it.relayed.iter().map(|at| (*at, it.ports))).collect();
        all.sort_unstable();
        all.dedup();
        let place = |(address, (first, last)): (IpAddr, (u16, u16))| RelayPlace {
            network: Network { address, prefix: if address.is_ipv4() { 32 } else { 128 } },
            ports: first..=last,
        };
        all.into_iter().map(place).collect()
    }

    /// Credentials for one person in one call, at the relays nearest to the asking device.
    ///
    /// # Errors
    /// More measurements than there can be relays.
    pub fn servers(
        &self,
        user: UserId,
        call: CallId,
        measured: &[RelayRoundTrip],
        now: Timestamp,
    ) -> Result<CallServers, WireError> {
        if measured.len() > MOST_RELAYS {
            return Err(WireError::new(ErrorCode::TooLarge, "at most 64 round trips"));
        }
        let credentials = self.secrets.current().issue(user, call, now, LIFETIME_S);
        let known = self.known();
        let servers = nearest(&known, measured, rand::random()).into_iter().map(|entry| IceServer {
            name: entry.name.clone(),
            region: entry.region.clone(),
            urls: entry.stun.iter().chain(&entry.turn).cloned().collect(),
            username: credentials.username.clone(),
            credential: credentials.password.clone(),
        });
        let expires_at = now.as_millis() + i64::from(LIFETIME_S) * 1000;
        Ok(CallServers { servers: servers.collect(), expires_at: Timestamp::from_millis(expires_at).unwrap_or(now) })
    }

    /// What the own relay counts, as Prometheus reads it. Empty without one.
    pub fn metrics(&self) -> String {
        self.own.as_ref().map_or_else(String::new, |own| own.relay.metrics(&own.entry()))
    }

    /// Soon ends what a call holds at the relays; credentials that were handed out for it open nothing any more.
    pub fn call_ended(&self, call: CallId) {
        self.revoker.soon(Revoked::Call(call.0.as_simple().to_string()));
    }

    /// The own relay takes no new allocations from now on, after everybody has heard so.
    pub async fn drain(&self) {
        let Some(own) = &self.own else { return };
        own.relay.announce_drain();
        if let Some(registry) = &self.registry {
            registry.renew().await;
        }
        own.relay.drain().await;
    }

    fn known(&self) -> Vec<Entry> {
        let mut known: Vec<Entry> =
            self.own.iter().map(Own::entry).chain(self.fixed.iter().filter_map(Watched::entry)).collect();
        let registered = self.registry.as_ref().map(|registry| registry.entries()).unwrap_or_default();
        for entry in registered {
            if known.iter().all(|it| it.name != entry.name) {
                known.push(entry);
            }
        }
        known
    }
}

fn part(settings: &Settings, own: Option<&Own>, secrets: &Arc<Secrets>) -> Part {
    let share_secret = settings.relay.secrets.is_none().then(|| secrets.clone());
    let relay = own.map(|own| own.relay.clone());
    let entry = own.map(|own| {
        let (advert, relay) = (own.advert.clone(), own.relay.clone());
        let entry: Box<dyn Fn() -> Entry + Send + Sync> = Box::new(move || advert.now(&relay));
        entry
    });
    Part { relay, entry, share_secret, reads: true }
}
