//! Redundant audio (RFC 2198): each packet carries copies of those before it, so that a loss costs no round trip.

/// The most blocks that are read out of one packet. Browsers send one or two.
pub const MAX_BLOCKS: usize = 8;
/// The greatest distance in time that the header can say, in samples.
pub const MAX_OFFSET: u32 = (1 << 14) - 1;
const MAX_BLOCK: usize = (1 << 10) - 1;

/// A payload within a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// How long before the packet's timestamp it began, in samples; 0 for the packet's own.
    pub offset: u32,
    /// What it holds.
    pub payload: &'a [u8],
}

/// Puts `copies`, the oldest first, before `primary`. Copies that the header cannot describe are left out.
pub fn pack(payload_type: u8, primary: &[u8], copies: &[Block<'_>]) -> Vec<u8> {
    let fits = |copy: &&Block<'_>| (1..=MAX_OFFSET).contains(&copy.offset) && copy.payload.len() <= MAX_BLOCK;
    let copies: Vec<&Block<'_>> = copies.iter().filter(fits).take(MAX_BLOCKS - 1).collect();
    let bytes: usize = copies.iter().map(|copy| copy.payload.len() + 4).sum();
    let mut packet = Vec::with_capacity(bytes + 1 + primary.len());
    for copy in &copies {
        // 1 bit «more follow», 7 bits payload type, 14 bits offset, 10 bits length.
        let length = u32::try_from(copy.payload.len()).unwrap_or(0);
        let word = 1 << 31 | u32::from(payload_type & 0x7f) << 24 | copy.offset << 10 | length;
        packet.extend_from_slice(&word.to_be_bytes());
    }
    packet.push(payload_type & 0x7f);
    for copy in &copies {
        packet.extend_from_slice(copy.payload);
    }
    packet.extend_from_slice(primary);
    packet
}

/// Takes a packet apart: its blocks of `payload_type`, the oldest first as a rule, the packet's own last. `None` for what
/// is malformed.
pub fn unpack(packet: &[u8], payload_type: u8) -> Option<Vec<Block<'_>>> {
    let mut headers = Vec::new();
    let mut rest = packet;
    let own = loop {
        let (first, _) = rest.split_first()?;
        if first & 0x80 == 0 {
            rest = &rest[1..];
            break first & 0x7f;
        }
        let (word, after) = rest.split_first_chunk::<4>()?;
        let word = u32::from_be_bytes(*word);
        if headers.len() == MAX_BLOCKS - 1 {
            return None;
        }
        headers.push(((word >> 24 & 0x7f) as u8, word >> 10 & MAX_OFFSET, (word & 0x3ff) as usize));
        rest = after;
    };
    let mut blocks = Vec::with_capacity(headers.len() + 1);
    for (kind, offset, length) in headers {
        let (payload, after) = rest.split_at_checked(length)?;
        if kind == payload_type && !payload.is_empty() {
            blocks.push(Block { offset, payload });
        }
        rest = after;
    }
    if own == payload_type && !rest.is_empty() {
        blocks.push(Block { offset: 0, payload: rest });
    }
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_packed_comes_out() {
        let copies = [Block { offset: 1920, payload: b"older" }, Block { offset: 960, payload: b"old" }];
        let packet = pack(111, b"new", &copies);
        let blocks = unpack(&packet, 111).expect("well-formed");
        assert_eq!(blocks, [copies[0], copies[1], Block { offset: 0, payload: b"new" }]);
        assert_eq!(unpack(&packet, 110), Some(Vec::new()), "another payload type is not ours");
    }

    #[test]
    fn a_block_that_does_not_fit_is_left_out() {
        let long = vec![1; 1024];
        let copies = [Block { offset: 960, payload: &long }, Block { offset: 20_000, payload: b"x" }];
        assert_eq!(unpack(&pack(111, b"new", &copies), 111).expect("well-formed").len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0..128_u8) {
            if let Some(blocks) = unpack(&bytes, kind) {
                prop_assert!(blocks.len() <= MAX_BLOCKS);
                prop_assert!(blocks.iter().map(|b| b.payload.len()).sum::<usize>() < bytes.len().max(1));
            }
        }
    }
}
