//! Voice messages: Ogg Opus in the end, packet for packet what was recorded.

#[path = "support/make.rs"]
mod make;

use std::io::Cursor;

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use chapar_media::{FileKind, Reason, work::Refusal};
use make::{OPUS_HEAD, block, cluster, element, recording, send, speech, track, webm};
use ogg::{Packet, PacketReader, PacketWriteEndInfo, PacketWriter};

fn ogg(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = PacketWriter::new(&mut bytes);
    writer.write_packet(OPUS_HEAD, 7, PacketWriteEndInfo::EndPage, 0).expect("writes");
    let tags = b"OpusTags\x04\0\0\0test\x01\0\0\0\x0a\0\0\0ARTIST=Her";
    writer.write_packet(&tags[..], 7, PacketWriteEndInfo::EndPage, 0).expect("writes");
    for (number, packet) in packets.iter().enumerate() {
        let end =
            if number + 1 == packets.len() { PacketWriteEndInfo::EndStream } else { PacketWriteEndInfo::NormalPacket };
        writer.write_packet(packet.as_slice(), 7, end, (number as u64 + 1) * 960).expect("writes");
    }
    drop(writer);
    bytes
}

fn read(ogg: &[u8]) -> Vec<Packet> {
    let mut reader = PacketReader::new(Cursor::new(ogg));
    std::iter::from_fn(|| reader.read_packet().expect("is whole")).collect()
}

fn waveform(base64: &str) -> Vec<u8> {
    let packed = BASE64_STANDARD_NO_PAD.decode(base64).expect("base64");
    assert_eq!(packed.len(), 63);
    let bit = |at: usize| packed[at / 8] >> (at % 8) & 1;
    (0..100).map(|value| (0..5).map(|at| bit(value * 5 + at) << at).sum()).collect()
}

#[test]
fn what_a_browser_recorded_is_moved_into_ogg_packet_for_packet() {
    // Ten seconds.
    let packets = speech(500, |_| 0.5);
    let done = send(FileKind::Voice, &recording(&packets));
    let prepared = done.prepared();
    assert_eq!(prepared.mime, "audio/ogg");
    // The first 312 samples are not heard.
    assert_eq!(prepared.duration_ms, Some((500 * 960 - 312) / 48));
    let inside = read(&done.replaced());
    assert_eq!(inside[0].data, OPUS_HEAD);
    assert!(inside[0].first_in_stream() && inside[1].data.starts_with(b"OpusTags\x06\0\0\0chapar"));
    let sound: Vec<&[u8]> = inside[2..].iter().map(|packet| packet.data.as_slice()).collect();
    assert_eq!(sound, packets);
    let last = inside.last().expect("some");
    assert!(last.last_in_stream());
    assert_eq!(last.absgp_page(), 500 * 960);
    // Players seek by pages: one a second.
    let granules: Vec<u64> =
        inside[2..].iter().filter(|packet| packet.last_in_page()).map(Packet::absgp_page).collect();
    assert_eq!(granules, (1..=10).map(|second| second * 48_000).collect::<Vec<_>>());
}

#[test]
fn ogg_is_written_anew_without_what_was_noted_in_it() {
    let packets = speech(100, |_| 0.5);
    let original = [ogg(&packets), b"<script>trailing</script>".to_vec()].concat();
    let done = send(FileKind::Voice, &original);
    assert_eq!(done.prepared().duration_ms, Some((100 * 960 - 312) / 48));
    let kept = done.replaced();
    assert!(!make::has(&kept, b"ARTIST") && !make::has(&kept, b"script"));
    assert_eq!(read(&kept)[2..].iter().map(|packet| packet.data.clone()).collect::<Vec<_>>(), packets);
    // The same sound from the other container is the same file.
    assert_eq!(send(FileKind::Voice, &recording(&packets)).replaced(), kept);
    // As music it keeps its tags.
    let music = send(FileKind::Audio, &original);
    assert_eq!((music.prepared().performer.as_deref(), &music.prepared().replaced), (Some("Her"), &None));
    assert_eq!(music.prepared().duration_ms, Some((100 * 960 - 312) / 48));
}

#[test]
fn the_waveform_shows_where_somebody_speaks() {
    // Silence, then ever louder, then silence.
    let level = |part: f32| if (0.2..0.8).contains(&part) { part - 0.2 } else { 0.0 };
    let done = send(FileKind::Voice, &recording(&speech(300, level)));
    let values = waveform(done.prepared().waveform.as_ref().expect("a waveform"));
    assert!(values[..15].iter().chain(&values[85..]).all(|value| *value <= 1), "{values:?}");
    assert!(values[30] > 2 && values[50] > values[30] && values[75] > values[50], "{values:?}");
    assert_eq!(values.iter().max(), Some(&31));
    // As libopus decodes it, at three places.
    let short = send(FileKind::Voice, &recording(&speech(3, |_| 0.5)));
    assert!(waveform(short.prepared().waveform.as_ref().expect("a waveform")).iter().any(|value| *value > 20));
}

#[test]
fn a_long_message_is_decoded_in_parts() {
    // An hour of the same second: silence in its first half of the message.
    let (silent, loud) = (speech(50, |_| 0.0), speech(50, |_| 0.7));
    let packets: Vec<_> = (0..360).flat_map(|second| if second < 180 { &silent } else { &loud }.clone()).collect();
    let begun = std::time::Instant::now();
    let done = send(FileKind::Voice, &ogg(&packets));
    eprintln!("six minutes of voice: {} ms", begun.elapsed().as_millis());
    assert_eq!(done.prepared().duration_ms, Some((360 * 48_000 - 312) / 48));
    let values = waveform(done.prepared().waveform.as_ref().expect("a waveform"));
    assert!(values[..50].iter().all(|value| *value <= 1) && values[51..].iter().all(|value| *value > 20), "{values:?}");
}

#[test]
fn packets_of_noise_have_a_duration_all_the_same() {
    // A proper first byte and nonsense after it: a decoder may fail, the message does not.
    let packets: Vec<Vec<u8>> = (0..60u8).map(|number| vec![number << 3, number, 255 - number, 7, 9]).collect();
    let done = send(FileKind::Voice, &ogg(&packets));
    assert!(done.prepared().duration_ms.is_some());
}

#[test]
fn what_is_no_voice_message_is_refused() {
    let refused = |reason| Err(Refusal::Refused(reason));
    let sound = track(1, 2, "A_OPUS", OPUS_HEAD, None);
    let one = cluster(0, &block(1, 0, &speech(1, |_| 0.5)[0]));
    let mut stereo_of_six = OPUS_HEAD.to_vec();
    stereo_of_six[9] = 6;
    let laced = element(0xa3, &[0x81, 0, 0, 0x82, 1, 1, 0xf8, 0xf8]);
    let whole = ogg(&speech(20, |_| 0.5));
    for (what, bytes, answer) in [
        ("AAC of an old Safari", make::Film::default().file(true), refused(Reason::WrongFormat)),
        ("MP3", b"ID3\x04\0\0\0\0\0\0".to_vec(), refused(Reason::WrongFormat)),
        ("Vorbis", webm(&track(1, 2, "A_VORBIS", b"x", None), &[], &one), refused(Reason::WrongCodec)),
        ("six channels", webm(&track(1, 2, "A_OPUS", &stereo_of_six, None), &[], &one), refused(Reason::WrongCodec)),
        ("no head", webm(&track(1, 2, "A_OPUS", b"", None), &[], &one), refused(Reason::Broken)),
        ("a film", webm(&track(1, 1, "V_VP9", b"", Some((9, 9))), &[], &one), refused(Reason::WrongFormat)),
        ("nothing in it", webm(&sound, &[], &[]), refused(Reason::Broken)),
        ("an empty packet", webm(&sound, &[], &cluster(0, &block(1, 0, b""))), refused(Reason::Broken)),
        ("lacing", webm(&sound, &[], &cluster(0, &laced)), refused(Reason::Broken)),
        ("cut off", whole[..whole.len() - 10].to_vec(), refused(Reason::Broken)),
        ("heads alone", ogg(&[]), refused(Reason::Broken)),
    ] {
        assert_eq!(send(FileKind::Voice, &bytes).answer, answer, "{what}");
    }
    let mut flipped = whole;
    let at = flipped.len() - 3;
    flipped[at] ^= 0xff;
    assert_eq!(send(FileKind::Voice, &flipped).answer, refused(Reason::Broken), "a wrong checksum");
}
