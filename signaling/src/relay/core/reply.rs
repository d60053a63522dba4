//! Replies: made by the codec, signed when the client has proved who it is, short when it has not.

use std::net::SocketAddr;

use stun_types::{
    attribute::{
        AlternateServer, AttributeStaticType, AttributeType, AttributeWrite, ErrorCode, Fingerprint, Nonce, Realm,
        UnknownAttributes,
    },
    message::{
        IntegrityAlgorithm, Message, MessageIntegrityCredentials, MessageWrite, MessageWriteExt, MessageWriteVec,
    },
};

use super::Core;
use crate::relay::{
    config::Now,
    counters::Counter,
    outputs::{FiveTuple, Outputs},
};

/// How much longer than its request a reply to a stranger may be.
const AMPLIFICATION: usize = 3;

/// A request whose sender has proved who it is.
pub(super) struct Proven<'a> {
    pub(super) from: FiveTuple,
    pub(super) message: &'a Message<'a>,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) credentials: MessageIntegrityCredentials,
    pub(super) algorithm: IntegrityAlgorithm,
}

/// An error to be sent: the code, and what goes with some codes.
pub(super) enum Problem<'a> {
    /// A code and its reason.
    Code(u16, &'static str),
    /// 420 and the attributes.
    Unknown(&'a [AttributeType]),
    /// 300 and another relay.
    Elsewhere(SocketAddr),
}

impl Core {
    /// Sends a success reply with these attributes.
    pub(super) fn succeed(
        &mut self,
        proven: &Proven<'_>,
        attributes: &[&dyn AttributeWrite],
        now: Now,
        out: &mut Outputs,
    ) {
        let mut reply = Message::builder_success(proven.message, MessageWriteVec::with_capacity(128));
        for attribute in attributes {
            let _ = reply.add_attribute(*attribute);
        }
        self.sign_and_send(proven, reply, now, out);
    }

    /// Sends an error to a client that is known.
    pub(super) fn refuse(&mut self, proven: &Proven<'_>, problem: &Problem<'_>, now: Now, out: &mut Outputs) {
        self.counters.count(match problem {
            Problem::Code(486 | 508, _) | Problem::Elsewhere(_) => Counter::OverQuota,
            _ => Counter::Errors,
        });
        let reply = error(proven.message, problem);
        self.sign_and_send(proven, reply, now, out);
    }

    fn sign_and_send(&mut self, proven: &Proven<'_>, mut reply: MessageWriteVec, now: Now, out: &mut Outputs) {
        let _ = reply.add_message_integrity(&proven.credentials, proven.algorithm);
        if proven.message.has_attribute(Fingerprint::TYPE) {
            let _ = reply.add_fingerprint();
        }
        let (reply, request) = (reply.finish(), proven.message.as_bytes());
        self.replies.put(proven.from, transaction(proven.message), request, &reply, now.nanos);
        out.send_client(proven.from, &reply, &[], false, false);
    }

    /// Sends an error to a stranger, unless it asks too often.
    pub(super) fn rebuff(
        &mut self,
        to: FiveTuple,
        message: &Message<'_>,
        problem: &Problem<'_>,
        now: Now,
        out: &mut Outputs,
    ) {
        self.counters.count(Counter::Errors);
        let mut reply = error(message, problem);
        if message.has_attribute(Fingerprint::TYPE) {
            let _ = reply.add_fingerprint();
        }
        self.send_to_stranger(to, message, &reply.finish(), now, out);
    }

    /// Sends 401 or 438 with the realm and a fresh nonce.
    pub(super) fn challenge(&mut self, to: FiveTuple, message: &Message<'_>, code: u16, now: Now, out: &mut Outputs) {
        self.counters.count(Counter::Challenged);
        let mut reply = error(message, &Problem::Code(code, ""));
        if let Ok(realm) = Realm::new(&self.config.realm) {
            let _ = reply.add_attribute(&realm);
        }
        if let Ok(nonce) = Nonce::new(&self.nonces.issue(to.client, now.unix)) {
            let _ = reply.add_attribute(&nonce);
        }
        self.send_to_stranger(to, message, &reply.finish(), now, out);
    }

    pub(super) fn send_to_stranger(
        &mut self,
        to: FiveTuple,
        message: &Message<'_>,
        reply: &[u8],
        now: Now,
        out: &mut Outputs,
    ) {
        // Whoever has a stream has shown where it is, and would not ask again for what is not answered.
        let small = reply.len() <= AMPLIFICATION * message.as_bytes().len();
        if to.transport.is_stream() || small && self.challenges.take(to.client.ip(), 1, now.nanos) {
            out.send_client(to, reply, &[], false, false);
        } else {
            self.counters.count(Counter::Suppressed);
        }
    }
}

pub(super) fn transaction(message: &Message<'_>) -> [u8; 12] {
    message.as_bytes().get(8..20).and_then(|id| id.try_into().ok()).unwrap_or_default()
}

fn error(message: &Message<'_>, problem: &Problem<'_>) -> MessageWriteVec {
    let mut reply = Message::builder_error(message, MessageWriteVec::with_capacity(128));
    let (code, reason) = match problem {
        Problem::Code(code, reason) => (*code, *reason),
        Problem::Unknown(_) => (420, ""),
        Problem::Elsewhere(_) => (300, "Try Alternate"),
    };
    if let Ok(error) = ErrorCode::new(code, reason) {
        let _ = reply.add_attribute(&error);
    }
    match problem {
        Problem::Unknown(types) => {
            let _ = reply.add_attribute(&UnknownAttributes::new(types));
        }
        Problem::Elsewhere(server) => {
            let _ = reply.add_attribute(&AlternateServer::new(*server));
        }
        Problem::Code(..) => {}
    }
    reply
}
