//! Which addresses may be asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::Url;

/// IPv4 that is not on the open Internet (RFC 6890 and its registry).
const NOT_GLOBAL_V4: [(Ipv4Addr, u8); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Of the global unicast 2000::/3 what is not on the open Internet, or holds an IPv4 address: protocol assignments (Teredo among them),
/// documentation, 6to4. All outside it, such as NAT64 (64:ff9b::/96), is none anyhow.
const NOT_GLOBAL_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Where links may lead: the open Internet, and what the operator names beside it.
#[derive(Debug, Clone)]
pub struct Networks {
    /// Networks beside the open Internet.
    pub allowed: Vec<IpNet>,
    /// Ports, 80 and 443 where nothing else is wanted.
    pub ports: Vec<u16>,
}

impl Networks {
    /// Whether an address may be dialled.
    pub fn may_dial(&self, address: IpAddr) -> bool {
        // ::ffff:a.b.c.d reaches the IPv4 address.
        let address = address.to_canonical();
        self.allowed.iter().any(|it| it.contains(&address)) || is_global(address)
    }

    /// Whether a link may be asked, as far as that can be said without its host's addresses.
    pub(crate) fn may_ask(&self, url: &Url) -> bool {
        speaks_http(url) && url.port_or_known_default().is_some_and(|port| self.ports.contains(&port))
    }
}

/// Whether a link is one of HTTP, with a host and without a password that would be sent there.
pub(crate) fn speaks_http(url: &Url) -> bool {
    let named = url.host_str().is_some_and(|host| !host.is_empty());
    matches!(url.scheme(), "http" | "https") && named && url.username().is_empty() && url.password().is_none()
}

fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => !NOT_GLOBAL_V4.iter().any(|(net, bits)| (it.to_bits() ^ net.to_bits()) >> (32 - bits) == 0),
        IpAddr::V6(it) => {
            let within = |(net, bits): &(Ipv6Addr, u8)| (it.to_bits() ^ net.to_bits()) >> (128 - bits) == 0;
            within(&GLOBAL_V6) && !NOT_GLOBAL_V6.iter().any(within)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody() -> Networks {
        Networks { allowed: Vec::new(), ports: vec![80, 443] }
    }

    #[test]
    fn what_is_not_on_the_open_internet_is_not_dialled() {
        let refused = "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 \
            172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 \
            240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 \
            2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a00:1:: 3fff::1 fc00::1 \
            fd12:3456::1 fe80::1 fec0::1 ff02::1 5f00::1";
        for it in refused.split_whitespace() {
            assert!(!nobody().may_dial(it.parse().expect("an address")), "{it}");
        }
        let open = "1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 185.143.233.1 223.255.255.255 \
            ::ffff:8.8.8.8 2606:4700::1111 2a00:1450::1 2001:4860:4860::8888";
        for it in open.split_whitespace() {
            assert!(nobody().may_dial(it.parse().expect("an address")), "{it}");
        }
    }

    #[test]
    fn what_the_operator_names_is_dialled_and_no_more() {
        let allowed = vec!["10.20.0.0/16".parse().expect("a network"), "fd00:1::/32".parse().expect("a network")];
        let networks = Networks { allowed, ..nobody() };
        for (it, may) in [
            ("10.20.3.4", true),
            ("::ffff:10.20.3.4", true),
            ("10.21.0.1", false),
            ("fd00:1::5", true),
            ("fd00:2::5", false),
        ] {
            assert_eq!(networks.may_dial(it.parse().expect("an address")), may, "{it}");
        }
    }

    /// However an address is written, it is known as what a connection would reach.
    #[test]
    fn an_address_is_known_in_every_form() {
        let loopback = "2130706433 0x7f000001 0177.0.0.1 0x7f.1 127.1 127.0.0.1. 017700000001 %31%32%37.0.0.1 １２７.０.０.１ [::1] \
            [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [64:ff9b::127.0.0.1] [2002:7f00:1::]";
        for it in loopback.split_whitespace() {
            let url = Url::parse(&format!("http://{it}/")).expect("a link");
            let address = match url.host() {
                Some(url::Host::Ipv4(it)) => IpAddr::from(it),
                Some(url::Host::Ipv6(it)) => IpAddr::from(it),
                other => panic!("{it} is {other:?}"),
            };
            assert!(!nobody().may_dial(address), "{it} is {address}");
        }
    }

    #[test]
    fn other_ports_schemes_and_passwords_are_refused() {
        let may = |it: &str| Url::parse(it).is_ok_and(|url| nobody().may_ask(&url));
        for it in ["http://a.ir", "https://a.ir/x?y", "http://a.ir:443", "https://دانشگاه.ir/"] {
            assert!(may(it), "{it}");
        }
        for it in [
            "http://a.ir:22",
            "https://a.ir:8443",
            "ftp://a.ir",
            "file:///etc/passwd",
            "gopher://a.ir:80",
            "http://me@a.ir",
            "http://me:secret@a.ir",
            "data:text/html,x",
            "javascript:x",
        ] {
            assert!(!may(it), "{it}");
        }
    }
}
