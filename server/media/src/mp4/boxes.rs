//! Boxes: a length, four letters, and what is in them.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    ops::Range,
};

use crate::work::{BROKEN, Refusal};

/// A day in fragments of half a second, each of two boxes.
const MOST_TOPS: usize = 400_000;

/// A box of the file's own level.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Top {
    pub(crate) kind: [u8; 4],
    pub(crate) at: u64,
    /// With the head.
    pub(crate) size: u64,
    /// Of the head: 8 or 16.
    pub(crate) head: usize,
}

/// All of them; none reaches beyond the end of the file.
pub(crate) fn tops(file: &mut File, length: u64) -> Result<Vec<Top>, Refusal> {
    let mut tops = Vec::new();
    let mut at = 0;
    // Fewer than 8 bytes at the end are padding of some cameras.
    while length - at >= 8 {
        file.seek(SeekFrom::Start(at))?;
        let mut bytes = [0; 16];
        let known = usize::try_from((length - at).min(16)).unwrap_or(16);
        file.read_exact(&mut bytes[..known])?;
        let kind = [bytes[4], bytes[5], bytes[6], bytes[7]];
        let (size, head) = match u32_at(&bytes, 0)? {
            0 => (length - at, 8),
            1 => (u64_at(&bytes, 8)?, 16),
            size => (size.into(), 8),
        };
        if size < head as u64 || size > length - at {
            return Err(BROKEN);
        }
        if tops.len() == MOST_TOPS {
            return Err(Refusal::TooLarge);
        }
        tops.push(Top { kind, at, size, head });
        at += size;
    }
    Ok(tops)
}

/// A box within another.
pub(crate) struct Child {
    pub(crate) kind: [u8; 4],
    /// Where its head begins; the four letters stand 4 bytes further.
    pub(crate) at: usize,
    /// Where what is in it stands.
    pub(crate) inside: Range<usize>,
}

/// The boxes in a part of `bytes`.
pub(crate) fn children(bytes: &[u8], within: Range<usize>) -> impl Iterator<Item = Result<Child, Refusal>> {
    let mut at = within.start;
    std::iter::from_fn(move || {
        // QuickTime ends some lists by four zeros.
        if within.end - at < 8 {
            return None;
        }
        let child = (|| {
            let kind = *bytes.get(at + 4..).and_then(|rest| rest.first_chunk()).ok_or(BROKEN)?;
            let (size, head) = match u32_at(bytes, at)? {
                0 => (within.end - at, 8),
                1 => (usize::try_from(u64_at(bytes, at + 8)?).map_err(|_| BROKEN)?, 16),
                size => (size as usize, 8),
            };
            if size < head || size > within.end - at {
                return Err(BROKEN);
            }
            Ok(Child { kind, at, inside: at + head..at + size })
        })();
        at = child.as_ref().map_or(within.end, |child: &Child| child.inside.end);
        Some(child)
    })
}

/// The first box of this kind.
pub(crate) fn child(bytes: &[u8], within: Range<usize>, kind: [u8; 4]) -> Result<Option<Range<usize>>, Refusal> {
    for child in children(bytes, within) {
        let child = child?;
        if child.kind == kind {
            return Ok(Some(child.inside));
        }
    }
    Ok(None)
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Refusal> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|it| u16::from_be_bytes(*it)).ok_or(BROKEN)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Refusal> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|it| u32::from_be_bytes(*it)).ok_or(BROKEN)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Refusal> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|it| u64::from_be_bytes(*it)).ok_or(BROKEN)
}

/// The entries of a table that says their number and then holds them, `width` bytes each.
pub(crate) fn entries(
    bytes: &[u8],
    at: usize,
    end: usize,
    width: usize,
) -> Result<std::slice::ChunksExact<'_, u8>, Refusal> {
    let count = u32_at(bytes, at)? as usize;
    let length = count.checked_mul(width).ok_or(BROKEN)?;
    let table = bytes.get(at + 4..end).and_then(|rest| rest.get(..length)).ok_or(BROKEN)?;
    Ok(table.chunks_exact(width))
}
