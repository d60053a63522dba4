//! Films: their container is checked and put right, their pictures and sounds are never decoded here.

use std::path::Path;

use crate::{
    FileKind, Format, Prepared, Reason,
    mp4::{self, Mp4},
    webm,
    work::{BROKEN, Refusal, WRONG_FORMAT},
};

const LONGEST_SIDE: u32 = 8192;
/// A day, in milliseconds.
const LONGEST: u64 = 24 * 3600 * 1000;
/// A film in a circle is a greeting, not a feature: a minute, and what a recorder runs over.
const LONGEST_ROUND: u64 = 65 * 1000;

/// What people's devices play, at least some of them.
const MP4_VIDEO: [&[u8; 4]; 10] =
    [b"avc1", b"avc2", b"avc3", b"hvc1", b"hev1", b"dvh1", b"vp08", b"vp09", b"av01", b"mp4v"];
const MP4_AUDIO: [&[u8; 4]; 9] = [b"mp4a", b"Opus", b"fLaC", b"alac", b"ac-3", b"ec-3", b".mp3", b"lpcm", b"sowt"];
const WEBM_VIDEO: [&str; 5] = ["V_VP8", "V_VP9", "V_AV1", "V_MPEG4/ISO/AVC", "V_MPEGH/ISO/HEVC"];
const WEBM_AUDIO: [&str; 4] = ["A_OPUS", "A_VORBIS", "A_AAC", "A_FLAC"];

const WRONG_CODEC: Refusal = Refusal::Refused(Reason::WrongCodec);

/// A film or a round one: its size and duration from the container, with `moov` in front.
pub(crate) fn video(kind: FileKind, format: Format, input: &Path, out: &Path) -> Result<Prepared, Refusal> {
    let prepared = match format {
        Format::Mp4 | Format::QuickTime | Format::M4a => mp4_video(input, out)?,
        Format::WebM | Format::Matroska => webm_video(format, input)?,
        _ => return Err(WRONG_FORMAT),
    };
    let longest = if kind == FileKind::Round { LONGEST_ROUND } else { LONGEST };
    if u64::from(prepared.duration_ms.unwrap_or_default()) > longest {
        return Err(Refusal::TooLarge);
    }
    Ok(prepared)
}

/// The container's facts, in bounds.
fn facts(mime: &str, width: u32, height: u32, duration_ms: u64) -> Result<Prepared, Refusal> {
    if width == 0 || height == 0 {
        return Err(BROKEN);
    }
    if width.max(height) > LONGEST_SIDE || duration_ms > LONGEST {
        return Err(Refusal::TooLarge);
    }
    Ok(Prepared {
        mime: mime.to_owned(),
        width: Some(width),
        height: Some(height),
        duration_ms: u32::try_from(duration_ms).ok(),
        ..Prepared::default()
    })
}

fn mp4_video(input: &Path, out: &Path) -> Result<Prepared, Refusal> {
    let mp4 = Mp4::open(input)?;
    let tracks = &mp4.movie.tracks;
    let film = tracks.iter().find(|track| track.kind == mp4::TrackKind::Video).ok_or(WRONG_FORMAT)?;
    let plays = |track: &mp4::Track| match track.kind {
        mp4::TrackKind::Video => MP4_VIDEO.contains(&&track.codec),
        mp4::TrackKind::Audio => MP4_AUDIO.contains(&&track.codec),
        mp4::TrackKind::Other => true,
    };
    // A second sound of another kind does no harm: players take the first.
    let sound = tracks.iter().find(|track| track.kind == mp4::TrackKind::Audio);
    if !plays(film) || !sound.is_none_or(plays) {
        return Err(WRONG_CODEC);
    }
    // QuickTime with these codecs plays everywhere if it is not called so.
    let prepared = facts(Format::Mp4.mime(), film.width, film.height, mp4.movie.duration_ms()?)?;
    let path = out.join("film.mp4");
    let replaced = mp4.put_right(&path)?.then_some(path);
    Ok(Prepared { replaced, ..prepared })
}

fn webm_video(format: Format, input: &Path) -> Result<Prepared, Refusal> {
    let film = webm::walk(input, false, |_, _| Ok(()))?;
    let of_kind = |kind| film.tracks.iter().find(move |track| track.kind == kind);
    let pictures = of_kind(webm::TrackKind::Video).ok_or(WRONG_FORMAT)?;
    let sound = of_kind(webm::TrackKind::Audio);
    let plays = |codecs: &[&str], track: &webm::Track| codecs.contains(&track.codec.as_str());
    if !plays(&WEBM_VIDEO, pictures) || !sound.is_none_or(|track| plays(&WEBM_AUDIO, track)) {
        return Err(WRONG_CODEC);
    }
    facts(format.mime(), pictures.width, pictures.height, film.duration_ms)
}

/// Sound in a film's container: the media type, and the duration in milliseconds.
pub(crate) fn sound(format: Format, input: &Path) -> Result<(&'static str, u64), Refusal> {
    if matches!(format, Format::WebM | Format::Matroska) {
        let film = webm::walk(input, false, |_, _| Ok(()))?;
        let sound = film.tracks.iter().find(|track| track.kind == webm::TrackKind::Audio).ok_or(WRONG_FORMAT)?;
        let plays = WEBM_AUDIO.contains(&sound.codec.as_str());
        return if plays { Ok(("audio/webm", film.duration_ms)) } else { Err(WRONG_CODEC) };
    }
    let mp4 = Mp4::open(input)?;
    let sound = mp4.movie.tracks.iter().find(|track| track.kind == mp4::TrackKind::Audio).ok_or(WRONG_FORMAT)?;
    if !MP4_AUDIO.contains(&&sound.codec) {
        return Err(WRONG_CODEC);
    }
    Ok((Format::M4a.mime(), mp4.movie.duration_ms()?))
}
