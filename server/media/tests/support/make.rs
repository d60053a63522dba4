//! Files made by hand: containers whose every byte is known.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{f32::consts::TAU, fs};

use chapar_media::{FileKind, Prepared, work, work::Refusal};
use opusic_c::{Application, Channels, Encoder, SampleRate};
use tempfile::TempDir;

/// What became of a file.
pub(crate) struct Done {
    pub(crate) out: TempDir,
    pub(crate) answer: Result<Prepared, Refusal>,
}

impl Done {
    #[track_caller]
    pub(crate) fn prepared(&self) -> &Prepared {
        self.answer.as_ref().expect("is taken")
    }

    #[track_caller]
    pub(crate) fn replaced(&self) -> Vec<u8> {
        fs::read(self.prepared().replaced.as_ref().expect("is written anew")).expect("reads")
    }

    /// Every file that was written.
    pub(crate) fn files(&self) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(self.out.path()).expect("is there");
        entries.map(|entry| fs::read(entry.expect("an entry").path()).expect("reads")).collect()
    }
}

pub(crate) fn send(kind: FileKind, bytes: &[u8]) -> Done {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("input");
    fs::write(&input, bytes).expect("writes");
    let out = tempfile::tempdir().expect("a folder");
    Done { answer: work(kind, &input, out.path()), out }
}

pub(crate) fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|it| it == what)
}

// Opus.

/// 20 ms packets of a tone whose loudness is `level(part of the whole)`, as libopus encodes them.
pub(crate) fn speech(packets: u16, level: impl Fn(f32) -> f32) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip).expect("an encoder");
    let samples = u32::from(packets) * 960;
    (0..packets)
        .map(|packet| {
            let pcm: Vec<f32> = (0..960u32)
                .map(|sample| {
                    #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
                    let at = (u32::from(packet) * 960 + sample) as f32;
                    #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
                    let part = at / samples as f32;
                    (at * TAU * 300.0 / 48_000.0).sin() * level(part)
                })
                .collect();
            let mut out = vec![0; 1500];
            let length = encoder.encode_float_to_slice(&pcm, &mut out).expect("encodes");
            out.truncate(length);
            out
        })
        .collect()
}

pub(crate) const OPUS_HEAD: &[u8] = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";

// Matroska.

/// An element; the size always takes 8 bytes.
pub(crate) fn element(id: u32, inside: &[u8]) -> Vec<u8> {
    let mut size = (inside.len() as u64).to_be_bytes();
    size[0] |= 1;
    [&id_bytes(id)[..], &size, inside].concat()
}

/// An element of unknown size, as recorders write them.
pub(crate) fn endless(id: u32, inside: &[u8]) -> Vec<u8> {
    [&id_bytes(id)[..], b"\x01\xff\xff\xff\xff\xff\xff\xff", inside].concat()
}

fn id_bytes(id: u32) -> Vec<u8> {
    id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

pub(crate) fn ebml() -> Vec<u8> {
    // DocType with a size of one byte, as everybody writes it.
    [&b"\x1a\x45\xdf\xa3\x8b\x42\x86\x81\x01\x42\x82\x84webm"[..]].concat()
}

pub(crate) fn track(number: u8, kind: u8, codec: &str, private: &[u8], size: Option<(u16, u16)>) -> Vec<u8> {
    let mut inside = [element(0xd7, &[number]), element(0x83, &[kind]), element(0x86, codec.as_bytes())].concat();
    if !private.is_empty() {
        inside.extend(element(0x63a2, private));
    }
    if let Some((width, height)) = size {
        let sizes = [element(0xb0, &width.to_be_bytes()), element(0xba, &height.to_be_bytes())].concat();
        inside.extend(element(0xe0, &sizes));
    }
    element(0xae, &inside)
}

pub(crate) fn block(track: u8, time: i16, data: &[u8]) -> Vec<u8> {
    let [high, low] = time.to_be_bytes();
    element(0xa3, &[&[0x80 | track, high, low, 0x80][..], data].concat())
}

pub(crate) fn cluster(time: u32, blocks: &[u8]) -> Vec<u8> {
    endless(0x1f43_b675, &[&element(0xe7, &time.to_be_bytes()), blocks].concat())
}

pub(crate) fn webm(tracks: &[u8], info: &[u8], clusters: &[u8]) -> Vec<u8> {
    let info = element(0x1549_a966, &[&element(0x002a_d7b1, &1_000_000u32.to_be_bytes()), info].concat());
    let inside = [&info, &element(0x1654_ae6b, tracks), clusters].concat();
    [ebml(), endless(0x1853_8067, &inside)].concat()
}

/// What MediaRecorder writes for a voice message: clusters of a second, of unknown size, and no duration.
pub(crate) fn recording(packets: &[Vec<u8>]) -> Vec<u8> {
    let clusters: Vec<u8> = packets
        .chunks(50)
        .enumerate()
        .flat_map(|(second, packets)| {
            let blocks: Vec<u8> = packets
                .iter()
                .enumerate()
                .flat_map(|(number, packet)| block(1, i16::try_from(number * 20).expect("short"), packet))
                .collect();
            cluster(u32::try_from(second * 1000).expect("short"), &blocks)
        })
        .collect();
    webm(&track(1, 2, "A_OPUS", OPUS_HEAD, None), &[], &clusters)
}

// MPEG-4.

pub(crate) fn mp4_box(kind: &[u8], inside: &[u8]) -> Vec<u8> {
    let size = u32::try_from(inside.len() + 8).expect("short").to_be_bytes();
    [&size, kind, inside].concat()
}

pub(crate) fn full(kind: &[u8], words: &[u32]) -> Vec<u8> {
    let inside: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    mp4_box(kind, &inside)
}

pub(crate) fn ftyp(brand: &[u8]) -> Vec<u8> {
    mp4_box(b"ftyp", &[brand, &[0; 4], b"isom"].concat())
}

/// A film of two tracks, a second a sample.
#[derive(Debug, Clone)]
pub(crate) struct Film {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) turned: bool,
    pub(crate) seconds: u32,
    pub(crate) codec: [u8; 4],
    pub(crate) sample: u32,
    pub(crate) offset: u32,
    pub(crate) long_offsets: bool,
    pub(crate) place: bool,
}

impl Default for Film {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
            turned: false,
            seconds: 10,
            codec: *b"avc1",
            sample: 100,
            offset: 0,
            long_offsets: false,
            place: false,
        }
    }
}

impl Film {
    pub(crate) fn moov(&self) -> Vec<u8> {
        let place = if self.place { mp4_box(b"udta", &mp4_box(b"\xa9xyz", b"+36.2880+059.6157/")) } else { Vec::new() };
        let head = full(b"mvhd", &[0, 0, 0, 1000, self.seconds * 1000]);
        let video = self.trak(1, b"vide", &self.video_entry());
        let audio = self.trak(2, b"soun", &mp4_box(b"mp4a", &[0; 28]));
        mp4_box(b"moov", &[head, video, audio, place].concat())
    }

    fn video_entry(&self) -> Vec<u8> {
        let mut inside = [0; 78];
        inside[24..26].copy_from_slice(&self.width.to_be_bytes());
        inside[26..28].copy_from_slice(&self.height.to_be_bytes());
        mp4_box(&self.codec, &inside)
    }

    #[expect(clippy::similar_names, reason = "the format's own")]
    fn trak(&self, id: u32, handler: &[u8], entry: &[u8]) -> Vec<u8> {
        let (width, height) = (u32::from(self.width) << 16, u32::from(self.height) << 16);
        let matrix: [u32; 9] = if self.turned {
            [0, 0x1_0000, 0, 0xffff_0000, 0, 0, width, 0, 0x4000_0000]
        } else {
            [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]
        };
        let before = [7, 0, 0, id, 0, self.seconds * 1000, 0, 0, 0, 0];
        let tkhd = full(b"tkhd", &[&before[..], &matrix, &[width, height]].concat());
        let stsd = mp4_box(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1][..], entry].concat());
        let offset = if self.long_offsets {
            full(b"co64", &[0, 1, 0, self.offset])
        } else {
            full(b"stco", &[0, 1, self.offset])
        };
        let stts = full(b"stts", &[0, 1, self.seconds, 1000]);
        let stsc = full(b"stsc", &[0, 1, 1, self.seconds, 1]);
        let stsz = full(b"stsz", &[0, self.sample, self.seconds]);
        let stbl = mp4_box(b"stbl", &[stsd, stts, stsc, stsz, offset].concat());
        let mdhd = full(b"mdhd", &[0, 0, 0, 1000, self.seconds * 1000, 0]);
        let hdlr = mp4_box(b"hdlr", &[&[0; 8][..], handler, &[0; 13]].concat());
        let mdia = mp4_box(b"mdia", &[mdhd, hdlr, mp4_box(b"minf", &stbl)].concat());
        mp4_box(b"trak", &[tkhd, mdia].concat())
    }

    /// `moov` behind the film, as cameras leave it, or before it.
    pub(crate) fn file(mut self, in_front: bool) -> Vec<u8> {
        let ftyp = ftyp(b"isom");
        let samples: Vec<u8> = (0..self.sample * self.seconds).map(|at| at.to_be_bytes()[3]).collect();
        let mdat = mp4_box(b"mdat", &[b"the first sample".to_vec(), samples].concat());
        let before = if in_front { ftyp.len() + self.moov().len() } else { ftyp.len() };
        self.offset = u32::try_from(before + 8).expect("short");
        let moov = self.moov();
        if in_front { [ftyp, moov, mdat].concat() } else { [ftyp, mdat, moov].concat() }
    }
}
