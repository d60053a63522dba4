//! `chapar media-worker`, as the node starts it: with the binary's own allocator, without its environment and settings.

use std::{fs, path::PathBuf};

use chapar_media::{FileKind, PrepareError, Workers, prepare};

/// One white pixel.
const GOOD: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";

#[tokio::test]
async fn a_photo_is_taken_and_a_bomb_is_not() {
    let workers = Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_chapar")), 2);
    let folder = tempfile::tempdir().expect("a folder");
    let (input, out) = (folder.path().join("input"), folder.path().join("out"));
    fs::create_dir(&out).expect("makes");

    fs::write(&input, GOOD).expect("writes");
    let prepared = prepare(&workers, FileKind::Photo, &input, &out).await.expect("is taken");
    assert_eq!((prepared.mime.as_str(), prepared.width), ("image/jpeg", Some(1)));

    let endless =
        [&b"GIF89a\x10\0\x10\0\0\0\0"[..], &b"\x2c\0\0\0\0\x10\0\x10\0\0\x02\x01\0\0".repeat(10_000)].concat();
    fs::write(&input, endless).expect("writes");
    let refused = prepare(&workers, FileKind::Photo, &input, &out).await;
    assert!(matches!(refused, Err(PrepareError::TooLarge)), "{refused:?}");
    let kept = prepare(&workers, FileKind::Document, &input, &out).await.expect("is kept");
    assert_eq!(kept.mime, "image/gif");
}

/// A pixel on a canvas of 7000 × 7000 with transparency: 196 MB of pixels, which the allocator must find within the limit of address space.
#[tokio::test]
async fn forty_nine_megapixels_fit_into_a_worker() {
    let workers = Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_chapar")), 1);
    let folder = tempfile::tempdir().expect("a folder");
    let (input, out) = (folder.path().join("input"), folder.path().join("out"));
    fs::create_dir(&out).expect("makes");
    let mut large = GOOD.to_vec();
    large[6..10].copy_from_slice(&[0x58, 0x1b, 0x58, 0x1b]);
    fs::write(&input, large).expect("writes");
    let prepared = prepare(&workers, FileKind::Photo, &input, &out).await.expect("is taken");
    assert_eq!((prepared.width, prepared.height), (Some(2560), Some(2560)));
}
