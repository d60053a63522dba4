//! Addresses that a candidate must not point at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    let IpAddr::V6(v6) = address else { return address };
    let join = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => join(high, low),
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            join(high, low)
        }
        [0x2001, 0, .., high, low] => join(!high, !low),
        _ => address,
    }
}

/// Where an address leads, whatever form it comes in.
pub fn reach(address: IpAddr) -> Reach {
    match canonical(address) {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
}

fn reach_v4(a: Ipv4Addr) -> Reach {
    match a.octets() {
        [127, ..] => Reach::Loopback,
        [0 | 224..=255, ..]
        | [169, 254, ..]
        | [192, 0, 2, _]
        | [192, 88, 99, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Reach::Never,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18..=19, ..] => {
            Reach::Private
        }
        _ => Reach::Public,
    }
}

fn reach_v6(a: Ipv6Addr) -> Reach {
    let s = a.segments();
    match s[0] {
        0 if a == Ipv6Addr::LOCALHOST => Reach::Loopback,
        0xfc00..=0xfdff => Reach::Private,
        // The local-use NAT64 prefix, 64:ff9b:1::/48, hides an address whose place in it nobody here knows.
        0x2001 if s[1] == 0x0db8 => Reach::Never,
        0x2000..=0x3fff => Reach::Public,
        _ => Reach::Never,
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
