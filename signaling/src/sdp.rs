//! Session descriptions: parsed, allow-listed, written anew.
//!
//! Nothing of a client's text is copied through. [`rewrite`] reads what a call needs into types that can hold nothing
//! else, and writes a new description from them; what it does not know is gone. So there is no way for a line break,
//! a `crypto` line, a third media section or an address to reach the other side.
//!
//! What remains: one audio section and at most one video section, bundled, over DTLS-SRTP with one SHA-256
//! fingerprint, Opus (with in-band FEC and DTX asked for, and RED where offered), the usual video codecs. In a voice call the
//! video section is inactive, whoever wrote it.

pub mod address;
pub mod candidate;
mod codec;
mod line;
#[cfg(test)]
pub(crate) mod samples;
mod section;
#[cfg(test)]
mod tests;
mod write;

pub use candidate::{Candidate, CandidateBudget, CandidateKind, CandidatePolicy, RelayPlace};

use chapar_protocol::call::CallMedia;

use crate::sas::Fingerprint;
use line::Lines;
use section::{Direction, Section};

/// The longest description, in bytes.
pub const MAX_LENGTH: usize = 16 * 1024;
/// The highest bit rate that Opus is asked for, in bits a second: enough for FEC at 10 % loss.
pub const OPUS_BIT_RATE: u32 = 32_000;

/// Why a description or a candidate is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Longer than [`MAX_LENGTH`].
    #[error("longer than 16 KB")]
    TooLong,
    /// More of something than is allowed.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// A control character, or one outside ASCII.
    #[error("a character that does not belong into a description")]
    Control,
    /// A line that is not `x=…`, or stands where it must not.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// Something that a call needs is not there.
    #[error("missing: {0}")]
    Missing(&'static str),
    /// Keys in the description itself (`a=crypto`, `k=`).
    #[error("keys in the description")]
    KeysInside,
    /// A transport without DTLS.
    #[error("not DTLS-SRTP")]
    PlainRtp,
    /// A section that is neither the one for audio nor the one for video.
    #[error("a media section that does not belong into a call")]
    ExtraMedia,
    /// More than one fingerprint, or one that is not SHA-256.
    #[error("not exactly one SHA-256 fingerprint")]
    Fingerprint,
    /// Not a candidate.
    #[error("not a candidate")]
    Candidate,
    /// A commitment or nonce that is not 32 bytes in lower-case hexadecimal.
    #[error("not a commitment or nonce")]
    Commitment,
}

/// Offer or answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It asks.
    Offer,
    /// It answers.
    Answer,
}

/// A description that was written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The text, with CRLF line ends.
    pub sdp: String,
    /// The certificate that the media must come with.
    pub fingerprint: Fingerprint,
    /// A video section is there, and neither refused nor inactive.
    pub video: bool,
    /// Candidates that the policy kept back.
    pub candidates_dropped: usize,
}

/// What holds for the whole session.
#[derive(Debug)]
struct Session {
    id: u64,
    version: u64,
    mixed_headers: bool,
    sections: Vec<Section>,
}

/// Parses a description from a client and writes it anew, with the video that is in it.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn rewrite(text: &str, role: Role, policy: &CandidatePolicy) -> Result<Rewritten, SdpError> {
    rewrite_for(CallMedia::Video, text, role, policy)
}

/// The same, for a call that carries this. In a voice call a video section is written `inactive`, whatever the client wrote: it
/// keeps its place, as sections must, and nothing flows in it until both have agreed to video.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn rewrite_for(media: CallMedia, text: &str, role: Role, policy: &CandidatePolicy) -> Result<Rewritten, SdpError> {
    if text.len() > MAX_LENGTH {
        return Err(SdpError::TooLong);
    }
    let mut lines = Lines::new(text)?;
    if lines.next() != Some(('v', "0")) {
        return Err(SdpError::Malformed("the first line must be v=0"));
    }
    let mut head = section::Shared::default();
    let (mut origin, mut group, mut mixed_headers) = (None, None, false);
    while let Some((kind, value)) = lines.next_before_media() {
        match kind {
            'o' => origin = Some(line::origin(value)?),
            'k' => return Err(SdpError::KeysInside),
            'a' => match value.split_once(':').unwrap_or((value, "")) {
                ("group", list) => group = list.strip_prefix("BUNDLE").map(str::trim).or(group),
                ("extmap-allow-mixed", _) => mixed_headers = true,
                (key, value) => head.take(key, value)?,
            },
            // Name, time, contact, bandwidth, connection: written anew or without use here.
            's' | 't' | 'c' | 'b' | 'i' | 'u' | 'e' | 'p' | 'r' | 'z' => {}
            _ => return Err(SdpError::Malformed("an unknown line in the session part")),
        }
    }
    let (id, version) = origin.ok_or(SdpError::Missing("origin"))?;
    let mut sections = Vec::new();
    while let Some((_, value)) = lines.next() {
        let mut section = Section::read(value, &mut lines, &head, role)?;
        if media == CallMedia::Voice && section.is_video() {
            section.direction = Direction::None;
        }
        if sections.iter().any(|s: &Section| s.is_video() == section.is_video() || s.mid == section.mid) {
            return Err(SdpError::ExtraMedia);
        }
        sections.push(section);
    }
    let session = Session { id, version, mixed_headers, sections };
    session.check(group)?;
    let (sdp, candidates_dropped) = write::write(&session, policy);
    let fingerprint = session.fingerprint().ok_or(SdpError::Fingerprint)?;
    let video = session.live().any(|s| s.is_video() && s.direction != Direction::None);
    Ok(Rewritten { sdp, fingerprint, video, candidates_dropped })
}

impl Session {
    fn live(&self) -> impl Iterator<Item = &Section> {
        self.sections.iter().filter(|s| !s.refused())
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        let mut all = self.live().filter_map(Section::fingerprint);
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }

    fn check(&self, group: Option<&str>) -> Result<(), SdpError> {
        if !self.live().any(|s| !s.is_video()) {
            return Err(SdpError::Missing("audio"));
        }
        self.fingerprint().ok_or(SdpError::Fingerprint)?;
        let bundled = |mid: &str| group.is_some_and(|g| g.split(' ').any(|m| m == mid));
        if self.live().count() > 1 && !self.live().all(|s| bundled(&s.mid)) {
            return Err(SdpError::Missing("bundle"));
        }
        Ok(())
    }
}

/// Letters, digits, `+` and `/`, as ICE has them (RFC 8839 section 5.4).
fn is_ice_text(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

/// A name that a browser gives to a stream, a track or a source: 1 to 64 characters without a meaning of their own.
fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_+/={}".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}
