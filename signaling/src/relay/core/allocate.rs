//! Allocate (RFC 8656, section 7; the address family by RFC 8656, section 18.6, once RFC 6156).

use std::{cmp::Reverse, net::SocketAddr, sync::Arc};

use stun_types::{
    attribute::{AttributeStaticType, XorMappedAddress},
    message::Message,
    prelude::*,
};
use turn_types::{
    AddressFamily,
    attribute::{EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport, ReservationToken, XorRelayedAddress},
};

use super::{
    Core,
    reply::{Problem, Proven},
};
use crate::relay::{
    allocation::{Allocation, Opening},
    auth::Grant,
    config::{Now, RelayedAddress},
    counters::Counter,
    ledger::{Account, Refusal, Wish},
    outputs::{AllocationId, Output, Outputs},
};

const SECOND: u64 = 1_000_000_000;
/// RFC 8656, section 3.2.
pub(super) const DEFAULT_LIFETIME: u32 = 600;
const UDP: u8 = 17;
/// How many ports are tried when another program has taken the ones that were free here.
const MAX_TRIES: u8 = 8;
/// For an opening that the driver never reports.
const OPENING_NANOS: u64 = 10 * SECOND;

type Refused = Problem<'static>;

impl Core {
    pub(super) fn allocate(&mut self, proven: &Proven<'_>, grant: Option<Grant>, now: Now, out: &mut Outputs) {
        if let Some((_, allocation)) = self.of_client(proven.from) {
            if allocation.opening.is_none() {
                self.refuse(proven, &Problem::Code(437, "Allocation Mismatch"), now, out);
            }
            return;
        }
        let Some(grant) = grant else { return };
        if let Err(problem) = self.begin(proven, &grant, now, out) {
            self.refuse(proven, &problem, now, out);
        }
    }

    /// The driver has tried to bind what [`Output::Open`] asked for.
    pub fn opened(&mut self, id: AllocationId, bound: bool, now: Now, out: &mut Outputs) {
        if self.live(id).is_none() {
            return;
        }
        let Some(allocation) = self.slots[id.slot as usize].as_mut() else { return };
        let Some(opening) = allocation.opening.take() else { return };
        let Opening { request, credentials, algorithm, lifetime, token, tries } = *opening;
        let Ok(message) = Message::from_bytes(&request) else { return };
        let (from, relayed) = (allocation.client, allocation.public());
        let proven = Proven {
            from,
            message: &message,
            username: String::new(),
            password: String::new(),
            credentials,
            algorithm,
        };
        if !bound {
            return self.try_next(id, &proven, (lifetime, tries), now, out);
        }
        allocation.expires = now.nanos + u64::from(lifetime) * SECOND;
        self.by_relayed.insert(relayed, id.slot);
        self.counters.count(Counter::Allocated);
        let transaction = message.transaction_id();
        let token = token.map(ReservationToken::new);
        let (relayed, mapped) =
            (XorRelayedAddress::new(relayed, transaction), XorMappedAddress::new(from.client, transaction));
        let lifetime = Lifetime::new(lifetime);
        let mut attributes: Vec<&dyn AttributeWrite> = vec![&relayed, &mapped, &lifetime];
        attributes.extend(token.iter().map(|token| token as &dyn AttributeWrite));
        self.succeed(&proven, &attributes, now, out);
    }

    fn begin(&mut self, proven: &Proven<'_>, grant: &Grant, now: Now, out: &mut Outputs) -> Result<(), Refused> {
        let message = proven.message;
        let transport = message.attribute::<RequestedTransport>().map_err(|_| BAD_REQUEST)?;
        if transport.protocol() != UDP {
            return Err(Problem::Code(442, "Unsupported Transport"));
        }
        let (token, even) = (optional::<ReservationToken>(message)?, optional::<EvenPort>(message)?);
        let family = optional_family(message)?;
        if token.is_some() && (even.is_some() || family.is_some()) {
            return Err(BAD_REQUEST);
        }
        let v6 = family == Some(AddressFamily::IPV6);
        if !self.config.relayed.iter().any(|at| at.bind.is_ipv6() == v6) {
            return Err(Problem::Code(440, "Address Family not Supported"));
        }
        if self.draining {
            return Err(self.config.alternate.map_or(NO_CAPACITY, Problem::Elsewhere));
        }
        if self.by_client.len() >= self.config.limits.allocations {
            return Err(NO_CAPACITY);
        }
        let lifetime = self.lifetime(optional::<Lifetime>(message)?.map(|lifetime| lifetime.seconds()));
        let source = proven.from.client.ip();
        let account =
            self.ledger.admit(&grant.user, grant.call.as_deref(), source, now).map_err(|refusal| match refusal {
                Refusal::Revoked => Problem::Code(403, "Forbidden"),
                Refusal::UserQuota | Refusal::AddressQuota => Problem::Code(486, "Allocation Quota Reached"),
            })?;
        let wish = even.map_or(Wish::Any, |even| Wish::Even(even.requested()));
        let place = match token {
            Some(token) => self.ledger.redeem(token.token(), &grant.user, now),
            None => self.ledger.take_port(v6, wish, (self.entropy)()),
        };
        let Some(place) = place else {
            self.ledger.release(&grant.user, source);
            return Err(NO_CAPACITY);
        };
        let token = (wish == Wish::Even(true)).then(|| (self.entropy)());
        let token = token.filter(|token| self.ledger.reserve(*token, &grant.user, place.0, place.1 + 1, now));
        let opening = opening(proven, lifetime, token, 1);
        self.occupy(proven, grant, account, place, opening, now, out);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the last step of begin, cut off for its length")]
    fn occupy(
        &mut self,
        proven: &Proven<'_>,
        grant: &Grant,
        account: Arc<Account>,
        place: (RelayedAddress, u16),
        opening: Opening,
        now: Now,
        out: &mut Outputs,
    ) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or_default()
        });
        self.generation = self.generation.wrapping_add(1);
        let id = AllocationId { slot, generation: self.generation };
        let expires = now.nanos + OPENING_NANOS;
        let (username, password, call) = (&proven.username, &proven.password, grant.call.as_deref());
        let mut allocation =
            Allocation::new(proven.from, id.generation, username, password, call, account, place, expires);
        allocation.opening = Some(Box::new(opening));
        allocation.ends = now.nanos + u64::from(self.config.limits.max_age) * SECOND;
        self.slots[slot as usize] = Some(allocation);
        self.by_client.insert(proven.from, slot);
        self.expiries.push(Reverse((expires, id)));
        out.list.push(Output::Open { id, local: SocketAddr::new(place.0.bind, place.1) });
    }

    fn try_next(
        &mut self,
        id: AllocationId,
        proven: &Proven<'_>,
        (lifetime, tries): (u32, u8),
        now: Now,
        out: &mut Outputs,
    ) {
        let random = (self.entropy)();
        let Some(allocation) = self.slots[id.slot as usize].as_mut() else { return };
        let v6 = allocation.relayed.bind.is_ipv6();
        let next = if tries < MAX_TRIES { self.ledger.take_port(v6, Wish::Any, random) } else { None };
        let Some((relayed, port)) = next else {
            allocation.opening = Some(Box::new(opening(proven, 0, None, tries)));
            self.end(id.slot, out);
            return self.refuse(proven, &NO_CAPACITY, now, out);
        };
        // The port that another program holds stayed taken while this one was sought, so that it was not found again.
        let (old, old_port) = (allocation.relayed, allocation.port);
        (allocation.relayed, allocation.port) = (relayed, port);
        // Without its even neighbour a reserved port is of no use: the reply comes without a token.
        allocation.opening = Some(Box::new(opening(proven, lifetime, None, tries + 1)));
        self.ledger.give_back(old, old_port);
        out.list.push(Output::Open { id, local: SocketAddr::new(relayed.bind, port) });
    }

    pub(super) fn lifetime(&self, wanted: Option<u32>) -> u32 {
        let longest = self.config.limits.max_lifetime;
        wanted.unwrap_or(DEFAULT_LIFETIME).min(longest).max(DEFAULT_LIFETIME.min(longest))
    }
}

pub(super) const BAD_REQUEST: Refused = Problem::Code(400, "Bad Request");
pub(super) const NO_CAPACITY: Refused = Problem::Code(508, "Insufficient Capacity");

fn opening(proven: &Proven<'_>, lifetime: u32, token: Option<u64>, tries: u8) -> Opening {
    let request = proven.message.as_bytes().into();
    Opening { request, credentials: proven.credentials.clone(), algorithm: proven.algorithm, lifetime, token, tries }
}

/// An attribute that may be absent but not malformed.
pub(super) fn optional<'a, A>(message: &'a Message<'a>) -> Result<Option<A>, Refused>
where
    A: AttributeFromRaw<'a> + AttributeStaticType,
{
    if message.has_attribute(A::TYPE) { message.attribute::<A>().map(Some).map_err(|_| BAD_REQUEST) } else { Ok(None) }
}

/// The family asked for. One that does not exist is not supported, rather than malformed.
pub(super) fn optional_family(message: &Message<'_>) -> Result<Option<AddressFamily>, Refused> {
    if !message.has_attribute(RequestedAddressFamily::TYPE) {
        return Ok(None);
    }
    let unsupported = |_| Problem::Code(440, "Address Family not Supported");
    message.attribute::<RequestedAddressFamily>().map(|wanted| Some(wanted.family())).map_err(unsupported)
}
