//! Ways out of this machine, and the candidates that they make.

use std::{net::SocketAddr, time::Instant};

use chapar_protocol::call::CandidateType;
use str0m::Candidate;

use super::{
    super::{
        Happened,
        leg::{self, HostLeg, LegId, RelayNews},
        own_address,
        reflexive::{Reflexive, Told},
        url::RelayUrl,
    },
    Leg, MAX_LEGS, MAX_OLD_RELAYS, MAX_REFUSED, NOWHERE, Run, STAGGER,
};

impl Run {
    /// Begins to look for ways out: own addresses at once, relays one after the other until one of them works.
    pub(super) async fn gather(&mut self, now: Instant) {
        self.gathering_since = Some(now);
        self.refused = 0;
        self.planned.clear();
        let mut urls: Vec<(usize, RelayUrl)> = Vec::new();
        for (server, ice) in self.servers.iter().enumerate() {
            let parsed = ice.urls.iter().filter_map(|url| RelayUrl::parse(url)).filter(|url| !url.stun);
            urls.extend(parsed.map(|url| (server, url)));
        }
        // UDP before TCP before TLS, of the nearest relay first.
        urls.sort_by_key(|(server, url)| (url.transport, *server));
        for (number, (server, url)) in (0_u32..).zip(urls) {
            self.planned.push_back((now + STAGGER * number, server, url));
        }
        self.open_host().await;
        self.look_from_outside();
        self.open_planned(now);
    }

    /// Looks up whom to ask how the own sockets are seen from outside. A relay-only call must not know.
    fn look_from_outside(&mut self) {
        if self.settings.relay_only {
            return;
        }
        let urls = self.servers.iter().flat_map(|ice| &ice.urls).filter_map(|url| RelayUrl::parse(url));
        self.looking = Some(leg::reflectors(urls.collect(), self.settings.routes, self.inbound.clone()));
    }

    /// They are known.
    pub(super) fn ask_reflectors(&mut self, servers: &[SocketAddr], now: Instant) {
        for leg in self.legs.values_mut() {
            if let Leg::Host(host) = leg {
                let local = host.opened.local;
                host.reflexive.ask(servers.iter().copied().filter(|it| it.is_ipv4() == local.is_ipv4()), now);
            }
        }
    }

    /// A packet of a socket of the own network: whether it told the address that is seen from outside.
    pub(super) fn is_reflected(&mut self, id: LegId, from: SocketAddr, data: &[u8], now: Instant) -> bool {
        let Some(Leg::Host(host)) = self.legs.get_mut(&id) else { return false };
        let base = host.opened.local;
        let told = host.reflexive.receive(from, data, now);
        if told == Told::NotAsked {
            return false;
        }
        if self.connected_at.is_some() {
            host.reflexive.stop();
        }
        // Without a NAT it is the own address, which is known.
        if let Told::Mapped(mapped) = told
            && mapped != base
            && let Ok(candidate) = Candidate::server_reflexive(mapped, base, "udp")
        {
            tracing::debug!("a NAT is in between");
            self.found(candidate, true);
        }
        true
    }

    /// Only relays from now on: lets go of the own sockets, and of what was made of them.
    pub(super) fn restrict(&mut self) {
        self.settings.relay_only = true;
        self.looking = None;
        let hosts: Vec<LegId> =
            self.legs.iter().filter(|(_, leg)| matches!(leg, Leg::Host(_))).map(|(id, _)| *id).collect();
        for id in hosts {
            let Some(Leg::Host(host)) = self.legs.remove(&id) else { continue };
            let base = host.opened.local;
            let mapped = host.reflexive.mapped().and_then(|it| Candidate::server_reflexive(it, base, "udp").ok());
            for candidate in Candidate::host(base, "udp").ok().into_iter().chain(mapped) {
                self.rtc.direct_api().invalidate_candidate(&candidate);
            }
        }
    }

    /// Lets go of the oldest ways over relays: each change of network leaves one behind that may be dead.
    pub(super) fn make_room(&mut self, now: Instant) {
        let relays: Vec<LegId> =
            self.legs.iter().filter(|(_, leg)| !matches!(leg, Leg::Host(_))).map(|(id, _)| *id).collect();
        for id in relays.iter().take(relays.len().saturating_sub(MAX_OLD_RELAYS)) {
            let Some(Leg::Relay(mut relay)) = self.legs.remove(id) else { continue };
            relay.release(now);
            if let Some(candidate) = relay.relayed.and_then(|it| Candidate::relayed(it, it, "udp").ok()) {
                self.rtc.direct_api().invalidate_candidate(&candidate);
            }
        }
    }

    /// Opens a socket on the own address, unless the call is relay-only or it is open.
    pub(super) async fn open_host(&mut self) {
        if self.settings.relay_only {
            return;
        }
        let mut towards: Vec<SocketAddr> = self.settings.toward.into_iter().collect();
        if towards.is_empty() {
            towards.push(NOWHERE.into());
        }
        for toward in towards {
            let Ok(address) = own_address(toward) else { continue };
            let known = |leg: &Leg| matches!(leg, Leg::Host(host) if host.opened.local.ip() == address);
            if self.legs.values().any(known) || self.legs.len() >= MAX_LEGS {
                continue;
            }
            let id = self.leg_id();
            let socket = leg::host(id, SocketAddr::new(address, 0), self.settings.routes, self.inbound.clone());
            let Ok(opened) = socket.await else { continue };
            let local = opened.local;
            self.legs.insert(id, Leg::Host(HostLeg { opened, reflexive: Reflexive::default() }));
            if let Ok(candidate) = Candidate::host(local, "udp") {
                self.found(candidate, true);
            }
        }
    }

    pub(super) fn open_planned(&mut self, now: Instant) {
        while self.planned.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, server, url)) = self.planned.pop_front() else { break };
            if self.legs.len() >= MAX_LEGS {
                continue;
            }
            let id = self.leg_id();
            let tasks =
                leg::open(id, url.clone(), self.settings.routes, self.settings.tls.clone(), self.inbound.clone());
            self.legs.insert(id, Leg::Opening { server, url, _tasks: tasks });
        }
    }

    pub(super) fn leg_id(&mut self) -> LegId {
        self.next_leg += 1;
        self.next_leg
    }

    pub(super) fn relay_news(&mut self, id: LegId, news: &RelayNews, now: Instant) {
        match news {
            RelayNews::Allocated(address) => {
                tracing::debug!(%address, "a relay is ready");
                // One way over a relay is enough; the others would only take its places.
                self.planned.clear();
                let (remote, relayed) = (self.remote_candidates.clone(), *address);
                if let Some(Leg::Relay(relay)) = self.legs.get_mut(&id) {
                    // Most often the other side has the same relay, and its address there is not known yet.
                    relay.permit(relayed.ip(), now);
                    remote
                        .iter()
                        .filter(|peer| peer.is_ipv4() == relayed.is_ipv4())
                        .for_each(|p| relay.expect(*p, now));
                }
                if let Ok(candidate) = Candidate::relayed(*address, *address, "udp") {
                    self.found(candidate, false);
                }
            }
            RelayNews::Failed => {
                let Some(Leg::Relay(relay)) = self.legs.remove(&id) else { return };
                if let Some(address) = relay.relayed {
                    if let Ok(candidate) = Candidate::relayed(address, address, "udp") {
                        self.rtc.direct_api().invalidate_candidate(&candidate);
                    }
                } else if self.refused < MAX_REFUSED {
                    // RFC 8656 section 7.4: a relay that still holds an allocation of whoever had this port before says
                    // 437. Another port is another customer.
                    self.refused += 1;
                    self.planned.push_front((now, relay.server, relay.url.clone()));
                }
                if let Some(next) = self.planned.front_mut() {
                    next.0 = now;
                }
            }
        }
    }

    pub(super) fn found(&mut self, candidate: Candidate, direct: bool) {
        let text = candidate.to_sdp_string();
        if self.rtc.add_local_candidate(candidate).is_some() {
            self.say(Happened::Candidate { direct, text });
        }
    }

    pub(super) fn has_relay(&self) -> bool {
        self.legs.values().any(|leg| matches!(leg, Leg::Relay(relay) if relay.relayed.is_some() && !relay.is_failed()))
    }

    pub(super) fn relays_may_come(&self) -> bool {
        let coming = |leg: &Leg| match leg {
            Leg::Opening { .. } => true,
            Leg::Relay(relay) => !relay.is_failed(),
            Leg::Host(_) => false,
        };
        !self.planned.is_empty() || self.legs.values().any(coming)
    }

    pub(super) fn expect_all(&mut self, sdp: &str, now: Instant) {
        self.remote_candidates.clear();
        self.remote_kinds.clear();
        for line in sdp.lines() {
            if let Some(text) = line.strip_prefix("a=").filter(|text| text.starts_with("candidate:")) {
                self.expect(text, now);
            }
        }
    }

    /// Tells the relays of a candidate of the other side, so that the way is open when the first check comes.
    pub(super) fn expect(&mut self, text: &str, now: Instant) {
        let Ok(candidate) = Candidate::from_sdp_string(text) else { return };
        let address = candidate.addr();
        let kind = match candidate.kind() {
            str0m::CandidateKind::Host => CandidateType::Host,
            str0m::CandidateKind::ServerReflexive => CandidateType::Srflx,
            str0m::CandidateKind::PeerReflexive => CandidateType::Prflx,
            str0m::CandidateKind::Relayed => CandidateType::Relay,
        };
        if self.remote_candidates.len() >= 128 || !self.remote_candidates.insert(address) {
            return;
        }
        self.remote_kinds.push((address, kind));
        for leg in self.legs.values_mut() {
            if let Leg::Relay(relay) = leg
                && relay.relayed.is_some_and(|relayed| relayed.is_ipv4() == address.is_ipv4())
            {
                relay.expect(address, now);
            }
        }
    }
}
