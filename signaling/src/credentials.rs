//! Time-limited TURN credentials after the scheme of draft-uberti-behave-turn-rest-00, as coturn's `use-auth-secret`
//! takes them: the user name is `expiry:user:call`, the password the base64 of HMAC-SHA1 over it.
//!
//! The server that makes them and the relays that check them share only a secret. They name the person and the call,
//! so that a relay can count by person and let go of a call that has ended. SHA-1 is what coturn demands; HMAC does not
//! rest on its collision resistance (RFC 6151 and RFC 6194 section 3.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chapar_protocol::call::CallId;
use chapar_protocol::{Timestamp, UserId};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::sdp::candidate::number;

/// The usual life of credentials, in seconds. They are checked when a relay address is allocated, and not when it is
/// refreshed: a long call goes on.
pub const LIFETIME_S: u32 = 300;
/// The shortest secret, in bytes: as much as SHA-1 gives.
pub const LEAST_SECRET: usize = 20;

/// What a device shows to a relay.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `expiry:user:call`, the expiry in seconds since 1970.
    pub username: String,
    /// 28 characters of base64.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Whom credentials stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub user: UserId,
    /// In which call.
    pub call: CallId,
    /// Until when, in seconds since 1970.
    pub expires_at_s: i64,
}

/// Why credentials are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The user name is not `expiry:user:call`.
    #[error("not a user name of this scheme")]
    Malformed,
    /// Made with another secret, or for another user name.
    #[error("wrong password")]
    WrongPassword,
    /// Too old.
    #[error("expired")]
    Expired,
    /// Good, but for another person or another call.
    #[error("for another person or call")]
    NotYours,
}

/// The secret that servers and relays share, and the one before it while it is being changed.
#[derive(Clone)]
pub struct Secret {
    current: Vec<u8>,
    previous: Option<Vec<u8>>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// `None` when a secret is shorter than [`LEAST_SECRET`].
    pub fn new(current: impl Into<Vec<u8>>, previous: Option<Vec<u8>>) -> Option<Self> {
        let current = current.into();
        let long = |secret: &[u8]| secret.len() >= LEAST_SECRET;
        (long(&current) && previous.as_deref().is_none_or(long)).then_some(Self { current, previous })
    }

    /// The present secret as text, for those who share it over a channel they trust. What is not UTF-8 was not made here,
    /// and is not shared as it is.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.current).into_owned()
    }

    /// Makes credentials for one person in one call, good for `lifetime_s` seconds.
    pub fn issue(&self, user: UserId, call: CallId, now: Timestamp, lifetime_s: u32) -> Credentials {
        let expiry = now.as_millis().div_euclid(1000) + i64::from(lifetime_s);
        let username = format!("{expiry}:{user}:{}", call.0.as_simple());
        let password = password(&self.current, &username);
        Credentials { username, password }
    }

    /// The passwords that belong to a user name, the present secret's first. A relay needs them to make the long-term
    /// key of STUN (RFC 8489 section 9.2.2), since the password itself never goes over the wire.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`], [`CredentialError::Expired`].
    pub fn passwords(&self, username: &str, now: Timestamp) -> Result<(Grant, Vec<String>), CredentialError> {
        let grant = read(username)?;
        if grant.expires_at_s <= now.as_millis().div_euclid(1000) {
            return Err(CredentialError::Expired);
        }
        let secrets = std::iter::once(&self.current).chain(&self.previous);
        Ok((grant, secrets.map(|secret| password(secret, username)).collect()))
    }

    /// Checks a user name with its password, in constant time as to the password.
    ///
    /// # Errors
    /// [`CredentialError`]; `WrongPassword` comes before `Expired`, so that a guess learns nothing.
    pub fn check(&self, given: &Credentials, now: Timestamp) -> Result<Grant, CredentialError> {
        let grant = read(&given.username)?;
        let tag = STANDARD.decode(&given.password).map_err(|_| CredentialError::WrongPassword)?;
        let fits = |secret: &Vec<u8>| mac(secret, &given.username).verify_slice(&tag).is_ok();
        // Both are always computed.
        let (current, previous) = (fits(&self.current), self.previous.as_ref().is_some_and(fits));
        if !(current | previous) {
            return Err(CredentialError::WrongPassword);
        }
        if grant.expires_at_s <= now.as_millis().div_euclid(1000) {
            return Err(CredentialError::Expired);
        }
        Ok(grant)
    }
}

impl Grant {
    /// Whether it is for this person and this call.
    ///
    /// # Errors
    /// [`CredentialError::NotYours`].
    pub fn only_for(self, user: UserId, call: CallId) -> Result<Self, CredentialError> {
        if (self.user, self.call) == (user, call) { Ok(self) } else { Err(CredentialError::NotYours) }
    }
}

fn read(username: &str) -> Result<Grant, CredentialError> {
    let parse = || {
        let mut parts = username.split(':');
        let (expiry, user, call, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
        if rest.is_some() || call.len() != 32 {
            return None;
        }
        let call = CallId(uuid::Uuid::try_parse(call).ok()?);
        Some(Grant { user: UserId(number(user)?), call, expires_at_s: number(expiry)? })
    };
    parse().ok_or(CredentialError::Malformed)
}

fn mac(secret: &[u8], username: &str) -> Hmac<Sha1> {
    // HMAC takes keys of every length, so this branch is never taken; an empty key would be refused by `new`.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { unreachable!("HMAC takes keys of every length") };
    mac.update(username.as_bytes());
    mac
}

fn password(secret: &[u8], username: &str) -> String {
    STANDARD.encode(mac(secret, username).finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserId = UserId(42);

    fn call() -> CallId {
        CallId(uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000).expect("in range")
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text, None).expect("long enough")
    }

    const KEY: &str = "a-secret-that-is-long-enough";

    /// `printf %s '2000000000:42:0123456789abcdef0123456789abcdef' | openssl dgst -sha1 -hmac a-secret-that-is-long-enough
    /// -binary | base64`; coturn 4.6.1 with this `static-auth-secret` allocated for it.
    #[test]
    fn the_vector_of_openssl_and_coturn() {
        let made = secret(KEY).issue(USER, call(), at(1_999_999_700), 300);
        assert_eq!(made.username, "2000000000:42:0123456789abcdef0123456789abcdef");
        assert_eq!(made.password, "5xiEN17Xwsisvi0oAV1+Xl2XLjw=");
    }

    #[test]
    fn what_was_made_is_good_until_it_expires() {
        let made = secret(KEY).issue(USER, call(), at(1_000), LIFETIME_S);
        let grant = secret(KEY).check(&made, at(1_299)).expect("good");
        assert_eq!(grant, Grant { user: USER, call: call(), expires_at_s: 1_300 });
        assert_eq!(secret(KEY).check(&made, at(1_300)), Err(CredentialError::Expired));
        let (same, passwords) = secret(KEY).passwords(&made.username, at(1_299)).expect("good");
        assert_eq!((same, passwords), (grant, vec![made.password]));
    }

    #[test]
    fn it_is_bound_to_user_call_and_expiry() {
        let made = secret(KEY).issue(USER, call(), at(1_000), 300);
        for forged in [
            made.username.replace(":42:", ":43:"),
            made.username.replace("1300:", "9300:"),
            made.username.replace("cdef", "cdee"),
        ] {
            let forged = Credentials { username: forged, ..made.clone() };
            assert_eq!(secret(KEY).check(&forged, at(1_100)), Err(CredentialError::WrongPassword), "{forged:?}");
        }
        let grant = secret(KEY).check(&made, at(1_100)).expect("good");
        assert_eq!(grant.only_for(USER, call()), Ok(grant));
        assert_eq!(grant.only_for(UserId(7), call()), Err(CredentialError::NotYours));
        assert_eq!(grant.only_for(USER, CallId(uuid::Uuid::nil())), Err(CredentialError::NotYours));
        for password in ["", "====", "short", &made.password[..24], &format!("{}AAAA", &made.password[..24])] {
            let forged = Credentials { password: password.to_owned(), ..made.clone() };
            assert_eq!(secret(KEY).check(&forged, at(1_100)), Err(CredentialError::WrongPassword), "{password}");
        }
    }

    #[test]
    fn nonsense_is_not_a_user_name() {
        for username in ["", "1300", "1300:42", "x:42:0123456789abcdef0123456789abcdef", ":::", "-1:42:00", "1:2:3:4"] {
            let given = Credentials { username: username.to_owned(), password: String::new() };
            assert_eq!(secret(KEY).check(&given, at(0)), Err(CredentialError::Malformed), "{username}");
        }
    }

    #[test]
    fn a_secret_can_be_changed_without_a_gap() {
        let old = secret(KEY).issue(USER, call(), at(1_000), 300);
        let both = Secret::new("another-secret-that-is-long", Some(KEY.into())).expect("long enough");
        assert!(both.check(&old, at(1_100)).is_ok());
        let new = both.issue(USER, call(), at(1_000), 300);
        assert_ne!(new.password, old.password);
        assert!(both.check(&new, at(1_100)).is_ok());
        assert_eq!(secret("another-secret-that-is-long").check(&old, at(1_100)), Err(CredentialError::WrongPassword));
        assert!(Secret::new("short", None).is_none());
    }

    #[test]
    fn neither_secret_nor_password_is_ever_printed() {
        let made = secret(KEY).issue(USER, call(), at(1_000), 300);
        let printed = format!("{:?} {made:?}", secret(KEY));
        assert!(!printed.contains(KEY) && !printed.contains(&made.password), "{printed}");
    }
}
