//! The order of the parts: `moov` before the film, so that it plays while it loads, and nothing that tells where it was
//! taken.
//!
//! ```text
//! from   ftyp  mdat · · · · · ·  moov  uuid
//! to     ftyp  moov  mdat · · · · · ·  free
//! ```
//! What stood between the first `mdat` and `moov` moves back by the length of `moov`, and with it the offsets of chunks.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use super::{Mp4, boxes::Top, movie::offset};
use crate::work::{BROKEN, Refusal};

impl Mp4 {
    /// Writes the film as it should be to `path`; nothing is written, and `false` answered, when it is so already.
    pub(crate) fn put_right(mut self, path: &Path) -> Result<bool, Refusal> {
        let moov = *self.tops.iter().find(|top| &top.kind == b"moov").ok_or(BROKEN)?;
        let first = self.tops.iter().find(|top| [b"mdat", b"moof"].contains(&&top.kind));
        let film = first.map_or(moov.at, |top| top.at);
        let moves = film < moov.at;
        let blanks = self.tops.iter().any(tells) || !self.movie.private.is_empty();
        if !moves && !blanks {
            return Ok(false);
        }
        // Fragments may count from the beginning of the file, and whoever writes them puts `moov` in front.
        if moves && self.movie.fragmented {
            return Err(BROKEN);
        }
        for (at, inside) in std::mem::take(&mut self.movie.private) {
            // As long as before, so that nothing else moves.
            self.moov[at + 4..at + 8].copy_from_slice(b"free");
            self.moov[inside].fill(0);
        }
        // "To the end of the file" would be wrong further in front.
        if self.moov[..4] == [0; 4] {
            let size = u32::try_from(moov.size).map_err(|_| Refusal::TooLarge)?;
            self.moov[..4].copy_from_slice(&size.to_be_bytes());
        }
        if moves {
            self.shift(film..moov.at, moov.size)?;
        }
        self.write(path, film, moves)?;
        Ok(true)
    }

    /// Moves the offsets that lie in `range` back by `distance`.
    fn shift(&mut self, range: std::ops::Range<u64>, distance: u64) -> Result<(), Refusal> {
        for (table, width) in self.movie.tracks.iter().filter_map(|track| track.offsets.clone()) {
            for entry in self.moov[table].chunks_exact_mut(width) {
                let from = offset(entry)?;
                if range.contains(&from) {
                    let to = from + distance;
                    if width == 8 {
                        entry.copy_from_slice(&to.to_be_bytes());
                    } else {
                        entry.copy_from_slice(&u32::try_from(to).map_err(|_| Refusal::TooLarge)?.to_be_bytes());
                    }
                }
            }
        }
        Ok(())
    }

    fn write(mut self, path: &Path, film: u64, moves: bool) -> Result<(), Refusal> {
        let mut out = File::create(path)?;
        for top in std::mem::take(&mut self.tops) {
            if moves && top.at == film {
                out.write_all(&self.moov)?;
            }
            if &top.kind == b"moov" {
                if !moves {
                    out.write_all(&self.moov)?;
                }
            } else if tells(&top) {
                let size = u32::try_from(top.size).map_err(|_| Refusal::TooLarge)?;
                out.write_all(&size.to_be_bytes())?;
                out.write_all(b"free")?;
                io::copy(&mut io::repeat(0).take(top.size - 8), &mut out)?;
            } else {
                self.file.seek(SeekFrom::Start(top.at))?;
                // The kernel copies from file to file.
                io::copy(&mut (&self.file).take(top.size), &mut out)?;
            }
        }
        Ok(())
    }
}

/// Whether a box beside the film only tells something about it.
fn tells(top: &Top) -> bool {
    [b"uuid", b"meta", b"udta"].contains(&&top.kind)
}
