//! Title and performer: ID3v2 and Vorbis comments. What is not understood is passed over.

/// No title is longer than this, in characters.
const LONGEST: usize = 200;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) title: Option<String>,
    pub(crate) performer: Option<String>,
}

/// A text that can be shown in one line.
fn shown(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn size(bytes: &[u8], bits: u32) -> usize {
    bytes.iter().fold(0, |size, byte| size << bits | usize::from(*byte))
}

/// ID3v2 of the versions 2.2 to 2.4; where the sound begins.
pub(crate) fn id3(front: &[u8], tags: &mut Tags) -> u64 {
    if !front.starts_with(b"ID3") || front.len() < 10 {
        return 0;
    }
    let version = front[3];
    let length = size(&front[6..10], 7);
    let mut frames = &front[10..front.len().min(10 + length)];
    let (name, head, bits) = match version {
        2 => (3, 6, 8),
        3 => (4, 10, 8),
        _ => (4, 10, 7),
    };
    while let Some((frame, rest)) = frames.split_at_checked(head) {
        let length = size(&frame[name..if version == 2 { 6 } else { 8 }], bits);
        let Some((inside, rest)) = rest.split_at_checked(length).filter(|_| frame[0] != 0) else { break };
        match &frame[..name] {
            b"TIT2" | b"TT2" => tags.title = id3_text(inside),
            b"TPE1" | b"TP1" => tags.performer = id3_text(inside),
            _ => {}
        }
        frames = rest;
    }
    10 + length as u64
}

fn id3_text(inside: &[u8]) -> Option<String> {
    let (encoding, text) = inside.split_first()?;
    let wide = |from: fn([u8; 2]) -> u16, text: &[u8]| {
        let units: Vec<u16> = text.chunks_exact(2).map(|it| from([it[0], it[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match encoding {
        0 => text.iter().map(|byte| char::from(*byte)).collect(),
        1 if text.starts_with(b"\xfe\xff") => wide(u16::from_be_bytes, &text[2..]),
        1 => wide(u16::from_le_bytes, text.strip_prefix(b"\xff\xfe").unwrap_or(text)),
        2 => wide(u16::from_be_bytes, text),
        _ => String::from_utf8_lossy(text).into_owned(),
    };
    // Several values stand one after the other with a zero between; the first does.
    shown(text.split('\0').next().unwrap_or_default())
}

/// The block VORBIS_COMMENT of FLAC.
pub(crate) fn flac(front: &[u8], tags: &mut Tags) {
    let mut rest = front.get(4..).unwrap_or_default();
    while let Some((head, inside)) = rest.split_at_checked(4) {
        let length = size(&head[1..], 8);
        let Some((inside, next)) = inside.split_at_checked(length) else { break };
        if head[0] & 0x7f == 4 {
            comments(inside, tags);
        }
        if head[0] & 0x80 != 0 {
            break;
        }
        rest = next;
    }
}

/// The second packet of Vorbis or Opus, if it begins on the second page and stands there whole.
pub(crate) fn ogg(front: &[u8], tags: &mut Tags) {
    let page = |bytes: &[u8]| {
        let segments = bytes.get(27..27 + usize::from(*bytes.get(26)?))?;
        let begin = 27 + segments.len();
        Some((begin, begin + segments.iter().map(|it| usize::from(*it)).sum::<usize>()))
    };
    let Some((_, first)) = page(front) else { return };
    let Some(second) = front.get(first..) else { return };
    let Some((begin, end)) = page(second) else { return };
    let packet = second.get(begin..end.min(second.len())).unwrap_or_default();
    if let Some(list) = packet.strip_prefix(b"OpusTags").or_else(|| packet.strip_prefix(b"\x03vorbis")) {
        comments(list, tags);
    }
}

/// A list of `NAME=value`, after the name of the encoder.
fn comments(list: &[u8], tags: &mut Tags) {
    let take = |rest: &mut &[u8]| {
        let length = u32::from_le_bytes(*rest.first_chunk()?) as usize;
        let (taken, after) = rest.get(4..)?.split_at_checked(length)?;
        *rest = after;
        Some(taken.to_vec())
    };
    let mut rest = list;
    take(&mut rest);
    let Some(after_count) = rest.get(4..) else { return };
    rest = after_count;
    while let Some(comment) = take(&mut rest) {
        let comment = String::from_utf8_lossy(&comment).into_owned();
        match comment.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("title") => tags.title = shown(value),
            Some((name, value)) if name.eq_ignore_ascii_case("artist") => tags.performer = shown(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &[u8], inside: &[u8]) -> Vec<u8> {
        let length = u32::try_from(inside.len()).expect("short").to_be_bytes();
        [name, &length, &[0; 2], inside].concat()
    }

    #[test]
    fn id3_tells_title_and_performer() {
        let title: Vec<u8> = "دل آرام".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let frames =
            [frame(b"TIT2", &[&[1, 0xff, 0xfe], &title[..]].concat()), frame(b"TPE1", b"\x03Band\0Other")].concat();
        let length = u8::try_from(frames.len()).expect("below 128");
        let front = [&b"ID3\x03\0\0\0\0\0"[..], &[length], &frames, b"\xff\xfb\x90"].concat();
        let mut tags = Tags::default();
        assert_eq!(id3(&front, &mut tags), 10 + u64::from(length));
        assert_eq!(tags, Tags { title: Some("دل آرام".to_owned()), performer: Some("Band".to_owned()) });
        for cut in 0..front.len() {
            id3(&front[..cut], &mut Tags::default());
        }
    }

    #[test]
    fn comments_tell_them_too_and_hold_no_control_characters() {
        let comment =
            |text: &str| [&u32::try_from(text.len()).expect("short").to_le_bytes()[..], text.as_bytes()].concat();
        let list = [comment("encoder"), vec![2, 0, 0, 0], comment("Title=A\u{7}B"), comment("ARTIST=C")].concat();
        let mut tags = Tags::default();
        comments(&list, &mut tags);
        assert_eq!(tags, Tags { title: Some("AB".to_owned()), performer: Some("C".to_owned()) });
        comments(&[0xff; 8], &mut tags);
    }
}
