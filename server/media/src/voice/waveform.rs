//! How loud a voice message is over its time: what is drawn before it plays.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use ropus::{Channels, DecodeMode, Decoder};

use super::{ogg::Reader, packet};
use crate::work::Refusal;

/// The values of a waveform.
const VALUES: usize = 100;
/// The largest value.
const LOUDEST: u32 = 31;
/// Samples that are looked at together: every length of packets is a multiple.
const STEP: usize = 120;
/// What is decoded for one value, in samples: a second. Of a message longer than 100 seconds the rest is passed over.
const DECODED: u64 = 48_000;
/// Below this peak a message is silence, and is not blown up to look like speech.
const SILENCE: u32 = 800;

/// 100 values of 5 bits, base64; nothing when it cannot be told.
pub(crate) fn of(path: &Path) -> Option<String> {
    // The picture of a sound is no reason to refuse the sound.
    let peaks = catch_unwind(AssertUnwindSafe(|| peaks(path))).ok()?.ok()?;
    Some(BASE64_STANDARD_NO_PAD.encode(pack(&scaled(&peaks))))
}

fn peaks(path: &Path) -> Result<[Option<u32>; VALUES], Refusal> {
    let mut total = 0;
    let mut reader = Reader::open(path)?;
    while let Some(packet) = reader.next_packet()? {
        total += packet::samples(&packet)?;
    }
    let mut reader = Reader::open(path)?;
    let channels = usize::from(reader.head().channels);
    let layout = if channels == 2 { Channels::Stereo } else { Channels::Mono };
    let mut decoder = Decoder::new(48_000, layout).map_err(|_| Refusal::Failed("no decoder".to_owned()))?;
    let mut pcm = vec![0i16; 5760 * channels];
    let mut peaks = [None; VALUES];
    let mut at = 0;
    while let Some(packet) = reader.next_packet()? {
        let length = packet::samples(&packet)?;
        let begin = value_at(at, total) as u64 * total / VALUES as u64;
        if at < begin + DECODED {
            // One that cannot be decoded is heard as silence, too.
            let heard = decoder.decode(&packet, &mut pcm, DecodeMode::Normal).unwrap_or(0);
            for (step, samples) in pcm[..heard * channels].chunks(STEP * channels).enumerate() {
                let peak = samples.iter().map(|it| u32::from(it.unsigned_abs())).max();
                let value = &mut peaks[value_at(at + (step * STEP) as u64, total)];
                *value = (*value).max(peak);
            }
        }
        at += length;
    }
    Ok(peaks)
}

/// The value to which the sample at this place belongs.
fn value_at(at: u64, total: u64) -> usize {
    usize::try_from(at * VALUES as u64 / total.max(1)).map_or(VALUES - 1, |it| it.min(VALUES - 1))
}

fn scaled(peaks: &[Option<u32>; VALUES]) -> [u8; VALUES] {
    let loudest = peaks.iter().flatten().copied().max().unwrap_or_default().max(SILENCE);
    let mut last = 0;
    peaks.map(|peak| {
        // Messages shorter than a quarter of a second have fewer steps than values.
        last = peak.map_or(last, |peak| u8::try_from(peak * LOUDEST / loudest).unwrap_or(u8::MAX));
        last
    })
}

/// 5 bits each, the lowest first.
fn pack(values: &[u8; VALUES]) -> [u8; (VALUES * 5).div_ceil(8)] {
    let mut packed = [0; (VALUES * 5).div_ceil(8)];
    for (number, value) in values.iter().enumerate() {
        let wide = u16::from(*value) << (number * 5 % 8);
        packed[number * 5 / 8] |= wide.to_le_bytes()[0];
        if let Some(next) = packed.get_mut(number * 5 / 8 + 1) {
            *next |= wide.to_le_bytes()[1];
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_packed_lowest_bits_first() {
        let mut values = [0; VALUES];
        values[..4].copy_from_slice(&[0b00001, 0b00010, 0b10000, 0b11111]);
        values[99] = 0b10101;
        let packed = pack(&values);
        assert_eq!(packed.len(), 63);
        assert_eq!(packed[..3], [0b0100_0001, 0b1100_0000, 0b0000_1111]);
        assert_eq!(packed[61] >> 7 | packed[62] << 1, 0b10101);
    }

    #[test]
    fn silence_is_not_blown_up() {
        let mut peaks = [Some(20); VALUES];
        assert!(scaled(&peaks).iter().all(|value| *value == 0));
        peaks[7] = Some(20_000);
        peaks[8] = None;
        let values = scaled(&peaks);
        assert_eq!((values[6], values[7], values[8]), (0, 31, 31));
    }
}
