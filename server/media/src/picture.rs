//! Pictures: decoded within bounds, turned upright, freed of everything but the pixels, and made anew in few sizes.

mod animated;
mod encode;
mod pixels;

use std::path::{Path, PathBuf};

use crate::{
    Format, Prepared,
    work::{Refusal, WRONG_FORMAT},
};

use pixels::Pixels;

/// The longer side of what a photo is kept as.
const PHOTO: u32 = 2560;
/// The longer sides of its smaller forms.
const SIZES: [u16; 3] = [1280, 800, 320];
const POSTER: u32 = 1280;
const AVATAR: u32 = 640;
const AVATARS: [u16; 2] = [320, 80];
const STICKER: u32 = 512;

type Variants = Vec<(u16, PathBuf)>;

/// A photo: a JPEG of at most 2560 instead of the original, and smaller ones. What moves is kept moving.
pub(crate) fn photo(format: Format, input: &Path, out: &Path) -> Result<Prepared, Refusal> {
    if let Some(clean) = animated::clean(format, input, out, &animated::PHOTO)? {
        let mut first = Pixels::read(format, input)?;
        first.bound(SIZES[0].into())?;
        let prepared = clean.prepared(format, &first)?;
        return Ok(Prepared { variants: smaller(first.on_white(), &SIZES, clean.longer_side(), out)?, ..prepared });
    }
    jpeg(format, input, out, PHOTO, &SIZES)
}

/// What stands for a film until it plays.
pub(crate) fn poster(format: Format, input: &Path, out: &Path) -> Result<Prepared, Refusal> {
    jpeg(format, input, out, POSTER, &[320])
}

fn jpeg(format: Format, input: &Path, out: &Path, bound: u32, sizes: &[u16]) -> Result<Prepared, Refusal> {
    let mut pixels = Pixels::read(format, input)?;
    pixels.bound(bound)?;
    let pixels = pixels.upright();
    let preview = pixels.preview()?;
    let pixels = pixels.on_white();
    let (width, height) = pixels.size();
    let kept = encode::jpeg(&pixels, &out.join("photo.jpg"))?;
    Ok(Prepared {
        mime: Format::Jpeg.mime().to_owned(),
        width: Some(width),
        height: Some(height),
        preview: Some(preview),
        replaced: Some(kept),
        variants: smaller(pixels, sizes, width.max(height), out)?,
        ..Prepared::default()
    })
}

/// A picture that was sent as a document: every byte is kept, the small forms only show it.
pub(crate) fn of_document(format: Format, input: &Path, out: &Path) -> Result<Prepared, Refusal> {
    let mut pixels = Pixels::read(format, input)?;
    let (width, height) = pixels.size_upright();
    pixels.bound(SIZES[0].into())?;
    let pixels = pixels.upright();
    Ok(Prepared {
        mime: format.mime().to_owned(),
        width: Some(width),
        height: Some(height),
        preview: Some(pixels.preview()?),
        variants: smaller(pixels.on_white(), &SIZES, width.max(height), out)?,
        ..Prepared::default()
    })
}

/// A square from the middle, in three sizes.
pub(crate) fn avatar(format: Format, input: &Path, out: &Path) -> Result<Prepared, Refusal> {
    let mut pixels = Pixels::read(format, input)?;
    pixels.square(AVATAR)?;
    let pixels = pixels.upright();
    let preview = pixels.preview()?;
    let pixels = pixels.on_white();
    let (side, _) = pixels.size();
    let kept = encode::jpeg(&pixels, &out.join("avatar.jpg"))?;
    Ok(Prepared {
        mime: Format::Jpeg.mime().to_owned(),
        width: Some(side),
        height: Some(side),
        preview: Some(preview),
        replaced: Some(kept),
        // Lists ask for both, whatever the original's size: a small one stands under both.
        variants: smaller(pixels, &AVATARS, u32::MAX, out)?,
        ..Prepared::default()
    })
}

/// A WebP within 512 × 512 with its transparency; what moves is kept moving.
pub(crate) fn sticker(format: Format, input: &Path, out: &Path) -> Result<Prepared, Refusal> {
    if !matches!(format, Format::WebP | Format::Png | Format::Gif) {
        return Err(WRONG_FORMAT);
    }
    if let Some(clean) = animated::clean(format, input, out, &animated::STICKER)? {
        return clean.prepared(format, &Pixels::read(format, input)?);
    }
    let mut pixels = Pixels::read(format, input)?;
    pixels.bound(STICKER)?;
    let pixels = pixels.upright();
    let (width, height) = pixels.size();
    Ok(Prepared {
        mime: Format::WebP.mime().to_owned(),
        width: Some(width),
        height: Some(height),
        preview: Some(pixels.preview()?),
        replaced: Some(encode::webp(&pixels, &out.join("sticker.webp"))?),
        ..Prepared::default()
    })
}

/// JPEGs of those `sizes`, from the largest down, that are smaller than `longer_side`; the smallest comes first.
fn smaller(mut pixels: Pixels, sizes: &[u16], longer_side: u32, out: &Path) -> Result<Variants, Refusal> {
    let mut variants = Vec::new();
    for size in sizes.iter().copied().filter(|size| u32::from(*size) < longer_side) {
        // Each from the one before: a tenth of the work of making it from the original.
        pixels.bound(size.into())?;
        variants.push((size, encode::jpeg(&pixels, &out.join(format!("{size}.jpg")))?));
    }
    variants.reverse();
    Ok(variants)
}
