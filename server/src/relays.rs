//! The relays of calls, as a node knows them: its own, those elsewhere, and the credentials for them.

mod own;
mod secret;

use std::{
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
        secrets::Secrets,
    },
};
use tokio_rustls::TlsAcceptor;

use crate::{serve::Failure, settings::Settings};

use own::Own;

/// Revocations are remembered for as long as credentials made before them could be good, and a little.
const REVOKED_FOR_S: u64 = LIFETIME_S as u64 + 60;

/// Which relays there are, and what opens them.
pub struct Relays {
    secrets: Arc<Secrets>,
    own: Option<Own>,
    /// Those that the settings name.
    fixed: Vec<Entry>,
}

impl Relays {
    /// Starts the node's own relay, unless it is switched off.
    ///
    /// # Errors
    /// A sentence for the operator: an address that was asked for cannot be had.
    pub async fn start(settings: &Settings, tls: Option<&TlsAcceptor>) -> Result<Arc<Self>, Failure> {
        let secrets = Arc::new(Secrets::new(secret::of(settings)?));
        let own = Own::start(settings, tls, &secrets).await?;
        Ok(Arc::new(Self { secrets, own, fixed: settings.relay.others.clone() }))
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
        let call = call.0.as_simple().to_string();
        if let Some(own) = &self.own {
            own.relay.revoke_call(&call, unix() + REVOKED_FOR_S).await;
        }
    }

    /// The same for everything that a person holds at the relays, in whatever call.
    pub async fn revoke_user(&self, user: UserId) {
        if let Some(own) = &self.own {
            own.relay.revoke_user(&user.0.to_string(), unix() + REVOKED_FOR_S).await;
        }
    }

    /// The own relay takes no new allocations from now on.
    pub async fn drain(&self) {
        if let Some(own) = &self.own {
            own.drain().await;
        }
    }

    fn known(&self) -> Vec<Entry> {
        let own = self.own.iter().map(Own::entry);
        own.chain(self.fixed.iter().cloned()).collect()
    }
}

fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
