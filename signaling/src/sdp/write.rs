//! Writes a description from what was read. Every value is a number, a constant or a text that was checked letter by
//! letter; the only line breaks are those written here.

use std::fmt::Write as _;

use super::Session;
use super::candidate::CandidatePolicy;
use super::codec::{Codec, CodecKind};
use super::section::{Direction, Section, Setup};

/// The text, and how many candidates were kept back.
pub(crate) fn write(session: &Session, policy: &CandidatePolicy) -> (String, usize) {
    let mut page = Page(String::with_capacity(4096));
    page.line(format_args!("v=0"));
    page.line(format_args!("o=- {} {} IN IP4 0.0.0.0", session.id, session.version));
    page.line(format_args!("s=-"));
    page.line(format_args!("t=0 0"));
    let mids: Vec<&str> = session.live().map(|s| s.mid.as_str()).collect();
    page.line(format_args!("a=group:BUNDLE {}", mids.join(" ")));
    if session.mixed_headers {
        page.line(format_args!("a=extmap-allow-mixed"));
    }
    page.line(format_args!("a=msid-semantic: WMS *"));
    let mut dropped = 0;
    for section in &session.sections {
        dropped += page.section(section, policy);
    }
    (page.0, dropped)
}

struct Page(String);

impl Page {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = self.0.write_fmt(line);
        self.0.push_str("\r\n");
    }

    fn section(&mut self, section: &Section, policy: &CandidatePolicy) -> usize {
        let kind = if section.is_video() { "video" } else { "audio" };
        let port = if section.refused() || section.bundle_only() { 0 } else { 9 };
        // What is refused goes without parameters, and these two mean nothing without theirs.
        let stands = |codec: &&Codec| !section.refused() || !matches!(codec.kind, CodecKind::Rtx | CodecKind::AudioRed);
        let payloads: Vec<String> = section.codecs.iter().filter(stands).map(|c| c.payload.to_string()).collect();
        // A refused section still names a format (RFC 8866 section 5.14).
        let payloads = if payloads.is_empty() { "0".to_owned() } else { payloads.join(" ") };
        self.line(format_args!("m={kind} {port} UDP/TLS/RTP/SAVPF {payloads}"));
        self.line(format_args!("c=IN IP4 0.0.0.0"));
        if !section.mid.is_empty() {
            self.line(format_args!("a=mid:{}", section.mid));
        }
        if section.refused() {
            self.line(format_args!("a=inactive"));
            for codec in section.codecs.iter().filter(stands) {
                self.line(format_args!("a=rtpmap:{} {}", codec.payload, codec.kind.name()));
            }
            return 0;
        }
        if section.bundle_only() {
            self.line(format_args!("a=bundle-only"));
        }
        self.transport(section);
        self.line(format_args!(
            "a={}",
            match section.direction {
                Direction::Both => "sendrecv",
                Direction::Send => "sendonly",
                Direction::Receive => "recvonly",
                Direction::None => "inactive",
            }
        ));
        self.line(format_args!("a=rtcp-mux"));
        if section.reduced_size {
            self.line(format_args!("a=rtcp-rsize"));
        }
        for (id, uri) in &section.extensions {
            self.line(format_args!("a=extmap:{id} {uri}"));
        }
        for codec in &section.codecs {
            self.codec(codec, &section.codecs);
        }
        if let Some(ms) = section.packet_time {
            self.line(format_args!("a=ptime:{ms}"));
        }
        self.sources(section);
        self.candidates(section, policy)
    }

    fn transport(&mut self, section: &Section) {
        let shared = &section.shared;
        if let Some((ufrag, password)) = shared.credentials() {
            self.line(format_args!("a=ice-ufrag:{ufrag}"));
            self.line(format_args!("a=ice-pwd:{password}"));
        }
        if shared.trickles() {
            self.line(format_args!("a=ice-options:trickle"));
        }
        if let Some(fingerprint) = shared.fingerprint() {
            let pairs: Vec<String> = fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
            self.line(format_args!("a=fingerprint:sha-256 {}", pairs.join(":")));
        }
        if let Some(setup) = shared.setup() {
            let setup = match setup {
                Setup::Either => "actpass",
                Setup::Active => "active",
                Setup::Passive => "passive",
            };
            self.line(format_args!("a=setup:{setup}"));
        }
    }

    fn codec(&mut self, codec: &Codec, all: &[Codec]) {
        let payload = codec.payload;
        self.line(format_args!("a=rtpmap:{payload} {}", codec.kind.name()));
        for feedback in &codec.feedback {
            self.line(format_args!("a=rtcp-fb:{payload} {feedback}"));
        }
        if codec.kind == CodecKind::AudioRed {
            // One redundant copy beside the primary (RFC 2198): always of the section's Opus.
            if let Some(opus) = all.iter().find(|c| c.kind == CodecKind::Opus) {
                self.line(format_args!("a=fmtp:{payload} {0}/{0}", opus.payload));
            }
        } else if !codec.parameters.is_empty() {
            let pairs: Vec<String> = codec.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
            self.line(format_args!("a=fmtp:{payload} {}", pairs.join(";")));
        }
    }

    fn sources(&mut self, section: &Section) {
        if let Some(msid) = &section.msid {
            self.line(format_args!("a=msid:{msid}"));
        }
        for (media, again) in &section.pairs {
            self.line(format_args!("a=ssrc-group:FID {media} {again}"));
        }
        for source in &section.sources {
            if let Some(cname) = &source.cname {
                self.line(format_args!("a=ssrc:{} cname:{cname}", source.ssrc));
            }
            if let Some(msid) = &source.msid {
                self.line(format_args!("a=ssrc:{} msid:{msid}", source.ssrc));
            }
        }
    }

    fn candidates(&mut self, section: &Section, policy: &CandidatePolicy) -> usize {
        let mut dropped = 0;
        for candidate in &section.candidates {
            if policy.permits(candidate) {
                self.line(format_args!("a={candidate}"));
            } else {
                dropped += 1;
            }
        }
        if section.end_of_candidates {
            self.line(format_args!("a=end-of-candidates"));
        }
        dropped
    }
}
