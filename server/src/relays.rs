//! The relays of calls, as a node knows them: its own, those elsewhere, and the credentials for them.

mod own;
mod secret;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
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
        registry::{Part, REVOKED_FOR_S, Registry, Revoked},
        secrets::Secrets,
        server::Relay,
    },
};
use tokio_rustls::TlsAcceptor;

use crate::{serve::Failure, settings::Settings};

use own::Own;

/// Which relays there are, and what opens them.
pub struct Relays {
    secrets: Arc<Secrets>,
    own: Option<Own>,
    /// Those that the settings name.
    fixed: Vec<Entry>,
    /// Those that register themselves, and the way to them.
    registry: Option<Registry>,
}

impl Relays {
    /// Starts the node's own relay, unless it is switched off. HTTP is served at `listens`, with TLS or without.
    ///
    /// # Errors
    /// A sentence for the operator: an address that was asked for cannot be had.
    pub async fn start(
        settings: &Settings,
        listens: SocketAddr,
        tls: Option<&TlsAcceptor>,
    ) -> Result<Arc<Self>, Failure> {
        let secrets = Arc::new(Secrets::new(secret::of(settings)?));
        let own = Own::start(settings, listens, tls, &secrets).await?;
        let registry = match &settings.redis_url {
            Some(url) => Some(Registry::start(url.expose(), part(settings, own.as_ref(), &secrets))?),
            None => None,
        };
        Ok(Arc::new(Self { secrets, own, fixed: settings.relay.others.clone(), registry }))
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

    /// Ends what a call holds at the relays; credentials that were handed out for it open nothing any more.
    pub async fn revoke_call(&self, call: CallId) {
        let (call, until) = (call.0.as_simple().to_string(), unix() + REVOKED_FOR_S);
        if let Some(own) = &self.own {
            own.relay.revoke_call(&call, until).await;
        }
        if let Some(registry) = &self.registry {
            registry.revoke(Revoked::Call(call), until);
        }
    }

    /// The same for everything that a person holds at the relays, in whatever call.
    pub async fn revoke_user(&self, user: UserId) {
        let (user, until) = (user.0.to_string(), unix() + REVOKED_FOR_S);
        if let Some(own) = &self.own {
            own.relay.revoke_user(&user, until).await;
        }
        if let Some(registry) = &self.registry {
            registry.revoke(Revoked::User(user), until);
        }
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
        let mut known: Vec<Entry> = self.own.iter().map(Own::entry).chain(self.fixed.iter().cloned()).collect();
        let registered = self.registry.as_ref().map(Registry::entries).unwrap_or_default();
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

fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
