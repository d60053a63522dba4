//! Voice messages: Ogg Opus in the end, whatever container the recorder used. Packets are moved, never transcoded.

mod ogg;
mod packet;
mod waveform;

use std::path::Path;

use crate::{
    Format, Prepared, Reason,
    webm::{self, Block, TrackKind},
    work::{BROKEN, Refusal, WRONG_FORMAT},
};

pub(crate) use packet::Head;

/// Samples a second, of every Opus stream's clock (RFC 7845, section 4).
const RATE: u64 = 48_000;
/// A day.
const LONGEST: u64 = 24 * 3600 * RATE;

/// Writes the message anew as Ogg Opus, and counts how long it is and how it looks.
pub(crate) fn voice(format: Format, input: &Path, out: &Path) -> Result<Prepared, Refusal> {
    let path = out.join("voice.ogg");
    let samples = match format {
        Format::OggOpus => from_ogg(input, &path)?,
        Format::WebM | Format::Matroska => from_webm(input, &path)?,
        // AAC would have to be transcoded, which is not done here; as `audio` it is taken.
        _ => return Err(WRONG_FORMAT),
    };
    let duration = u32::try_from(samples * 1000 / RATE).map_err(|_| Refusal::TooLarge)?;
    Ok(Prepared {
        mime: Format::OggOpus.mime().to_owned(),
        duration_ms: Some(duration),
        waveform: waveform::of(&path),
        replaced: Some(path),
        ..Prepared::default()
    })
}

/// The samples that are heard.
fn from_ogg(input: &Path, path: &Path) -> Result<u64, Refusal> {
    let mut reader = ogg::Reader::open(input)?;
    let mut writer = ogg::Writer::create(path, reader.head())?;
    while let Some(packet) = reader.next_packet()? {
        writer.push(packet)?;
    }
    writer.finish()
}

fn from_webm(input: &Path, path: &Path) -> Result<u64, Refusal> {
    let mut writer: Option<(u64, ogg::Writer)> = None;
    webm::walk(input, true, |tracks, block: Block<'_>| {
        if writer.is_none() {
            let sound = tracks.iter().find(|track| track.kind == TrackKind::Audio).ok_or(WRONG_FORMAT)?;
            if sound.codec != "A_OPUS" {
                return Err(Refusal::Refused(Reason::WrongCodec));
            }
            writer = Some((sound.number, ogg::Writer::create(path, &Head::parse(&sound.private)?)?));
        }
        match &mut writer {
            Some((number, writer)) if *number == block.track => {
                // Recorders put one packet into a block.
                if block.laced { Err(BROKEN) } else { writer.push(block.data.to_vec()) }
            }
            _ => Ok(()),
        }
    })?;
    writer.ok_or(BROKEN)?.1.finish()
}
