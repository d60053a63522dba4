//! Addresses that a candidate must not point at.

use std::net::IpAddr;

use crate::address::{Class, class, embedded};

/// A network, such as 10.0.0.0/8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Any address in it.
    pub address: IpAddr,
    /// How many leading bits are fixed: at most 32 for IPv4 and 128 for IPv6; more counts as that.
    pub prefix: u8,
}

impl Network {
    /// Whether an address in canonical form lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(a)) => {
                let bits = 32 - u32::from(self.prefix.min(32));
                (u64::from(u32::from(net)) ^ u64::from(u32::from(a))) >> bits == 0
            }
            (IpAddr::V6(net), IpAddr::V6(a)) => {
                let bits = 128 - u32::from(self.prefix.min(128));
                (u128::from(net) ^ u128::from(a)).checked_shr(bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A host of the internet.
    Public,
    /// A host of some local network: RFC 1918, carrier NAT (RFC 6598), unique local (RFC 4193).
    Private,
    /// The machine itself.
    Loopback,
    /// No single host that a candidate may name: unspecified, multicast, broadcast, link-local with the clouds' metadata
    /// services, reserved, documentation.
    Never,
}

/// The address that packets really go to: IPv4 in its IPv6 forms (mapped, compatible, 6to4, NAT64 well-known prefix,
/// Teredo's client) becomes IPv4, so that no form slips past a rule for another.
pub fn canonical(address: IpAddr) -> IpAddr {
    let address = address.to_canonical();
    let IpAddr::V6(v6) = address else { return address };
    match v6.segments() {
        // The local-use NAT64 prefix hides an address whose place in it nobody here knows; translated ones (RFC 2765) go
        // nowhere.
        [0x64, 0xff9b, 1..=0xffff, ..] | [0, 0, 0, 0, 0xffff, ..] => address,
        _ if class(address) == Some(Class::Transition) => embedded(address).map_or(address, IpAddr::V4),
        _ => address,
    }
}

/// Where an address leads, whatever form it comes in.
pub fn reach(address: IpAddr) -> Reach {
    match class(canonical(address)) {
        None => Reach::Public,
        Some(Class::Loopback) => Reach::Loopback,
        Some(Class::Private | Class::CarrierNat | Class::UniqueLocal) => Reach::Private,
        Some(
            Class::Unspecified
            | Class::LinkLocal
            | Class::Metadata
            | Class::Multicast
            | Class::Reserved
            | Class::Transition,
        ) => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_an_address_slips_through() {
        let cases: &[(Reach, &[&str])] = &[
            (
                Reach::Loopback,
                &["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"],
            ),
            (Reach::Loopback, &["::127.0.0.1"]),
            (Reach::Private, &["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1"]),
            (Reach::Private, &["64:ff9b::192.168.0.1", "2001:0:1:2:3:4:f5ff:fffe"]),
            (Reach::Never, &["0.0.0.0", "::", "0.1.2.3", "169.254.169.254", "::ffff:169.254.169.254", "224.0.0.1"]),
            (
                Reach::Never,
                &["168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::168.63.129.16", "fd00:ec2::254", "fd20:ce::254"],
            ),
            (Reach::Never, &["255.255.255.255", "fe80::1", "ff02::1", "fec0::1", "64:ff9b:1::1", "2001:db8::1"]),
            (Reach::Public, &["5.160.1.1", "172.32.0.1", "100.128.0.1", "2a01:4f8::1", "64:ff9b::5.160.1.1"]),
        ];
        for (want, addresses) in cases {
            for text in *addresses {
                assert_eq!(reach(text.parse().expect("an address")), *want, "{text}");
            }
        }
    }

    #[test]
    fn networks_contain_their_own() {
        let net = |address: &str, prefix| Network { address: address.parse().expect("an address"), prefix };
        let at = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(net("5.160.0.0", 16).contains(at("5.160.255.1")));
        assert!(!net("5.160.0.0", 16).contains(at("5.161.0.1")));
        assert!(net("5.160.1.1", 32).contains(at("5.160.1.1")) && !net("5.160.1.1", 32).contains(at("5.160.1.2")));
        assert!(net("0.0.0.0", 0).contains(at("1.2.3.4")) && net("::", 0).contains(at("2a01::1")));
        assert!(net("2a01:4f8::", 32).contains(at("2a01:4f8:1::")) && !net("2a01:4f8::", 32).contains(at("2a02::")));
    }
}
