//! Where a relay may send: peer addresses are judged in canonical form.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
};

use ipnet::IpNet;

use crate::address::embedded;
pub use crate::address::{Class, class};

/// Whether, and where, a relay may send.
#[derive(Debug, Clone, Default)]
pub struct PeerPolicy {
    /// Classes that the operator opened (tests open loopback).
    pub open: Vec<Class>,
    /// Networks that are allowed whatever their class is.
    pub allow: Vec<IpNet>,
    /// Networks that are denied whatever their class is: the operator's own back ends. Wins over `allow`.
    pub deny: Vec<IpNet>,
    /// This relay's own addresses with the ports on which it relays: one relayed address may send to another, and to
    /// nothing else on this machine.
    pub own: Vec<(IpAddr, RangeInclusive<u16>)>,
}

impl PeerPolicy {
    /// Whether a permission for this address may be installed.
    pub fn permits(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        if self.deny.iter().any(|net| net.contains(&ip)) {
            return false;
        }
        self.own.iter().any(|(own, _)| *own == ip) || self.opened(ip)
    }

    /// Whether data may be sent to this address and port.
    pub fn permits_peer(&self, peer: SocketAddr) -> bool {
        let ip = peer.ip().to_canonical();
        if peer.port() == 0 || !self.permits(ip) {
            return false;
        }
        let mut own = self.own.iter().filter(|(own, _)| *own == ip).peekable();
        if own.peek().is_none() {
            return true;
        }
        own.any(|(_, ports)| ports.contains(&peer.port()))
            || self.allow.iter().any(|net| net.contains(&ip))
            || class(ip).is_some_and(|class| self.open.contains(&class))
    }

    fn opened(&self, ip: IpAddr) -> bool {
        if self.allow.iter().any(|net| net.contains(&ip)) {
            return true;
        }
        match class(ip) {
            None => true,
            // What is inside a transition address is judged too: opening 6to4 does not open 127.0.0.1 by it.
            Some(Class::Transition) => {
                self.open.contains(&Class::Transition) && embedded(ip).is_none_or(|inner| self.permits(inner.into()))
            }
            Some(class) => self.open.contains(&class),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_dangerous_form_of_an_address_is_refused() {
        let policy = PeerPolicy::default();
        for text in [
            "127.0.0.1",
            "127.8.9.10",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "::ffff:168.63.129.16",
            "192.0.0.192",
            "224.0.0.1",
            "239.255.255.255",
            "255.255.255.255",
            "240.0.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "203.0.113.9",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0.0.0.0",
            "::127.0.0.1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fdff::1",
            "ff02::1",
            "2002:7f00:1::",
            "2002:0808:0808::1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::a00:1",
            "2001::1",
            "::ffff:0:127.0.0.1",
            "2001:db8::1",
            "100::1",
            "4000::1",
        ] {
            assert!(!policy.permits(ip(text)), "{text}");
            assert!(!policy.permits_peer(SocketAddr::new(ip(text), 3478)), "{text}");
        }
        for text in ["8.8.8.8", "5.160.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2a01:4f8::1", "::ffff:8.8.8.8"]
        {
            assert!(policy.permits(ip(text)), "{text}");
            assert!(!policy.permits_peer(SocketAddr::new(ip(text), 0)), "port 0 of {text}");
        }
    }

    #[test]
    fn each_class_can_be_opened_alone() {
        for (class, text) in [
            (Class::Unspecified, "0.0.0.0"),
            (Class::Loopback, "::1"),
            (Class::Private, "10.0.0.1"),
            (Class::CarrierNat, "100.64.0.1"),
            (Class::LinkLocal, "fe80::1"),
            (Class::Metadata, "169.254.169.254"),
            (Class::UniqueLocal, "fd12::1"),
            (Class::Multicast, "224.0.0.1"),
            (Class::Reserved, "192.0.2.1"),
            (Class::Transition, "2002:808:808::1"),
        ] {
            for open in Class::ALL {
                let policy = PeerPolicy { open: vec![open], ..PeerPolicy::default() };
                assert_eq!(policy.permits(ip(text)), open == class, "{text} with {} open", open.name());
            }
            assert_eq!(class.name().parse::<Class>().unwrap(), class);
        }
    }

    #[test]
    fn opening_transition_addresses_does_not_open_what_is_inside_them() {
        let policy = PeerPolicy { open: vec![Class::Transition], ..PeerPolicy::default() };
        assert!(policy.permits(ip("64:ff9b::808:808")));
        assert!(!policy.permits(ip("64:ff9b::7f00:1")));
        assert!(!policy.permits(ip("2002:a00:1::")));
        assert!(!policy.permits(ip("2001:0:1:2:3:4:80ff:fffe")), "Teredo around 127.0.0.1");
    }

    #[test]
    fn the_operators_back_ends_are_closed_and_its_other_relayed_ports_open() {
        let policy = PeerPolicy {
            open: vec![Class::Private],
            allow: vec!["5.5.0.0/16".parse().unwrap()],
            deny: vec!["10.1.0.0/16".parse().unwrap(), "5.5.5.0/24".parse().unwrap()],
            own: vec![(ip("7.7.7.7"), 50000..=50999)],
        };
        assert!(policy.permits(ip("10.2.0.1")));
        assert!(!policy.permits(ip("10.1.0.1")));
        assert!(!policy.permits(ip("::ffff:10.1.0.1")));
        assert!(policy.permits(ip("5.5.6.1")) && !policy.permits(ip("5.5.5.1")), "deny wins over allow");
        assert!(policy.permits_peer("7.7.7.7:50500".parse().unwrap()));
        assert!(!policy.permits_peer("7.7.7.7:22".parse().unwrap()));
    }
}
