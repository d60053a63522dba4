//! What Chromium's MediaRecorder wrote in two seconds (Debian's 72 × 96 pixels of its fake camera and the beeps of its
//! fake microphone, `start(500)`).

#[path = "support/make.rs"]
mod make;

use chapar_media::{FileKind, Reason, work::Refusal};
use make::send;

const VOICE_WEBM: &[u8] = include_bytes!("recordings/voice.webm");
const VOICE_MP4: &[u8] = include_bytes!("recordings/voice.mp4");
const FILM_WEBM: &[u8] = include_bytes!("recordings/film.webm");
const FILM_MP4: &[u8] = include_bytes!("recordings/film.mp4");

#[test]
fn its_voice_message_becomes_ogg() {
    let done = send(FileKind::Voice, VOICE_WEBM);
    let prepared = done.prepared();
    let duration = prepared.duration_ms.expect("counted");
    assert!((1500..2600).contains(&duration), "{duration}");
    assert!(prepared.waveform.as_ref().is_some_and(|it| it.chars().any(|letter| letter != 'A')));
    let kept = done.replaced();
    assert!(kept.starts_with(b"OggS") && kept.len() < VOICE_WEBM.len() + 500, "{}", kept.len());
    // And is music that can be measured by its last page.
    assert_eq!(send(FileKind::Audio, &kept).prepared().duration_ms, Some(duration));
}

#[test]
fn its_films_are_as_long_and_as_large_as_they_are() {
    for (name, bytes, mime) in [("webm", FILM_WEBM, "video/webm"), ("mp4", FILM_MP4, "video/mp4")] {
        for kind in [FileKind::Video, FileKind::Round] {
            let done = send(kind, bytes);
            let prepared = done.prepared();
            assert_eq!((prepared.width, prepared.height, prepared.mime.as_str()), (Some(72), Some(96), mime), "{name}");
            let duration = prepared.duration_ms.expect("counted");
            assert!((1500..2800).contains(&duration), "{name}: {duration}");
        }
    }
}

#[test]
fn its_sound_in_mp4_is_music_but_no_voice_message() {
    let duration = send(FileKind::Audio, VOICE_MP4).prepared().duration_ms.expect("counted");
    assert!((1500..2800).contains(&duration), "{duration}");
    assert_eq!(send(FileKind::Voice, VOICE_MP4).answer, Err(Refusal::Refused(Reason::WrongFormat)));
}
