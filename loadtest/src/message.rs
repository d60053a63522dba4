//! What a message of a load test is: an identity from which its client id and its text follow, so that whoever meets
//! it anywhere can check it without a table.

use std::ops::RangeInclusive;

use uuid::Uuid;

/// The step of SplitMix64 (Steele, Lea, Flood 2014) and its finaliser, which is a bijection of 64 bits.
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// The inverse of [`mix`]: the multipliers are inverses modulo 2^64 and the shifts undo themselves.
fn unmix(value: u64) -> u64 {
    let value = (value ^ (value >> 31) ^ (value >> 62)).wrapping_mul(0x3196_42B2_D24D_8EC3);
    let value = (value ^ (value >> 27) ^ (value >> 54)).wrapping_mul(0x96DE_1B17_3F11_9089);
    value ^ (value >> 30) ^ (value >> 60)
}

/// A small deterministic source of random numbers. Not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x5851_F42D_4C95_7F2D))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `bound`; 0 when `bound` is 0. The bias is below 2^-32 for the bounds used here.
    pub fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next_u64()) * bound as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }
}

/// Which message: the number of the user in the run, and the count of that user's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ident {
    /// Index of the sender among the users of the run.
    pub user: u32,
    /// 0, 1, 2 … of that sender.
    pub count: u32,
}

impl Ident {
    /// As one number, for tables.
    pub fn packed(self) -> u64 {
        u64::from(self.user) << 32 | u64::from(self.count)
    }

    fn unpacked(packed: u64) -> Self {
        Self {
            user: u32::try_from(packed >> 32).unwrap_or(u32::MAX),
            count: u32::try_from(packed & 0xFFFF_FFFF).unwrap_or(u32::MAX),
        }
    }
}

/// Makes client ids and texts out of identities, all from one seed.
#[derive(Clone, Debug)]
pub struct Maker {
    key: u64,
    size: RangeInclusive<usize>,
}

impl Maker {
    /// Texts have `size` bytes of ASCII, at least 1 and at most 4096.
    pub fn new(seed: u64, size: RangeInclusive<usize>) -> Self {
        let low = (*size.start()).clamp(1, 4096);
        Self { key: mix(seed.wrapping_add(0xC4A9_A12C)), size: low..=(*size.end()).clamp(low, 4096) }
    }

    /// The client id: the identity under a bijection, so that ids are spread like random ones (an index must not profit
    /// from their order) and can still be read back; the other 58 bits are a tag that tells ours from foreign ones.
    pub fn client_id(&self, ident: Ident) -> Uuid {
        let body = mix(ident.packed() ^ self.key);
        let tag = mix(body ^ self.key.rotate_left(17));
        let high = (body >> 16) << 16 | 0x4000 | (tag & 0xFFF);
        let low = 0b10 << 62 | (body & 0xFFFF) << 46 | (tag >> 18);
        Uuid::from_u64_pair(high, low)
    }

    /// The identity behind a client id, or `None` when this maker did not make it.
    pub fn ident(&self, client_id: Uuid) -> Option<Ident> {
        let (high, low) = client_id.as_u64_pair();
        let body = (high >> 16) << 16 | (low >> 46) & 0xFFFF;
        let ident = Ident::unpacked(unmix(body) ^ self.key);
        (self.client_id(ident) == client_id).then_some(ident)
    }

    /// Appends the text of a message. It holds no character that JSON escapes.
    pub fn text(&self, ident: Ident, out: &mut Vec<u8>) {
        const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789. ";
        let mut random = Random::new(ident.packed() ^ self.key.rotate_left(32));
        let spread = self.size.end() - self.size.start();
        let length = self.size.start() + if spread == 0 { 0 } else { random.below(spread + 1) };
        // Never only blanks, which a server refuses.
        out.push(b'x');
        let end = out.len() - 1 + length;
        while out.len() < end {
            let eight = random.next_u64().to_le_bytes().map(|byte| LETTERS[usize::from(byte & 63)]);
            let take = (end - out.len()).min(8);
            out.extend_from_slice(&eight[..take]);
        }
    }
}

/// The hash by which texts are compared.
pub fn hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_can_be_read_back_from_its_client_id() {
        let maker = Maker::new(7, 1..=10);
        let mut random = Random::new(7);
        for _ in 0..10_000 {
            let ident = Ident::unpacked(random.next_u64());
            let id = maker.client_id(ident);
            assert_eq!(maker.ident(id), Some(ident));
            assert_eq!(id.get_version_num(), 4, "looks like a random id");
            let foreign = Uuid::from_u128(id.as_u128() ^ 1 << random.below(46));
            assert_eq!(maker.ident(foreign), None, "another bit in the tag is foreign");
        }
        assert_eq!(Maker::new(8, 1..=1).ident(maker.client_id(Ident { user: 1, count: 1 })), None, "of another run");
    }

    #[test]
    fn a_text_depends_on_its_identity_only_and_keeps_its_size() {
        let maker = Maker::new(1, 3..=20);
        let make = |count| {
            let mut text = Vec::new();
            maker.text(Ident { user: 5, count }, &mut text);
            text
        };
        let lengths: std::collections::BTreeSet<_> = (0..1000).map(|count| make(count).len()).collect();
        assert_eq!(lengths, (3..=20).collect());
        assert_eq!(make(3), make(3));
        assert_ne!(make(3), make(4));
        let mut exact = Vec::new();
        Maker::new(1, 200..=200).text(Ident { user: 0, count: 0 }, &mut exact);
        assert_eq!(exact.len(), 200);
    }
}
