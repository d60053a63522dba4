//! A decoded picture of 8 bits a colour, within bounds that stand before a single pixel is decoded.

use std::{fs::File, io::BufReader, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image};
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, RgbImage, RgbaImage, metadata::Orientation};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use crate::{
    Format,
    work::{BROKEN, Refusal, WRONG_FORMAT},
};

/// 50 megapixels: what the largest cameras of phones take.
const MOST_PIXELS: u64 = 50_000_000;
/// A panorama; JPEG's own bound is 65,535.
const LONGEST_SIDE: u32 = 20_000;
/// What decoding may take, in bytes.
const MOST_BYTES: u64 = 256 << 20;
/// Colour profiles of cameras have some hundred bytes, those of printers half a million.
const LARGEST_PROFILE: usize = 1 << 20;
/// The longer side of what the preview is made from: more adds nothing.
const PREVIEW_FROM: u32 = 100;

/// A picture in memory.
pub(crate) struct Pixels {
    /// Three colours, or three and transparency.
    image: Image<'static>,
    /// What is still to be done that it stands upright.
    turn: Orientation,
    /// The colours' meaning, where it is not sRGB.
    profile: Option<Vec<u8>>,
}

impl Pixels {
    /// Decodes the file, of one that moves the first frame.
    pub(crate) fn read(format: Format, path: &Path) -> Result<Self, Refusal> {
        let format = format.image().ok_or(WRONG_FORMAT)?;
        let mut reader = ImageReader::with_format(BufReader::new(File::open(path)?), format);
        let mut limits = Limits::default();
        limits.max_image_width = Some(LONGEST_SIDE);
        limits.max_image_height = Some(LONGEST_SIDE);
        limits.max_alloc = Some(MOST_BYTES);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(refusal)?;
        let (width, height) = decoder.dimensions();
        // Not every decoder heeds the limits, and none knows of the area.
        let pixels = u64::from(width) * u64::from(height);
        if width.max(height) > LONGEST_SIDE || pixels > MOST_PIXELS || decoder.total_bytes() > MOST_BYTES {
            return Err(Refusal::TooLarge);
        }
        if pixels == 0 {
            return Err(BROKEN);
        }
        // What is said beside the pixels may be wrong without harm to them.
        let turn = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let profile = decoder.icc_profile().ok().flatten().filter(|it| it.len() <= LARGEST_PROFILE);
        let image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
        let image = if image.color().has_alpha() {
            Image::from_vec_u8(width, height, image.into_rgba8().into_raw(), PixelType::U8x4)
        } else {
            Image::from_vec_u8(width, height, image.into_rgb8().into_raw(), PixelType::U8x3)
        };
        Ok(Self { image: image.map_err(|_| BROKEN)?, turn, profile })
    }

    /// Width and height as the pixels lie.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.image.width(), self.image.height())
    }

    /// Width and height as they will be [`Self::upright`].
    pub(crate) fn size_upright(&self) -> (u32, u32) {
        let (width, height) = self.size();
        let lies = matches!(
            self.turn,
            Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
        );
        if lies { (height, width) } else { (width, height) }
    }

    pub(crate) fn has_alpha(&self) -> bool {
        self.image.pixel_type() == PixelType::U8x4
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.image.buffer()
    }

    /// Makes the longer side at most `longest`; what is smaller stays as it is.
    pub(crate) fn bound(&mut self, longest: u32) -> Result<(), Refusal> {
        let (width, height) = self.size();
        let longer = width.max(height);
        if longer <= longest {
            return Ok(());
        }
        let scaled = |side: u32| {
            let scaled = (u64::from(side) * u64::from(longest) + u64::from(longer) / 2) / u64::from(longer);
            u32::try_from(scaled).unwrap_or(longest).max(1)
        };
        self.image = resized(&self.image, scaled(width), scaled(height), &options())?;
        Ok(())
    }

    /// Cuts the largest square out of the middle and makes its side at most `longest`.
    pub(crate) fn square(&mut self, longest: u32) -> Result<(), Refusal> {
        let (width, height) = self.size();
        let side = width.min(height);
        let left = f64::from((width - side) / 2);
        let top = f64::from((height - side) / 2);
        let crop = options().crop(left, top, side.into(), side.into());
        self.image = resized(&self.image, side.min(longest), side.min(longest), &crop)?;
        Ok(())
    }

    /// Upright, and in the colours of sRGB. To be done after [`Self::bound`]: of fewer pixels it costs less.
    pub(crate) fn upright(mut self) -> Self {
        let in_srgb = self.profile.take().and_then(|profile| in_srgb(&self.image, &profile));
        let image = in_srgb.unwrap_or(self.image);
        if self.turn == Orientation::NoTransforms {
            return Self { image, turn: self.turn, profile: None };
        }
        let (width, height, kind) = (image.width(), image.height(), image.pixel_type());
        let raw = image.into_vec();
        let turned = match kind {
            PixelType::U8x4 => RgbaImage::from_raw(width, height, raw).map(DynamicImage::from),
            _ => RgbImage::from_raw(width, height, raw).map(DynamicImage::from),
        };
        let mut turned = turned.expect("the buffer has the size of its picture");
        turned.apply_orientation(self.turn);
        let image = Image::from_vec_u8(turned.width(), turned.height(), turned.into_bytes(), kind)
            .expect("turning keeps the number of pixels");
        Self { image, turn: Orientation::NoTransforms, profile: None }
    }

    /// Without transparency: what was transparent is white.
    pub(crate) fn on_white(self) -> Self {
        if !self.has_alpha() {
            return self;
        }
        let (width, height) = self.size();
        let raw = self.image.buffer().chunks_exact(4).flat_map(|pixel| {
            let alpha = u32::from(pixel[3]);
            let over = |colour: u8| {
                let mixed = (u32::from(colour) * alpha + 255 * (255 - alpha) + 127) / 255;
                u8::try_from(mixed).unwrap_or(u8::MAX)
            };
            [over(pixel[0]), over(pixel[1]), over(pixel[2])]
        });
        let image = Image::from_vec_u8(width, height, raw.collect(), PixelType::U8x3);
        Self { image: image.expect("three bytes a pixel"), ..self }
    }

    /// The thumbhash, at most 40 bytes before base64.
    pub(crate) fn preview(&self) -> Result<String, Refusal> {
        let (width, height) = self.size();
        let longer = width.max(height).max(PREVIEW_FROM);
        let scaled = |side: u32| (side * PREVIEW_FROM / longer).max(1);
        let (width, height) = (scaled(width), scaled(height));
        let small = resized(&self.image, width, height, &options())?;
        let rgba: Vec<u8> = match small.pixel_type() {
            PixelType::U8x4 => small.into_vec(),
            _ => small.buffer().chunks_exact(3).flat_map(|it| [it[0], it[1], it[2], u8::MAX]).collect(),
        };
        let hash = thumbhash::rgba_to_thumb_hash(width as usize, height as usize, &rgba);
        Ok(BASE64_STANDARD_NO_PAD.encode(hash))
    }
}

fn options() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
}

fn resized(
    image: &Image<'static>,
    width: u32,
    height: u32,
    options: &ResizeOptions,
) -> Result<Image<'static>, Refusal> {
    let mut smaller = Image::new(width, height, image.pixel_type());
    Resizer::new()
        .resize(image, &mut smaller, options)
        .map_err(|error| Refusal::Failed(format!("resizing to {width} × {height}: {error}")))?;
    Ok(smaller)
}

/// The same picture in sRGB; `None` when the profile says nothing that fits it.
fn in_srgb(image: &Image<'static>, profile: &[u8]) -> Option<Image<'static>> {
    let profile = ColorProfile::new_from_slice(profile).ok()?;
    if profile.color_space != DataColorSpace::Rgb {
        return None;
    }
    let layout = if image.pixel_type() == PixelType::U8x4 { Layout::Rgba } else { Layout::Rgb };
    let srgb = ColorProfile::new_srgb();
    let transform = profile.create_transform_8bit(layout, &srgb, layout, TransformOptions::default()).ok()?;
    let mut converted = vec![0; image.buffer().len()];
    transform.transform(image.buffer(), &mut converted).ok()?;
    Image::from_vec_u8(image.width(), image.height(), converted, image.pixel_type()).ok()
}

fn refusal(error: ImageError) -> Refusal {
    match error {
        ImageError::Limits(_) => Refusal::TooLarge,
        ImageError::IoError(error) => error.into(),
        _ => BROKEN,
    }
}
