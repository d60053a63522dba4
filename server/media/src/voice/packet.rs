//! What the first bytes of Opus say: of a stream (RFC 7845, section 5.1) and of a packet (RFC 6716, section 3.1).

use crate::{
    Reason,
    work::{BROKEN, Refusal},
};

/// `OpusHead`, of one or two channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) channels: u8,
    /// Samples at the beginning that are not heard.
    pub(crate) pre_skip: u16,
    /// What was recorded with; of no consequence.
    rate: [u8; 4],
    gain: [u8; 2],
}

impl Head {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let bytes: &[u8; 19] = bytes.first_chunk().ok_or(BROKEN)?;
        // The upper half of the version is the incompatible one.
        if !bytes.starts_with(b"OpusHead") || bytes[8] & 0xf0 != 0 {
            return Err(BROKEN);
        }
        let (channels, family) = (bytes[9], bytes[18]);
        if !(1..=2).contains(&channels) || family != 0 {
            return Err(Refusal::Refused(Reason::WrongCodec));
        }
        Ok(Self {
            channels,
            pre_skip: u16::from_le_bytes([bytes[10], bytes[11]]),
            rate: [bytes[12], bytes[13], bytes[14], bytes[15]],
            gain: [bytes[16], bytes[17]],
        })
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let pre_skip = self.pre_skip.to_le_bytes();
        [&b"OpusHead\x01"[..], &[self.channels], &pre_skip, &self.rate, &self.gain, &[0]].concat()
    }
}

/// How many samples of 48 kHz a packet has; at most 120 ms.
pub(crate) fn samples(packet: &[u8]) -> Result<u64, Refusal> {
    let toc = *packet.first().ok_or(BROKEN)?;
    let config = usize::from(toc >> 3);
    let frame = match config {
        0..12 => [480, 960, 1920, 2880][config & 3],
        12..16 => [480, 960][config & 1],
        _ => [120, 240, 480, 960][config & 3],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1).ok_or(BROKEN)? & 0x3f),
    };
    let samples = frame * frames;
    if (1..=5760).contains(&samples) { Ok(samples) } else { Err(BROKEN) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_says_how_long_a_packet_is() {
        for (packet, expected) in [
            // Speech of 20 and 60 ms, hybrid of 20, music of 2.5 and 20 ms.
            (&[1 << 3][..], Some(960)),
            (&[3 << 3], Some(2880)),
            (&[13 << 3], Some(960)),
            (&[16 << 3], Some(120)),
            (&[31 << 3], Some(960)),
            (&[31 << 3 | 1], Some(1920)),
            (&[31 << 3 | 2], Some(1920)),
            (&[31 << 3 | 3, 6], Some(5760)),
            (&[31 << 3 | 3, 7], None),
            (&[31 << 3 | 3, 0], None),
            (&[31 << 3 | 3], None),
            (&[], None),
        ] {
            assert_eq!(samples(packet).ok(), expected, "{packet:?}");
        }
    }

    #[test]
    fn a_head_is_read_and_written() {
        let head = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
        let parsed = Head::parse(head).expect("good");
        assert_eq!((parsed.channels, parsed.pre_skip), (2, 312));
        assert_eq!(parsed.bytes(), head);
        for (at, byte) in [(0, b'X'), (8, 0x10), (9, 0), (9, 3), (18, 1)] {
            let mut wrong = head.to_vec();
            wrong[at] = byte;
            Head::parse(&wrong).expect_err("wrong");
        }
        Head::parse(&head[..18]).expect_err("too short");
    }
}
