//! Who may allocate: time-limited credentials (the TURN REST scheme), and nonces that need no memory.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;

use super::rate::network;

/// What a valid username entitles to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The passwords that fit the username: more than one while a secret is being rotated.
    pub passwords: Vec<String>,
    /// Whose quota it is.
    pub user: String,
    /// The call it was issued for, if the name says so.
    pub call: Option<String>,
}

/// Says what a username is worth at a time (Unix seconds); `None` refuses it. Asked on Allocate only: a call that
/// outlives its credential can go on refreshing its allocation.
pub trait Authority: Send + Sync {
    /// Looks the username up.
    fn grant(&self, username: &str, unix: u64) -> Option<Grant>;
}

impl<F: Fn(&str, u64) -> Option<Grant> + Send + Sync> Authority for F {
    fn grant(&self, username: &str, unix: u64) -> Option<Grant> {
        self(username, unix)
    }
}

/// The TURN REST scheme: the username is `expiry:user` or `expiry:user:call` (expiry in Unix seconds), the password is
/// base64(HMAC-SHA1(secret, username)). coturn's `use-auth-secret` takes the same.
pub struct RestSecrets {
    keys: Vec<hmac::Key>,
    max_ahead: u64,
}

impl RestSecrets {
    /// Accepts credentials made with any of these secrets, and expiring at most `max_ahead` seconds from now.
    pub fn new<S: AsRef<[u8]>>(secrets: &[S], max_ahead: u64) -> Self {
        let key = |secret: &S| hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_ref());
        Self { keys: secrets.iter().map(key).collect(), max_ahead }
    }

    /// Username and password for a user, made with the first secret. `None` without a secret.
    pub fn issue(&self, user: &str, call: Option<&str>, expires_unix: u64) -> Option<(String, String)> {
        let username = match call {
            Some(call) => format!("{expires_unix}:{user}:{call}"),
            None => format!("{expires_unix}:{user}"),
        };
        let password = password(self.keys.first()?, &username);
        Some((username, password))
    }
}

impl Authority for RestSecrets {
    fn grant(&self, username: &str, unix: u64) -> Option<Grant> {
        let (expires, rest) = username.split_once(':')?;
        let expires: u64 = expires.parse().ok()?;
        if expires <= unix || expires - unix > self.max_ahead {
            return None;
        }
        let (user, call) = match rest.split_once(':') {
            Some((user, call)) => (user, Some(call.to_owned())),
            None => (rest, None),
        };
        if user.is_empty() {
            return None;
        }
        let passwords = self.keys.iter().map(|key| password(key, username)).collect();
        Some(Grant { passwords, user: user.to_owned(), call })
    }
}

fn password(key: &hmac::Key, username: &str) -> String {
    STANDARD.encode(hmac::sign(key, username.as_bytes()))
}

/// Nonces that prove their own age: a time and a MAC over it and the client's network, so a relay remembers none, and one
/// that was handed out elsewhere is worth nothing. Relays that share the key take each other's.
pub struct Nonces {
    key: hmac::Key,
    lifetime: u64,
}

/// The characters of a nonce: short, because it travels in replies to people nobody knows.
pub const NONCE_LENGTH: usize = 24;
const TIME: usize = 4;
const RAW: usize = 18;

impl Nonces {
    /// Nonces good for `lifetime` seconds.
    pub fn new(key: &[u8; 32], lifetime: u64) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), lifetime }
    }

    /// A nonce for this client.
    pub fn issue(&self, client: IpAddr, unix: u64) -> String {
        URL_SAFE_NO_PAD.encode(self.raw(client, u32::try_from(unix).unwrap_or(u32::MAX)))
    }

    /// Whether the nonce was issued to this client and is not too old.
    pub fn check(&self, nonce: &str, client: IpAddr, unix: u64) -> bool {
        let mut raw = [0; RAW];
        if nonce.len() != NONCE_LENGTH || URL_SAFE_NO_PAD.decode_slice(nonce, &mut raw) != Ok(RAW) {
            return false;
        }
        let Some((time, tag)) = raw.split_first_chunk::<TIME>() else { return false };
        let issued = u32::from_be_bytes(*time);
        let expected = self.raw(client, issued);
        // No secret is lost by a comparison that takes different times: a guess has to be right at once, 112 bits of it,
        // and guesses are rate limited. Folding all bytes costs nothing, though.
        let differing = tag.iter().zip(&expected[TIME..]).fold(0, |acc, (a, b)| acc | (a ^ b));
        differing == 0 && unix.checked_sub(u64::from(issued)).is_some_and(|age| age <= self.lifetime)
    }

    fn raw(&self, client: IpAddr, issued: u32) -> [u8; RAW] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&issued.to_be_bytes());
        match network(client) {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        let tag = context.sign();
        let mut raw = [0; RAW];
        raw[..TIME].copy_from_slice(&issued.to_be_bytes());
        raw[TIME..].copy_from_slice(&tag.as_ref()[..RAW - TIME]);
        raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_bound_to_its_user_its_call_and_its_time() {
        let secrets = RestSecrets::new(&["new", "old"], 86_400);
        let (username, password) = secrets.issue("42", Some("c7"), 2_000).unwrap();
        assert_eq!(username, "2000:42:c7");
        let grant = secrets.grant(&username, 1_999).unwrap();
        assert_eq!((grant.user.as_str(), grant.call.as_deref()), ("42", Some("c7")));
        assert!(grant.passwords.contains(&password) && grant.passwords.len() == 2);
        assert!(!secrets.grant("2000:43:c7", 1_999).unwrap().passwords.contains(&password));
        assert!(!secrets.grant("2001:42:c7", 1_999).unwrap().passwords.contains(&password));
        assert_eq!(secrets.grant(&username, 2_000), None, "expired");
        for bad in ["", "42", "x:42", "2000:", "2000::c", "99999999999:42", "18446744073709551616:42", "-1:42"] {
            assert_eq!(secrets.grant(bad, 1_999), None, "{bad}");
        }
    }

    #[test]
    fn a_password_is_what_coturn_computes() {
        // printf '1700000000:alice' | openssl dgst -sha1 -hmac north -binary | base64
        let secrets = RestSecrets::new(&["north"], 86_400);
        let (_, password) = secrets.issue("alice", None, 1_700_000_000).unwrap();
        assert_eq!(password, "Cd/49soE35ICqcJF/bCTn8Z4OyE=");
    }

    #[test]
    fn a_nonce_is_good_for_its_client_and_its_time_only() {
        let nonces = Nonces::new(&[7; 32], 600);
        let client: IpAddr = "5.6.7.8".parse().unwrap();
        let nonce = nonces.issue(client, 10_000);
        assert_eq!(nonce.len(), NONCE_LENGTH);
        assert!(nonces.check(&nonce, client, 10_000) && nonces.check(&nonce, client, 10_600));
        assert!(!nonces.check(&nonce, client, 10_601), "too old");
        assert!(!nonces.check(&nonce, client, 9_999), "from the future");
        assert!(!nonces.check(&nonce, "5.6.7.9".parse().unwrap(), 10_000), "another's");
        assert!(!Nonces::new(&[8; 32], 600).check(&nonce, client, 10_000), "another relay's");
        for bad in ["", "x", &"A".repeat(24), &"ب".repeat(12), &"A".repeat(4000)] {
            assert!(!nonces.check(bad, client, 10_000));
        }
    }
}
