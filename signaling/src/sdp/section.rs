//! A media section.

use super::candidate::{Candidate, number};
use super::codec::{Codec, CodecKind, MAX_PAYLOADS, payload};
use super::line::Lines;
use super::{Role, SdpError, is_ice_text, is_name};
use crate::sas::Fingerprint;

const MAX_CANDIDATES: usize = 64;
const MAX_SOURCES: usize = 8;
const MAX_EXTENSIONS: usize = 16;

/// The header extensions that pass.
const EXTENSIONS: [&str; 7] = [
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:toffset",
    "urn:3gpp:video-orientation",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
];

/// What may stand in the session part for all sections, or in a section for itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    fingerprint: Option<Fingerprint>,
    other_hash: bool,
    setup: Option<Setup>,
    ufrag: Option<String>,
    password: Option<String>,
    trickle: bool,
}

/// Who begins the DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    Either,
    Active,
    Passive,
}

/// Which way media flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Both,
    Send,
    Receive,
    None,
}

/// A source and what is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) ssrc: u32,
    pub(crate) cname: Option<String>,
    pub(crate) msid: Option<String>,
}

/// A media section, as far as a call needs it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one attribute that is there or not")]
pub(crate) struct Section {
    video: bool,
    port_zero: bool,
    bundle_only: bool,
    pub(crate) mid: String,
    pub(crate) codecs: Vec<Codec>,
    pub(crate) direction: Direction,
    pub(crate) shared: Shared,
    pub(crate) extensions: Vec<(u8, &'static str)>,
    pub(crate) msid: Option<String>,
    pub(crate) sources: Vec<Source>,
    pub(crate) pairs: Vec<(u32, u32)>,
    pub(crate) reduced_size: bool,
    pub(crate) packet_time: Option<u8>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) end_of_candidates: bool,
    multiplexed: bool,
}

impl Shared {
    /// Takes an attribute if it is one of these.
    pub(crate) fn take(&mut self, key: &str, value: &str) -> Result<(), SdpError> {
        match key {
            "crypto" => return Err(SdpError::KeysInside),
            "fingerprint" => match value.split_once(' ') {
                Some((hash, digits)) if hash.eq_ignore_ascii_case("sha-256") => {
                    let read = fingerprint(digits).ok_or(SdpError::Fingerprint)?;
                    if self.fingerprint.is_some_and(|there| there != read) {
                        return Err(SdpError::Fingerprint);
                    }
                    self.fingerprint = Some(read);
                }
                _ => self.other_hash = true,
            },
            "setup" => {
                self.setup = Some(match value {
                    "actpass" => Setup::Either,
                    "active" => Setup::Active,
                    "passive" => Setup::Passive,
                    _ => return Err(SdpError::Malformed("setup")),
                });
            }
            "ice-ufrag" if is_ice_text(value, 4, 256) => self.ufrag = Some(value.to_owned()),
            "ice-pwd" if is_ice_text(value, 22, 256) => self.password = Some(value.to_owned()),
            "ice-ufrag" | "ice-pwd" => return Err(SdpError::Malformed("ICE credentials")),
            "ice-options" => self.trickle |= value.split(' ').any(|option| option == "trickle"),
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    pub(crate) fn setup(&self) -> Option<Setup> {
        self.setup
    }

    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        self.ufrag.as_deref().zip(self.password.as_deref())
    }

    pub(crate) fn trickles(&self) -> bool {
        self.trickle
    }
}

impl Section {
    /// Reads a section: its `m=` line, and from `lines` all that belongs to it.
    pub(crate) fn read(media: &str, lines: &mut Lines<'_>, head: &Shared, role: Role) -> Result<Self, SdpError> {
        let mut words = media.split(' ');
        let video = match words.next() {
            Some("audio") => false,
            Some("video") => true,
            _ => return Err(SdpError::ExtraMedia),
        };
        let port: u16 = words.next().and_then(number).ok_or(SdpError::Malformed("port"))?;
        match words.next() {
            Some("UDP/TLS/RTP/SAVPF" | "TCP/DTLS/RTP/SAVPF") => {}
            _ => return Err(SdpError::PlainRtp),
        }
        let payloads = words.map(payload).collect::<Result<Vec<u8>, _>>()?;
        if payloads.len() > MAX_PAYLOADS {
            return Err(SdpError::TooMany("codecs"));
        }
        let mut section = Self::empty(video, port == 0);
        // What the session part says about the fingerprint must agree with what the section says: start from it.
        section.shared = head.clone();
        let mut raw = Raw::default();
        while let Some((kind, value)) = lines.next_before_media() {
            match kind {
                'a' => section.attribute(value, &mut raw)?,
                'k' => return Err(SdpError::KeysInside),
                'c' | 'b' | 'i' => {}
                _ => return Err(SdpError::Malformed("an unknown line in a media section")),
            }
        }
        section.codecs = raw.codecs(video, &payloads);
        section.check(role)?;
        Ok(section)
    }

    fn empty(video: bool, port_zero: bool) -> Self {
        Self {
            video,
            port_zero,
            bundle_only: false,
            mid: String::new(),
            codecs: Vec::new(),
            direction: Direction::Both,
            shared: Shared::default(),
            extensions: Vec::new(),
            msid: None,
            sources: Vec::new(),
            pairs: Vec::new(),
            reduced_size: false,
            packet_time: None,
            candidates: Vec::new(),
            end_of_candidates: false,
            multiplexed: false,
        }
    }

    pub(crate) fn is_video(&self) -> bool {
        self.video
    }

    /// The section stands there to keep its place, and carries nothing (RFC 8829 section 5.3.1).
    pub(crate) fn refused(&self) -> bool {
        self.port_zero && !self.bundle_only
    }

    pub(crate) fn bundle_only(&self) -> bool {
        self.port_zero && self.bundle_only
    }

    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.shared.fingerprint()
    }

    fn check(&self, role: Role) -> Result<(), SdpError> {
        // A section that carries nothing may come without a name.
        let least = usize::from(!self.refused());
        if !(least..=16).contains(&self.mid.len()) || !self.mid.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(SdpError::Missing("mid"));
        }
        if self.refused() {
            return Ok(());
        }
        if self.shared.fingerprint.is_none() {
            return Err(if self.shared.other_hash { SdpError::Fingerprint } else { SdpError::Missing("fingerprint") });
        }
        self.shared.credentials().ok_or(SdpError::Missing("ICE credentials"))?;
        if !self.multiplexed {
            return Err(SdpError::Missing("rtcp-mux"));
        }
        match (role, self.shared.setup) {
            (Role::Offer, Some(Setup::Either)) | (Role::Answer, Some(Setup::Active | Setup::Passive)) => {}
            (_, None) => return Err(SdpError::Missing("setup")),
            _ => return Err(SdpError::Malformed("setup")),
        }
        if !self.codecs.iter().any(|c| c.kind.is_medium()) {
            return Err(SdpError::Missing("a codec"));
        }
        Ok(())
    }

    fn attribute(&mut self, text: &str, raw: &mut Raw) -> Result<(), SdpError> {
        let (key, value) = text.split_once(':').unwrap_or((text, ""));
        match key {
            "mid" => value.clone_into(&mut self.mid),
            "bundle-only" => self.bundle_only = true,
            "sendrecv" => self.direction = Direction::Both,
            "sendonly" => self.direction = Direction::Send,
            "recvonly" => self.direction = Direction::Receive,
            "inactive" => self.direction = Direction::None,
            "rtcp-mux" => self.multiplexed = true,
            "rtcp-rsize" => self.reduced_size = true,
            "rtpmap" | "fmtp" | "rtcp-fb" => raw.take(key, value)?,
            "extmap" => self.extension(value)?,
            "ptime" => self.packet_time = number::<u8>(value).filter(|ms| (10..=120).contains(ms)),
            "msid" => self.msid = stream(value),
            "ssrc" => self.source(value)?,
            "ssrc-group" => self.pair(value)?,
            "candidate" => {
                if self.candidates.len() == MAX_CANDIDATES {
                    return Err(SdpError::TooMany("candidates"));
                }
                self.candidates.push(Candidate::parse(text)?);
            }
            "end-of-candidates" => self.end_of_candidates = true,
            _ => self.shared.take(key, value)?,
        }
        Ok(())
    }

    fn extension(&mut self, value: &str) -> Result<(), SdpError> {
        let mut words = value.split(' ');
        // «2/recvonly» gives a direction; such are left out.
        let (Some(id), Some(uri)) = (words.next().and_then(number::<u8>), words.next()) else { return Ok(()) };
        let Some(known) = EXTENSIONS.into_iter().find(|known| *known == uri) else { return Ok(()) };
        if id == 0 || id == 15 || self.extensions.iter().any(|(there, name)| *there == id || *name == known) {
            return Err(SdpError::Malformed("extmap"));
        }
        if self.extensions.len() == MAX_EXTENSIONS {
            return Err(SdpError::TooMany("header extensions"));
        }
        self.extensions.push((id, known));
        Ok(())
    }

    fn source(&mut self, value: &str) -> Result<(), SdpError> {
        let (ssrc, rest) = value.split_once(' ').ok_or(SdpError::Malformed("ssrc"))?;
        let ssrc = number(ssrc).ok_or(SdpError::Malformed("ssrc"))?;
        let place = match self.sources.iter().position(|s| s.ssrc == ssrc) {
            Some(place) => place,
            None if self.sources.len() < MAX_SOURCES => {
                self.sources.push(Source { ssrc, cname: None, msid: None });
                self.sources.len() - 1
            }
            None => return Err(SdpError::TooMany("sources")),
        };
        match rest.split_once(':') {
            Some(("cname", name)) if is_name(name) => self.sources[place].cname = Some(name.to_owned()),
            Some(("msid", ids)) => self.sources[place].msid = stream(ids),
            _ => {}
        }
        Ok(())
    }

    fn pair(&mut self, value: &str) -> Result<(), SdpError> {
        let Some(list) = value.strip_prefix("FID ") else { return Ok(()) };
        let mut ssrcs = list.split(' ').map(number::<u32>);
        let (Some(Some(media)), Some(Some(again)), None) = (ssrcs.next(), ssrcs.next(), ssrcs.next()) else {
            return Err(SdpError::Malformed("ssrc-group"));
        };
        if self.pairs.len() == MAX_SOURCES {
            return Err(SdpError::TooMany("sources"));
        }
        self.pairs.push((media, again));
        Ok(())
    }
}

/// What is said about payload types; which of them pass is known only at the end of the section.
#[derive(Default)]
struct Raw {
    maps: Vec<(u8, String)>,
    parameters: Vec<(u8, String)>,
    feedback: Vec<(u8, String)>,
}

impl Raw {
    fn take(&mut self, key: &str, value: &str) -> Result<(), SdpError> {
        let (number, rest) = value.split_once(' ').ok_or(SdpError::Malformed("payload type"))?;
        if number == "*" {
            return Ok(());
        }
        let list = match key {
            "rtpmap" => &mut self.maps,
            "fmtp" => &mut self.parameters,
            _ => &mut self.feedback,
        };
        list.push((payload(number)?, rest.to_owned()));
        Ok(())
    }

    /// The codecs in the order of the `m=` line. Those that stand on one that did not pass go with it.
    fn codecs(&self, video: bool, payloads: &[u8]) -> Vec<Codec> {
        let mut codecs: Vec<Codec> = Vec::new();
        for payload in payloads {
            let of = |list: &[(u8, String)]| list.iter().find(|(p, _)| p == payload).map(|(_, text)| text.clone());
            let kind = of(&self.maps).and_then(|map| CodecKind::read(video, &map));
            let Some(kind) = kind.filter(|_| codecs.iter().all(|c| c.payload != *payload)) else { continue };
            let mut codec = Codec::new(*payload, kind, &of(&self.parameters).unwrap_or_default());
            for (_, text) in self.feedback.iter().filter(|(p, _)| p == payload) {
                codec.take_feedback(text);
            }
            codecs.push(codec);
        }
        let there: Vec<(u8, CodecKind)> = codecs.iter().map(|c| (c.payload, c.kind)).collect();
        codecs.retain(|c| match c.kind {
            CodecKind::Rtx => {
                c.stands_on().is_some_and(|on| there.iter().any(|(p, k)| *p == on && *k != CodecKind::Rtx))
            }
            _ => true,
        });
        codecs
    }
}

/// `stream track` or `stream`, as in `a=msid`.
fn stream(value: &str) -> Option<String> {
    let mut words = value.split(' ');
    let (stream, track) = (words.next().filter(|w| is_name(w))?, words.next());
    match (track, words.next()) {
        (None, _) => Some(stream.to_owned()),
        (Some(track), None) if is_name(track) => Some(format!("{stream} {track}")),
        _ => None,
    }
}

/// 32 bytes as `AB:CD:…` (RFC 8122 section 5).
fn fingerprint(text: &str) -> Option<Fingerprint> {
    let mut bytes = [0; 32];
    let mut pairs = text.split(':');
    for byte in &mut bytes {
        let pair = pairs.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(bytes)
}
