//! What stands before a datagram on the way to a gateway and back: the header of SOCKS 5 (RFC 1928 section 7), without the
//! negotiation over TCP that would come first. With it a NAT in user space can stand between two people in a test.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const V4: u8 = 1;
const V6: u8 = 4;

/// Puts the header before a datagram that is to go to somebody.
pub(super) fn wrap(to: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut packet = vec![0, 0, 0];
    match to.ip() {
        IpAddr::V4(address) => {
            packet.push(V4);
            packet.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            packet.push(V6);
            packet.extend_from_slice(&address.octets());
        }
    }
    packet.extend_from_slice(&to.port().to_be_bytes());
    packet.extend_from_slice(data);
    packet
}

/// Reads who sent a datagram, and takes the header off. `None` for what has none, is a fragment, or names a domain.
pub(super) fn unwrap(packet: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (header, rest) = packet.split_first_chunk::<4>()?;
    let (address, rest) = match header {
        [_, _, 0, V4] => rest.split_first_chunk::<4>().map(|(it, rest)| (IpAddr::from(Ipv4Addr::from(*it)), rest))?,
        [_, _, 0, V6] => rest.split_first_chunk::<16>().map(|(it, rest)| (IpAddr::from(Ipv6Addr::from(*it)), rest))?,
        _ => return None,
    };
    let (port, data) = rest.split_first_chunk::<2>()?;
    Some((SocketAddr::new(address, u16::from_be_bytes(*port)), data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_comes_out() {
        for address in ["192.0.2.7:3478", "[2001:db8::1]:9"] {
            let address: SocketAddr = address.parse().expect("an address");
            assert_eq!(unwrap(&wrap(address, b"data")), Some((address, &b"data"[..])));
        }
    }

    #[test]
    fn what_is_cut_short_or_of_another_kind_is_nothing() {
        let whole = wrap("192.0.2.7:3478".parse().expect("an address"), b"");
        assert!((0..whole.len()).all(|length| unwrap(&whole[..length]).is_none()));
        assert_eq!(unwrap(&[0, 0, 1, V4, 1, 2, 3, 4, 0, 9]), None, "a fragment");
        assert_eq!(unwrap(&[0, 0, 0, 3, 1, b'x', 0, 9]), None, "a domain");
    }
}
