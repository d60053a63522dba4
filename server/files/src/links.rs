//! Links to files: signed, for one reader, and over after a while. No IO.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chapar_protocol::{ChatId, Seq, Timestamp, UserId, media::FileId};
use ring::hmac;
use uuid::Uuid;

/// Who may read what, because which message names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub user: UserId,
    /// In which chat.
    pub chat: ChatId,
    /// The message.
    pub seq: Seq,
    /// The file.
    pub file: FileId,
    /// A smaller size of a photo; absent for the original.
    pub size: Option<u16>,
}

/// Why a link does not open anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It was not made here, or was changed.
    #[error("this link was not made by this server")]
    Forged,
    /// It is over.
    #[error("this link is over: ask for another")]
    Expired,
}

/// How long a link holds at least, and how long the same one is given out: a browser keeps what it has under one address.
const HOLDS: Duration = Duration::from_hours(1);
const FORM: u8 = 1;
const GRANT: usize = 1 + 3 * 8 + 16 + 2 + 8;
const SIGNATURE: usize = 16;

/// Signs links, and reads them.
pub struct Links(hmac::Key);

impl Links {
    /// With the key that all nodes share.
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// When a link that is made now ends: in one to two hours, at the same moment for all that are made in one hour.
    pub fn expiry(now: Timestamp) -> Timestamp {
        let hour = i64::try_from(HOLDS.as_secs()).unwrap_or(3600);
        let seconds = (seconds(now).div_euclid(hour) + 2) * hour;
        Timestamp::from_millis(seconds * 1000).unwrap_or(now)
    }

    /// The path of a link.
    pub fn sign(&self, grant: &Grant, expires_at: Timestamp) -> String {
        let mut bytes = Vec::with_capacity(GRANT + SIGNATURE);
        bytes.push(FORM);
        for id in [grant.user.0, grant.chat.0, grant.seq.0] {
            bytes.extend_from_slice(&id.to_be_bytes());
        }
        bytes.extend_from_slice(grant.file.0.as_bytes());
        bytes.extend_from_slice(&grant.size.unwrap_or(0).to_be_bytes());
        bytes.extend_from_slice(&seconds(expires_at).to_be_bytes());
        let signature = hmac::sign(&self.0, &bytes);
        bytes.extend_from_slice(&signature.as_ref()[..SIGNATURE]);
        format!("/files/d/{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads what stands after `/files/d/`, and when it ends.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn read(&self, token: &str, now: Timestamp) -> Result<(Grant, Timestamp), LinkError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| LinkError::Forged)?;
        if bytes.len() != GRANT + SIGNATURE || bytes[0] != FORM {
            return Err(LinkError::Forged);
        }
        let (said, signature) = bytes.split_at(GRANT);
        let ours = hmac::sign(&self.0, said);
        // In constant time: what differs says nothing of where.
        let differs = ours.as_ref().iter().zip(signature).fold(0, |sum, (a, b)| sum | (a ^ b));
        if differs != 0 {
            return Err(LinkError::Forged);
        }
        let number = |at: usize| said[at..at + 8].iter().fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte));
        let mut file = [0; 16];
        file.copy_from_slice(&said[25..41]);
        let size = u16::from_be_bytes([said[41], said[42]]);
        let expires_at = number(43);
        if expires_at <= seconds(now) {
            return Err(LinkError::Expired);
        }
        let grant = Grant {
            user: UserId(number(1)),
            chat: ChatId(number(9)),
            seq: Seq(number(17)),
            file: FileId(Uuid::from_bytes(file)),
            size: (size > 0).then_some(size),
        };
        Ok((grant, Timestamp::from_millis(expires_at.saturating_mul(1000)).ok_or(LinkError::Forged)?))
    }
}

fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000).expect("a time")
    }

    fn grant(size: Option<u16>) -> Grant {
        Grant { user: UserId(7), chat: ChatId(1 << 40), seq: Seq(3), file: FileId(Uuid::new_v4()), size }
    }

    #[test]
    fn a_link_says_what_was_signed_until_it_is_over() {
        let links = Links::new(&[7; 32]);
        for size in [None, Some(320), Some(2560)] {
            let grant = grant(size);
            let path = links.sign(&grant, at(5000));
            let token = path.strip_prefix("/files/d/").expect("a path");
            assert_eq!(links.read(token, at(4999)), Ok((grant, at(5000))));
            assert_eq!(links.read(token, at(5000)), Err(LinkError::Expired));
            assert_eq!(Links::new(&[8; 32]).read(token, at(1)), Err(LinkError::Forged));
        }
    }

    #[test]
    fn no_character_of_a_link_can_be_changed() {
        let links = Links::new(&[7; 32]);
        let path = links.sign(&grant(None), at(5000));
        let token = path.strip_prefix("/files/d/").expect("a path");
        for place in 0..token.len() {
            for other in ["A", "z", "-", "é", ""] {
                let mut changed = token.to_owned();
                changed.replace_range(place..=place, other);
                if changed != token {
                    assert_eq!(links.read(&changed, at(1)), Err(LinkError::Forged), "{changed}");
                }
            }
        }
        assert_eq!(links.read("", at(1)), Err(LinkError::Forged));
    }

    #[test]
    fn all_links_of_an_hour_end_together() {
        assert_eq!(Links::expiry(at(7200)), at(14_400));
        assert_eq!(Links::expiry(at(10_799)), at(14_400));
        assert_eq!(Links::expiry(at(10_800)), at(18_000));
    }
}
