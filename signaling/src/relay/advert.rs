//! What a relay tells of itself: the URLs at which clients find it, and how full it is.

use std::{net::SocketAddr, ops::RangeInclusive};

use super::{config::RelayedAddress, directory::Entry, server::Relay};

/// The usual port of STUN and TURN (RFC 8489 section 18.6).
pub const PORT: u16 = 3478;
/// The usual port of both over TLS.
pub const TLS_PORT: u16 = 5349;

/// How a relay is to be told.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Its name; without, that of the machine.
    pub name: Option<String>,
    /// Where it stands, in the operator's words.
    pub region: String,
    /// The name or address for `turn:` URLs; without, the relayed addresses.
    pub host: Option<String>,
    /// The name in the certificate, for `turns:` URLs; without, `host`.
    pub tls_host: Option<String>,
    /// Further ports on which TURN over TLS is served at the same host, such as the 443 of a chat node.
    pub shared_tls: Vec<u16>,
}

/// A relay's own entry in the directory.
#[derive(Debug, Clone)]
pub struct Advert {
    entry: Entry,
    capacity: u64,
}

impl Advert {
    /// Of a running relay. It counts as full at `capacity` allocations.
    pub fn new(
        relay: &Relay,
        (relayed, ports_of_relayed): (&[RelayedAddress], &RangeInclusive<u16>),
        capacity: u64,
        wishes: &Wishes,
    ) -> Self {
        let hosts: Vec<String> = match &wishes.host {
            Some(host) => vec![bracketed(host)],
            None => relayed.iter().map(|at| bracketed(&at.public.to_string())).collect(),
        };
        let (udp, tcp) = (ports(&relay.udp), ports(&relay.tcp));
        let at = |ports: &[u16]| -> Vec<String> {
            ports.iter().flat_map(|port| hosts.iter().map(move |host| format!("{host}:{port}"))).collect()
        };
        let stun = at(&udp).iter().map(|place| format!("stun:{place}")).collect();
        let mut turn: Vec<String> = at(&udp).iter().map(|place| format!("turn:{place}?transport=udp")).collect();
        turn.extend(at(&tcp).iter().map(|place| format!("turn:{place}?transport=tcp")));
        let named = wishes.tls_host.as_deref().map(bracketed).or_else(|| hosts.first().cloned());
        let tls = [ports(&relay.tls), wishes.shared_tls.clone()].concat();
        turn.extend(
            named.iter().flat_map(|host| tls.iter().map(move |port| format!("turns:{host}:{port}?transport=tcp"))),
        );
        // Each URL is one more allocation to a client: enough is enough.
        turn.truncate(8);
        let name = wishes.name.clone().unwrap_or_else(|| machine(udp.first().copied().unwrap_or(PORT)));
        let entry = Entry {
            name,
            region: wishes.region.clone(),
            stun,
            turn,
            relayed: relayed.iter().map(|at| at.public).collect(),
            ports: (*ports_of_relayed.start(), *ports_of_relayed.end()),
            load_per_mille: 0,
            draining: false,
        };
        Self { entry, capacity: capacity.max(1) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// How it stands now.
    pub fn now(&self, relay: &Relay) -> Entry {
        let load = relay.allocations().saturating_mul(1000) / self.capacity;
        let load_per_mille = u16::try_from(load.min(1000)).unwrap_or(1000);
        Entry { load_per_mille, draining: relay.is_draining(), ..self.entry.clone() }
    }
}

/// The ports, each once.
fn ports(bound: &[SocketAddr]) -> Vec<u16> {
    let mut ports: Vec<u16> = Vec::new();
    for at in bound {
        if !ports.contains(&at.port()) {
            ports.push(at.port());
        }
    }
    ports
}

/// The machine's name; with the port where that is not the usual one, because then there may be several relays here.
fn machine(port: u16) -> String {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    let mut name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(48).collect();
    if name.is_empty() {
        "relay".clone_into(&mut name);
    }
    if port == PORT { name } else { format!("{name}:{port}") }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}
