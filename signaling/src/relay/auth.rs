//! Who may allocate: whoever an [`Authority`] knows (in a relay [`super::secrets::Secrets`], the TURN REST scheme), and
//! nonces that need no memory.

use std::net::{IpAddr, SocketAddr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;

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
/// outlives its credential can go on refreshing its allocation, until that is [`super::config::Limits::max_age`] old.
pub trait Authority: Send + Sync {
    /// Looks the username up.
    fn grant(&self, username: &str, unix: u64) -> Option<Grant>;
}

impl<F: Fn(&str, u64) -> Option<Grant> + Send + Sync> Authority for F {
    fn grant(&self, username: &str, unix: u64) -> Option<Grant> {
        self(username, unix)
    }
}

/// Nonces that prove their own age: a time and a MAC over it and the client's address and port, so a relay remembers none,
/// and one that was handed out elsewhere is worth nothing. Relays that share the key take each other's.
pub struct Nonces {
    key: hmac::Key,
    lifetime: u64,
}

/// The characters of a nonce: short, because it travels in replies to people nobody knows.
pub const NONCE_LENGTH: usize = 16;
const TIME: usize = 4;
const RAW: usize = 12;

impl Nonces {
    /// Nonces good for `lifetime` seconds.
    pub fn new(key: &[u8; 32], lifetime: u64) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), lifetime }
    }

    /// A nonce for this client.
    pub fn issue(&self, client: SocketAddr, unix: u64) -> String {
        URL_SAFE_NO_PAD.encode(self.raw(client, u32::try_from(unix).unwrap_or(u32::MAX)))
    }

    /// Whether the nonce was issued to this client and is not too old.
    pub fn check(&self, nonce: &str, client: SocketAddr, unix: u64) -> bool {
        let mut raw = [0; RAW];
        if nonce.len() != NONCE_LENGTH || URL_SAFE_NO_PAD.decode_slice(nonce, &mut raw) != Ok(RAW) {
            return false;
        }
        let Some((time, tag)) = raw.split_first_chunk::<TIME>() else { return false };
        let issued = u32::from_be_bytes(*time);
        let expected = self.raw(client, issued);
        // No secret is lost by a comparison that takes different times: a guess has to be right at once, 64 bits of it,
        // and guesses are rate limited. Folding all bytes costs nothing, though.
        let differing = tag.iter().zip(&expected[TIME..]).fold(0, |acc, (a, b)| acc | (a ^ b));
        differing == 0 && unix.checked_sub(u64::from(issued)).is_some_and(|age| age <= self.lifetime)
    }

    fn raw(&self, client: SocketAddr, issued: u32) -> [u8; RAW] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&issued.to_be_bytes());
        match client.ip().to_canonical() {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        context.update(&client.port().to_be_bytes());
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
    fn a_nonce_is_good_for_its_client_and_its_time_only() {
        let nonces = Nonces::new(&[7; 32], 600);
        let client: SocketAddr = "5.6.7.8:1000".parse().unwrap();
        let nonce = nonces.issue(client, 10_000);
        assert_eq!(nonce.len(), NONCE_LENGTH);
        assert!(nonces.check(&nonce, client, 10_000) && nonces.check(&nonce, client, 10_600));
        assert!(!nonces.check(&nonce, client, 10_601), "too old");
        assert!(!nonces.check(&nonce, client, 9_999), "from the future");
        assert!(!nonces.check(&nonce, "5.6.7.9:1000".parse().unwrap(), 10_000), "another's");
        assert!(!nonces.check(&nonce, "5.6.7.8:1001".parse().unwrap(), 10_000), "another's behind the same NAT");
        assert!(!Nonces::new(&[8; 32], 600).check(&nonce, client, 10_000), "another relay's");
        for bad in ["", "x", &"A".repeat(16), &"ب".repeat(8), &"A".repeat(4000)] {
            assert!(!nonces.check(bad, client, 10_000));
        }
    }
}
