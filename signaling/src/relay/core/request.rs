//! What a STUN message is, and whether its sender is who it says.

use stun_types::{
    attribute::{
        Attribute, AttributeStaticType, AttributeType, Fingerprint, MessageIntegrity, MessageIntegritySha256, Nonce,
        Realm, Userhash, Username, XorMappedAddress,
    },
    message::{
        BINDING, LongTermKeyCredentials, Message, MessageClass, MessageIntegrityCredentials, MessageWrite,
        MessageWriteExt, MessageWriteVec,
    },
};
use turn_types::{
    attribute::{
        ChannelNumber, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport, ReservationToken, XorPeerAddress,
    },
    message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND},
};

use super::{
    Core,
    reply::{Problem, Proven, transaction},
};
use crate::relay::{
    auth::Grant,
    config::Now,
    counters::Counter,
    outputs::{FiveTuple, Outputs},
};

/// The attributes this relay understands. Any other that must be understood is answered 420, DONT-FRAGMENT among them
/// (RFC 8656, section 7.2, leaves that to the server).
const UNDERSTOOD: [AttributeType; 14] = [
    Username::TYPE,
    Userhash::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    MessageIntegrity::TYPE,
    MessageIntegritySha256::TYPE,
    Fingerprint::TYPE,
    ChannelNumber::TYPE,
    Lifetime::TYPE,
    XorPeerAddress::TYPE,
    RequestedAddressFamily::TYPE,
    EvenPort::TYPE,
    RequestedTransport::TYPE,
    ReservationToken::TYPE,
];
/// More unknown attributes than these are not listed in a 420.
const MAX_LISTED: usize = 4;

impl Core {
    pub(super) fn message(&mut self, from: FiveTuple, message: &Message<'_>, now: Now, out: &mut Outputs) {
        match (message.class(), message.method()) {
            (MessageClass::Request, BINDING) => self.binding(from, message, now, out),
            (MessageClass::Request, ALLOCATE | REFRESH | CREATE_PERMISSION | CHANNEL_BIND) => {
                self.request(from, message, now, out);
            }
            (MessageClass::Request, _) => self.rebuff(from, message, &Problem::Code(400, ""), now, out),
            (MessageClass::Indication, SEND) => self.send_indication(from, message, now, out),
            // A Binding indication keeps a NAT's mapping open and asks for nothing.
            (MessageClass::Indication, BINDING) => {}
            _ => self.counters.count(Counter::Junk),
        }
    }

    fn binding(&mut self, from: FiveTuple, message: &Message<'_>, now: Now, out: &mut Outputs) {
        let unknown = unknown(message);
        if !unknown.is_empty() {
            return self.rebuff(from, message, &Problem::Unknown(&unknown), now, out);
        }
        self.counters.count(Counter::Bindings);
        let mut reply = Message::builder_success(message, MessageWriteVec::with_capacity(64));
        let _ = reply.add_attribute(&XorMappedAddress::new(from.client, message.transaction_id()));
        if message.has_attribute(Fingerprint::TYPE) {
            let _ = reply.add_fingerprint();
        }
        self.send_to_stranger(from, message, &reply.finish(), now, out);
    }

    fn request(&mut self, from: FiveTuple, message: &Message<'_>, now: Now, out: &mut Outputs) {
        if let Some(reply) = self.replies.get(from, transaction(message), message.as_bytes(), now.nanos) {
            self.counters.count(Counter::Repeated);
            return out.send_client(from, reply, &[], false, false);
        }
        let Some((proven, grant)) = self.prove(from, message, now, out) else { return };
        let unknown = unknown(message);
        if !unknown.is_empty() {
            return self.refuse(&proven, &Problem::Unknown(&unknown), now, out);
        }
        if message.method() == ALLOCATE {
            return self.allocate(&proven, grant, now, out);
        }
        match self.of_client(from) {
            None => self.refuse(&proven, &Problem::Code(437, "Allocation Mismatch"), now, out),
            // Still being opened: the client is ahead of its own reply.
            Some((_, allocation)) if allocation.opening.is_some() => {}
            Some((_, allocation)) if *allocation.username != *proven.username => {
                self.refuse(&proven, &Problem::Code(441, "Wrong Credentials"), now, out);
            }
            Some((slot, _)) => match message.method() {
                REFRESH => self.refresh(slot, &proven, now, out),
                CREATE_PERMISSION => self.create_permission(slot, &proven, now, out),
                _ => self.channel_bind(slot, &proven, now, out),
            },
        }
    }

    /// RFC 8489, section 9.2.4. The owner of an allocation is known by the password it was made with; everybody else is
    /// asked of the authority, whose grant comes along.
    fn prove<'a>(
        &mut self,
        from: FiveTuple,
        message: &'a Message<'a>,
        now: Now,
        out: &mut Outputs,
    ) -> Option<(Proven<'a>, Option<Grant>)> {
        if !message.has_attribute(MessageIntegrity::TYPE) && !message.has_attribute(MessageIntegritySha256::TYPE) {
            self.challenge(from, message, 401, now, out);
            return None;
        }
        let (Ok(username), Ok(realm), Ok(nonce)) =
            (message.attribute::<Username>(), message.attribute::<Realm>(), message.attribute::<Nonce>())
        else {
            self.rebuff(from, message, &Problem::Code(400, ""), now, out);
            return None;
        };
        if !self.nonces.check(nonce.nonce(), from.client, now.unix) {
            self.challenge(from, message, 438, now, out);
            return None;
        }
        let username = username.username();
        let owned = self.of_client(from).filter(|(_, allocation)| *allocation.username == *username);
        let (passwords, grant) = match owned {
            // An Allocate is always asked of the authority: it has to end with the credential.
            Some((_, allocation)) if message.method() != ALLOCATE => (vec![allocation.password.to_string()], None),
            _ => match self.authority.grant(username, now.unix) {
                Some(mut grant) => (std::mem::take(&mut grant.passwords), Some(grant)),
                None => (Vec::new(), None),
            },
        };
        if realm.realm() == self.config.realm {
            for password in passwords {
                let key = LongTermKeyCredentials::new(username.to_owned(), password.clone(), self.config.realm.clone());
                let credentials = MessageIntegrityCredentials::LongTerm(key);
                if let Ok(algorithm) = message.validate_integrity(&credentials) {
                    let username = username.to_owned();
                    return Some((Proven { from, message, username, password, credentials, algorithm }, grant));
                }
            }
        }
        self.counters.count(Counter::Unauthorized);
        self.challenge(from, message, 401, now, out);
        None
    }
}

/// The attributes that would have to be understood, and are not.
fn unknown(message: &Message<'_>) -> Vec<AttributeType> {
    message
        .iter_attributes()
        .map(|(_, attribute)| attribute.get_type())
        .filter(|kind| kind.comprehension_required() && !UNDERSTOOD.contains(kind))
        .take(MAX_LISTED)
        .collect()
}
