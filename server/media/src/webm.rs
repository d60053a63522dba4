//! WebM and Matroska, read once from the front (RFC 8794, RFC 9559), with a few kilobytes of memory however long it is.
//!
//! Segments and clusters are walked through without a stack: what is in them follows them, and where a cluster of unknown
//! size ends the next one begins. So nothing can be nested deeper than is asked for here.

use std::{
    fs::File,
    io::{BufReader, Read as _},
    path::Path,
};

use crate::work::{BROKEN, Refusal};

const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TRACKS: u32 = 0x1654_ae6b;
const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;

/// What may be read into memory at once: a codec's private data and tags of fonts have stayed far below.
const LARGEST_TABLE: u64 = 1 << 20;
/// An Opus packet has at most 61 KB (RFC 6716, section 3.4).
const LARGEST_SOUND: u64 = 64 << 10;
/// Two gigabytes of film have some hundred thousand, a day of speech four million.
const MOST_ELEMENTS: u64 = 10_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrackKind {
    Video,
    Audio,
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Track {
    pub(crate) number: u64,
    pub(crate) kind: TrackKind,
    pub(crate) codec: String,
    pub(crate) private: Vec<u8>,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// A frame, or several that are laced together.
pub(crate) struct Block<'a> {
    pub(crate) track: u64,
    pub(crate) laced: bool,
    /// Empty unless data was asked for.
    pub(crate) data: &'a [u8],
}

#[derive(Debug, Default)]
pub(crate) struct Film {
    pub(crate) tracks: Vec<Track>,
    /// In milliseconds: what the file says if its frames agree, or else the time of the last frame.
    pub(crate) duration_ms: u64,
}

/// Walks through the file; each block goes to `sink` with the tracks that were named before it.
pub(crate) fn walk(
    path: &Path,
    data: bool,
    mut sink: impl FnMut(&[Track], Block<'_>) -> Result<(), Refusal>,
) -> Result<Film, Refusal> {
    let mut elements = Elements::open(path)?;
    let mut film = Film::default();
    let mut info = Info { nanoseconds: 1_000_000, duration: None };
    let (mut cluster, mut last, mut in_segment) = (0u64, 0u64, false);
    let mut bytes = Vec::new();
    while let Some(element) = elements.next()? {
        match element.id {
            SEGMENT if in_segment => break,
            SEGMENT => in_segment = true,
            CLUSTER | BLOCK_GROUP if in_segment => {}
            INFO if in_segment => info.read(&elements.table(&element)?)?,
            TRACKS if in_segment && film.tracks.is_empty() => film.tracks = tracks(&elements.table(&element)?)?,
            TIMESTAMP if in_segment => cluster = number(&elements.table(&element)?)?,
            SIMPLE_BLOCK | BLOCK if in_segment => {
                let block = elements.block_head(&element)?;
                last = last.max(cluster.saturating_add_signed(block.time.into()));
                bytes.clear();
                if data {
                    elements.rest_of(&element, &mut bytes)?;
                } else {
                    elements.skip(&element)?;
                }
                sink(&film.tracks, Block { track: block.track, laced: block.laced, data: &bytes })?;
            }
            _ => elements.skip(&element)?,
        }
    }
    if film.tracks.is_empty() {
        return Err(BROKEN);
    }
    film.duration_ms = info.duration_ms(last);
    Ok(film)
}

struct Info {
    /// What one unit of time is.
    nanoseconds: u64,
    duration: Option<f64>,
}

impl Info {
    fn read(&mut self, table: &[u8]) -> Result<(), Refusal> {
        for element in Table(table) {
            let (id, inside) = element?;
            match id {
                0x002a_d7b1 => self.nanoseconds = number(inside)?,
                0x4489 => self.duration = Some(float(inside)?),
                _ => {}
            }
        }
        if self.nanoseconds == 0 { Err(BROKEN) } else { Ok(()) }
    }

    fn duration_ms(&self, last: u64) -> u64 {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a film")]
        let ms = |units: f64| units * self.nanoseconds as f64 / 1e6;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a film")]
        let counted = ms(last as f64);
        // The last frame is shown for a while, too; more than that is not to be believed.
        let said = self.duration.map(ms).filter(|said| (counted..counted + 10_000.0).contains(said));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
        let whole = said.unwrap_or(counted).round() as u64;
        whole
    }
}

fn tracks(table: &[u8]) -> Result<Vec<Track>, Refusal> {
    let mut tracks = Vec::new();
    for element in Table(table) {
        let (0xae, inside) = element? else { continue };
        let mut track =
            Track { number: 0, kind: TrackKind::Other, codec: String::new(), private: Vec::new(), width: 0, height: 0 };
        for element in Table(inside) {
            let (id, inside) = element?;
            match id {
                0xd7 => track.number = number(inside)?,
                0x83 => {
                    track.kind = match number(inside)? {
                        1 => TrackKind::Video,
                        2 => TrackKind::Audio,
                        _ => TrackKind::Other,
                    }
                }
                0x86 => track.codec.push_str(String::from_utf8_lossy(inside).trim_end_matches('\0')),
                0x63a2 => track.private = inside.to_vec(),
                0xe0 => {
                    for element in Table(inside) {
                        match element? {
                            (0xb0, inside) => track.width = number(inside)?.try_into().map_err(|_| BROKEN)?,
                            (0xba, inside) => track.height = number(inside)?.try_into().map_err(|_| BROKEN)?,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        tracks.push(track);
    }
    Ok(tracks)
}

fn number(bytes: &[u8]) -> Result<u64, Refusal> {
    if bytes.len() > 8 {
        return Err(BROKEN);
    }
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn float(bytes: &[u8]) -> Result<f64, Refusal> {
    if bytes.is_empty() {
        return Ok(0.0);
    }
    match bytes.try_into() {
        Ok(long) => Ok(f64::from_be_bytes(long)),
        Err(_) => bytes.try_into().map(|short| f32::from_be_bytes(short).into()).map_err(|_| BROKEN),
    }
}

/// A number of variable length at the front of `bytes`, and how long it is. An id keeps the bit that tells its length.
fn variable(bytes: &[u8], keep: bool, longest: usize) -> Result<(u64, usize), Refusal> {
    let first = *bytes.first().ok_or(BROKEN)?;
    let length = first.leading_zeros() as usize + 1;
    if length > longest {
        return Err(BROKEN);
    }
    let value = number(bytes.get(..length).ok_or(BROKEN)?)?;
    Ok((if keep { value } else { value & !(1 << (7 * length)) }, length))
}

/// Whether a size of this length says that the size is not known.
fn unknown(size: u64, length: usize) -> bool {
    size == (1 << (7 * length)) - 1
}

/// Elements in memory, all of known size.
struct Table<'a>(&'a [u8]);

impl<'a> Iterator for Table<'a> {
    type Item = Result<(u32, &'a [u8]), Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut element = || {
            let (id, id_length) = variable(self.0, true, 4)?;
            let (size, size_length) = variable(&self.0[id_length..], false, 8)?;
            let size = usize::try_from(size).map_err(|_| BROKEN)?;
            let (inside, rest) = self.0[id_length + size_length..].split_at_checked(size).ok_or(BROKEN)?;
            self.0 = rest;
            Ok((u32::try_from(id).map_err(|_| BROKEN)?, inside))
        };
        let element = element();
        if element.is_err() {
            self.0 = &[];
        }
        Some(element)
    }
}

struct Element {
    id: u32,
    /// Where it ends; of an unknown size the end of the file.
    end: u64,
}

struct BlockHead {
    track: u64,
    time: i16,
    laced: bool,
}

/// Elements from the file.
struct Elements {
    file: BufReader<File>,
    at: u64,
    length: u64,
    count: u64,
}

impl Elements {
    fn open(path: &Path) -> Result<Self, Refusal> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file: BufReader::with_capacity(64 << 10, file), at: 0, length, count: 0 })
    }

    fn next(&mut self) -> Result<Option<Element>, Refusal> {
        if self.at >= self.length {
            return Ok(None);
        }
        self.count += 1;
        let (id, _) = self.variable(true, 4)?;
        let (size, size_length) = self.variable(false, 8)?;
        let id = u32::try_from(id).map_err(|_| BROKEN)?;
        let end = if unknown(size, size_length) {
            // Whoever records does not know them in advance; everybody else does.
            if id == SEGMENT || id == CLUSTER { Some(self.length) } else { None }
        } else {
            self.at.checked_add(size).filter(|end| *end <= self.length)
        };
        let end = end.filter(|_| self.count <= MOST_ELEMENTS).ok_or(BROKEN)?;
        Ok(Some(Element { id, end }))
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), Refusal> {
        self.file.read_exact(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn variable(&mut self, keep: bool, longest: usize) -> Result<(u64, usize), Refusal> {
        let mut bytes = [0; 8];
        self.read(&mut bytes[..1])?;
        let length = bytes[0].leading_zeros() as usize + 1;
        if length > longest {
            return Err(BROKEN);
        }
        self.read(&mut bytes[1..length])?;
        variable(&bytes[..length], keep, longest)
    }

    fn skip(&mut self, element: &Element) -> Result<(), Refusal> {
        let distance = element.end.checked_sub(self.at).and_then(|it| i64::try_from(it).ok()).ok_or(BROKEN)?;
        self.file.seek_relative(distance)?;
        self.at = element.end;
        Ok(())
    }

    fn bytes(&mut self, element: &Element, largest: u64, bytes: &mut Vec<u8>) -> Result<(), Refusal> {
        let size = element.end.checked_sub(self.at).filter(|size| *size <= largest).ok_or(BROKEN)?;
        bytes.resize(usize::try_from(size).map_err(|_| BROKEN)?, 0);
        self.read(bytes)
    }

    fn table(&mut self, element: &Element) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::new();
        self.bytes(element, LARGEST_TABLE, &mut bytes)?;
        Ok(bytes)
    }

    fn rest_of(&mut self, element: &Element, bytes: &mut Vec<u8>) -> Result<(), Refusal> {
        self.bytes(element, LARGEST_SOUND, bytes)
    }

    fn block_head(&mut self, element: &Element) -> Result<BlockHead, Refusal> {
        let (track, _) = self.variable(false, 8)?;
        let mut rest = [0; 3];
        self.read(&mut rest)?;
        if self.at > element.end {
            return Err(BROKEN);
        }
        Ok(BlockHead { track, time: i16::from_be_bytes([rest[0], rest[1]]), laced: rest[2] & 0x06 != 0 })
    }
}
