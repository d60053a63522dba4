//! Kinds of addresses that neither a relay sends to nor a candidate may point at: one list for both.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A kind of address that is closed unless the operator opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `0.0.0.0/8` and `::`: "this network"; many kernels connect it to themselves.
    Unspecified,
    /// `127.0.0.0/8` and `::1`.
    Loopback,
    /// RFC 1918.
    Private,
    /// `100.64.0.0/10` (RFC 6598).
    CarrierNat,
    /// `169.254.0.0/16`, `fe80::/10`, and the retired site-local `fec0::/10`.
    LinkLocal,
    /// Addresses at which cloud providers serve secrets to their machines.
    Metadata,
    /// `fc00::/7` (RFC 4193).
    UniqueLocal,
    /// `224.0.0.0/4` and `ff00::/8`.
    Multicast,
    /// Protocol assignments, documentation, benchmarking, class E and broadcast.
    Reserved,
    /// IPv6 that carries an IPv4 address: 6to4, NAT64, Teredo, IPv4-compatible.
    Transition,
}

impl Class {
    /// Every class, for listings and tests.
    pub const ALL: [Self; 10] = [
        Self::Unspecified,
        Self::Loopback,
        Self::Private,
        Self::CarrierNat,
        Self::LinkLocal,
        Self::Metadata,
        Self::UniqueLocal,
        Self::Multicast,
        Self::Reserved,
        Self::Transition,
    ];

    /// The name an operator writes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::CarrierNat => "carrier-nat",
            Self::LinkLocal => "link-local",
            Self::Metadata => "metadata",
            Self::UniqueLocal => "unique-local",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
            Self::Transition => "transition",
        }
    }
}

/// The name of no class.
#[derive(Debug, thiserror::Error)]
#[error("no such class of addresses: {0}")]
pub struct UnknownClass(String);

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(name: &str) -> Result<Self, UnknownClass> {
        Self::ALL.into_iter().find(|class| class.name() == name).ok_or_else(|| UnknownClass(name.to_owned()))
    }
}

/// The closed class an address belongs to; `None` for an ordinary public address.
pub fn class(ip: IpAddr) -> Option<Class> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => class_v4(ip),
        IpAddr::V6(ip) => class_v6(ip),
    }
}

fn class_v4(ip: Ipv4Addr) -> Option<Class> {
    // Most clouds, Alibaba, Oracle, and Azure's, which stands among public addresses.
    const METADATA: [Ipv4Addr; 4] = [
        Ipv4Addr::new(169, 254, 169, 254),
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(192, 0, 0, 192),
        Ipv4Addr::new(168, 63, 129, 16),
    ];
    Some(match ip.octets() {
        _ if METADATA.contains(&ip) => Class::Metadata,
        [0, ..] => Class::Unspecified,
        [127, ..] => Class::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Private,
        [100, 64..=127, ..] => Class::CarrierNat,
        [169, 254, ..] => Class::LinkLocal,
        [224..=239, ..] => Class::Multicast,
        [192, 0, 0 | 2, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] | [240..=255, ..] => {
            Class::Reserved
        }
        [192, 88, 99, _] => Class::Transition,
        _ => return None,
    })
}

fn class_v6(ip: Ipv6Addr) -> Option<Class> {
    // Amazon, Google, Scaleway.
    const METADATA: [Ipv6Addr; 3] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    ];
    Some(match ip.segments() {
        _ if METADATA.contains(&ip) => Class::Metadata,
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        [0xff00..=0xffff, ..] => Class::Multicast,
        [0xfe80..=0xfeff, ..] => Class::LinkLocal,
        [0xfc00..=0xfdff, ..] => Class::UniqueLocal,
        // 6to4, Teredo, NAT64 (well-known and local-use), IPv4-compatible, IPv4-translated.
        [0x2002, ..] | [0x2001, 0, ..] | [0x64, 0xff9b, ..] | [0, 0, 0, 0, 0 | 0xffff, 0, ..] => Class::Transition,
        // Discard-only, the rest of the protocol assignments, documentation, and all that is not global unicast.
        [0x2001, 1..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Class::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        _ => Class::Reserved,
    })
}

/// The IPv4 address that a transition address stands for, where it can be read off it.
pub fn embedded(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    let join = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match ip.segments() {
        // Teredo hides the client's address by inverting it (RFC 4380, section 4).
        [0x2001, 0, .., high, low] => join(!high, !low),
        [0x2002, high, low, ..] | [.., high, low] => join(high, low),
    }
}
