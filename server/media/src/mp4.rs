//! MPEG-4 and QuickTime (ISO/IEC 14496-12): what is in it, whether its sizes can be true, and the order of its parts.
//!
//! Only `moov` and, one after the other, the fragments' heads are read into memory; the film itself is never.

mod boxes;
mod fragments;
mod movie;
mod order;

use std::{fs::File, io::Read as _, io::Seek as _, io::SeekFrom, path::Path};

use boxes::Top;
pub(crate) use movie::{Movie, Track, TrackKind};

use crate::work::{BROKEN, Refusal};

/// A table of contents of two hours has some megabytes.
const LARGEST_MOOV: u64 = 64 << 20;

/// A file whose parts are known.
pub(crate) struct Mp4 {
    file: File,
    tops: Vec<Top>,
    /// The whole box, which may be changed before it is written.
    moov: Vec<u8>,
    pub(crate) movie: Movie,
}

impl Mp4 {
    pub(crate) fn open(path: &Path) -> Result<Self, Refusal> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let tops = boxes::tops(&mut file, length)?;
        let mut moovs = tops.iter().filter(|top| &top.kind == b"moov");
        let (Some(top), None) = (moovs.next(), moovs.next()) else { return Err(BROKEN) };
        if top.size > LARGEST_MOOV {
            return Err(Refusal::TooLarge);
        }
        let moov = read(&mut file, top)?;
        let mut movie = Movie::parse(&moov, top.head, length)?;
        if movie.fragmented {
            fragments::count(&mut file, &tops, &mut movie)?;
        }
        Ok(Self { file, tops, moov, movie })
    }
}

fn read(file: &mut File, top: &Top) -> Result<Vec<u8>, Refusal> {
    file.seek(SeekFrom::Start(top.at))?;
    let mut bytes = Vec::new();
    file.take(top.size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == top.size { Ok(bytes) } else { Err(BROKEN) }
}
