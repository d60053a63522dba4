//! Pixels into files. Nothing but the pixels is written: no EXIF, no profile, no comment.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use image::{
    ExtendedColorType, ImageError,
    codecs::{jpeg::JpegEncoder, webp::WebPEncoder},
};

use crate::{picture::pixels::Pixels, work::Refusal};

/// Where more is hardly seen and costs much.
const QUALITY: u8 = 82;

/// Writes a picture without transparency as JPEG.
pub(crate) fn jpeg(pixels: &Pixels, path: &Path) -> Result<PathBuf, Refusal> {
    let mut file = BufWriter::new(File::create(path)?);
    let (width, height) = pixels.size();
    JpegEncoder::new_with_quality(&mut file, QUALITY)
        .encode(pixels.bytes(), width, height, ExtendedColorType::Rgb8)
        .map_err(failed)?;
    file.flush()?;
    Ok(path.to_owned())
}

/// Writes a small picture as WebP without loss.
pub(crate) fn webp(pixels: &Pixels, path: &Path) -> Result<PathBuf, Refusal> {
    let mut file = BufWriter::new(File::create(path)?);
    let (width, height) = pixels.size();
    let colours = if pixels.has_alpha() { ExtendedColorType::Rgba8 } else { ExtendedColorType::Rgb8 };
    WebPEncoder::new_lossless(&mut file).encode(pixels.bytes(), width, height, colours).map_err(failed)?;
    file.flush()?;
    Ok(path.to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: ImageError) -> Refusal {
    Refusal::Failed(format!("encoding: {error}"))
}
