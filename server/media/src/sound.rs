//! Music and recordings: how long, and what they say of themselves. They are kept as they are.

mod frames;
mod tags;

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use crate::{
    Format, Prepared, film,
    work::{BROKEN, Refusal, WRONG_FORMAT},
};

use tags::Tags;

/// A day, in milliseconds.
const LONGEST: u64 = 24 * 3600 * 1000;
/// What is read of the front for tags and heads; pictures in them are passed over by their length.
const FRONT: u64 = 256 << 10;

/// A recording of any of the usual formats.
pub(crate) fn audio(format: Format, input: &Path) -> Result<Prepared, Refusal> {
    let mut file = File::open(input)?;
    let length = file.metadata()?.len();
    let mut front = Vec::new();
    (&mut file).take(FRONT).read_to_end(&mut front)?;
    let mut tags = Tags::default();
    let (mime, duration) = match format {
        Format::Mp3 => {
            let begin = tags::id3(&front, &mut tags);
            let front = part(&mut file, begin, FRONT)?;
            (format.mime(), Some(frames::mp3(&front, length.saturating_sub(begin)).ok_or(BROKEN)?))
        }
        Format::Flac => {
            tags::flac(&front, &mut tags);
            (format.mime(), Some(frames::flac(&front).ok_or(BROKEN)?))
        }
        Format::Wav => (format.mime(), Some(frames::wav(&front, length).ok_or(BROKEN)?)),
        // No length stands anywhere, and counting means reading all of it.
        Format::Aac => (format.mime(), None),
        Format::Ogg | Format::OggOpus => {
            tags::ogg(&front, &mut tags);
            let back = part(&mut file, length.saturating_sub(FRONT), FRONT)?;
            (format.mime(), Some(frames::ogg(&front, &back).ok_or(WRONG_FORMAT)?))
        }
        Format::Mp4 | Format::M4a | Format::QuickTime | Format::WebM | Format::Matroska => {
            let (mime, duration) = film::sound(format, input)?;
            (mime, Some(duration))
        }
        _ => return Err(WRONG_FORMAT),
    };
    if duration.is_some_and(|duration| duration > LONGEST) {
        return Err(Refusal::TooLarge);
    }
    Ok(Prepared {
        mime: mime.to_owned(),
        duration_ms: duration.and_then(|it| u32::try_from(it).ok()),
        title: tags.title,
        performer: tags.performer,
        ..Prepared::default()
    })
}

fn part(file: &mut File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
