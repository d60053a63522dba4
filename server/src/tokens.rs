//! Device tokens: `<user id>.<32 random bytes>`. Only their SHA-256 is kept, so that a stolen database signs nobody in.
//! The user id is in front so that the look-up goes to the user's shard; it is believed only with a fitting hash.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chapar_protocol::UserId;
use sha2::{Digest, Sha256};

/// A new token of a user, with what is kept of it.
pub fn generate(user: UserId) -> (String, Vec<u8>) {
    let secret: [u8; 32] = rand::random();
    let token = format!("{user}.{}", URL_SAFE_NO_PAD.encode(secret));
    let hash = hash(&token);
    (token, hash)
}

/// What is kept of a token.
fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// The user that a token names, and its hash; absent when it is no token.
pub fn read(token: &str) -> Option<(UserId, Vec<u8>)> {
    let (user, secret) = token.split_once('.')?;
    let user = user.parse().ok().filter(|id| *id > 0)?;
    (secret.len() == 43).then(|| (UserId(user), hash(token)))
}

/// What is kept of a network from which an account was signed in to.
pub fn place(handle: &str, network: std::net::IpAddr) -> Vec<u8> {
    Sha256::digest(format!("{handle} {network}")).to_vec()
}

/// Whether two secrets are equal, in a time that does not tell how much of them is.
pub fn same(a: &str, b: &str) -> bool {
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    a.iter().zip(b.iter()).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_user_and_hashes_alike() {
        let (token, kept) = generate(UserId(42));
        assert_eq!(read(&token), Some((UserId(42), kept.clone())));
        assert_ne!(generate(UserId(42)).1, kept);
        for bad in ["", "42", "42.", "x.y", "-1.abc", &token[..token.len() - 1]] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(same("abc", "abc") && !same("abc", "abd"));
    }
}
