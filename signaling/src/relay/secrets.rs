//! The secret that nodes and relays share, as a running relay holds it: it can be changed without a restart.

use std::sync::{PoisonError, RwLock};

use chapar_protocol::Timestamp;

use super::auth::{Authority, Grant};
use crate::credentials::Secret;

/// Credentials that are good for longer than this are refused, in seconds: nobody honest makes them.
const MAX_AHEAD_S: i64 = 7 * 86_400;

/// The secret in force.
#[derive(Debug)]
pub struct Secrets(RwLock<Secret>);

impl Secrets {
    /// Begins with this one.
    pub fn new(secret: Secret) -> Self {
        Self(RwLock::new(secret))
    }

    /// The one in force.
    pub fn current(&self) -> Secret {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces it. What was made with the old one opens no new allocation any more; running ones go on.
    pub fn replace(&self, secret: Secret) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = secret;
    }
}

impl Authority for Secrets {
    fn grant(&self, username: &str, unix: u64) -> Option<Grant> {
        let unix = i64::try_from(unix).ok()?;
        let now = Timestamp::from_millis(unix.checked_mul(1000)?)?;
        let secret = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (grant, passwords) = secret.passwords(username, now).ok()?;
        if grant.expires_at_s - unix > MAX_AHEAD_S {
            return None;
        }
        let call = Some(grant.call.0.as_simple().to_string());
        Some(Grant { passwords, user: grant.user.0.to_string(), call })
    }
}
