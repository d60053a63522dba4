//! Pictures that move: kept as they are, frame for frame, but without anything that is not shown.
//!
//! Neither GIF nor animated WebP can be made anew here in a bearable size, so the container is rewritten: what a player
//! needs is copied, comments, EXIF, XMP, profiles and whatever follows the end are left out.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::{
    Format, Prepared,
    picture::pixels::Pixels,
    work::{BROKEN, Refusal},
};

/// What a moving picture may have.
pub(crate) struct Bounds {
    bytes: u64,
    longest_side: u32,
    frames: u32,
    /// Of all frames together: what a player has to draw.
    pixels: u64,
}

/// Sent as a photo.
pub(crate) const PHOTO: Bounds = Bounds { bytes: 50_000_000, longest_side: 4096, frames: 2000, pixels: 1_500_000_000 };
/// Sent as a sticker.
pub(crate) const STICKER: Bounds = Bounds { bytes: 1 << 20, longest_side: 512, frames: 300, pixels: 80_000_000 };

/// A moving picture that was written anew.
pub(crate) struct Clean {
    width: u32,
    height: u32,
    path: PathBuf,
}

impl Clean {
    pub(crate) fn longer_side(&self) -> u32 {
        self.width.max(self.height)
    }

    /// What is known of it; `first` is its first frame.
    pub(crate) fn prepared(&self, format: Format, first: &Pixels) -> Result<Prepared, Refusal> {
        Ok(Prepared {
            mime: format.mime().to_owned(),
            width: Some(self.width),
            height: Some(self.height),
            preview: Some(first.preview()?),
            animated: true,
            replaced: Some(self.path.clone()),
            ..Prepared::default()
        })
    }
}

/// Rewrites the file if it moves; `None` if it stands still.
pub(crate) fn clean(format: Format, input: &Path, out: &Path, bounds: &Bounds) -> Result<Option<Clean>, Refusal> {
    let rewrite = match format {
        Format::Gif => gif,
        Format::WebP => webp,
        _ => return Ok(None),
    };
    if File::open(input)?.metadata()?.len() > bounds.bytes {
        return Err(Refusal::TooLarge);
    }
    let mut tally = Tally { bounds, width: 0, height: 0, frames: 0, pixels: 0 };
    let Some(kept) = rewrite(&fs::read(input)?, &mut tally)? else { return Ok(None) };
    let path = out.join("moving");
    fs::write(&path, kept)?;
    Ok(Some(Clean { width: tally.width, height: tally.height, path }))
}

/// Frames are counted while they pass.
struct Tally<'a> {
    bounds: &'a Bounds,
    width: u32,
    height: u32,
    frames: u32,
    pixels: u64,
}

impl Tally<'_> {
    fn canvas(&mut self, width: u32, height: u32) -> Result<(), Refusal> {
        if width == 0 || height == 0 {
            return Err(BROKEN);
        }
        (self.width, self.height) = (width, height);
        Ok(())
    }

    fn frame(&mut self, width: u32, height: u32) -> Result<(), Refusal> {
        self.frames += 1;
        // A player draws the whole canvas, however small the frame.
        let drawn = (u64::from(width) * u64::from(height)).max(u64::from(self.width) * u64::from(self.height));
        self.pixels += drawn;
        let Bounds { longest_side, frames, pixels, .. } = *self.bounds;
        // What has one frame stands still: the bounds of pictures hold for it.
        let moves = self.frames > 1;
        let beyond = self.width.max(self.height) > longest_side || self.frames > frames || self.pixels > pixels;
        if moves && beyond { Err(Refusal::TooLarge) } else { Ok(()) }
    }
}

/// Bytes from the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BROKEN)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Refusal> {
        self.take(1).map(|it| it[0])
    }

    /// A GIF's blocks, with the empty one that ends them.
    fn sub_blocks(&mut self) -> Result<&'a [u8], Refusal> {
        let begin = self.0;
        loop {
            let length = usize::from(self.byte()?);
            if length == 0 {
                return Ok(&begin[..begin.len() - self.0.len()]);
            }
            self.take(length)?;
        }
    }
}

fn u16_le(bytes: &[u8], at: usize) -> u32 {
    u32::from(bytes[at]) | u32::from(bytes[at + 1]) << 8
}

fn u24_le(bytes: &[u8], at: usize) -> u32 {
    u16_le(bytes, at) | u32::from(bytes[at + 2]) << 16
}

/// The bytes of a table of colours, by the flags before it.
fn colours(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// GIF89a, appendix A of its specification.
fn gif(bytes: &[u8], tally: &mut Tally<'_>) -> Result<Option<Vec<u8>>, Refusal> {
    let mut cursor = Cursor(bytes);
    let mut kept = Vec::with_capacity(bytes.len());
    let header = cursor.take(13)?;
    tally.canvas(u16_le(header, 6), u16_le(header, 8))?;
    kept.extend_from_slice(header);
    kept.extend_from_slice(cursor.take(colours(header[10]))?);
    // Many end without the trailer.
    while let Ok(kind) = cursor.byte() {
        match kind {
            0x2c => {
                let head = cursor.take(9)?;
                tally.frame(u16_le(head, 4), u16_le(head, 6))?;
                kept.push(kind);
                kept.extend_from_slice(head);
                kept.extend_from_slice(cursor.take(colours(head[8]) + 1)?);
                kept.extend_from_slice(cursor.sub_blocks()?);
            }
            0x21 => {
                let label = cursor.byte()?;
                let blocks = cursor.sub_blocks()?;
                // Times and transparency of the next frame, and how often all is played.
                let repeats = blocks.starts_with(b"\x0bNETSCAPE2.0") || blocks.starts_with(b"\x0bANIMEXTS1.0");
                if label == 0xf9 || (label == 0xff && repeats) {
                    kept.extend_from_slice(&[kind, label]);
                    kept.extend_from_slice(blocks);
                }
            }
            0x3b => break,
            _ => return Err(BROKEN),
        }
    }
    kept.push(0x3b);
    Ok((tally.frames > 1).then_some(kept))
}

/// A chunk of RIFF: its name and what is in it.
fn chunk<'a>(cursor: &mut Cursor<'a>) -> Result<([u8; 4], &'a [u8]), Refusal> {
    let head = cursor.take(8)?;
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    let inside = cursor.take(length)?;
    // The last one's padding is often forgotten.
    if length % 2 == 1 && !cursor.0.is_empty() {
        cursor.take(1)?;
    }
    Ok(([head[0], head[1], head[2], head[3]], inside))
}

fn push_chunk(kept: &mut Vec<u8>, name: [u8; 4], inside: &[u8]) -> Result<(), Refusal> {
    kept.extend_from_slice(&name);
    kept.extend_from_slice(&u32::try_from(inside.len()).map_err(|_| Refusal::TooLarge)?.to_le_bytes());
    kept.extend_from_slice(inside);
    if inside.len() % 2 == 1 {
        kept.push(0);
    }
    Ok(())
}

/// RFC 9649, section 2.
fn webp(bytes: &[u8], tally: &mut Tally<'_>) -> Result<Option<Vec<u8>>, Refusal> {
    const ANIMATION: u8 = 0x02;
    const ALPHA: u8 = 0x10;
    let mut file = Cursor(bytes);
    let (_, inside) = chunk(&mut file)?;
    let mut chunks = Cursor(inside);
    chunks.take(4)?;
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend_from_slice(b"WEBP");
    let (name, header) = chunk(&mut chunks)?;
    if &name != b"VP8X" || header.len() < 10 || header[0] & ANIMATION == 0 {
        return Ok(None);
    }
    tally.canvas(u24_le(header, 4) + 1, u24_le(header, 7) + 1)?;
    let mut clean_header = header[..10].to_vec();
    clean_header[0] &= ANIMATION | ALPHA;
    push_chunk(&mut kept, name, &clean_header)?;
    while !chunks.0.is_empty() {
        let (name, inside) = chunk(&mut chunks)?;
        match &name {
            b"ANIM" => push_chunk(&mut kept, name, inside)?,
            b"ANMF" => {
                let mut frame = Cursor(inside);
                let head = frame.take(16)?;
                let (width, height) = (u24_le(head, 6) + 1, u24_le(head, 9) + 1);
                if u24_le(head, 0) * 2 + width > tally.width || u24_le(head, 3) * 2 + height > tally.height {
                    return Err(BROKEN);
                }
                tally.frame(width, height)?;
                let mut clean = head.to_vec();
                while !frame.0.is_empty() {
                    let (name, inside) = chunk(&mut frame)?;
                    if [b"ALPH", b"VP8 ", b"VP8L"].contains(&&name) {
                        push_chunk(&mut clean, name, inside)?;
                    }
                }
                push_chunk(&mut kept, name, &clean)?;
            }
            _ => {}
        }
    }
    if tally.frames == 0 {
        return Err(BROKEN);
    }
    let mut whole = Vec::with_capacity(kept.len() + 8);
    push_chunk(&mut whole, *b"RIFF", &kept)?;
    Ok((tally.frames > 1).then_some(whole))
}
