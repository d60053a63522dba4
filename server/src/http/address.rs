//! Where a request comes from.

use std::net::IpAddr;

use axum::{
    extract::{FromRequestParts, Request},
    http::{Extensions, HeaderMap, request::Parts},
};
use ipnet::IpNet;

use super::Routes;
use crate::limits::network;

/// The other end of the TCP connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// The network that a request comes from, see [`network`].
pub(super) struct From(pub(super) IpAddr);

impl FromRequestParts<Routes> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, routes: &Routes) -> Result<Self, Self::Rejection> {
        Ok(Self(of(&parts.extensions, &parts.headers, &routes.app.settings.trusted_proxies)))
    }
}

/// The same of a request that is not taken apart.
pub(super) fn network_of(request: &Request, trusted: &[IpNet]) -> IpAddr {
    of(request.extensions(), request.headers(), trusted)
}

fn of(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    // Every connection that the listener serves has a peer.
    let peer = extensions.get::<Peer>().map_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    network(client_address(peer, headers, trusted))
}

/// The client's address: the peer's, unless that is a trusted proxy; then the last address in `X-Forwarded-For` that is
/// not a trusted proxy itself. What stands before that, the client may have written.
pub(super) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
    if !is_trusted(peer) {
        return peer;
    }
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|it| it.split(','))
        .collect();
    let mut client = peer;
    for text in forwarded.into_iter().rev() {
        let Ok(address) = text.trim().parse() else { break };
        client = address;
        if !is_trusted(address) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_its_own_word() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        let of = |peer: &str, forwarded: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().expect("a value"));
            client_address(peer.parse().expect("an address"), &headers, &trusted).to_string()
        };
        assert_eq!(of("192.0.2.1", "198.51.100.7"), "192.0.2.1");
        assert_eq!(of("10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(of("10.0.0.1", "203.0.113.66, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(of("10.0.0.1", "rubbish"), "10.0.0.1");
    }
}
