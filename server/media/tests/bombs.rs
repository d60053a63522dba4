//! Files that were made to do harm, and files of chance: none is taken for what it is not, none costs more than it may.

#[path = "support/make.rs"]
mod make;

use std::{fs, path::PathBuf, time::Instant};

use chapar_media::{FileKind, PrepareError, Workers, prepare, work::Refusal};
use image::{DynamicImage, ExtendedColorType, ImageEncoder as _, ImageFormat, codecs::png::PngEncoder};
use make::{Film, send, speech};
use proptest::prelude::*;

const KINDS: [FileKind; 9] = [
    FileKind::Photo,
    FileKind::Video,
    FileKind::Round,
    FileKind::Voice,
    FileKind::Audio,
    FileKind::Document,
    FileKind::Sticker,
    FileKind::Poster,
    FileKind::Avatar,
];

fn workers() -> Workers {
    Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_media-worker")), 1)
}

fn picture(format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let pixels = image::RgbImage::from_fn(90, 70, |x, y| image::Rgb([x, y, x * y].map(|it| it.to_le_bytes()[0])));
    DynamicImage::from(pixels).write_to(&mut bytes, format).expect("encodes");
    bytes.into_inner()
}

/// A PNG with a chunk before its pixels.
fn png_with(kind: &[u8], inside: &[u8]) -> Vec<u8> {
    let png = picture(ImageFormat::Png);
    let body = [kind, inside].concat();
    let length = u32::try_from(inside.len()).expect("short").to_be_bytes();
    [&png[..33], &length, &body, &crc32(&body).to_be_bytes(), &png[33..]].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

/// A hundred megabytes of zeros, deflated: taken from a PNG of one colour.
fn deflated_zeros() -> Vec<u8> {
    let mut bytes = Vec::new();
    let zeros = vec![0; 10_000 * 10_000];
    PngEncoder::new(&mut bytes).write_image(&zeros, 10_000, 10_000, ExtendedColorType::L8).expect("encodes");
    let mut stream = Vec::new();
    let mut at = 8;
    while at + 12 <= bytes.len() {
        let length = u32::from_be_bytes(*bytes[at..].first_chunk().expect("a length")) as usize;
        if &bytes[at + 4..at + 8] == b"IDAT" {
            stream.extend_from_slice(&bytes[at + 8..at + 8 + length]);
        }
        at += 12 + length;
    }
    stream
}

fn jpeg_with_exif(tiff: &[u8]) -> Vec<u8> {
    let jpeg = picture(ImageFormat::Jpeg);
    let inside = [&b"Exif\0\0"[..], tiff].concat();
    let length = u16::try_from(inside.len() + 2).expect("short").to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &inside, &jpeg[2..]].concat()
}

/// Directories that claim 65,535 entries and go round in a circle.
fn endless_exif() -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\xff\xff".to_vec();
    while tiff.len() < 60_000 {
        tiff.extend_from_slice(&[0x69, 0x87, 4, 0, 0xff, 0xff, 0xff, 0xff, 8, 0, 0, 0]);
    }
    tiff
}

#[tokio::test]
async fn each_costs_a_worker_little_and_the_node_nothing() {
    let zeros = deflated_zeros();
    let compressed = |name: &[u8]| [name, b"\0\0", &zeros].concat();
    let gif_without_end =
        [&b"GIF89a\x10\0\x10\0\0\0\0"[..], &b"\x2c\0\0\0\0\x10\0\x10\0\0\x02\x01\0\0".repeat(100_000)].concat();
    let scans = {
        // A progressive JPEG that paints the same pixels ten thousand times.
        let head = b"\xff\xd8\xff\xc2\0\x0b\x08\x40\0\x40\0\x01\x01\x11\0";
        [&head[..], &b"\xff\xda\0\x08\x01\x01\0\0\0\0\0".repeat(10_000)].concat()
    };
    for (name, kind, bytes, taken) in [
        ("a text of 100 MB in a PNG", FileKind::Photo, png_with(b"zTXt", &compressed(b"Comment")), true),
        ("a profile of 100 MB in a PNG", FileKind::Photo, png_with(b"iCCP", &compressed(b"profile")), true),
        ("EXIF without end", FileKind::Photo, jpeg_with_exif(&endless_exif()), true),
        ("GIF without end", FileKind::Photo, gif_without_end, false),
        ("JPEG of ten thousand scans", FileKind::Photo, scans, false),
        ("an archive as a picture", FileKind::Photo, [b"PK\x03\x04", &zeros[..]].concat(), false),
        ("fragments without number", FileKind::Video, fragments(), false),
        ("elements without number", FileKind::Video, elements(), false),
    ] {
        let (folder, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let input = folder.path().join("input");
        fs::write(&input, &bytes).expect("writes");
        let begun = Instant::now();
        let answer = prepare(&workers(), kind, &input, out.path()).await;
        eprintln!("{name}: {} KB, {} ms, {answer:?}", bytes.len() / 1000, begun.elapsed().as_millis());
        // It is a sound picture with a nuisance in it, or it is refused; it is never to be tried again.
        assert!(!matches!(answer, Err(PrepareError::Failed(_))), "{name}: {answer:?}");
        assert!(taken || answer.is_err(), "{name}: {answer:?}");
        let written: u64 = fs::read_dir(out.path())
            .expect("is there")
            .map(|entry| entry.expect("an entry").metadata().expect("is there").len())
            .sum();
        assert!(written < 1 << 20, "{name}: {written}");
        prepare(&workers(), FileKind::Document, &input, out.path()).await.expect("a document is always taken");
    }
}

fn fragments() -> Vec<u8> {
    [make::ftyp(b"isom"), Film::default().moov(), make::mp4_box(b"moof", &[]).repeat(500_000)].concat()
}

fn elements() -> Vec<u8> {
    let tracks = make::track(1, 1, "V_VP9", b"", Some((64, 64)));
    // Voids of two bytes.
    make::webm(&tracks, &[], &b"\xec\x80".repeat(10_100_000))
}

fn valid() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("jpeg", picture(ImageFormat::Jpeg)),
        ("png", picture(ImageFormat::Png)),
        ("gif", picture(ImageFormat::Gif)),
        ("webp", picture(ImageFormat::WebP)),
        ("mp4", Film { place: true, ..Film::default() }.file(false)),
        ("webm", make::recording(&speech(60, |_| 0.5))),
        ("chromium's mp4", include_bytes!("recordings/film.mp4").to_vec()),
        ("chromium's webm", include_bytes!("recordings/film.webm").to_vec()),
        ("ogg", send(FileKind::Voice, &make::recording(&speech(60, |_| 0.5))).replaced()),
    ]
}

/// What may be true of any file: it is taken within bounds, or refused as the file's own fault.
fn holds(kind: FileKind, bytes: &[u8]) -> Result<(), TestCaseError> {
    let done = send(kind, bytes);
    let written: usize = done.files().iter().map(Vec::len).sum();
    prop_assert!(written < bytes.len() + (8 << 20), "{written} bytes from {}", bytes.len());
    match &done.answer {
        Ok(prepared) => {
            prop_assert!(prepared.width.is_none_or(|it| (1..=20_000).contains(&it)));
            prop_assert!(prepared.duration_ms.is_none_or(|it| it <= 24 * 3600 * 1000));
            prop_assert!(prepared.preview.as_ref().is_none_or(|it| it.len() <= 54));
            prop_assert!(prepared.waveform.as_ref().is_none_or(|it| it.len() == 84));
        }
        Err(Refusal::Failed(what)) => prop_assert!(false, "the machine's fault? {what}"),
        Err(_) => prop_assert!(kind != FileKind::Document, "a document is never refused"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_chance_after_any_beginning(
        kind in prop::sample::select(&KINDS[..]),
        begin in prop::sample::select(vec![
            &b""[..], b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0", b"GIF89a\x08\0\x08\0",
            b"RIFF\xff\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x07\0\0\x07\0\0", b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x60moov",
            b"\x1a\x45\xdf\xa3\x8b\x42\x86\x81\x01\x42\x82\x84webm\x18\x53\x80\x67\xff", b"OggS\0\x02", b"ID3\x03\0\0\0\0\0\x10",
            b"\xff\xfb\x90\x64", b"fLaC\0\0\0\x22", b"RIFF\xff\0\0\0WAVE", b"%PDF-",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        holds(kind, &[begin, &rest].concat())?;
    }

    #[test]
    fn sound_files_that_were_cut_or_bent(
        kind in prop::sample::select(&KINDS[..]),
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        bent in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        whole in any::<bool>(),
    ) {
        let all = VALID.get_or_init(valid);
        let mut bytes = all[which.index(all.len())].1.clone();
        for (at, byte) in &bent {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        holds(kind, &bytes)?;
    }
}

static VALID: std::sync::OnceLock<Vec<(&'static str, Vec<u8>)>> = std::sync::OnceLock::new();
