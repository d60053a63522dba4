//! Codecs and their parameters: only those listed here pass.

use super::candidate::number;
use super::{OPUS_BIT_RATE, SdpError};

/// The most payload types in one section.
pub(crate) const MAX_PAYLOADS: usize = 64;

/// A codec of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Codec {
    pub(crate) payload: u8,
    pub(crate) kind: CodecKind,
    /// Checked `key=value` pairs, as they are written.
    pub(crate) parameters: Vec<(&'static str, String)>,
    /// Checked feedback, as it is written.
    pub(crate) feedback: Vec<&'static str>,
}

/// Which codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodecKind {
    Opus,
    AudioRed,
    Vp8,
    Vp9,
    H264,
    Av1,
    Rtx,
    VideoRed,
    UlpFec,
}

impl CodecKind {
    /// From what stands in `a=rtpmap`, for an audio or a video section; `None` for what a call does not carry.
    pub(crate) fn read(video: bool, map: &str) -> Option<Self> {
        let map = map.to_ascii_lowercase();
        Some(match (video, map.as_str()) {
            (false, "opus/48000/2") => Self::Opus,
            (false, "red/48000/2") => Self::AudioRed,
            (true, "vp8/90000") => Self::Vp8,
            (true, "vp9/90000") => Self::Vp9,
            (true, "h264/90000") => Self::H264,
            (true, "av1/90000") => Self::Av1,
            (true, "rtx/90000") => Self::Rtx,
            (true, "red/90000") => Self::VideoRed,
            (true, "ulpfec/90000") => Self::UlpFec,
            _ => return None,
        })
    }

    /// As it is written in `a=rtpmap`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus/48000/2",
            Self::AudioRed => "red/48000/2",
            Self::Vp8 => "VP8/90000",
            Self::Vp9 => "VP9/90000",
            Self::H264 => "H264/90000",
            Self::Av1 => "AV1/90000",
            Self::Rtx => "rtx/90000",
            Self::VideoRed => "red/90000",
            Self::UlpFec => "ulpfec/90000",
        }
    }

    /// Carries pictures or sound by itself.
    pub(crate) fn is_medium(self) -> bool {
        matches!(self, Self::Opus | Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1)
    }

    fn parameter(self, key: &str, value: &str) -> Option<(&'static str, String)> {
        let upto = |most: u32| number::<u32>(value).filter(|n| *n <= most).map(|n| n.to_string());
        let hex = || (value.len() == 6 && value.bytes().all(|b| b.is_ascii_hexdigit())).then(|| value.to_lowercase());
        let (key, value) = match (self, key) {
            (Self::H264, "profile-level-id") => ("profile-level-id", hex()),
            (Self::H264, "packetization-mode") => ("packetization-mode", upto(1)),
            (Self::H264, "level-asymmetry-allowed") => ("level-asymmetry-allowed", upto(1)),
            (Self::Vp9, "profile-id") => ("profile-id", upto(3)),
            (Self::Av1, "level-idx") => ("level-idx", upto(31)),
            (Self::Av1, "profile") => ("profile", upto(2)),
            (Self::Av1, "tier") => ("tier", upto(1)),
            (Self::Vp8 | Self::Vp9, "max-fs") => ("max-fs", upto(65_536)),
            (Self::Vp8 | Self::Vp9, "max-fr") => ("max-fr", upto(120)),
            (Self::Rtx, "apt") => ("apt", upto(127)),
            (Self::Rtx, "rtx-time") => ("rtx-time", upto(60_000)),
            _ => return None,
        };
        value.map(|value| (key, value))
    }
}

impl Codec {
    /// With the parameters from `a=fmtp`, if there are any; those unknown or out of range are left out.
    pub(crate) fn new(payload: u8, kind: CodecKind, parameters: &str) -> Self {
        let pairs = || parameters.split(';').filter_map(|pair| pair.trim().split_once('='));
        let parameters = match kind {
            CodecKind::Opus => opus(pairs()),
            _ => pairs().filter_map(|(key, value)| kind.parameter(key, value)).take(8).collect(),
        };
        Self { payload, kind, parameters, feedback: Vec::new() }
    }

    /// A redundant encoding needs its primary (RFC 2198); a retransmission its original (RFC 4588).
    pub(crate) fn stands_on(&self) -> Option<u8> {
        let apt = self.parameters.iter().find(|(key, _)| *key == "apt");
        apt.and_then(|(_, value)| number(value))
    }

    /// Takes a line of `a=rtcp-fb`.
    pub(crate) fn take_feedback(&mut self, text: &str) {
        const ALLOWED: [&str; 6] = ["transport-cc", "nack", "nack pli", "ccm fir", "goog-remb", "rrtr"];
        if let Some(known) = ALLOWED.into_iter().find(|known| *known == text)
            && !self.feedback.contains(&known)
        {
            self.feedback.push(known);
        }
    }
}

/// What this side wants to receive: FEC inside, silence not sent, one channel, a rate for bad links. The remote encoder
/// follows it (RFC 7587 section 6.1).
fn opus<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(&'static str, String)> {
    let (mut least_time, mut rate, mut constant) = (10, OPUS_BIT_RATE, false);
    for (key, value) in pairs {
        match (key, number::<u32>(value)) {
            ("minptime", Some(ms @ 3..=120)) => least_time = ms,
            ("maxaveragebitrate", Some(asked)) => rate = asked.clamp(6_000, OPUS_BIT_RATE),
            ("cbr", Some(1)) => constant = true,
            _ => {}
        }
    }
    let mut parameters = vec![
        ("minptime", least_time.to_string()),
        ("useinbandfec", "1".to_owned()),
        ("usedtx", "1".to_owned()),
        ("maxaveragebitrate", rate.to_string()),
    ];
    if constant {
        parameters.push(("cbr", "1".to_owned()));
    }
    parameters
}

/// Payload types for RTP, without those that look like RTCP when multiplexed (RFC 5761 section 4).
pub(crate) fn payload(text: &str) -> Result<u8, SdpError> {
    number::<u8>(text).filter(|p| *p < 64 || (96..=127).contains(p)).ok_or(SdpError::Malformed("payload type"))
}
