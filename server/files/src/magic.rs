//! What a file is by its first bytes, where nothing better looks at it. No IO.

/// The media type that the first bytes tell; `application/octet-stream` for what is not known.
pub(crate) fn mime(head: &[u8]) -> &'static str {
    match head {
        [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "audio/wav",
        [_, _, _, _, b'f', b't', b'y', b'p', b'M', b'4', b'A', ..] => "audio/mp4",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "video/mp4",
        [0x1A, 0x45, 0xDF, 0xA3, ..] => "video/webm",
        [b'O', b'g', b'g', b'S', ..] => "audio/ogg",
        [b'I', b'D', b'3', ..] => "audio/mpeg",
        [b'f', b'L', b'a', b'C', ..] => "audio/flac",
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        [b'P', b'K', 3, 4, ..] => "application/zip",
        _ => "application/octet-stream",
    }
}

/// What a browser may show by itself: it runs nothing in it.
pub(crate) fn may_stand_inline(mime: &str) -> bool {
    const SHOWN: [&str; 13] = [
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "video/mp4",
        "video/webm",
        "audio/wav",
        "audio/mp4",
        "audio/webm",
        "audio/ogg",
        "audio/mpeg",
        "audio/flac",
        "audio/aac",
    ];
    SHOWN.contains(&mime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_run_is_never_shown() {
        let (svg, html) = (mime(b"<svg xmlns="), mime(b"<!doctype html>"));
        for mime in [svg, html, "image/svg+xml", "text/html", "application/pdf", "text/xml", ""] {
            assert!(!may_stand_inline(mime), "{mime}");
        }
        assert!(may_stand_inline(mime(&[0xFF, 0xD8, 0xFF, 0xE0])));
    }
}
