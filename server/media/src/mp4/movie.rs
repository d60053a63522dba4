//! `moov`: the tracks, how long they are, and where their samples should be.

use std::ops::Range;

use super::boxes::{Child, child, children, entries, u16_at, u32_at, u64_at};
use crate::work::{BROKEN, Refusal};

/// More tracks than any camera writes.
const MOST_TRACKS: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrackKind {
    Video,
    Audio,
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Track {
    pub(crate) id: u32,
    pub(crate) kind: TrackKind,
    pub(crate) codec: [u8; 4],
    /// As it is seen, in pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Units a second.
    pub(crate) timescale: u32,
    /// In its units, counted from its samples.
    pub(crate) duration: u64,
    /// Where in `moov` the tables of offsets stand: the entries, and their width.
    pub(crate) offsets: Option<(Range<usize>, usize)>,
}

#[derive(Debug, Default)]
pub(crate) struct Movie {
    pub(crate) tracks: Vec<Track>,
    pub(crate) fragmented: bool,
    /// What the head says, in milliseconds.
    said_ms: u64,
    /// What says more than is shown (place, device, person): where in `moov` the boxes
    /// begin, and what is in them.
    pub(crate) private: Vec<(usize, Range<usize>)>,
    /// `udta` of the film, where music has its title.
    pub(crate) user_data: Option<Range<usize>>,
}

impl Movie {
    /// Reads the box `moov`, whose head has `head` bytes, of a file of `length` bytes.
    pub(crate) fn parse(moov: &[u8], head: usize, length: u64) -> Result<Self, Refusal> {
        let mut movie = Self::default();
        for child in children(moov, head..moov.len()) {
            let Child { kind, at, inside } = child?;
            match &kind {
                b"mvhd" => {
                    let (scale, duration) = times(moov, inside.start, 12)?;
                    movie.said_ms = milliseconds(duration, scale)?;
                }
                b"mvex" => movie.fragmented = true,
                b"udta" => {
                    movie.user_data = Some(inside.clone());
                    movie.private.push((at, inside));
                }
                b"meta" | b"uuid" => movie.private.push((at, inside)),
                b"trak" => {
                    if movie.tracks.len() == MOST_TRACKS {
                        return Err(Refusal::TooLarge);
                    }
                    let track = movie.track(moov, inside, length)?;
                    movie.tracks.push(track);
                }
                _ => {}
            }
        }
        if movie.tracks.is_empty() { Err(BROKEN) } else { Ok(movie) }
    }

    fn track(&mut self, moov: &[u8], trak: Range<usize>, length: u64) -> Result<Track, Refusal> {
        for child in children(moov, trak.clone()) {
            let Child { kind, at, inside } = child?;
            if [b"udta", b"meta", b"uuid"].contains(&&kind) {
                self.private.push((at, inside));
            }
        }
        let get = |within: &Range<usize>, kind: &[u8; 4]| child(moov, within.clone(), *kind)?.ok_or(BROKEN);
        let tkhd = get(&trak, b"tkhd")?;
        let mdia = get(&trak, b"mdia")?;
        let (timescale, _) = times(moov, get(&mdia, b"mdhd")?.start, 12)?;
        let handler = get(&mdia, b"hdlr")?.start + 8;
        let stbl = get(&get(&mdia, b"minf")?, b"stbl")?;
        let kind = match moov.get(handler..handler + 4).ok_or(BROKEN)? {
            b"vide" => TrackKind::Video,
            b"soun" => TrackKind::Audio,
            _ => TrackKind::Other,
        };
        let stsd = get(&stbl, b"stsd")?;
        // The first description stands for all.
        let first = stsd.start + 8;
        let codec = *moov.get(first + 4..stsd.end).and_then(|rest| rest.first_chunk()).ok_or(BROKEN)?;
        let (width, height) =
            if kind == TrackKind::Video { seen(moov, tkhd.clone(), first)? } else { Default::default() };
        let duration = check_samples(moov, &stbl, length)?;
        let id_at = if moov.get(tkhd.start) == Some(&1) { 20 } else { 12 };
        Ok(Track {
            id: u32_at(moov, tkhd.start + id_at)?,
            kind,
            codec,
            width,
            height,
            timescale,
            duration,
            offsets: offsets(moov, &stbl, length)?,
        })
    }

    /// How long it plays, in milliseconds: what the samples sum up to, or what the head says when it says a little less
    /// (a list of edits cuts the ends off).
    pub(crate) fn duration_ms(&self) -> Result<u64, Refusal> {
        let mut counted = 0;
        for track in self.tracks.iter().filter(|track| track.kind != TrackKind::Other) {
            counted = counted.max(milliseconds(track.duration, track.timescale)?);
        }
        Ok(if (counted / 2..counted).contains(&self.said_ms) { self.said_ms } else { counted })
    }
}

fn milliseconds(duration: u64, scale: u32) -> Result<u64, Refusal> {
    let ms = u128::from(duration) * 1000 / u128::from(scale);
    u64::try_from(ms).map_err(|_| BROKEN)
}

/// The scale and duration of `mvhd` and `mdhd`, of which version 1 has longer fields.
fn times(bytes: &[u8], at: usize, scale_at: usize) -> Result<(u32, u64), Refusal> {
    let (scale, duration) = if bytes.get(at) == Some(&1) {
        (u32_at(bytes, at + scale_at + 8)?, u64_at(bytes, at + scale_at + 12)?)
    } else {
        (u32_at(bytes, at + scale_at)?, u32_at(bytes, at + scale_at + 4)?.into())
    };
    if scale == 0 { Err(BROKEN) } else { Ok((scale, duration)) }
}

/// Width and height after turning: those of the track's head unless they have nothing to do with those of the codec.
fn seen(moov: &[u8], tkhd: Range<usize>, description: usize) -> Result<(u32, u32), Refusal> {
    let coded = (u32::from(u16_at(moov, description + 32)?), u32::from(u16_at(moov, description + 34)?));
    let matrix = tkhd.end.checked_sub(44).filter(|at| *at >= tkhd.start).ok_or(BROKEN)?;
    let whole = |at: usize| Ok::<_, Refusal>(u32_at(moov, at)? >> 16);
    let said = (whole(matrix + 36)?, whole(matrix + 40)?);
    let near = |said: u32, coded: u32| said > 0 && said <= coded * 4 && coded <= said * 4;
    let (width, height) = if near(said.0, coded.0) && near(said.1, coded.1) { said } else { coded };
    let lies = u32_at(moov, matrix)? == 0 && u32_at(moov, matrix + 16)? == 0;
    Ok(if lies { (height, width) } else { (width, height) })
}

/// The time of all samples, when all of them can be in the file.
fn check_samples(moov: &[u8], stbl: &Range<usize>, length: u64) -> Result<u64, Refusal> {
    let mut duration = 0u64;
    for child in children(moov, stbl.clone()) {
        let Child { kind, inside, .. } = child?;
        match &kind {
            b"stts" => {
                for entry in entries(moov, inside.start + 4, inside.end, 8)? {
                    let (count, each) = (u64::from(u32_at(entry, 0)?), u64::from(u32_at(entry, 4)?));
                    duration = duration.saturating_add(count * each);
                }
            }
            b"stsz" => {
                let each = u64::from(u32_at(moov, inside.start + 4)?);
                let total = if each > 0 {
                    each * u64::from(u32_at(moov, inside.start + 8)?)
                } else {
                    let sizes = entries(moov, inside.start + 8, inside.end, 4)?;
                    sizes.map(|entry| u64::from(u32_at(entry, 0).unwrap_or(u32::MAX))).sum()
                };
                // Sound without compression says 1 for each sample.
                if each != 1 && total > length {
                    return Err(BROKEN);
                }
            }
            b"stsc" => drop(entries(moov, inside.start + 4, inside.end, 12)?),
            _ => {}
        }
    }
    Ok(duration)
}

fn offsets(moov: &[u8], stbl: &Range<usize>, length: u64) -> Result<Option<(Range<usize>, usize)>, Refusal> {
    for (kind, width) in [(b"stco", 4), (b"co64", 8)] {
        let Some(inside) = child(moov, stbl.clone(), *kind)? else { continue };
        let table = entries(moov, inside.start + 4, inside.end, width)?;
        let count = table.len();
        for entry in table {
            if offset(entry)? >= length {
                return Err(BROKEN);
            }
        }
        let begin = inside.start + 8;
        return Ok(Some((begin..begin + count * width, width)));
    }
    Ok(None)
}

/// An entry of a table of offsets, of 4 or 8 bytes.
pub(crate) fn offset(entry: &[u8]) -> Result<u64, Refusal> {
    if entry.len() == 8 { u64_at(entry, 0) } else { Ok(u32_at(entry, 0)?.into()) }
}
