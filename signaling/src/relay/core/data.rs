//! The packets themselves: no allocation of memory, one lookup, one copy.

use std::net::{IpAddr, SocketAddr};

use stun_types::{attribute::AttributeStaticType, message::Message};
use turn_types::attribute::{Data, DontFragment, XorPeerAddress};

use super::Core;
use crate::relay::{
    config::Now,
    counters::Counter,
    frame::{CHANNEL_HEADER, MAX_FRAME, STUN_HEADER},
    outputs::{AllocationId, FiveTuple, Outputs},
};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// STUN header, XOR-PEER-ADDRESS with an IPv6 address, header of DATA.
const INDICATION_HEAD: usize = STUN_HEADER + 24 + 4;
/// The longest packet that still fits a client's frame.
const MAX_PAYLOAD: usize = MAX_FRAME - INDICATION_HEAD;

impl Core {
    /// A packet has come to an allocation's relayed socket.
    pub fn from_peer(&mut self, id: AllocationId, peer: SocketAddr, payload: &[u8], now: Now, out: &mut Outputs) {
        if self.live(id).is_some() {
            let peer = self.as_seen_from_outside(peer);
            self.relay_in(id.slot, peer, payload, now, out);
        }
    }

    pub(super) fn channel_data(&mut self, from: FiveTuple, number: u16, data: &[u8], now: Now, out: &mut Outputs) {
        let Some(slot) = self.by_client.get(&from).copied() else {
            return self.counters.count(Counter::Junk);
        };
        let peer = self.slots[slot as usize].as_ref().and_then(|allocation| allocation.peer_of(number, now.nanos));
        match peer {
            Some(peer) => self.relay_out(slot, peer, data, now, out),
            None => self.counters.count(Counter::NotPermitted),
        }
    }

    pub(super) fn send_indication(&mut self, from: FiveTuple, message: &Message<'_>, now: Now, out: &mut Outputs) {
        let Some(slot) = self.by_client.get(&from).copied() else {
            return self.counters.count(Counter::Junk);
        };
        let (Ok(peer), Ok(data)) = (message.attribute::<XorPeerAddress>(), message.attribute::<Data<'_>>()) else {
            return self.counters.count(Counter::Junk);
        };
        if message.has_attribute(DontFragment::TYPE) {
            return self.counters.count(Counter::Junk);
        }
        let peer = peer.addr(message.transaction_id());
        let Some(allocation) = &self.slots[slot as usize] else { return };
        // A permission speaks of an address; the policy also of ports, on this relay's own addresses.
        if !allocation.permitted(peer.ip(), now.nanos) || !self.config.policy.permits_peer(peer) {
            return self.counters.count(Counter::NotPermitted);
        }
        self.relay_out(slot, peer, data.data(), now, out);
    }

    fn relay_out(&mut self, slot: u32, peer: SocketAddr, data: &[u8], now: Now, out: &mut Outputs) {
        let Some(allocation) = &self.slots[slot as usize] else { return };
        if allocation.opening.is_some() {
            return self.counters.count(Counter::NotPermitted);
        }
        if !allocation.account.bandwidth.take(self.config.limits.bandwidth, data.len() as u64, now.nanos) {
            return self.counters.count(Counter::Throttled);
        }
        self.counters.count(Counter::PacketsOut);
        self.counters.add(Counter::BytesOut, data.len() as u64);
        let (id, source) = (AllocationId { slot, generation: allocation.generation }, allocation.public());
        if let Some(other) = self.by_relayed.get(&peer).copied() {
            // Both ends of a relay-only call are often here: the packet need not go through the kernel and back.
            self.counters.count(Counter::Hairpins);
            return self.relay_in(other, source, data, now, out);
        }
        out.send_peer(id, self.as_seen_from_inside(peer), data);
    }

    fn relay_in(&mut self, slot: u32, peer: SocketAddr, payload: &[u8], now: Now, out: &mut Outputs) {
        let Some(allocation) = &self.slots[slot as usize] else { return };
        if allocation.opening.is_some() || !allocation.permitted(peer.ip(), now.nanos) {
            return self.counters.count(Counter::NotPermitted);
        }
        if payload.len() > MAX_PAYLOAD {
            return self.counters.count(Counter::SendDropped);
        }
        if !allocation.account.bandwidth.take(self.config.limits.bandwidth, payload.len() as u64, now.nanos) {
            return self.counters.count(Counter::Throttled);
        }
        self.counters.count(Counter::PacketsIn);
        self.counters.add(Counter::BytesIn, payload.len() as u64);
        let length = u16::try_from(payload.len()).unwrap_or_default();
        if let Some(number) = allocation.channel_of(peer, now.nanos) {
            let mut head = [0; CHANNEL_HEADER];
            head[..2].copy_from_slice(&number.to_be_bytes());
            head[2..].copy_from_slice(&length.to_be_bytes());
            out.send_client(allocation.client, &head, payload, false, true);
        } else {
            self.indications = self.indications.wrapping_add(1);
            let mut head = [0; INDICATION_HEAD];
            let head = data_indication(&mut head, peer, length, self.indications);
            out.send_client(allocation.client, head, payload, true, true);
        }
    }

    /// Behind a one-to-one NAT this relay's other allocations are reached at the address that is bound.
    fn as_seen_from_inside(&self, peer: SocketAddr) -> SocketAddr {
        let own = self.config.relayed.iter().find(|own| own.public == peer.ip() && own.bind != own.public);
        match own {
            Some(own) if self.config.ports.contains(&peer.port()) => SocketAddr::new(own.bind, peer.port()),
            _ => peer,
        }
    }

    fn as_seen_from_outside(&self, peer: SocketAddr) -> SocketAddr {
        let ip = peer.ip().to_canonical();
        let own = self.config.relayed.iter().find(|own| own.bind == ip && own.bind != own.public);
        match own {
            Some(own) if self.config.ports.contains(&peer.port()) => SocketAddr::new(own.public, peer.port()),
            _ => SocketAddr::new(ip, peer.port()),
        }
    }
}

/// Writes what stands before the payload of a Data indication (RFC 8656, section 11.3).
fn data_indication(head: &mut [u8; INDICATION_HEAD], peer: SocketAddr, length: u16, number: u64) -> &[u8] {
    // Nobody answers an indication, so its transaction id has to differ from the others only.
    let mut transaction = [0; 12];
    transaction[4..].copy_from_slice(&number.to_be_bytes());
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&COOKIE);
    mask[4..].copy_from_slice(&transaction);

    let (family, address_length) = if peer.is_ipv4() { (1, 4_u16) } else { (2, 16) };
    let data_at = STUN_HEADER + 8 + usize::from(address_length);
    let body = 8 + address_length + 4 + length.next_multiple_of(4);
    head[..2].copy_from_slice(&[0x00, 0x17]);
    head[2..4].copy_from_slice(&body.to_be_bytes());
    head[4..20].copy_from_slice(&mask);
    head[20..22].copy_from_slice(&[0x00, 0x12]);
    head[22..24].copy_from_slice(&(4 + address_length).to_be_bytes());
    head[24..26].copy_from_slice(&[0, family]);
    head[26..28].copy_from_slice(&(peer.port() ^ 0x2112).to_be_bytes());
    let masked = |octets: &[u8], at: &mut [u8]| {
        for ((to, octet), mask) in at.iter_mut().zip(octets).zip(mask) {
            *to = octet ^ mask;
        }
    };
    match peer.ip() {
        IpAddr::V4(ip) => masked(&ip.octets(), &mut head[28..data_at]),
        IpAddr::V6(ip) => masked(&ip.octets(), &mut head[28..data_at]),
    }
    head[data_at..data_at + 2].copy_from_slice(&[0x00, 0x13]);
    head[data_at + 2..data_at + 4].copy_from_slice(&length.to_be_bytes());
    &head[..data_at + 4]
}
