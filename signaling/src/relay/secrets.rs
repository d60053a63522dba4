//! The secret that nodes and relays share, as a running relay holds it: it can be changed without a restart.

use std::sync::{PoisonError, RwLock};

use chapar_protocol::Timestamp;

use super::auth::{Authority, Grant};
use crate::credentials::Secret;

/// Credentials that are good for longer than this are refused, in seconds: nobody honest makes them.
const MAX_AHEAD_S: i64 = 86_400;

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

#[cfg(test)]
mod tests {
    use chapar_protocol::{UserId, call::CallId};
    use uuid::Uuid;

    use super::*;

    const OLD: &str = "the secret before this one";
    const NEW: &str = "the secret that is in force";

    fn at(unix: i64) -> Timestamp {
        Timestamp::from_millis(unix * 1000).expect("in range")
    }

    #[test]
    fn a_credential_is_worth_its_user_its_call_and_its_time() {
        let secrets = Secrets::new(Secret::new(NEW, Some(OLD.into())).expect("long enough"));
        let call = CallId(Uuid::from_u128(7));
        let made = secrets.current().issue(UserId(42), call, at(1_700), 300);
        let grant = secrets.grant(&made.username, 1_999).expect("good");
        assert_eq!((grant.user.as_str(), grant.call), ("42", Some(call.0.as_simple().to_string())));
        assert!(grant.passwords.contains(&made.password) && grant.passwords.len() == 2);
        assert!(
            !secrets
                .grant(&made.username.replace(":42:", ":43:"), 1_999)
                .expect("well formed")
                .passwords
                .contains(&made.password)
        );
        assert_eq!(secrets.grant(&made.username, 2_000), None, "expired");
        let far = secrets.current().issue(UserId(42), call, at(10_000_000), 300);
        assert_eq!(secrets.grant(&far.username, 1_999), None, "nobody honest made it");
        for bad in ["", "42", "x:42", "2000:", "2000::c", "99999999999:42", "18446744073709551616:42", "-1:42"] {
            assert_eq!(secrets.grant(bad, 1_999), None, "{bad}");
        }
        assert_eq!(secrets.grant(&made.username, u64::MAX), None);
    }

    #[test]
    fn a_replaced_secret_counts_at_once() {
        let secrets = Secrets::new(Secret::new(OLD, None).expect("long enough"));
        let made = secrets.current().issue(UserId(42), CallId(Uuid::from_u128(7)), at(1_700), 300);
        secrets.replace(Secret::new(NEW, None).expect("long enough"));
        assert!(!secrets.grant(&made.username, 1_900).expect("well formed").passwords.contains(&made.password));
    }
}
