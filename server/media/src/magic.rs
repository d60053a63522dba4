//! What a file is, by its first bytes. Its name and what the sender says never decide.

/// How many bytes from the beginning [`Format::of`] wants to see.
pub const HEAD: usize = 4096;

/// A format that is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG, moving or not.
    Png,
    /// GIF, moving or not.
    Gif,
    /// WebP, moving or not.
    WebP,
    /// A Windows bitmap.
    Bmp,
    /// TIFF, and the raw files of cameras that look like it.
    Tiff,
    /// HEIF with HEVC inside: what iPhones take.
    Heic,
    /// HEIF with AV1 inside.
    Avif,
    /// MPEG-4 with or without a film.
    Mp4,
    /// MPEG-4 that says of itself that it is sound only.
    M4a,
    /// Apple's form of MPEG-4.
    QuickTime,
    /// Matroska as browsers know it.
    WebM,
    /// Any other Matroska.
    Matroska,
    /// Opus in Ogg.
    OggOpus,
    /// Anything else in Ogg.
    Ogg,
    /// MPEG layer III.
    Mp3,
    /// AAC in ADTS frames.
    Aac,
    /// PCM in RIFF.
    Wav,
    /// FLAC.
    Flac,
    /// PDF.
    Pdf,
    /// ZIP, and everything that is packed in one: DOCX, APK, JAR.
    Zip,
    /// What a browser would run if it were shown as itself: HTML, SVG, any XML.
    Markup,
    /// UTF-8 without control characters and without markup.
    Text,
    /// Nothing of these.
    Unknown,
}

impl Format {
    /// What begins with `head`, of which [`HEAD`] bytes suffice.
    pub fn of(head: &[u8]) -> Self {
        let head = &head[..head.len().min(HEAD)];
        let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
        match head {
            _ if at(0, b"\xff\xd8\xff") => Self::Jpeg,
            _ if at(0, b"\x89PNG\r\n\x1a\n") => Self::Png,
            _ if at(0, b"GIF87a") || at(0, b"GIF89a") => Self::Gif,
            _ if at(0, b"RIFF") && at(8, b"WEBP") => Self::WebP,
            _ if (at(0, b"RIFF") || at(0, b"RF64")) && at(8, b"WAVE") => Self::Wav,
            _ if at(0, b"II*\0") || at(0, b"MM\0*") => Self::Tiff,
            _ if at(4, b"ftyp") => Self::of_brand(head),
            // Old QuickTime files begin without a brand.
            _ if [&b"moov"[..], b"mdat", b"wide"].iter().any(|kind| at(4, kind)) => Self::QuickTime,
            _ if at(0, b"\x1a\x45\xdf\xa3") => Self::of_ebml(head),
            _ if at(0, b"OggS") => Self::of_ogg(head),
            _ if at(0, b"fLaC") => Self::Flac,
            _ if at(0, b"PK\x03\x04") || at(0, b"PK\x05\x06") => Self::Zip,
            _ if at(0, b"%PDF-") => Self::Pdf,
            // The length in the header must be plausible: two letters alone also begin prose.
            _ if at(0, b"BM") && at(6, &[0; 4]) => Self::Bmp,
            _ if at(0, b"ID3") => Self::Mp3,
            // UTF-16, in which browsers see markup too. Frames of MPEG begin with the same ones.
            _ if at(0, b"\xff\xfe") || at(0, b"\xfe\xff") => Self::Markup,
            [0xff, second, third, ..] if second & 0xe0 == 0xe0 => Self::of_mpeg(*second, *third),
            _ => Self::of_text(head),
        }
    }

    fn of_brand(head: &[u8]) -> Self {
        match head.get(8..12) {
            Some(b"heic" | b"heix" | b"hevc" | b"heim" | b"heis" | b"mif1" | b"msf1") => {
                // `mif1` stands for both; the compatible brands say which.
                let listed = head.get(16..64.min(head.len())).unwrap_or_default();
                if listed.windows(4).any(|brand| brand == b"avif") { Self::Avif } else { Self::Heic }
            }
            Some(b"avif" | b"avis") => Self::Avif,
            Some(b"qt  ") => Self::QuickTime,
            Some(b"M4A " | b"M4B " | b"M4P ") => Self::M4a,
            Some(_) => Self::Mp4,
            None => Self::Unknown,
        }
    }

    fn of_ebml(head: &[u8]) -> Self {
        let header = &head[..head.len().min(80)];
        // The element DocType (0x4282) with its length before the word.
        if header.windows(7).any(|it| it == b"\x42\x82\x84webm") { Self::WebM } else { Self::Matroska }
    }

    fn of_ogg(head: &[u8]) -> Self {
        // The first packet stands after 27 bytes and the table of segments.
        let packet = head.get(26).and_then(|segments| head.get(27 + usize::from(*segments)..));
        if packet.is_some_and(|it| it.starts_with(b"OpusHead")) { Self::OggOpus } else { Self::Ogg }
    }

    fn of_mpeg(second: u8, third: u8) -> Self {
        let layer = (second >> 1) & 3;
        let (bitrate, rate) = (third >> 4, (third >> 2) & 3);
        match layer {
            0 if second & 0xf0 == 0xf0 && (third >> 2) & 15 < 13 => Self::Aac,
            1 if (second >> 3) & 3 != 1 && bitrate != 15 && bitrate != 0 && rate != 3 => Self::Mp3,
            _ => Self::Unknown,
        }
    }

    fn of_text(head: &[u8]) -> Self {
        let lower = head.to_ascii_lowercase();
        let tags = [
            &b"<!doctype"[..],
            b"<html",
            b"<head",
            b"<body",
            b"<script",
            b"<svg",
            b"<?xml",
            b"<iframe",
            b"<style",
            b"<title",
            b"<img",
            b"<a ",
            b"<!--",
            b"<table",
            b"<div",
            b"<p>",
            b"<br",
            b"<math",
            b"<xsl",
            b"<?php",
        ];
        // Some archives and pictures carry markup further on; what begins as nothing known counts as markup then.
        if tags.iter().any(|tag| lower.windows(tag.len()).any(|it| it == *tag)) {
            return Self::Markup;
        }
        let text = match str::from_utf8(head) {
            Ok(text) => text,
            // The last letter may be cut.
            Err(error) if error.error_len().is_none() => {
                str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return Self::Unknown,
        };
        let plain = |letter: char| !letter.is_control() || matches!(letter, '\t' | '\n' | '\r' | '\u{c}');
        if !text.is_empty() && text.chars().all(plain) { Self::Text } else { Self::Unknown }
    }

    /// The media type under which the file is served. What a browser would run has none of its own.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
            Self::Bmp => "image/bmp",
            Self::Tiff => "image/tiff",
            Self::Heic => "image/heic",
            Self::Avif => "image/avif",
            Self::Mp4 => "video/mp4",
            Self::M4a => "audio/mp4",
            Self::QuickTime => "video/quicktime",
            Self::WebM => "video/webm",
            Self::Matroska => "video/x-matroska",
            Self::OggOpus | Self::Ogg => "audio/ogg",
            Self::Mp3 => "audio/mpeg",
            Self::Aac => "audio/aac",
            Self::Wav => "audio/wav",
            Self::Flac => "audio/flac",
            Self::Pdf => "application/pdf",
            Self::Zip => "application/zip",
            Self::Text => "text/plain; charset=utf-8",
            Self::Markup | Self::Unknown => "application/octet-stream",
        }
    }

    /// Whether this is a picture that can be decoded here.
    pub(crate) fn image(self) -> Option<image::ImageFormat> {
        match self {
            Self::Jpeg => Some(image::ImageFormat::Jpeg),
            Self::Png => Some(image::ImageFormat::Png),
            Self::Gif => Some(image::ImageFormat::Gif),
            Self::WebP => Some(image::ImageFormat::WebP),
            _ => None,
        }
    }
}

/// Whether a file of this media type may be shown in the browser in place; everything else is only saved.
pub fn may_stand_inline(mime: &str) -> bool {
    const SHOWN: [&str; 14] = [
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "video/mp4",
        "video/quicktime",
        "video/webm",
        "audio/mp4",
        "audio/ogg",
        "audio/mpeg",
        "audio/aac",
        "audio/wav",
        "audio/flac",
        "audio/webm",
    ];
    SHOWN.contains(&mime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_say_what_a_file_is() {
        let ogg = |first: &[u8]| [&b"OggS\0\x02"[..], &[0; 20], &[1, 19], first].concat();
        let opus = ogg(b"OpusHead\x01");
        let vorbis = ogg(b"\x01vorbis");
        for (head, format) in [
            (&b"\xff\xd8\xff\xe0\0\x10JFIF"[..], Format::Jpeg),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Format::Png),
            (b"GIF89a\x01\0\x01\0", Format::Gif),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Format::WebP),
            (b"RIFF\x10\0\0\0WAVEfmt ", Format::Wav),
            (b"RIFF\x10\0\0\0AVI LIST", Format::Unknown),
            (b"BM\x46\0\0\0\0\0\0\0\x36", Format::Bmp),
            (b"BMW is a make of cars", Format::Text),
            (b"II*\0\x08\0\0\0", Format::Tiff),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Format::Heic),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", Format::Avif),
            (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", Format::Avif),
            (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", Format::Mp4),
            (b"\0\0\0\x14ftypqt  \0\0\0\0", Format::QuickTime),
            (b"\0\0\0\x08wide\0\0\0\0mdat", Format::QuickTime),
            (b"\0\0\0\x18ftypM4A \0\0\0\0", Format::M4a),
            (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", Format::WebM),
            (b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska", Format::Matroska),
            (&opus, Format::OggOpus),
            (&vorbis, Format::Ogg),
            (b"ID3\x04\0\0\0\0\0\0", Format::Mp3),
            (b"\xff\xfb\x90\x64\0\0", Format::Mp3),
            (b"\xff\xf1\x50\x80\0\0", Format::Aac),
            (b"\xff\xff\xff\xff", Format::Unknown),
            (b"fLaC\0\0\0\x22", Format::Flac),
            (b"%PDF-1.7", Format::Pdf),
            (b"PK\x03\x04\x14\0", Format::Zip),
            (b"plain words\n", Format::Text),
            ("\u{feff}سلام، این یک نوشته است".as_bytes(), Format::Text),
            (&"سلام".as_bytes()[..7], Format::Text),
            (b"\0\x01\x02", Format::Unknown),
            (b"", Format::Unknown),
        ] {
            assert_eq!(Format::of(head), format, "{:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn what_a_browser_would_run_is_never_shown_in_place() {
        for head in [
            &b"<!DOCTYPE html><p>x"[..],
            b"  \n<HTML><body>",
            b"\xef\xbb\xbf<svg xmlns='x' onload='alert(1)'/>",
            b"<?xml version='1.0'?><svg/>",
            b"<!-- x --><svg/>",
            b"just words and then <script>alert(1)</script>",
            b"\xff\xfe<\0s\0v\0g\0",
            // Neither prose nor any format, and yet markup.
            b"\0\0\0<script src=x>",
        ] {
            let format = Format::of(head);
            assert_eq!(format, Format::Markup, "{:?}", String::from_utf8_lossy(head));
            assert_eq!(format.mime(), "application/octet-stream");
        }
        for mime in ["application/octet-stream", "image/svg+xml", "text/html", "text/plain; charset=utf-8"] {
            assert!(!may_stand_inline(mime), "{mime}");
        }
        assert!(!may_stand_inline("application/pdf"), "a PDF brings scripts of its own");
        assert!(may_stand_inline("image/jpeg"));
    }

    #[test]
    fn of_two_formats_in_one_file_the_first_bytes_count() {
        for (head, format) in [
            (&b"\xff\xd8\xff\xe0\0\x10JFIF<script>alert(1)</script>"[..], Format::Jpeg),
            (b"GIF89a/*<html>*/=1;alert(1)", Format::Gif),
            (b"\x89PNG\r\n\x1a\n<html><script>", Format::Png),
            (b"%PDF-1.4 PK\x03\x04", Format::Pdf),
            (b"PK\x03\x04 %PDF-1.4 <html>", Format::Zip),
            (b"\0\0\0\x18ftypisom<html><script>", Format::Mp4),
        ] {
            assert_eq!(Format::of(head), format, "{:?}", String::from_utf8_lossy(head));
            assert!(!format.mime().contains("html"));
        }
    }
}
