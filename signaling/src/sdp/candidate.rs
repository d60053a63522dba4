//! Candidates: read, kept back by policy, written anew.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use chapar_protocol::Timestamp;

use super::address::{Network, Reach, canonical, reach};
use super::{SdpError, is_ice_text};

/// The longest candidate, in bytes.
pub const MAX_LENGTH: usize = 300;

/// A candidate (RFC 8839 section 5.1). What is not here is not written again; the related address never is, since it
/// would tell the other side where a relayed or translated candidate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    foundation: String,
    component: u8,
    transport: Transport,
    priority: u32,
    address: Address,
    port: u16,
    kind: CandidateKind,
    ufrag: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp(TcpKind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TcpKind {
    Active,
    Passive,
    SimultaneousOpen,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    Ip(IpAddr),
    /// A name that only hosts of the same local network can resolve, instead of the address.
    Mdns(String),
}

/// How a candidate was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateKind {
    /// An address of the device.
    Host,
    /// What a STUN server saw.
    ServerReflexive,
    /// What the peer saw; never signalled by a browser.
    PeerReflexive,
    /// An address on a relay.
    Relay,
}

/// From where a relay relays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayPlace {
    /// Its address, mostly a network of one.
    pub network: Network,
    /// The ports of its allocations. What else listens at that address is no relay.
    pub ports: RangeInclusive<u16>,
}

/// Which candidates may pass.
#[derive(Clone, Debug, Default)]
pub struct CandidatePolicy {
    /// Only relay candidates.
    pub relay_only: bool,
    /// From where the operator's relays relay: their candidates pass whatever network they stand in. Where only relays'
    /// candidates may pass, none pass beside these: what only calls itself a relay may be any host, which the other side
    /// would then knock at.
    pub relays: Vec<RelayPlace>,
    /// The operator's own networks: nothing but `relays` may name them.
    pub forbidden: Vec<Network>,
    /// Drop host candidates of local networks too. Two phones in one Wi-Fi then meet through a relay.
    pub hide_private: bool,
    /// For a development machine and tests: loopback passes.
    pub allow_loopback: bool,
}

impl CandidatePolicy {
    /// Whether a candidate may pass to the other side.
    pub fn permits(&self, candidate: &Candidate) -> bool {
        // RTCP goes with RTP (rtcp-mux is demanded), so a second component has no use.
        if candidate.component != 1 || candidate.kind == CandidateKind::PeerReflexive {
            return false;
        }
        if self.relay_only && candidate.kind != CandidateKind::Relay {
            return false;
        }
        let written = match candidate.address {
            Address::Mdns(_) => return candidate.kind == CandidateKind::Host && !self.hide_private,
            Address::Ip(address) => address,
        };
        // As it is written: the forms that hide one address in another (NAT64, 6to4) are never a relay's.
        let ours = |place: &RelayPlace| place.network.contains(written) && place.ports.contains(&candidate.port);
        if candidate.kind == CandidateKind::Relay && self.relays.iter().any(ours) {
            return true;
        }
        if self.relay_only {
            return false;
        }
        let address = canonical(written);
        if self.forbidden.iter().any(|net| net.contains(address)) {
            return false;
        }
        match reach(address) {
            Reach::Public => true,
            Reach::Private => candidate.kind == CandidateKind::Host && !self.hide_private,
            // A relay there would be one of ours.
            Reach::Loopback => self.allow_loopback && candidate.kind != CandidateKind::Relay,
            Reach::Never => false,
        }
    }
}

impl Candidate {
    /// Reads `candidate:…`, with or without `a=` before it.
    ///
    /// # Errors
    /// [`SdpError::Candidate`] for what is not a candidate; [`SdpError::Control`] for a line break or another control
    /// character in it.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        if text.len() > MAX_LENGTH {
            return Err(SdpError::Candidate);
        }
        if !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(SdpError::Control);
        }
        Self::read(text.strip_prefix("a=").unwrap_or(text)).ok_or(SdpError::Candidate)
    }

    /// How it was found.
    pub fn kind(&self) -> CandidateKind {
        self.kind
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix("candidate:")?.split(' ');
        let foundation = words.next().filter(|w| is_ice_text(w, 1, 32))?.to_owned();
        let component = number::<u8>(words.next()?).filter(|c| (1..=2).contains(c))?;
        let transport = words.next()?.to_ascii_lowercase();
        let priority = number::<u32>(words.next()?).filter(|p| (1..=0x7fff_ffff).contains(p))?;
        let address = Address::parse(words.next()?)?;
        let port = number::<u16>(words.next()?).filter(|p| *p != 0)?;
        if words.next()? != "typ" {
            return None;
        }
        let kind = match words.next()? {
            "host" => CandidateKind::Host,
            "srflx" => CandidateKind::ServerReflexive,
            "prflx" => CandidateKind::PeerReflexive,
            "relay" => CandidateKind::Relay,
            _ => return None,
        };
        let (mut ufrag, mut tcp) = (None, None);
        while let Some(key) = words.next() {
            // Extensions come in pairs; those unknown are not written again.
            let value = words.next()?;
            match key {
                "ufrag" => ufrag = Some(value).filter(|v| is_ice_text(v, 4, 256)).map(str::to_owned),
                "tcptype" => {
                    tcp = Some(match value {
                        "active" => TcpKind::Active,
                        "passive" => TcpKind::Passive,
                        "so" => TcpKind::SimultaneousOpen,
                        _ => return None,
                    });
                }
                _ => {}
            }
        }
        let transport = match (transport.as_str(), tcp) {
            ("udp", None) => Transport::Udp,
            ("tcp", Some(kind)) => Transport::Tcp(kind),
            _ => return None,
        };
        Some(Self { foundation, component, transport, priority, address, port, kind, ufrag })
    }
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::Ip(address));
        }
        // draft-ietf-mmusic-mdns-ice-candidates: a random UUID under .local
        let name = text.strip_suffix(".local")?;
        let uuid = uuid::Uuid::parse_str(name).ok().filter(|_| name.len() == 36)?;
        Some(Self::Mdns(format!("{uuid}.local")))
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (transport, tcp) = match self.transport {
            Transport::Udp => ("udp", None),
            Transport::Tcp(TcpKind::Active) => ("tcp", Some("active")),
            Transport::Tcp(TcpKind::Passive) => ("tcp", Some("passive")),
            Transport::Tcp(TcpKind::SimultaneousOpen) => ("tcp", Some("so")),
        };
        write!(f, "candidate:{} {} {transport} {} ", self.foundation, self.component, self.priority)?;
        let unspecified = match &self.address {
            Address::Ip(address @ IpAddr::V6(_)) => {
                write!(f, "{address}")?;
                IpAddr::V6(Ipv6Addr::UNSPECIFIED)
            }
            Address::Ip(address @ IpAddr::V4(_)) => {
                write!(f, "{address}")?;
                IpAddr::V4(Ipv4Addr::UNSPECIFIED)
            }
            Address::Mdns(name) => {
                f.write_str(name)?;
                IpAddr::V4(Ipv4Addr::UNSPECIFIED)
            }
        };
        let kind = match self.kind {
            CandidateKind::Host => "host",
            CandidateKind::ServerReflexive => "srflx",
            CandidateKind::PeerReflexive => "prflx",
            CandidateKind::Relay => "relay",
        };
        write!(f, " {} typ {kind}", self.port)?;
        if self.kind != CandidateKind::Host {
            write!(f, " raddr {unspecified} rport 0")?;
        }
        if let Some(tcp) = tcp {
            write!(f, " tcptype {tcp}")?;
        }
        match &self.ufrag {
            Some(ufrag) => write!(f, " ufrag {ufrag}"),
            None => Ok(()),
        }
    }
}

/// Digits only: no sign, no space, and no more of them than the type can hold.
pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// How many candidates one device may send in one call. Kept by the node that the device is connected to.
#[derive(Clone, Copy, Debug)]
pub struct CandidateBudget {
    left: u32,
    tokens_milli: i64,
    counted_at: Timestamp,
}

impl CandidateBudget {
    /// The most in one generation.
    pub const PER_GENERATION: u32 = 64;
    /// The most at once.
    pub const BURST: u32 = 32;
    /// The most in a second on the long run.
    pub const PER_SECOND: u32 = 16;

    /// A full one.
    pub fn new(now: Timestamp) -> Self {
        Self { left: Self::PER_GENERATION, tokens_milli: i64::from(Self::BURST) * 1000, counted_at: now }
    }

    /// A new generation has begun; the rate goes on.
    pub fn renew(&mut self) {
        self.left = Self::PER_GENERATION;
    }

    /// Takes `count` out of it.
    ///
    /// # Errors
    /// [`SdpError::TooMany`] when there is not enough; nothing is taken then.
    pub fn take(&mut self, count: u32, now: Timestamp) -> Result<(), SdpError> {
        let passed = now.as_millis().saturating_sub(self.counted_at.as_millis()).clamp(0, 3_600_000);
        let filled = self.tokens_milli + passed * i64::from(Self::PER_SECOND);
        self.tokens_milli = filled.min(i64::from(Self::BURST) * 1000);
        self.counted_at = self.counted_at.max(now);
        let cost = i64::from(count) * 1000;
        if count > self.left || cost > self.tokens_milli {
            return Err(SdpError::TooMany("candidates"));
        }
        self.left -= count;
        self.tokens_milli -= cost;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Candidate {
        Candidate::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    const HOST: &str =
        "candidate:1 1 udp 2113937151 192.168.1.4 51000 typ host generation 0 ufrag EsAw network-cost 999";
    const MDNS: &str =
        "candidate:1 1 UDP 2113937151 8c4f8c3a-6a5b-4f5c-9d3e-0a1b2c3d4e5f.local 51000 typ host generation 0";
    const SRFLX: &str =
        "a=candidate:2 1 udp 1677729535 5.160.10.20 51000 typ srflx raddr 192.168.1.4 rport 51000 generation 0";
    const RELAY: &str = "candidate:3 1 udp 33562623 185.1.2.3 50001 typ relay raddr 5.160.10.20 rport 51000";
    const TCP: &str = "candidate:4 1 tcp 1518280447 192.168.1.4 9 typ host tcptype active generation 0";

    fn place(address: &str, prefix: u8) -> RelayPlace {
        RelayPlace { network: Network { address: address.parse().expect("ip"), prefix }, ports: 49_152..=65_535 }
    }

    #[test]
    fn what_is_written_tells_no_related_address() {
        assert_eq!(read(HOST).to_string(), "candidate:1 1 udp 2113937151 192.168.1.4 51000 typ host ufrag EsAw");
        assert_eq!(
            read(RELAY).to_string(),
            "candidate:3 1 udp 33562623 185.1.2.3 50001 typ relay raddr 0.0.0.0 rport 0"
        );
        for text in [HOST, MDNS, SRFLX, RELAY, TCP] {
            let once = read(text).to_string();
            assert_eq!(read(&once).to_string(), once);
        }
    }

    #[test]
    fn a_relay_only_call_lets_only_relays_through() {
        let policy =
            CandidatePolicy { relay_only: true, relays: vec![place("185.1.2.3", 32)], ..CandidatePolicy::default() };
        let passed: Vec<bool> = [HOST, MDNS, SRFLX, RELAY, TCP].iter().map(|t| policy.permits(&read(t))).collect();
        assert_eq!(passed, [false, false, false, true, false]);
        let text = "candidate:3 1 udp 33562623 192.168.1.3 50001 typ relay raddr 0.0.0.0 rport 0";
        assert!(!policy.permits(&read(text)), "a private address that is no relay of ours");
        let known = CandidatePolicy { relays: vec![place("192.168.1.3", 32)], ..policy };
        assert!(known.permits(&read(text)), "our relay in a local network");
        for stranger in [
            "candidate:3 1 udp 33562623 5.160.1.1 50001 typ relay raddr 0.0.0.0 rport 0",
            "candidate:3 1 udp 33562623 168.63.129.16 80 typ relay raddr 0.0.0.0 rport 0",
            "candidate:3 1 udp 33562623 192.168.1.3 22 typ relay raddr 0.0.0.0 rport 0",
            "candidate:3 1 udp 33562623 ::ffff:192.168.1.3 50001 typ relay raddr 0.0.0.0 rport 0",
        ] {
            assert!(!known.permits(&read(stranger)), "no relay of ours: {stranger}");
        }
    }

    #[test]
    fn nothing_points_inside() {
        let policy = CandidatePolicy {
            forbidden: vec![Network { address: "185.1.2.0".parse().expect("ip"), prefix: 24 }],
            ..CandidatePolicy::default()
        };
        for address in
            ["127.0.0.1", "::ffff:127.0.0.1", "::1", "0.0.0.0", "169.254.169.254", "185.1.2.77", "::ffff:185.1.2.77"]
        {
            let text = format!("candidate:1 1 udp 2113937151 {address} 5432 typ host");
            assert!(!policy.permits(&read(&text)), "{address}");
        }
        let inner_srflx = "candidate:1 1 udp 2113937151 10.0.0.5 5432 typ srflx raddr 0.0.0.0 rport 0";
        assert!(!policy.permits(&read(inner_srflx)), "no STUN server on the internet sees a private address");
        assert!(policy.permits(&read(HOST)) && policy.permits(&read(MDNS)) && policy.permits(&read(TCP)));
        let own_relay = CandidatePolicy { relays: vec![place("185.1.2.3", 32)], ..policy };
        assert!(own_relay.permits(&read(RELAY)), "our relay may live in our network");
        let beside = RELAY.replace("50001", "22");
        assert!(!own_relay.permits(&read(&beside)), "what else listens there may not");
        let closed =
            CandidatePolicy { relays: vec![place("10.0.0.0", 24)], relay_only: true, ..CandidatePolicy::default() };
        let relay = |address: &str| format!("candidate:1 1 udp 1 {address} 50000 typ relay raddr 0.0.0.0 rport 0");
        assert!(closed.permits(&read(&relay("10.0.0.5"))), "a closed network has its relay inside");
        assert!(!closed.permits(&read(&relay("10.0.1.5"))) && !closed.permits(&read(inner_srflx)));
    }

    #[test]
    fn hostile_candidates_are_refused() {
        for bad in [
            "",
            "candidate:",
            "candidate:1 1 udp 1 1.2.3.4 5 typ host\r\na=crypto:1",
            "candidate:1 1 udp 1 1.2.3.4 5 typ host\nm=audio",
            "candidate:1 1 udp 1 1.2.3.4 0 typ host",
            "candidate:1 1 udp 1 1.2.3.4 70000 typ host",
            "candidate:1 1 udp +1 1.2.3.4 5 typ host",
            "candidate:1 3 udp 1 1.2.3.4 5 typ host",
            "candidate:1 1 sctp 1 1.2.3.4 5 typ host",
            "candidate:1 1 udp 1 evil.example 5 typ host",
            "candidate:1 1 udp 1 ../../x.local 5 typ host",
            "candidate:1 1 udp 1 1.2.3.4 5 typ magic",
            "candidate:1 1 udp 4294967296 1.2.3.4 5 typ host",
            "candidate:1 1 udp 1 1.2.3.4 5 typ host tcptype active",
            "candidate:1 1 tcp 1 1.2.3.4 5 typ host",
            "candidate:a\u{202e}b 1 udp 1 1.2.3.4 5 typ host",
            "candidate:1 1 udp 1 1.2.3.4 5 typ host odd",
        ] {
            assert!(Candidate::parse(bad).is_err(), "{bad:?}");
        }
        let long = format!("candidate:1 1 udp 1 1.2.3.4 5 typ host x {}", "y".repeat(400));
        assert_eq!(Candidate::parse(&long), Err(SdpError::Candidate));
    }

    #[test]
    fn a_flood_is_stopped_and_a_trickle_is_not() {
        let at = |ms| Timestamp::from_millis(ms).expect("in range");
        let mut budget = CandidateBudget::new(at(0));
        assert!(budget.take(32, at(0)).is_ok());
        assert!(budget.take(1, at(0)).is_err(), "the burst is spent");
        assert!(budget.take(16, at(1000)).is_ok());
        assert!(budget.take(1, at(500)).is_err(), "a clock that goes back gives nothing");
        assert!(budget.take(16, at(2000)).is_ok());
        assert!(budget.take(1, at(60_000)).is_err(), "64 in one generation");
        budget.renew();
        assert!(budget.take(1, at(60_000)).is_ok());
    }
}
