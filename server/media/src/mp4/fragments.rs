//! Fragments: what browsers and cameras write while they record. Their head knows no duration, so it is counted.

use std::{collections::HashMap, fs::File, ops::Range};

use super::{
    boxes::{Child, Top, child, children, u32_at, u64_at},
    movie::Movie,
    read,
};
use crate::work::{BROKEN, Refusal};

/// The head of a fragment of a minute has some hundred kilobytes.
const LARGEST_MOOF: u64 = 4 << 20;

/// Moves the end of each track behind the last of its fragments.
pub(crate) fn count(file: &mut File, tops: &[Top], movie: &mut Movie) -> Result<(), Refusal> {
    let mut ends: HashMap<u32, u64> = HashMap::new();
    for top in tops.iter().filter(|top| &top.kind == b"moof") {
        if top.size > LARGEST_MOOF {
            return Err(Refusal::TooLarge);
        }
        let moof = read(file, top)?;
        for child in children(&moof, top.head..moof.len()) {
            let Child { kind, inside, .. } = child?;
            if &kind == b"traf" {
                run(&moof, inside, &mut ends)?;
            }
        }
    }
    for track in &mut movie.tracks {
        track.duration = track.duration.max(ends.get(&track.id).copied().unwrap_or_default());
    }
    Ok(())
}

/// One track's part of a fragment (sections 8.8.7, 8.8.8 and 8.8.12).
fn run(moof: &[u8], traf: Range<usize>, ends: &mut HashMap<u32, u64>) -> Result<(), Refusal> {
    let tfhd = child(moof, traf.clone(), *b"tfhd")?.ok_or(BROKEN)?;
    let flags = u32_at(moof, tfhd.start)? & 0x00ff_ffff;
    let id = u32_at(moof, tfhd.start + 4)?;
    let mut at = tfhd.start + 8;
    at += if flags & 0x01 == 0 { 0 } else { 8 };
    at += if flags & 0x02 == 0 { 0 } else { 4 };
    let usual = if flags & 0x08 == 0 { 0 } else { u64::from(u32_at(moof, at)?) };
    let mut time = match child(moof, traf.clone(), *b"tfdt")? {
        Some(tfdt) if moof.get(tfdt.start) == Some(&1) => u64_at(moof, tfdt.start + 4)?,
        Some(tfdt) => u32_at(moof, tfdt.start + 4)?.into(),
        None => ends.get(&id).copied().unwrap_or_default(),
    };
    for child in children(moof, traf) {
        let Child { kind, inside, .. } = child?;
        if &kind != b"trun" {
            continue;
        }
        let flags = u32_at(moof, inside.start)?;
        let count = u32_at(moof, inside.start + 4)? as usize;
        let has = |flag: u32| usize::from(flags & flag != 0);
        let width = 4 * (has(0x100) + has(0x200) + has(0x400) + has(0x800));
        let begin = inside.start + 8 + 4 * (has(0x01) + has(0x04));
        if has(0x100) == 0 {
            time = time.saturating_add(usual.saturating_mul(count as u64));
        } else {
            let table = moof.get(begin..inside.end).and_then(|rest| rest.get(..count.checked_mul(width)?));
            for entry in table.ok_or(BROKEN)?.chunks_exact(width) {
                time = time.saturating_add(u32_at(entry, 0)?.into());
            }
        }
    }
    let end = ends.entry(id).or_default();
    *end = (*end).max(time);
    Ok(())
}
