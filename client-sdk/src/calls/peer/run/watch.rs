//! What is seen of a connection: that it stands, that it stalls, and its figures.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use chapar_protocol::call::{CandidateType, PathKind};

use super::{super::Happened, Leg, Run, SILENT, SLOW, STALLED, STALLED_AGAIN, bytes};

impl Run {
    pub(super) fn connected(&mut self) {
        tracing::debug!("ICE and DTLS are through");
        self.connected_at = Some(Instant::now());
        for leg in self.legs.values_mut() {
            if let Leg::Host(host) = leg {
                host.reflexive.stop();
            }
        }
        let api = self.rtc.direct_api();
        let own = bytes(&api.local_dtls_fingerprint().bytes);
        let other = api.remote_dtls_fingerprint().and_then(|fingerprint| bytes(&fingerprint.bytes));
        match own.zip(other) {
            Some((own, other)) => self.say(Happened::Connected { own, other }),
            None => self.say(Happened::Failed("a fingerprint that is not SHA-256".to_owned())),
        }
    }

    pub(super) fn path(&mut self, local: SocketAddr, remote: SocketAddr) {
        let relay = self.legs.values().find_map(|leg| match leg {
            Leg::Relay(relay) if relay.relayed == Some(local) => Some(relay),
            _ => None,
        });
        let kind = self.remote_kinds.iter().find(|(address, _)| *address == remote).map(|(_, kind)| *kind);
        self.measured.remote = kind.unwrap_or(CandidateType::Prflx);
        // str0m names the socket. Within the own network it is seen as it is, from outside as the NAT shows it.
        let behind_nat = |leg: &Leg| matches!(leg, Leg::Host(host) if host.opened.local == local && host.reflexive.mapped().is_some_and(|it| it != local));
        self.measured.local = if relay.is_some() {
            CandidateType::Relay
        } else if kind != Some(CandidateType::Host) && self.legs.values().any(behind_nat) {
            CandidateType::Srflx
        } else {
            CandidateType::Host
        };
        self.measured.path = match (relay, kind) {
            (Some(relay), _) => relay.path,
            // The other side's relay: how it is reached from there is not seen here.
            (None, Some(CandidateType::Relay)) => PathKind::RelayUdp,
            (None, _) => PathKind::Direct,
        };
        self.measured.relay = relay.map(|relay| relay.name.clone());
    }

    pub(super) fn rates(&mut self, received: u64, sent: u64, at: Instant) {
        let (last_received, last_sent, last) = std::mem::replace(&mut self.bytes, (received, sent, Some(at)));
        self.measured.bytes_out = sent;
        let Some(millis) = last.map(|last| at.saturating_duration_since(last).as_millis()).filter(|ms| *ms > 0) else {
            return;
        };
        let rate = |now: u64, then: u64| {
            let bits = u128::from(now.saturating_sub(then)) * 8 * 1_000 / millis;
            u32::try_from(bits).unwrap_or(u32::MAX)
        };
        self.measured.bit_rate_in = rate(received, last_received);
        self.measured.bit_rate_out = rate(sent, last_sent);
    }

    pub(super) fn measure(&mut self) {
        if let Some(media) = &self.media {
            let (played, buffered) = media.counted();
            self.measured.played = played;
            self.measured.buffered = Duration::from_millis(buffered);
            self.measured.plan = Some(media.plan());
            self.measured.red_in = media.red_in();
        }
        if self.connected_at.is_some() {
            self.say(Happened::Stats(Box::new(self.measured.clone())));
        }
    }

    pub(super) fn watch(&mut self, now: Instant) {
        let (Some(agreed), heard) = (self.agreed_at, self.last_heard) else { return };
        let quiet = now.saturating_duration_since(heard.unwrap_or(agreed));
        let patience = if heard.is_some() { STALLED } else { SLOW };
        let again = self.stalled_at.is_none_or(|at| now > at + STALLED_AGAIN);
        if quiet > patience && again {
            self.stalled_at = Some(now);
            tracing::debug!(?quiet, "stalled");
            self.say(Happened::Stalled);
        }
        if quiet > SILENT && self.flows {
            self.flows = false;
            self.say(Happened::Media { flows: false });
        }
    }
}
