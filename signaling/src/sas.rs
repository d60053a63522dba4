//! The short authentication string: four emoji that two people compare by voice, to notice a server that sits in the
//! middle of their call.
//!
//! A man in the middle holds two DTLS connections, so each person sees another fingerprint than the other sent. He
//! would have to choose his own keys and nonces until both people see the same emoji; 2^24 tries are minutes of
//! work. The order of the messages takes the choice from him (as in ZRTP, RFC 6189 section 4.4.1.1):
//!
//! ```text
//! caller                                     callee
//!   │ offer: fingerprint A, commit(A, nonce a) ──▶ │   the caller is bound to a, and nobody else knows it
//!   │ ◀── answer: fingerprint B, nonce b           │   the callee chose b without knowing a
//!   │ reveal: nonce a ──▶                          │   the callee checks commit(A, a)
//!   both: emoji = hash(call, A, B, a, b)
//! ```
//!
//! Towards the callee the man in the middle must commit to his nonce before he sees b; towards the caller he must send
//! his b before he sees a. One try for each call: he succeeds once in 16 777 216.
//! A client must refuse a reveal that does not fit, and a reveal of a commitment that came without the offer.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How many emoji are shown.
pub const LENGTH: usize = 4;

/// A SHA-256 fingerprint of a DTLS certificate.
pub type Fingerprint = [u8; 32];

/// 64 emoji that look different also on a small screen and have a short name in Persian and English: 6 bits each.
/// Their order is part of the protocol.
pub const EMOJI: [&str; 64] = [
    "🐪", "🐎", "🐘", "🦁", "🐢", "🦉", "🐟", "🦋", "🐝", "🐓", "🦊", "🐑", "🐫", "🐬", "🦚", "🐜", "🌙", "🌞", "🌈",
    "🔥", "❄️", "⚡", "🌊", "⛰️", "🌹", "🌷", "🌻", "🌵", "🌴", "🌲", "🍄", "🍂", "🍎", "🍇", "🍉", "🍋", "🍒", "🥕",
    "🌽", "🍞", "🧀", "🥚", "🍯", "🫖", "🚗", "🚂", "🚢", "🚀", "🚲", "⚓", "🔑", "🔔", "⏰", "📖", "✏️", "✂️", "🔨",
    "🕯️", "🎈", "🪁", "⚽", "🥁", "👑", "☂️",
];

macro_rules! hexadecimal {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// From 64 lower-case hexadecimal digits.
            pub fn parse(text: &str) -> Option<Self> {
                let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if text.len() != 64 || !lower {
                    return None;
                }
                let mut bytes = [0; 32];
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
                }
                Some(Self(bytes))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or("not 64 lower-case hexadecimal digits")
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}

hexadecimal!(
    /// 32 random bytes, new for each exchange. From the operating system's generator; a parameter everywhere here.
    Nonce
);
hexadecimal!(
    /// The caller's word on its fingerprint and nonce, given before it sees the callee's.
    Commitment
);

impl Commitment {
    /// Commits to a fingerprint and a nonce.
    pub fn new(fingerprint: &Fingerprint, nonce: &Nonce) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"chapar sas v1 commitment\0");
        hash.update(fingerprint);
        hash.update(nonce.0);
        Self(hash.finalize().into())
    }

    /// Whether these are what was committed to. Nothing here is secret by then, so the time it takes tells nothing.
    #[must_use]
    pub fn fits(&self, fingerprint: &Fingerprint, nonce: &Nonce) -> bool {
        *self == Self::new(fingerprint, nonce)
    }
}

/// Both sides of an exchange after the reveal.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The call's id, as bytes.
    pub call_id: &'a [u8; 16],
    /// The fingerprint that the caller's certificate has in the DTLS connection, not the one in the SDP.
    pub caller: &'a Fingerprint,
    /// The same of the callee.
    pub callee: &'a Fingerprint,
    /// The caller's.
    pub caller_nonce: &'a Nonce,
    /// The callee's.
    pub callee_nonce: &'a Nonce,
}

impl Exchange<'_> {
    /// The emoji as seen by the callee: only if the reveal fits the commitment.
    pub fn checked(&self, commitment: &Commitment) -> Option<[&'static str; LENGTH]> {
        commitment.fits(self.caller, self.caller_nonce).then(|| self.emoji())
    }

    /// The emoji. The callee must use [`Exchange::checked`].
    pub fn emoji(&self) -> [&'static str; LENGTH] {
        let mut hash = Sha256::new();
        hash.update(b"chapar sas v1 emoji\0");
        hash.update(self.call_id);
        hash.update(self.caller);
        hash.update(self.callee);
        hash.update(self.caller_nonce.0);
        hash.update(self.callee_nonce.0);
        let digest = hash.finalize();
        let bits = u32::from_be_bytes([0, digest[0], digest[1], digest[2]]);
        std::array::from_fn(|place| EMOJI[(bits >> (18 - 6 * place)) as usize & 63])
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::similar_names, reason = "caller and callee are the field's words")]

    use super::*;
    use std::collections::HashSet;

    const CALL: [u8; 16] = [9; 16];
    const A: Fingerprint = [0xaa; 32];
    const B: Fingerprint = [0xbb; 32];
    const MALLORY: Fingerprint = [0xcc; 32];

    fn emoji(caller: &Fingerprint, callee: &Fingerprint, a: u64, b: u64) -> [&'static str; LENGTH] {
        let (caller_nonce, callee_nonce) = (&nonce(a), &nonce(b));
        Exchange { call_id: &CALL, caller, callee, caller_nonce, callee_nonce }.emoji()
    }

    fn nonce(n: u64) -> Nonce {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        Nonce(bytes)
    }

    #[test]
    fn the_64_emoji_are_different() {
        assert_eq!(EMOJI.iter().collect::<HashSet<_>>().len(), 64);
    }

    /// Computed with another implementation of SHA-256: clients in other languages must come to the same.
    #[test]
    fn the_vectors() {
        let commitment = Commitment::new(&A, &nonce(1)).to_string();
        assert_eq!(commitment, "c6065e3e97df609492e111f8fc54cd7eb53958e9352857c5747fe75c68f55564");
        assert_eq!(emoji(&A, &B, 1, 2), [55, 43, 58, 40].map(|place| EMOJI[place]));
    }

    #[test]
    fn everything_that_goes_in_changes_what_comes_out() {
        let honest = emoji(&A, &B, 1, 2);
        assert_eq!(honest, emoji(&A, &B, 1, 2));
        for other in [emoji(&MALLORY, &B, 1, 2), emoji(&A, &MALLORY, 1, 2), emoji(&A, &B, 3, 2), emoji(&A, &B, 1, 3)] {
            assert_ne!(honest, other);
        }
        assert_ne!(emoji(&A, &B, 1, 2), emoji(&B, &A, 2, 1), "the roles are told apart");
    }

    #[test]
    fn a_commitment_holds_its_maker() {
        let commitment = Commitment::new(&A, &nonce(1));
        assert!(commitment.fits(&A, &nonce(1)));
        assert!(!commitment.fits(&A, &nonce(2)), "another nonce");
        assert!(!commitment.fits(&MALLORY, &nonce(1)), "another fingerprint");
        let (caller_nonce, callee_nonce) = (&nonce(2), &nonce(5));
        let late = Exchange { call_id: &CALL, caller: &A, callee: &B, caller_nonce, callee_nonce };
        assert_eq!(late.checked(&commitment), None, "a nonce chosen after the answer is refused");
    }

    /// Plays the protocol with Mallory between the two. What he may use at each step is what the function that stands
    /// for him is given; the order of the calls is the order of the messages.
    #[test]
    fn a_man_in_the_middle_has_one_try() {
        let mut hits = 0_u32;
        for round in 0..3_000_u64 {
            let a = nonce(round * 4);
            let from_caller = Commitment::new(&A, &a);
            // To the callee he must commit now, without a (hidden) and without b (not said yet).
            let his_a = nonce(round * 4 + 1);
            let to_callee = Commitment::new(&MALLORY, &his_a);
            let b = nonce(round * 4 + 2);
            // To the caller he must answer now: he knows b, and still not a. He cannot compute what the caller will see.
            let his_b = nonce(round * 4 + 3);
            let at_caller =
                Exchange { call_id: &CALL, caller: &A, callee: &MALLORY, caller_nonce: &a, callee_nonce: &his_b };
            assert!(from_caller.fits(&A, &a));
            // Now a is revealed to him, and grinding another nonce for the callee is what he would like to do.
            let wish =
                Exchange { call_id: &CALL, caller: &MALLORY, callee: &B, caller_nonce: &his_b, callee_nonce: &b };
            assert_eq!(wish.checked(&to_callee), None, "the callee refuses any nonce but the one committed to");
            let at_callee =
                Exchange { call_id: &CALL, caller: &MALLORY, callee: &B, caller_nonce: &his_a, callee_nonce: &b };
            hits += u32::from(at_callee.checked(&to_callee) == Some(at_caller.emoji()));
        }
        assert_eq!(hits, 0, "one in 16 777 216 would be right");
    }

    /// Without the commitment the same attacker wins with a shortened string, which shows that the order is what helps.
    #[test]
    fn without_the_commitment_he_could_choose() {
        let caller_sees = emoji(&A, &MALLORY, 1, 2);
        let found = (0..100_000).find(|his_a| emoji(&MALLORY, &B, *his_a, 7)[..2] == caller_sees[..2]);
        assert!(found.is_some(), "12 bits fall in a few thousand tries");
    }

    #[test]
    fn hexadecimal_is_exact() {
        let text = nonce(77).to_string();
        assert_eq!(Nonce::parse(&text), Some(nonce(77)));
        for bad in ["", "00", &text.to_uppercase().replace('0', "A"), &format!("{text}0"), &format!("+{}", &text[1..])]
        {
            assert_eq!(Nonce::parse(bad), None, "{bad}");
        }
    }
}
