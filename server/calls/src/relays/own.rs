//! The relay inside the node: where it listens, from where it relays, and what clients are told of it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
};

use chapar_signaling::relay::{
    address::{Class, PeerPolicy, class},
    advert::{self, Advert, Wishes},
    config::{CoreConfig, Limits, RelayedAddress},
    directory::Entry,
    secrets::Secrets,
    server::{Relay, RelayConfig},
    streams::StreamLimits,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use super::Failure;
use crate::settings::{RelayListen, Settings};

/// The port of HTTPS.
const HTTPS_PORT: u16 = 443;

/// The node's own relay.
pub(super) struct Own {
    pub(super) relay: Arc<Relay>,
    pub(super) advert: Advert,
}

impl Own {
    /// Starts it, unless it is switched off.
    pub(super) async fn start(
        settings: &Settings,
        listens: SocketAddr,
        tls: Option<&TlsAcceptor>,
        secrets: &Arc<Secrets>,
    ) -> Result<Option<Self>, Failure> {
        let given = &settings.relay;
        let (mut listen, is_default) = match &given.listen {
            RelayListen::Off => return Ok(None),
            RelayListen::At(addresses) => (addresses.clone(), false),
            RelayListen::Beside => (beside(settings.listen), true),
        };
        let on_443 = tls.is_some() && listens.port() == HTTPS_PORT;
        let mut tls_at = match (tls, given.tls.as_slice()) {
            (None, _) => Vec::new(),
            // One way over TLS is enough, and this is the port that networks block last.
            (Some(_), []) if on_443 => Vec::new(),
            (Some(_), []) => listen.iter().map(|at| beside_tls(*at)).collect(),
            (Some(_), given) => given.to_vec(),
        };
        let relayed = if given.address.is_empty() { relayed_from(&listen) } else { given.address.clone() };
        if relayed.is_empty() {
            return Err(
                "no address to relay from is known: name it with --relay-address, or switch the relay off with \
                        --relay off"
                    .into(),
            );
        }
        if is_default && let Err(error) = free(&listen) {
            let taken = joined(&listen);
            tracing::warn!(%error, "{taken} cannot be had for the relay, perhaps another one runs there: a free port is taken \
                                    instead. Clients are told of it; a firewall is not. Choose with --relay.");
            for at in &mut listen {
                at.set_port(0);
            }
        }
        if given.tls.is_empty()
            && let Err(error) = free_tcp(&tls_at)
        {
            tracing::warn!(%error, "{} cannot be had for the relay: a free port is taken instead", joined(&tls_at));
            for at in &mut tls_at {
                at.set_port(0);
            }
        }
        let config = RelayConfig {
            core: CoreConfig {
                realm: "chapar".to_owned(),
                relayed: relayed.clone(),
                ports: given.ports.clone(),
                policy: policy(settings, &relayed),
                limits: Limits::default(),
                nonce_key: rand::random(),
                alternate: None,
            },
            udp: listen.clone(),
            tcp: Vec::new(),
            tls: tls_at,
            tls_config: tls.map(tls_config),
            shards: 0,
            streams: StreamLimits::default(),
        };
        let shown = joined(&listen);
        let relay = start(config, listen, secrets).await.map_err(|error| {
            format!("cannot relay on {shown}: {error}. Choose another with --relay, or --relay off.")
        })?;
        let ports = u64::from(given.ports.end() - given.ports.start()) + 1;
        let shared_tls = tls.map_or_else(Vec::new, |_| vec![listens.port()]);
        let advert = Advert::new(&relay, (&relayed, &given.ports), ports, &wishes(settings, shared_tls));
        if let Some(hidden) = relayed.iter().find(|at| unreachable_from_outside(settings.listen, at.public)) {
            tracing::warn!(
                "the relay tells clients the address {}, which only a local network reaches: name the public one with \
                 --relay-address",
                hidden.public
            );
        }
        println!("chapar: relaying calls on {} (STUN and TURN, UDP and TCP)", joined(&relay.udp));
        Ok(Some(Self { relay: Arc::new(relay), advert }))
    }

    /// How it is told to clients now.
    pub(super) fn entry(&self) -> Entry {
        self.advert.now(&self.relay)
    }
}

/// TCP goes to the same addresses, with the ports that UDP got.
async fn start(mut config: RelayConfig, listen: Vec<SocketAddr>, secrets: &Arc<Secrets>) -> io::Result<Relay> {
    if listen.iter().all(|at| at.port() != 0) {
        config.tcp = listen;
        return Relay::start(config, secrets.clone()).await;
    }
    // A free port must be free for both; the kernel finds one for either.
    for at in &mut config.udp {
        *at = free_for_both(*at)?;
    }
    config.tcp.clone_from(&config.udp);
    Relay::start(config, secrets.clone()).await
}

/// A port that is free for UDP and TCP. Most that are free for one are free for the other.
fn free_for_both(at: SocketAddr) -> io::Result<SocketAddr> {
    let mut refused = None;
    for _ in 0..64 {
        let udp = UdpSocket::bind(at)?;
        let found = udp.local_addr()?;
        match std::net::TcpListener::bind(found) {
            Ok(_) => return Ok(found),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// On port 3478 of the address that HTTP is served on; a free port where that asked for one.
fn beside(listen: SocketAddr) -> Vec<SocketAddr> {
    let port = if listen.port() == 0 { 0 } else { advert::PORT };
    match listen.ip() {
        // Datagrams of the two families come on two sockets.
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))]
        }
        ip => vec![SocketAddr::new(ip, port)],
    }
}

fn beside_tls(at: SocketAddr) -> SocketAddr {
    SocketAddr::new(at.ip(), if at.port() == 0 { 0 } else { advert::TLS_PORT })
}

/// Whether UDP and TCP can be had there. The relay's sockets share their port with each other, and so would with those of
/// another process: only one that does not share finds out.
fn free(addresses: &[SocketAddr]) -> io::Result<()> {
    for at in addresses.iter().filter(|at| at.port() != 0) {
        UdpSocket::bind(at)?;
    }
    free_tcp(addresses)
}

fn free_tcp(addresses: &[SocketAddr]) -> io::Result<()> {
    for at in addresses.iter().filter(|at| at.port() != 0 && !(at.is_ipv6() && at.ip().is_unspecified())) {
        std::net::TcpListener::bind(at)?;
    }
    Ok(())
}

/// One address per family: the one that is listened on, or the one by which the machine reaches others.
fn relayed_from(listen: &[SocketAddr]) -> Vec<RelayedAddress> {
    let mut relayed: Vec<RelayedAddress> = Vec::new();
    for at in listen {
        let ip = if at.ip().is_unspecified() { outward(at.is_ipv4()) } else { Some(at.ip()) };
        if let Some(ip) = ip
            && relayed.iter().all(|known| known.bind.is_ipv4() != ip.is_ipv4())
        {
            relayed.push(RelayedAddress { bind: ip, public: ip });
        }
    }
    relayed
}

/// The address from which a packet to far away would leave. No packet is sent: the kernel looks its routes up.
fn outward(v4: bool) -> Option<IpAddr> {
    let (from, to): (IpAddr, IpAddr) = if v4 {
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into())
    } else {
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())
    };
    let socket = UdpSocket::bind((from, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}

/// Relayed addresses may send to each other, and to nothing else on this machine or in its networks.
fn policy(settings: &Settings, relayed: &[RelayedAddress]) -> PeerPolicy {
    let ports = &settings.relay.ports;
    let own = relayed.iter().flat_map(|at| [(at.bind, ports.clone()), (at.public, ports.clone())]).collect();
    PeerPolicy { open: Vec::new(), allow: settings.relay.allow.clone(), deny: settings.relay.deny.clone(), own }
}

/// The node's certificate, also when it is renewed, with the protocols of TURN (RFC 7443). A client that offers none is
/// served as well.
fn tls_config(acceptor: &TlsAcceptor) -> Arc<ServerConfig> {
    let mut config = ServerConfig::clone(acceptor.config());
    config.alpn_protocols = super::TURN.map(<[u8]>::to_vec).to_vec();
    Arc::new(config)
}

fn wishes(settings: &Settings, shared_tls: Vec<u16>) -> Wishes {
    let given = &settings.relay;
    // A certificate is for a name, mostly.
    let named = settings.public_url.as_deref().and_then(host_of).map(str::to_owned);
    Wishes {
        name: given.name.clone(),
        region: given.region.clone(),
        host: given.host.clone(),
        tls_host: given.host.clone().or(named),
        shared_tls,
    }
}

fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let place = rest.split('/').next()?;
    if let Some(inside) = place.strip_prefix('[') {
        return inside.split(']').next();
    }
    place.split(':').next()
}

/// An address that only a local network reaches, told by a node that serves more than this machine.
fn unreachable_from_outside(listen: SocketAddr, public: IpAddr) -> bool {
    let local = matches!(class(public), Some(Class::Loopback | Class::Private | Class::LinkLocal | Class::UniqueLocal));
    local && !listen.ip().is_loopback()
}

fn joined(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_stands_beside_the_node() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert_eq!(beside(at("127.0.0.1:8080")), [at("127.0.0.1:3478")]);
        assert_eq!(beside(at("[::]:443")), [at("[::]:3478"), at("0.0.0.0:3478")]);
        assert_eq!(beside(at("127.0.0.1:0")), [at("127.0.0.1:0")], "free port, free port");
        assert_eq!(beside_tls(at("5.5.5.5:3478")), at("5.5.5.5:5349"));
        let relayed = relayed_from(&[at("127.0.0.1:3478"), at("127.0.0.2:3478"), at("[::1]:3478")]);
        assert_eq!(relayed.len(), 2, "one per family");
    }

    #[test]
    fn the_name_of_the_public_url_is_found() {
        assert_eq!(host_of("https://chat.example.org"), Some("chat.example.org"));
        assert_eq!(host_of("https://chat.example.org:8443/x"), Some("chat.example.org"));
        assert_eq!(host_of("http://[2a01::1]:80"), Some("2a01::1"));
    }
}
