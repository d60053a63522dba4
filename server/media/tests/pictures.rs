//! Photos, stickers and avatars: what is stored is upright, small, and has nothing in it but pixels.

use std::{fs, io::Cursor, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use chapar_media::{FileKind, Prepared, Reason, work, work::Refusal};
use image::{
    DynamicImage, ExtendedColorType, GenericImageView as _, ImageEncoder as _, ImageFormat, Rgb, RgbImage, Rgba,
    RgbaImage,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
};
use tempfile::TempDir;

/// Red above, blue below.
fn two_colours(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |_, y| if y < height / 2 { Rgb([220, 30, 30]) } else { Rgb([30, 30, 220]) })
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(picture).expect("encodes");
    bytes
}

fn png(picture: &DynamicImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).expect("encodes");
    bytes.into_inner()
}

/// EXIF with the orientation 6 (turn right) and a position, as phones write it.
fn exif() -> Vec<u8> {
    let mut tiff = b"MM\0*\0\0\0\x08\0\x02".to_vec();
    tiff.extend_from_slice(&[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0]);
    tiff.extend_from_slice(&[0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 38]);
    tiff.extend_from_slice(&[0; 4]);
    // The position's directory: N, as a reference of latitude.
    tiff.extend_from_slice(&[0, 1, 0, 1, 0, 2, 0, 0, 0, 2, b'N', 0, 0, 0, 0, 0, 0, 0]);
    tiff.extend_from_slice(b"GPS 36.2880N 59.6157E");
    tiff
}

fn with_exif(jpeg: &[u8]) -> Vec<u8> {
    let inside = [&b"Exif\0\0"[..], &exif()].concat();
    let length = u16::try_from(inside.len() + 2).expect("short").to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &inside, &jpeg[2..]].concat()
}

struct Done {
    out: TempDir,
    answer: Result<Prepared, Refusal>,
}

fn send(kind: FileKind, bytes: &[u8]) -> Done {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("input");
    fs::write(&input, bytes).expect("writes");
    let out = tempfile::tempdir().expect("a folder");
    Done { answer: work(kind, &input, out.path()), out }
}

impl Done {
    #[track_caller]
    fn prepared(&self) -> &Prepared {
        self.answer.as_ref().expect("is taken")
    }

    /// Every file that was written.
    fn files(&self) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(self.out.path()).expect("is there");
        entries.map(|entry| fs::read(entry.expect("an entry").path()).expect("reads")).collect()
    }
}

fn size(path: &Path) -> (u32, u32) {
    read(path).dimensions()
}

fn read(path: &Path) -> DynamicImage {
    let bytes = fs::read(path).expect("reads");
    image::load_from_memory(&bytes).expect("decodes")
}

fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|it| it == what)
}

#[test]
fn a_photo_is_made_anew_in_bounded_sizes() {
    let done = send(FileKind::Photo, &jpeg(&two_colours(4000, 3000)));
    let prepared = done.prepared();
    assert_eq!((prepared.width, prepared.height), (Some(2560), Some(1920)));
    assert_eq!(prepared.mime, "image/jpeg");
    assert_eq!(size(prepared.replaced.as_ref().expect("made anew")), (2560, 1920));
    let sizes: Vec<_> = prepared.variants.iter().map(|(bound, path)| (*bound, size(path))).collect();
    assert_eq!(sizes, [(320, (320, 240)), (800, (800, 600)), (1280, (1280, 960))]);
    let preview = BASE64_STANDARD_NO_PAD.decode(prepared.preview.as_ref().expect("a preview")).expect("base64");
    assert!(preview.len() <= 40, "{}", preview.len());
}

#[test]
fn no_form_is_larger_than_the_original() {
    for (width, height, bounds) in [(1000, 600, &[320, 800][..]), (320, 320, &[]), (1, 1, &[]), (801, 2, &[320, 800])] {
        let done = send(FileKind::Photo, &jpeg(&two_colours(width, height)));
        let prepared = done.prepared();
        assert_eq!((prepared.width, prepared.height), (Some(width), Some(height)));
        assert_eq!(prepared.variants.iter().map(|it| it.0).collect::<Vec<_>>(), bounds, "{width} × {height}");
    }
}

#[test]
fn a_photo_stands_upright_and_says_nothing_of_where_it_was_taken() {
    let original = with_exif(&jpeg(&two_colours(400, 200)));
    assert!(has(&original, b"GPS 36.2880N"));
    let done = send(FileKind::Photo, &original);
    let prepared = done.prepared();
    assert_eq!((prepared.width, prepared.height), (Some(200), Some(400)));
    let seen = read(prepared.replaced.as_ref().expect("made anew"));
    // Red was above; turned right it is on the right.
    assert!(seen.get_pixel(190, 200)[0] > 150 && seen.get_pixel(10, 200)[2] > 150);
    assert!(done.files().len() >= 2);
    for bytes in done.files() {
        for gone in [&b"Exif"[..], b"GPS", b"36.2880", b"ICC_PROFILE", b"http://ns.adobe.com", b"Photoshop"] {
            assert!(!has(&bytes, gone), "{}", String::from_utf8_lossy(gone));
        }
    }
}

#[test]
fn a_picture_sent_as_a_document_keeps_every_byte() {
    let done = send(FileKind::Document, &with_exif(&jpeg(&two_colours(400, 200))));
    let prepared = done.prepared();
    assert_eq!(prepared.replaced, None);
    assert_eq!((prepared.width, prepared.height), (Some(200), Some(400)));
    assert_eq!(prepared.variants.len(), 1);
    assert!(!done.files().iter().any(|bytes| has(bytes, b"GPS")));
}

#[test]
fn what_is_transparent_becomes_white_in_a_photo() {
    let clear = RgbaImage::from_fn(300, 300, |x, _| if x < 150 { Rgba([0, 0, 0, 0]) } else { Rgba([0, 200, 0, 255]) });
    let done = send(FileKind::Photo, &png(&clear.into()));
    let seen = read(done.prepared().replaced.as_ref().expect("made anew"));
    assert!(seen.get_pixel(20, 20).0[..3].iter().all(|colour| *colour > 245), "{:?}", seen.get_pixel(20, 20));
    assert!(seen.get_pixel(280, 20)[1] > 150);
}

#[test]
fn every_depth_and_colour_that_png_has_is_taken() {
    let picture = DynamicImage::from(two_colours(64, 48));
    for deep in [
        picture.to_luma8().into(),
        picture.to_luma_alpha8().into(),
        picture.to_luma16().into(),
        picture.to_rgb16().into(),
        DynamicImage::from(picture.to_rgba16()),
    ] {
        let done = send(FileKind::Photo, &png(&deep));
        assert_eq!(done.prepared().width, Some(64), "{:?}", deep.color());
    }
}

#[test]
fn the_colours_of_a_wide_profile_are_kept_as_they_were_seen() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().expect("encodes");
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.set_icc_profile(profile).expect("takes a profile");
    let green = RgbImage::from_pixel(64, 64, Rgb([60, 200, 60]));
    encoder.write_image(green.as_raw(), 64, 64, ExtendedColorType::Rgb8).expect("encodes");
    let done = send(FileKind::Photo, &bytes);
    let seen = read(done.prepared().replaced.as_ref().expect("made anew")).get_pixel(30, 30);
    // The green of P3 is greener than that of sRGB: less red makes up for it.
    assert!(seen[0] < 30 && seen[1] > 190, "{seen:?}");
}

#[test]
fn an_avatar_is_a_square_from_the_middle() {
    let wide = RgbImage::from_fn(900, 300, |x, _| if (300..600).contains(&x) { Rgb([0, 200, 0]) } else { Rgb([0; 3]) });
    let done = send(FileKind::Avatar, &jpeg(&wide));
    let prepared = done.prepared();
    assert_eq!((prepared.width, prepared.height), (Some(300), Some(300)));
    let sizes: Vec<_> = prepared.variants.iter().map(|(bound, path)| (*bound, size(path))).collect();
    assert_eq!(sizes, [(80, (80, 80)), (320, (300, 300))]);
    assert!(read(prepared.replaced.as_ref().expect("made anew")).get_pixel(10, 150)[1] > 150);
}

#[test]
fn a_sticker_keeps_its_transparency() {
    let clear = RgbaImage::from_fn(800, 400, |x, _| if x < 400 { Rgba([0; 4]) } else { Rgba([200, 0, 0, 255]) });
    let done = send(FileKind::Sticker, &png(&clear.into()));
    let prepared = done.prepared();
    assert_eq!((prepared.width, prepared.height, prepared.animated), (Some(512), Some(256), false));
    assert_eq!(prepared.mime, "image/webp");
    let seen = read(prepared.replaced.as_ref().expect("made anew"));
    assert_eq!((seen.get_pixel(5, 5)[3], seen.get_pixel(500, 5)[3]), (0, 255));
    let refused = send(FileKind::Sticker, &jpeg(&two_colours(64, 64))).answer;
    assert_eq!(refused, Err(Refusal::Refused(Reason::WrongFormat)));
}

fn gif(frames: u32, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 30);
    for number in 0..frames {
        let shade = u8::try_from(number % 250).expect("small");
        let frame = RgbaImage::from_pixel(width, height, Rgba([shade, 0, 0, 255]));
        encoder.encode_frame(image::Frame::new(frame)).expect("encodes");
    }
    drop(encoder);
    bytes
}

#[test]
fn a_moving_gif_moves_on_without_its_comments() {
    let plain = gif(3, 400, 300);
    let comment = b"\x21\xfe\x0cGPS 36.2880N\0";
    let colours = if plain[10] & 0x80 == 0 { 0 } else { 3 << ((plain[10] & 7) + 1) };
    let (head, rest) = plain.split_at(13 + colours);
    let original = [head, comment, rest, b"<script>trailing</script>"].concat();
    let done = send(FileKind::Photo, &original);
    let prepared = done.prepared();
    assert_eq!((prepared.width, prepared.height, prepared.animated), (Some(400), Some(300), true));
    assert_eq!(prepared.mime, "image/gif");
    assert_eq!(prepared.variants.iter().map(|it| it.0).collect::<Vec<_>>(), [320]);
    let kept = fs::read(prepared.replaced.as_ref().expect("cleaned")).expect("reads");
    assert!(!has(&kept, b"GPS") && !has(&kept, b"script"));
    let decoder = image::codecs::gif::GifDecoder::new(Cursor::new(&kept)).expect("decodes");
    assert_eq!(image::AnimationDecoder::into_frames(decoder).collect_frames().expect("frames").len(), 3);
    assert_eq!(send(FileKind::Sticker, &original).prepared().mime, "image/gif");
}

#[test]
fn a_gif_that_stands_still_is_a_photo_as_any_other() {
    let done = send(FileKind::Photo, &gif(1, 40, 30));
    assert_eq!((done.prepared().mime.as_str(), done.prepared().animated), ("image/jpeg", false));
}

fn chunk(name: &[u8], inside: &[u8]) -> Vec<u8> {
    let length = u32::try_from(inside.len()).expect("short").to_le_bytes();
    [name, &length, inside, &[0][..inside.len() % 2]].concat()
}

fn moving_webp(frames: u32) -> Vec<u8> {
    let mut still = Vec::new();
    let pixels = RgbaImage::from_pixel(100, 50, Rgba([200, 0, 0, 255]));
    WebPEncoder::new_lossless(&mut still).encode(&pixels, 100, 50, ExtendedColorType::Rgba8).expect("encodes");
    // A simple file has one chunk after `WEBP`.
    let picture = &still[12..];
    let size = [99, 0, 0, 49, 0, 0];
    let header = [&[0x02 | 0x08 | 0x04 | 0x10, 0, 0, 0][..], &size].concat();
    let mut inside = [&b"WEBP"[..], &chunk(b"VP8X", &header), &chunk(b"ANIM", &[0; 6])].concat();
    for _ in 0..frames {
        let frame = [&[0; 6][..], &size, &[100, 0, 0, 0], picture].concat();
        inside.extend_from_slice(&chunk(b"ANMF", &frame));
    }
    inside.extend_from_slice(&chunk(b"EXIF", &exif()));
    inside.extend_from_slice(&chunk(b"XMP ", b"<x:xmpmeta>GPS</x:xmpmeta>"));
    chunk(b"RIFF", &inside)
}

#[test]
fn a_moving_webp_moves_on_without_exif() {
    let original = moving_webp(4);
    for kind in [FileKind::Photo, FileKind::Sticker] {
        let done = send(kind, &original);
        let prepared = done.prepared();
        assert_eq!((prepared.width, prepared.height, prepared.animated), (Some(100), Some(50), true));
        let kept = fs::read(prepared.replaced.as_ref().expect("cleaned")).expect("reads");
        assert!(has(&original, b"GPS") && !has(&kept, b"GPS") && !has(&kept, b"EXIF") && !has(&kept, b"XMP "));
        let decoder = image::codecs::webp::WebPDecoder::new(Cursor::new(&kept)).expect("decodes");
        assert_eq!(image::AnimationDecoder::into_frames(decoder).collect_frames().expect("frames").len(), 4);
    }
}

#[test]
fn pictures_with_too_many_pixels_or_frames_are_too_large() {
    let too_large = Err(Refusal::TooLarge);
    // A million times the same colour: a small file, and 144 megapixels.
    let flood = png(&DynamicImage::new_luma8(12_000, 12_000));
    assert!(flood.len() < 1_000_000, "{}", flood.len());
    assert_eq!(send(FileKind::Photo, &flood).answer, too_large);
    assert_eq!(send(FileKind::Document, &flood).prepared().variants, []);
    let mut header = jpeg(&two_colours(16, 16));
    let frame = header.windows(2).position(|it| it == [0xff, 0xc0]).expect("a frame");
    header[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    assert_eq!(send(FileKind::Photo, &header).answer, too_large);
    assert_eq!(send(FileKind::Photo, &png_header(65_535, 65_535)).answer, too_large);
    assert_eq!(send(FileKind::Photo, &png_header(20_001, 1)).answer, too_large);
    assert_eq!(send(FileKind::Photo, &gif(2001, 2, 2)).answer, too_large);
    assert_eq!(send(FileKind::Sticker, &gif(301, 2, 2)).answer, too_large);
    assert_eq!(send(FileKind::Sticker, &gif(2, 513, 2)).answer, too_large);
}

/// A PNG that says a size and has nothing of it.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(&[0; 4], 2, 2, ExtendedColorType::L8).expect("encodes");
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn what_is_no_picture_is_refused_as_one_and_taken_as_a_document() {
    let broken = || Err(Refusal::Refused(Reason::Broken));
    let wrong = || Err(Refusal::Refused(Reason::WrongFormat));
    let whole = png(&two_colours(200, 200).into());
    for (bytes, answer) in [
        (whole[..whole.len() / 2].to_vec(), broken()),
        (b"GIF89a".to_vec(), broken()),
        (b"RIFF\x10\0\0\0WEBPVP8X".to_vec(), broken()),
        (b"\xff\xd8\xff\xe0".to_vec(), broken()),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), wrong()),
        (b"PK\x03\x04 a zip with photos".to_vec(), wrong()),
        (Vec::new(), wrong()),
    ] {
        for kind in [FileKind::Photo, FileKind::Avatar, FileKind::Poster] {
            assert_eq!(send(kind, &bytes).answer, answer, "{kind:?} {:?}", String::from_utf8_lossy(&bytes));
        }
        assert_eq!(send(FileKind::Document, &bytes).prepared().preview, None);
    }
}

#[test]
fn what_hangs_behind_a_photo_is_gone() {
    let zip = b"PK\x03\x04secret.class";
    let done = send(FileKind::Photo, &[&jpeg(&two_colours(500, 500))[..], zip].concat());
    assert!(done.prepared().replaced.is_some());
    assert!(!done.files().iter().any(|bytes| has(bytes, b"secret")));
}
