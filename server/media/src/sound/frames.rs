//! How long a recording is, in milliseconds, from its first and last bytes.

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|it| u32::from_be_bytes(*it))
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|it| u32::from_le_bytes(*it))
}

/// Kilobits a second of layer III: of MPEG-1, and of the lower rates of MPEG-2 and 2.5.
const BITRATES: [[u64; 15]; 2] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// A file of layer III whose frames begin with `front` and have `length` bytes together: the number of frames if an
/// encoder noted it (Xing, Info, VBRI), or else as if all frames were like the first.
pub(crate) fn mp3(front: &[u8], length: u64) -> Option<u64> {
    // Padding may stand before the first frame.
    let at = front.windows(4).take(64 << 10).position(|it| {
        it[0] == 0xff
            && it[1] & 0xe6 == 0xe2
            && (it[1] >> 3) & 3 != 1
            && !matches!(it[2] >> 4, 0 | 15)
            && (it[2] >> 2) & 3 != 3
    })?;
    let frame = &front[at..];
    // MPEG-1; MPEG-2, which halves the rates; MPEG-2.5, which halves them once more.
    let halved = match (frame[1] >> 3) & 3 {
        3 => 0,
        2 => 1,
        _ => 2,
    };
    let first = halved == 0;
    let rate = u64::from([44_100u32, 48_000, 32_000][usize::from((frame[2] >> 2) & 3)] >> halved);
    let samples = if first { 1152 } else { 576 };
    let bitrate = BITRATES[usize::from(!first)][usize::from(frame[2] >> 4)];
    let mono = frame[3] >> 6 == 3;
    let side = match (first, mono) {
        (true, false) => 32,
        (true, true) | (false, false) => 17,
        (false, true) => 9,
    };
    let noted = match frame.get(4 + side..)? {
        head if head.starts_with(b"Xing") || head.starts_with(b"Info") => {
            u32_be(head, 4).filter(|flags| flags & 1 == 1).and_then(|_| u32_be(head, 8))
        }
        _ => frame.get(36..).filter(|head| head.starts_with(b"VBRI")).and_then(|head| u32_be(head, 14)),
    };
    // A frame has at least 24 bytes: what is noted beyond that is not true.
    match noted.map(u64::from).filter(|frames| frames * 24 <= length) {
        Some(frames) => Some(frames * samples * 1000 / rate),
        None => Some(length * 8 / bitrate),
    }
}

/// STREAMINFO (RFC 9639, section 8.2).
pub(crate) fn flac(front: &[u8]) -> Option<u64> {
    let info = front.get(8..42).filter(|_| front[4].is_multiple_of(128))?;
    let rate = u64::from(u32_be(info, 10)? >> 12);
    let samples = u64::from(info[13] & 15) << 32 | u64::from(u32_be(info, 14)?);
    (samples * 1000).checked_div(rate)
}

/// The chunks `fmt ` and `data`.
pub(crate) fn wav(front: &[u8], length: u64) -> Option<u64> {
    let mut at = 12;
    let mut bytes_a_second = 0;
    loop {
        let kind = front.get(at..at + 4)?;
        let size = u32_le(front, at + 4)?;
        if kind == b"fmt " {
            bytes_a_second = u64::from(u32_le(front, at + 16)?);
        } else if kind == b"data" {
            // Whoever streams does not know the size; nobody's is larger than the file.
            let size = u64::from(size).min(length.saturating_sub(at as u64 + 8));
            return (size * 1000).checked_div(bytes_a_second);
        }
        at = at.checked_add(8)?.checked_add(size as usize + size as usize % 2)?;
    }
}

/// The last page's granule, in the clock that the first packet names.
pub(crate) fn ogg(front: &[u8], back: &[u8]) -> Option<u64> {
    let packet = front.get(27 + usize::from(*front.get(26)?)..)?;
    let (rate, skipped) = if packet.starts_with(b"OpusHead") {
        (48_000, u64::from(*packet.get(10)?) | u64::from(*packet.get(11)?) << 8)
    } else if packet.starts_with(b"\x01vorbis") {
        (u64::from(u32_le(packet, 12)?), 0)
    } else if packet.starts_with(b"\x7fFLAC") {
        (u64::from(u32_be(packet, 27)? >> 12), 0)
    } else {
        return None;
    };
    let serial = front.get(14..18)?;
    let pages = back.windows(27).rev().filter(|page| page.starts_with(b"OggS") && &page[14..18] == serial);
    let mut granules = pages.filter_map(|page| page[6..].first_chunk().map(|it| u64::from_le_bytes(*it)));
    // A page on which no packet ends has none.
    let last = granules.find(|granule| *granule != u64::MAX)?;
    u64::try_from(u128::from(last.saturating_sub(skipped)) * 1000 / u128::from(rate.max(1))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_and_noted_mp3() {
        // MPEG-1, 128 kbit/s, 44.1 kHz, stereo.
        let mut front = vec![0xff, 0xfb, 0x90, 0x00];
        front.resize(417, 0);
        assert_eq!(mp3(&front, 160_000), Some(10_000));
        front[36..44].copy_from_slice(b"Xing\0\0\0\x01");
        front[44..48].copy_from_slice(&1000u32.to_be_bytes());
        assert_eq!(mp3(&front, 160_000), Some(1000 * 1152 * 1000 / 44_100));
        // More frames than fit are not true.
        front[44..48].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(mp3(&front, 160_000), Some(10_000));
        assert_eq!(mp3(b"nothing of it", 100), None);
    }

    #[test]
    fn streaminfo_of_flac() {
        let mut front = b"fLaC\0\0\0\x22".to_vec();
        front.extend_from_slice(&[0; 10]);
        // 44.1 kHz in 20 bits, stereo, 16 bits; 441,000 samples.
        front.extend_from_slice(&[0x0a, 0xc4, 0x42, 0xf0]);
        front.extend_from_slice(&441_000u32.to_be_bytes());
        front.extend_from_slice(&[0; 16]);
        assert_eq!(flac(&front), Some(10_000));
        assert_eq!(flac(&front[..30]), None);
    }

    #[test]
    fn a_wav_of_false_size_ends_with_its_file() {
        let mut front = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0".to_vec();
        front.extend_from_slice(&16_000u32.to_le_bytes());
        front.extend_from_slice(b"\x02\0\x10\0data\xff\xff\xff\xff");
        assert_eq!(wav(&front, 32_044), Some(2000));
        assert_eq!(wav(b"RIFF\0\0\0\0WAVEdata\xff\xff\xff\xff", 100), None);
    }
}
