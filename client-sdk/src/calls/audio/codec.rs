//! Opus (RFC 6716), mono at 48 kHz.

use opusic_c::{Application, Bitrate, Channels, Decoder, Encoder, ErrorCode, InbandFec, SampleRate, Signal};

/// The longest packet that RTP carries here, in bytes.
const MAX_PACKET: usize = 1_200;
/// The longest packet there is, in samples: 120 ms.
pub(crate) const MAX_SAMPLES: usize = 5_760;
/// A packet no longer than this says that there is silence (RFC 6716 section 2.1.9, RFC 7587 section 3.1.3).
pub(crate) const DTX_LENGTH: usize = 2;

/// How the encoder works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coding {
    /// Bits a second of sound, without headers and redundancy.
    pub bit_rate: u32,
    /// A coarse copy of each frame within the next one.
    pub fec: bool,
    /// The loss that the encoder is to expect, in percent: how much of the bit rate FEC may take.
    pub expected_loss: u8,
    /// Silence is not sent.
    pub dtx: bool,
}

pub(crate) struct Encode {
    encoder: Encoder,
    coding: Option<Coding>,
    floats: Vec<f32>,
}

impl Encode {
    pub(crate) fn new() -> Result<Self, ErrorCode> {
        let mut encoder = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip)?;
        encoder.set_signal(Signal::Voice)?;
        encoder.set_complexity(9)?;
        Ok(Self { encoder, coding: None, floats: Vec::new() })
    }

    pub(crate) fn set(&mut self, coding: Coding) -> Result<(), ErrorCode> {
        if self.coding == Some(coding) {
            return Ok(());
        }
        self.encoder.set_bitrate(Bitrate::Value(coding.bit_rate))?;
        self.encoder.set_inband_fec(if coding.fec { InbandFec::Mode1 } else { InbandFec::Off })?;
        self.encoder.set_packet_loss(coding.expected_loss.min(100))?;
        self.encoder.set_dtx(coding.dtx)?;
        self.coding = Some(coding);
        Ok(())
    }

    /// 20, 40 or 60 ms of samples.
    pub(crate) fn encode(&mut self, samples: &[i16]) -> Result<Vec<u8>, ErrorCode> {
        self.floats.clear();
        self.floats.extend(samples.iter().map(|sample| f32::from(*sample) / 32_768.0));
        let mut packet = vec![0; MAX_PACKET];
        let length = self.encoder.encode_float_to_slice(&self.floats, &mut packet)?;
        packet.truncate(length);
        Ok(packet)
    }
}

pub(crate) struct Decode {
    decoder: Decoder,
    floats: Vec<f32>,
}

/// What is to be decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Coded<'a> {
    /// A packet.
    Packet(&'a [u8]),
    /// What a packet says about the frame before it, of so many samples.
    Before(&'a [u8], usize),
    /// Nothing came: so many samples are to be invented.
    Nothing(usize),
}

impl Decode {
    pub(crate) fn new() -> Result<Self, ErrorCode> {
        let decoder = Decoder::new(Channels::Mono, SampleRate::Hz48000)?;
        Ok(Self { decoder, floats: vec![0.0; MAX_SAMPLES] })
    }

    /// Appends the samples.
    pub(crate) fn decode(&mut self, coded: Coded<'_>, samples: &mut impl Extend<i16>) -> Result<usize, ErrorCode> {
        let count = match coded {
            Coded::Packet(packet) => self.decoder.decode_float_to_slice(packet, &mut self.floats, false),
            Coded::Before(packet, count) => {
                self.decoder.decode_float_to_slice(packet, &mut self.floats[..count.min(MAX_SAMPLES)], true)
            }
            Coded::Nothing(count) => {
                self.decoder.decode_float_to_slice(&[], &mut self.floats[..count.min(MAX_SAMPLES)], false)
            }
        }?;
        samples.extend(self.floats[..count].iter().map(|value| to_sample(*value)));
        Ok(count)
    }
}

/// How many samples at 48 kHz a packet holds; `None` for what is no Opus packet.
pub(crate) fn duration(packet: &[u8]) -> Option<usize> {
    let samples = opusic_c::utils::get_nb_samples(packet, SampleRate::Hz48000).ok()?;
    (1..=MAX_SAMPLES).contains(&samples).then_some(samples)
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16 before")]
fn to_sample(value: f32) -> i16 {
    (value * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}
