//! The settings of the relay inside the node, and of those elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use chapar_signaling::credentials::LEAST_SECRET;
use chapar_signaling::relay::{
    config::RelayedAddress,
    directory::{ANY_PORT, Entry, is_name},
};
use ipnet::IpNet;

use super::Secret;
use super::parse::{self, Reader};

/// Where the node's own relay listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayListen {
    /// At the address of `listen`, on the usual port.
    Beside,
    /// The node runs no relay.
    Off,
    /// Here.
    At(Vec<SocketAddr>),
}

/// What concerns relays.
#[derive(Debug, Clone)]
pub struct RelaySettings {
    /// Where UDP and TCP are served.
    pub listen: RelayListen,
    /// Where TLS is served, when there is a certificate. Empty: at the addresses of `listen`, on the usual port.
    pub tls: Vec<SocketAddr>,
    /// Addresses to relay from, at most one per family. Empty: the address of `listen`, or of the machine.
    pub address: Vec<RelayedAddress>,
    /// What clients are told to connect to. Without: the relayed address, for TLS the host of the public URL.
    pub host: Option<String>,
    /// Ports of relayed addresses.
    pub ports: RangeInclusive<u16>,
    /// The secret that nodes and relays share, and the one before it. Without: made, and kept.
    pub secrets: Option<(Secret, Option<Secret>)>,
    /// The relay's name. Without: the machine's.
    pub name: Option<String>,
    /// Where it stands, in the operator's words.
    pub region: String,
    /// Networks that are relayed to whatever they are.
    pub allow: Vec<IpNet>,
    /// Networks that are never relayed to.
    pub deny: Vec<IpNet>,
    /// Relays that do not register themselves: coturn.
    pub others: Vec<Entry>,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            listen: RelayListen::Beside,
            tls: Vec::new(),
            address: Vec::new(),
            host: None,
            ports: 49_152..=65_535,
            secrets: None,
            name: None,
            region: "local".to_owned(),
            allow: Vec::new(),
            deny: Vec::new(),
            others: Vec::new(),
        }
    }
}

impl RelaySettings {
    pub(super) fn read(&mut self, from: &mut Reader<'_>) {
        from.put("relay", &mut self.listen, listen);
        from.put("relay-tls", &mut self.tls, parse::list(parse::socket_address));
        from.put("relay-address", &mut self.address, parse::list(relayed));
        from.put("relay-host", &mut self.host, parse::some(host));
        from.put("relay-ports", &mut self.ports, ports);
        from.put("relay-secret", &mut self.secrets, parse::some(secrets));
        from.put("relay-name", &mut self.name, parse::some(name));
        from.put("relay-region", &mut self.region, region);
        from.put("relay-allow", &mut self.allow, parse::list(parse::network));
        from.put("relay-deny", &mut self.deny, parse::list(parse::network));
        from.put("relays", &mut self.others, parse::list(other));
    }

    /// The value for people to read; `None` for a setting that is not one of these.
    pub(super) fn shown(&self, name: &str) -> Option<String> {
        let or = |text: String, without: &str| if text.is_empty() { format!("({without})") } else { text };
        Some(match name {
            "relay" => match &self.listen {
                RelayListen::Beside => "(port 3478 beside listen)".to_owned(),
                RelayListen::Off => "off".to_owned(),
                RelayListen::At(addresses) => joined(addresses),
            },
            "relay-tls" => or(joined(&self.tls), "port 5349 with a certificate"),
            "relay-address" => {
                let addresses: Vec<String> = self.address.iter().map(written).collect();
                or(addresses.join(","), "that of listen, or of the machine")
            }
            "relay-host" => or(self.host.clone().unwrap_or_default(), "relay-address"),
            "relay-ports" => format!("{}-{}", self.ports.start(), self.ports.end()),
            "relay-secret" => {
                let set = self.secrets.as_ref().map_or("", |_| "(hidden)");
                or(set.to_owned(), "made, and kept")
            }
            "relay-name" => or(self.name.clone().unwrap_or_default(), "the machine's"),
            "relay-region" => self.region.clone(),
            "relay-allow" => or(joined(&self.allow), "none"),
            "relay-deny" => or(joined(&self.deny), "none"),
            "relays" => {
                let whole = |it: &Entry| format!("{}@{}={}", it.name, it.region, it.turn.join(" "));
                or(self.others.iter().map(whole).collect::<Vec<_>>().join(","), "none")
            }
            _ => return None,
        })
    }
}

fn joined<T: ToString>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn written(at: &RelayedAddress) -> String {
    if at.bind == at.public { at.bind.to_string() } else { format!("{}/{}", at.bind, at.public) }
}

fn listen(text: &str) -> Result<RelayListen, String> {
    if text == "off" {
        return Ok(RelayListen::Off);
    }
    let addresses: Vec<SocketAddr> = parse::list(parse::socket_address)(text)?;
    if addresses.is_empty() {
        Err("must hold addresses with ports, or be off".to_owned())
    } else {
        Ok(RelayListen::At(addresses))
    }
}

fn relayed(text: &str) -> Result<RelayedAddress, String> {
    let (bind, public) = text.split_once('/').unwrap_or((text, text));
    let refuse = || {
        format!("must hold addresses like 203.0.113.7, or 10.0.0.7/203.0.113.7 behind a one-to-one NAT, not {text:?}")
    };
    let (bind, public): (IpAddr, IpAddr) = (bind.parse().map_err(|_| refuse())?, public.parse().map_err(|_| refuse())?);
    if bind.is_ipv6() != public.is_ipv6() || public.is_unspecified() {
        Err(refuse())
    } else {
        Ok(RelayedAddress { bind, public })
    }
}

fn host(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
    if is_name || text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    Err(format!("must be a host name or an address without a port, not {text:?}"))
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let range = text.split_once('-').and_then(|(first, last)| Some(first.parse().ok()?..=last.parse().ok()?));
    range
        .filter(|range: &RangeInclusive<u16>| *range.start() > 0 && !range.is_empty())
        .ok_or_else(|| format!("must be two ports like 49152-65535, not {text:?}"))
}

fn secrets(text: &str) -> Result<(Secret, Option<Secret>), String> {
    let mut secrets = text.split(',').map(str::trim);
    let (Some(current), previous, None) = (secrets.next(), secrets.next(), secrets.next()) else {
        return Err("must hold one secret, or the new one and the one before it, separated by a comma".to_owned());
    };
    if [Some(current), previous].into_iter().flatten().any(|secret| secret.len() < LEAST_SECRET) {
        return Err(format!("must have at least {LEAST_SECRET} characters"));
    }
    Ok((Secret::new(current), previous.map(Secret::new)))
}

fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("must have 1 to 64 letters, digits, dashes, dots, underscores or colons, and not be {text:?}"))
}

fn region(text: &str) -> Result<String, String> {
    if (1..=128).contains(&text.len()) { Ok(text.to_owned()) } else { Err("must have 1 to 128 bytes".to_owned()) }
}

/// `NAME@REGION=URL URL …`.
fn other(text: &str) -> Result<Entry, String> {
    let refuse = || {
        format!("must hold relays like qom@Qom=turn:turn.example.org:3478 turns:turn.example.org:5349, not {text:?}")
    };
    let (who, urls) = text.split_once('=').ok_or_else(refuse)?;
    let (name, region) = who.split_once('@').ok_or_else(refuse)?;
    let turn: Vec<String> = urls.split_whitespace().map(str::to_owned).collect();
    // A TURN server answers STUN at the same place; over TCP and TLS nothing is measured.
    let stun = turn.iter().filter(|url| !url.ends_with("transport=tcp")).filter_map(|url| url.strip_prefix("turn:"));
    let stun = stun.map(|rest| format!("stun:{}", rest.split('?').next().unwrap_or(rest))).collect();
    let entry = Entry {
        name: name.trim().to_owned(),
        region: region.trim().to_owned(),
        stun,
        turn,
        relayed: Vec::new(),
        ports: ANY_PORT,
        load_per_mille: 0,
        draining: false,
    };
    if entry.is_sound() { Ok(entry) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_elsewhere_is_written_in_one_line() {
        let entry =
            other("qom@Qom Province=turn:t.example.org:3478?transport=udp turn:t.example.org:3478?transport=tcp")
                .expect("is sound");
        assert_eq!((entry.name.as_str(), entry.region.as_str()), ("qom", "Qom Province"));
        assert_eq!(entry.stun, ["stun:t.example.org:3478"]);
        assert_eq!(entry.turn.len(), 2);
        for wrong in ["", "qom", "qom=turn:x", "qom@Qom=", "qom@Qom=https://x", "a b@c=turn:x"] {
            assert!(other(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert_eq!(listen("off"), Ok(RelayListen::Off));
        assert!(listen("").is_err() && listen("3478").is_err());
        assert!(relayed("10.0.0.1/203.0.113.1").is_ok());
        assert!(relayed("10.0.0.1/::1").is_err() && relayed("0.0.0.0").is_err() && relayed("x").is_err());
        assert!(ports("50000-49000").is_err() && ports("0-10").is_err() && ports("5000").is_err());
        assert!(secrets("short").is_err());
        let long = "a-secret-that-is-long-enough";
        assert!(secrets(long).is_ok() && secrets(&format!("{long},{long}")).is_ok());
        assert!(secrets(&format!("{long},{long},{long}")).is_err());
    }
}
