//! Films and music: the container is believed only where it can be true, and put in order.

#[path = "support/make.rs"]
mod make;

use chapar_media::{FileKind, Reason, work::Refusal};
use make::{Film, block, cluster, element, endless, ftyp, full, mp4_box, send, speech, track, webm};

const BROKEN: Result<chapar_media::Prepared, Refusal> = Err(Refusal::Refused(Reason::Broken));

#[test]
fn a_film_that_can_play_at_once_stays_as_it_is() {
    let done = send(FileKind::Video, &Film::default().file(true));
    let prepared = done.prepared();
    assert_eq!((prepared.width, prepared.height, prepared.duration_ms), (Some(1280), Some(720), Some(10_000)));
    assert_eq!((prepared.mime.as_str(), &prepared.replaced), ("video/mp4", &None));
}

#[test]
fn the_table_of_contents_moves_to_the_front_and_its_offsets_with_it() {
    for long_offsets in [false, true] {
        let done = send(FileKind::Video, &Film { long_offsets, ..Film::default() }.file(false));
        let kept = done.replaced();
        // It is what a film would be whose camera had put it in front.
        assert_eq!(kept, Film { long_offsets, ..Film::default() }.file(true));
        assert_eq!(&kept[4..8], b"ftyp");
        assert_eq!(&kept[24..28], b"moov");
    }
}

#[test]
fn a_film_says_nothing_of_where_it_was_taken() {
    for in_front in [true, false] {
        let film = Film { place: true, ..Film::default() }.file(in_front);
        let original = [film, mp4_box(b"uuid", b"0123456789abcdef<x:xmpmeta>36.2880")].concat();
        assert!(make::has(&original, b"36.2880"));
        for kind in [FileKind::Video, FileKind::Round] {
            let done = send(kind, &original);
            let kept = done.replaced();
            assert!(!make::has(&kept, b"36.2880") && !make::has(&kept, b"\xa9xyz"));
            assert_eq!(kept.len(), original.len());
            // The offset still leads to the first sample.
            let table = kept.windows(4).position(|it| it == b"stco").expect("a table");
            let offset = u32::from_be_bytes(*kept[table + 12..].first_chunk().expect("an offset")) as usize;
            assert!(kept[offset..].starts_with(b"the first sample"));
        }
        assert_eq!(send(FileKind::Document, &original).prepared().replaced, None);
    }
}

#[test]
fn a_film_that_was_held_upright_is_upright() {
    let done = send(FileKind::Video, &Film { turned: true, ..Film::default() }.file(true));
    assert_eq!((done.prepared().width, done.prepared().height), (Some(720), Some(1280)));
}

#[test]
fn false_sizes_are_not_believed() {
    let moov = Film::default().moov();
    let mdat = mp4_box(b"mdat", &[1; 1016]);
    let film = |moov: &[u8]| [&ftyp(b"isom")[..], moov, &mdat].concat();
    let good = Film { offset: 40, ..Film::default() };
    assert!(send(FileKind::Video, &film(&good.moov())).answer.is_ok());
    let with = |kind: &[u8; 4], at: usize, value: u32| {
        let mut moov = good.moov();
        let table = moov.windows(4).position(|it| it == kind).expect("is there") + 4;
        moov[table + at..table + at + 4].copy_from_slice(&value.to_be_bytes());
        film(&moov)
    };
    let mut beyond = film(&moov);
    let at = beyond.len() - mdat.len();
    beyond[at..at + 4].copy_from_slice(&0x7fff_ffffu32.to_be_bytes());
    for (what, bytes) in [
        ("a box beyond the end", beyond),
        (
            "a box smaller than its head",
            [ftyp(b"isom"), vec![0, 0, 0, 4, b'm', b'o', b'o', b'v'], mdat.clone()].concat(),
        ),
        ("no table of contents", [ftyp(b"isom"), mdat.clone()].concat()),
        ("two of them", film(&[good.moov(), good.moov()].concat())),
        ("offsets beyond the end", film(&Film { offset: 1 << 30, ..Film::default() }.moov())),
        ("samples larger than the file", film(&Film { sample: 1 << 20, ..Film::default() }.moov())),
        ("four thousand million entries", with(b"stco", 4, u32::MAX)),
        ("as many times", with(b"stts", 4, u32::MAX)),
        ("a child beyond its parent", with(b"minf", 0, u32::MAX)),
        ("no units of time", with(b"mdhd", 12, 0)),
        ("no width", film(&Film { width: 0, ..good.clone() }.moov())),
        ("cut off", Film::default().file(false)[..1100].to_vec()),
    ] {
        assert_eq!(send(FileKind::Video, &bytes).answer, BROKEN, "{what}");
        assert!(send(FileKind::Document, &bytes).prepared().width.is_none(), "{what}");
    }
    let long = Film { seconds: 90_000, sample: 1, ..good.clone() };
    assert_eq!(send(FileKind::Video, &film(&long.moov())).answer, Err(Refusal::TooLarge));
    let wide = Film { width: 9000, ..good.clone() };
    assert_eq!(send(FileKind::Video, &film(&wide.moov())).answer, Err(Refusal::TooLarge));
    let strange = Film { codec: *b"xxxx", ..good };
    assert_eq!(send(FileKind::Video, &film(&strange.moov())).answer, Err(Refusal::Refused(Reason::WrongCodec)));
}

#[test]
fn boxes_a_hundred_thousand_deep_are_walked_past() {
    // Each holds the next: from the inside out, sizes of 8, 16, 24, and so on.
    let depth = 100_000u32;
    let mut deep = Vec::new();
    for level in (1..=depth).rev() {
        deep.extend_from_slice(&(level * 8).to_be_bytes());
        deep.extend_from_slice(if level == depth { b"moov" } else { b"trak" });
    }
    assert_eq!(send(FileKind::Video, &[ftyp(b"isom"), deep].concat()).answer, BROKEN);
}

#[test]
fn a_recording_in_fragments_is_as_long_as_they_are() {
    let with_mvex =
        |moov: &[u8]| mp4_box(b"moov", &[&moov[8..], &mp4_box(b"mvex", &full(b"trex", &[0, 1, 1, 0, 0, 0]))].concat());
    let head = Film { seconds: 0, ..Film::default() };
    let fragment = |begin: u32| {
        let tfhd = full(b"tfhd", &[0x02_0000, 1]);
        let tfdt = full(b"tfdt", &[0, begin]);
        let trun = full(b"trun", &[0x301, 3, 0, 400, 9, 300, 9, 300, 9]);
        let traf = mp4_box(b"traf", &[tfhd, tfdt, trun].concat());
        [mp4_box(b"moof", &[full(b"mfhd", &[0, 1]), traf].concat()), mp4_box(b"mdat", &[0; 27])].concat()
    };
    let bytes = [ftyp(b"iso5"), with_mvex(&head.moov()), fragment(0), fragment(1000), fragment(2000)].concat();
    let done = send(FileKind::Round, &bytes);
    assert_eq!(done.prepared().duration_ms, Some(3000));
    assert_eq!(done.prepared().replaced, None);
    assert_eq!(send(FileKind::Round, &[bytes, fragment(70_000)].concat()).answer, Err(Refusal::TooLarge));
}

#[test]
fn the_duration_of_a_browsers_recording_is_counted() {
    let tracks = [track(1, 1, "V_VP9", b"", Some((640, 480))), track(2, 2, "A_OPUS", make::OPUS_HEAD, None)].concat();
    let second =
        |at: u32| cluster(at * 1000, &[block(1, 0, b"key"), block(2, 20, b"sound"), block(1, 960, b"x")].concat());
    let clusters: Vec<u8> = (0..5).flat_map(second).collect();
    let done = send(FileKind::Video, &webm(&tracks, &[], &clusters));
    let prepared = done.prepared();
    assert_eq!((prepared.width, prepared.height, prepared.duration_ms), (Some(640), Some(480), Some(4960)));
    assert_eq!((prepared.mime.as_str(), &prepared.replaced), ("video/webm", &None));
    let said = |ms: f64| webm(&tracks, &element(0x4489, &ms.to_be_bytes()), &clusters);
    for (says, is) in [(5000.0, 5000), (4960.0, 4960), (10.0, 4960), (1e12, 4960), (f64::NAN, 4960), (-1.0, 4960)] {
        assert_eq!(send(FileKind::Video, &said(says)).prepared().duration_ms, Some(is), "{says}");
    }
    assert_eq!(send(FileKind::Audio, &webm(&tracks, &[], &clusters)).prepared().mime, "audio/webm");
}

#[test]
fn false_sizes_in_webm_are_not_believed() {
    let tracks = track(1, 1, "V_VP9", b"", Some((640, 480)));
    let blocks = cluster(0, &block(1, 0, b"key"));
    let with_end = |end: &[u8]| webm(&tracks, &[], &[&blocks, end].concat());
    for (what, bytes) in [
        ("beyond the end", with_end(b"\xec\x01\0\0\0\0\xff\xff\xff")),
        ("unknown where it must be known", with_end(&endless(0xec, b"12345"))),
        ("a size of nine bytes", with_end(b"\xec\x00\x01\x02")),
        ("a block without a head", with_end(&element(0xa3, &[0x81]))),
        ("no tracks", [make::ebml(), endless(0x1853_8067, &blocks)].concat()),
        ("a child beyond its parent", webm(&element(0xae, b"\xd7\x88\x01"), &[], &blocks)),
        ("no units of time", webm(&tracks, &element(0x002a_d7b1, &[0]), &blocks)),
        ("cut off", with_end(b"")[..120].to_vec()),
    ] {
        assert_eq!(send(FileKind::Video, &bytes).answer, BROKEN, "{what}");
    }
    let strange = webm(&track(1, 1, "V_MAGIC", b"", Some((640, 480))), &[], &blocks);
    assert_eq!(send(FileKind::Video, &strange).answer, Err(Refusal::Refused(Reason::WrongCodec)));
    let voice = make::recording(&speech(5, |_| 0.5));
    assert_eq!(send(FileKind::Video, &voice).answer, Err(Refusal::Refused(Reason::WrongFormat)));
}

#[test]
fn music_is_kept_as_it_is() {
    let mut mp3 = b"ID3\x03\0\0\0\0\0\x10TIT2\0\0\0\x05\0\0\0Song\0".to_vec();
    for _ in 0..100 {
        let mut frame = vec![0xff, 0xfb, 0x90, 0x00];
        frame.resize(417, 0);
        mp3.extend(frame);
    }
    let done = send(FileKind::Audio, &mp3);
    let prepared = done.prepared();
    assert_eq!((prepared.mime.as_str(), prepared.title.as_deref()), ("audio/mpeg", Some("Song")));
    assert_eq!(prepared.duration_ms, Some(41_700 * 8 / 128));
    assert!(done.files().is_empty());
    // The sound of an old Safari's recorder is music to us.
    assert_eq!(send(FileKind::Audio, &Film::default().file(false)).prepared().mime, "audio/mp4");
    for bytes in [&b"%PDF-1.7"[..], b"<svg/>", b"", b"ID3\x03\0\0\0\0\0\0 no frame follows"] {
        assert!(send(FileKind::Audio, bytes).answer.is_err());
    }
}
