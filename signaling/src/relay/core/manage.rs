//! Refresh, CreatePermission, ChannelBind (RFC 8656, sections 8, 10 and 12).

use std::net::{IpAddr, SocketAddr};

use stun_types::attribute::{Attribute, AttributeStaticType};
use turn_types::{
    AddressFamily,
    attribute::{ChannelNumber, Lifetime, XorPeerAddress},
};

use super::{
    Core,
    allocate::{BAD_REQUEST, NO_CAPACITY, optional, optional_family},
    reply::{Problem, Proven},
};
use crate::relay::{allocation::BindError, config::Now, counters::Counter, frame::CHANNELS, outputs::Outputs};

const SECOND: u64 = 1_000_000_000;
const FAMILY_MISMATCH: Problem<'static> = Problem::Code(443, "Peer Address Family Mismatch");

impl Core {
    pub(super) fn refresh(&mut self, slot: u32, proven: &Proven<'_>, now: Now, out: &mut Outputs) {
        let (wanted, family) = match (optional::<Lifetime>(proven.message), optional_family(proven.message)) {
            (Ok(wanted), Ok(family)) => (wanted.map(|lifetime| lifetime.seconds()), family),
            (Err(problem), _) | (_, Err(problem)) => return self.refuse(proven, &problem, now, out),
        };
        let granted = if wanted == Some(0) { 0 } else { self.lifetime(wanted) };
        let Some(allocation) = self.slots[slot as usize].as_mut() else { return };
        if family.is_some_and(|family| (family == AddressFamily::IPV6) != allocation.relayed.bind.is_ipv6()) {
            return self.refuse(proven, &FAMILY_MISMATCH, now, out);
        }
        // What is left of its age; the last seconds are rounded down to none.
        let left = u32::try_from(allocation.ends.saturating_sub(now.nanos) / SECOND).unwrap_or(u32::MAX);
        let granted = granted.min(left);
        if granted == 0 {
            self.end(slot, out);
        } else {
            // The timer is set for an earlier time and finds the new one when it fires.
            allocation.expires = now.nanos + u64::from(granted) * SECOND;
        }
        self.succeed(proven, &[&Lifetime::new(granted)], now, out);
    }

    pub(super) fn create_permission(&mut self, slot: u32, proven: &Proven<'_>, now: Now, out: &mut Outputs) {
        let peers = match self.peers(slot, proven) {
            Ok(peers) => peers,
            Err(problem) => return self.refuse(proven, &problem, now, out),
        };
        let limit = self.config.limits.permissions;
        let Some(allocation) = self.slots[slot as usize].as_mut() else { return };
        // All of them or none (RFC 8656, section 10.2).
        if !allocation.has_room(&peers, limit, now.nanos) {
            return self.refuse(proven, &NO_CAPACITY, now, out);
        }
        for ip in peers {
            let _ = allocation.permit(ip, limit, now.nanos);
        }
        self.succeed(proven, &[], now, out);
    }

    pub(super) fn channel_bind(&mut self, slot: u32, proven: &Proven<'_>, now: Now, out: &mut Outputs) {
        match self.try_bind(slot, proven, now) {
            Ok(()) => self.succeed(proven, &[], now, out),
            Err(problem) => self.refuse(proven, &problem, now, out),
        }
    }

    fn try_bind(&mut self, slot: u32, proven: &Proven<'_>, now: Now) -> Result<(), Problem<'static>> {
        let message = proven.message;
        let number = message.attribute::<ChannelNumber>().map_err(|_| BAD_REQUEST)?.channel();
        // The first address counts, should there be two.
        let peer = message.attribute::<XorPeerAddress>().map_err(|_| BAD_REQUEST)?.addr(message.transaction_id());
        if !CHANNELS.contains(&number) {
            return Err(BAD_REQUEST);
        }
        self.check_peer(slot, peer)?;
        if !self.config.policy.permits_peer(peer) {
            self.counters.count(Counter::ForbiddenPeers);
            return Err(FORBIDDEN);
        }
        let limits = self.config.limits;
        let Some(allocation) = self.slots[slot as usize].as_mut() else { return Err(BAD_REQUEST) };
        if !allocation.has_room(&[peer.ip()], limits.permissions, now.nanos) {
            return Err(NO_CAPACITY);
        }
        allocation.bind(number, peer, limits.channels, now.nanos).map_err(|error| match error {
            BindError::Taken => BAD_REQUEST,
            BindError::Full => NO_CAPACITY,
        })?;
        allocation.permit(peer.ip(), limits.permissions, now.nanos).map_err(|_| NO_CAPACITY)
    }

    /// The addresses of a CreatePermission, without repetitions.
    fn peers(&self, slot: u32, proven: &Proven<'_>) -> Result<Vec<IpAddr>, Problem<'static>> {
        let mut peers = Vec::new();
        for (_, attribute) in proven.message.iter_attributes() {
            if attribute.get_type() != XorPeerAddress::TYPE {
                continue;
            }
            let peer = XorPeerAddress::try_from(&attribute).map_err(|_| BAD_REQUEST)?;
            let peer = peer.addr(proven.message.transaction_id());
            self.check_peer(slot, peer)?;
            if !peers.contains(&peer.ip()) {
                peers.push(peer.ip());
            }
        }
        if peers.is_empty() { Err(BAD_REQUEST) } else { Ok(peers) }
    }

    fn check_peer(&self, slot: u32, peer: SocketAddr) -> Result<(), Problem<'static>> {
        // The policy comes first: an address in another family's clothes is refused as what it is.
        if !self.config.policy.permits(peer.ip()) {
            self.counters.count(Counter::ForbiddenPeers);
            return Err(FORBIDDEN);
        }
        let v6 = self.slots[slot as usize].as_ref().is_some_and(|allocation| allocation.relayed.bind.is_ipv6());
        // `::ffff:8.8.8.8` is IPv4 and cannot be reached from an IPv6 relayed address.
        if peer.is_ipv6() != v6 || peer.ip().to_canonical().is_ipv4() != peer.is_ipv4() {
            return Err(FAMILY_MISMATCH);
        }
        Ok(())
    }
}

const FORBIDDEN: Problem<'static> = Problem::Code(403, "Forbidden");
