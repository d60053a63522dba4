//! The short authentication string: what two people compare by voice, to notice somebody in the middle of their call.
//! The caller commits to its fingerprint and nonce before it sees the callee's (as in ZRTP, RFC 6189 section 4.4.1.1).
#![expect(clippy::similar_names, reason = "caller and callee are the field's words")]

use ring::digest::{Context, SHA256};
use uuid::Uuid;

use super::peer::Fingerprint;

/// How many emoji are shown.
pub(super) const LENGTH: usize = 4;

/// Their order is part of the protocol: 6 bits each.
const EMOJI: [&str; 64] = [
    "🐪", "🐎", "🐘", "🦁", "🐢", "🦉", "🐟", "🦋", "🐝", "🐓", "🦊", "🐑", "🐫", "🐬", "🦚", "🐜", "🌙", "🌞", "🌈",
    "🔥", "❄️", "⚡", "🌊", "⛰️", "🌹", "🌷", "🌻", "🌵", "🌴", "🌲", "🍄", "🍂", "🍎", "🍇", "🍉", "🍋", "🍒", "🥕",
    "🌽", "🍞", "🧀", "🥚", "🍯", "🫖", "🚗", "🚂", "🚢", "🚀", "🚲", "⚓", "🔑", "🔔", "⏰", "📖", "✏️", "✂️", "🔨",
    "🕯️", "🎈", "🪁", "⚽", "🥁", "👑", "☂️",
];

/// 32 bytes: a nonce, or a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) [u8; 32]);

impl Bytes {
    /// From 64 lower-case hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digit = |b: u8| match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        };
        let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The caller's word on its fingerprint and nonce.
pub(crate) fn commit(fingerprint: &Fingerprint, nonce: &Bytes) -> Bytes {
    hash(&[b"chapar sas v1 commitment\0", fingerprint, &nonce.0])
}

/// The emoji of a call, from the fingerprints of the DTLS connection as it is.
pub(crate) fn emoji(
    call: Uuid,
    [caller, callee]: [&Fingerprint; 2],
    [callers, callees]: [&Bytes; 2],
) -> [&'static str; LENGTH] {
    let digest = hash(&[b"chapar sas v1 emoji\0", call.as_bytes(), caller, callee, &callers.0, &callees.0]).0;
    let bits = u32::from_be_bytes([0, digest[0], digest[1], digest[2]]);
    std::array::from_fn(|place| EMOJI[(bits >> (18 - 6 * place)) as usize & 63])
}

/// The fingerprint that a description names.
pub(crate) fn fingerprint_in(sdp: &str) -> Option<Fingerprint> {
    let line = sdp.lines().find_map(|line| line.strip_prefix("a=fingerprint:sha-256 "))?;
    let text: String = line.chars().filter(|c| *c != ':').map(|c| c.to_ascii_lowercase()).collect();
    Bytes::parse(text.trim()).map(|bytes| bytes.0)
}

fn hash(parts: &[&[u8]]) -> Bytes {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    Bytes(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chapar_signaling::sas::{Commitment, Exchange, Nonce};
    use proptest::prelude::*;

    #[test]
    fn the_vectors_of_the_protocol() {
        let nonce = |n: u64| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            Bytes(bytes)
        };
        let (a, b) = ([0xaa; 32], [0xbb; 32]);
        let commitment = commit(&a, &nonce(1)).to_string();
        assert_eq!(commitment, "c6065e3e97df609492e111f8fc54cd7eb53958e9352857c5747fe75c68f55564");
        let call = Uuid::from_bytes([9; 16]);
        assert_eq!(emoji(call, [&a, &b], [&nonce(1), &nonce(2)]), [55, 43, 58, 40].map(|place| EMOJI[place]));
    }

    proptest! {
        #[test]
        fn the_server_comes_to_the_same(
            call in any::<[u8; 16]>(), a in any::<[u8; 32]>(), b in any::<[u8; 32]>(),
            x in any::<[u8; 32]>(), y in any::<[u8; 32]>(),
        ) {
            prop_assert_eq!(commit(&a, &Bytes(x)).to_string(), Commitment::new(&a, &Nonce(x)).to_string());
            let theirs = Exchange { call_id: &call, caller: &a, callee: &b, caller_nonce: &Nonce(x), callee_nonce: &Nonce(y) };
            prop_assert_eq!(emoji(Uuid::from_bytes(call), [&a, &b], [&Bytes(x), &Bytes(y)]), theirs.emoji());
            prop_assert_eq!(Bytes::parse(&Bytes(x).to_string()), Some(Bytes(x)));
        }
    }
}
