//! A relay core and clients that talk to it by hand.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use chapar_protocol::{Timestamp, UserId, call::CallId};
use chapar_signaling::credentials::{Credentials, Secret};
use chapar_signaling::relay::{
    address::PeerPolicy,
    config::{CoreConfig, Limits, Now, RelayedAddress},
    core::Core,
    counters::{Counter, Counters},
    ledger::Ledger,
    outputs::{AllocationId, FiveTuple, Output, Outputs, Transport},
    secrets::Secrets,
};
use stun_types::{
    attribute::{Attribute, AttributeStaticType, AttributeType, ErrorCode, Nonce, RawAttribute, Realm, Username},
    message::{
        IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageIntegrityCredentials, MessageType,
        MessageWrite, MessageWriteExt, MessageWriteVec, Method, TransactionId,
    },
    prelude::AttributeWrite,
};
use turn_types::{
    attribute::{RequestedTransport, XorPeerAddress, XorRelayedAddress},
    message::ALLOCATE,
};

pub(crate) const REALM: &str = "chapar";
pub(crate) const SECRET: &str = "a secret for all the tests";
pub(crate) const START: u64 = 1_800_000_000;
pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) fn config() -> CoreConfig {
    let address = |ip: &str| RelayedAddress { bind: ip.parse().unwrap(), public: ip.parse().unwrap() };
    CoreConfig {
        realm: REALM.to_owned(),
        relayed: vec![address("5.5.5.5"), address("2a01:5::5")],
        ports: 50_000..=59_999,
        policy: PeerPolicy {
            own: vec![("5.5.5.5".parse().unwrap(), 50_000..=59_999), ("2a01:5::5".parse().unwrap(), 50_000..=59_999)],
            ..PeerPolicy::default()
        },
        limits: Limits::default(),
        nonce_key: [3; 32],
        alternate: None,
    }
}

/// A core, its clock, and the sockets its driver would have.
pub(crate) struct Relay {
    pub(crate) core: Core,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) now: Now,
    pub(crate) open: HashMap<AllocationId, SocketAddr>,
    pub(crate) out: Outputs,
    /// Ports that another program holds.
    pub(crate) busy: Vec<u16>,
}

/// What came out for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    Client(FiveTuple, Vec<u8>),
    Peer { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    Hangup(FiveTuple),
}

impl Relay {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: CoreConfig) -> Self {
        let ledger = Arc::new(Ledger::new(&config));
        Self::shard(config, ledger)
    }

    pub(crate) fn shard(config: CoreConfig, ledger: Arc<Ledger>) -> Self {
        let counters = Arc::new(Counters::default());
        let mut state = 1_u64;
        let entropy = Box::new(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 20
        });
        let authority = Arc::new(Secrets::new(secret()));
        let core = Core::new(Arc::new(config), Arc::clone(&ledger), Arc::clone(&counters), authority, entropy);
        let now = Now { nanos: SECOND, unix: START };
        Self { core, ledger, counters, now, open: HashMap::new(), out: Outputs::default(), busy: Vec::new() }
    }

    pub(crate) fn pass(&mut self, seconds: u64) -> Vec<Sent> {
        self.now.nanos += seconds * SECOND;
        self.now.unix += seconds;
        self.core.on_timer(self.now, &mut self.out);
        self.drive()
    }

    pub(crate) fn input(&mut self, from: FiveTuple, bytes: &[u8]) -> Vec<Sent> {
        self.core.input(from, bytes, self.now, &mut self.out);
        self.drive()
    }

    pub(crate) fn packet(&mut self, relayed: SocketAddr, peer: SocketAddr, bytes: &[u8]) -> Vec<Sent> {
        let Some((id, _)) = self.open.iter().find(|(_, at)| **at == relayed) else { return Vec::new() };
        self.core.from_peer(*id, peer, bytes, self.now, &mut self.out);
        self.drive()
    }

    /// Does what a driver does, until nothing is left to do.
    pub(crate) fn drive(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while !self.out.list.is_empty() {
            let out = std::mem::take(&mut self.out);
            for output in &out.list {
                match output {
                    Output::ToClient { to, bytes, .. } => sent.push(Sent::Client(*to, out.bytes(bytes).to_vec())),
                    Output::ToPeer { from, peer, bytes } => {
                        let bytes = out.bytes(bytes).to_vec();
                        sent.push(Sent::Peer { from: self.open[from], to: *peer, bytes });
                    }
                    Output::Open { id, local } => {
                        let bound = !self.busy.contains(&local.port());
                        if bound {
                            assert!(self.open.values().all(|open| open != local), "{local} is bound twice");
                            self.open.insert(*id, *local);
                        }
                        self.core.opened(*id, bound, self.now, &mut self.out);
                    }
                    Output::Close { id } => {
                        self.open.remove(id);
                    }
                    Output::Hangup { to } => sent.push(Sent::Hangup(*to)),
                }
            }
        }
        sent
    }

    pub(crate) fn count(&self, counter: Counter) -> u64 {
        self.counters.get(counter)
    }
}

/// A reply, taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    /// 0 is success.
    pub(crate) code: u16,
}

impl Reply {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::from_bytes(&self.bytes).unwrap()
    }

    pub(crate) fn has(&self, kind: AttributeType) -> bool {
        self.message().has_attribute(kind)
    }

    pub(crate) fn relayed(&self) -> SocketAddr {
        let message = self.message();
        message.attribute::<XorRelayedAddress>().unwrap().addr(message.transaction_id())
    }
}

/// A client of the relay.
pub(crate) struct Client {
    pub(crate) tuple: FiveTuple,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) nonce: String,
    pub(crate) relayed: Option<SocketAddr>,
}

pub(crate) fn secret() -> Secret {
    Secret::new(SECRET, None).unwrap()
}

/// A call that a test has its own name for.
pub(crate) fn call_id(name: &str) -> CallId {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    CallId(uuid::Uuid::from_bytes(bytes))
}

pub(crate) fn tuple(client: &str) -> FiveTuple {
    FiveTuple { client: client.parse().unwrap(), listener: 0, transport: Transport::Udp }
}

impl Client {
    /// A client with a credential for an hour.
    pub(crate) fn new(address: &str, user: &str) -> Self {
        Self::until(address, user, START + 3_600)
    }

    pub(crate) fn until(address: &str, user: &str, expires: u64) -> Self {
        let (user, call) = user.split_once(':').unwrap_or((user, "some call"));
        let now = Timestamp::from_millis((i64::try_from(expires).unwrap() - 300) * 1_000).unwrap();
        let Credentials { username, password } = secret().issue(UserId(user.parse().unwrap()), call_id(call), now, 300);
        Self { tuple: tuple(address), username, password, nonce: String::new(), relayed: None }
    }

    pub(crate) fn sign(&self, method: Method, attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
        let message = unsigned(method, attributes);
        self.finish(message)
    }

    pub(crate) fn finish(&self, mut message: MessageWriteVec) -> Vec<u8> {
        message.add_attribute(&Username::new(&self.username).unwrap()).unwrap();
        message.add_attribute(&Realm::new(REALM).unwrap()).unwrap();
        message.add_attribute(&Nonce::new(&self.nonce).unwrap()).unwrap();
        let key = LongTermKeyCredentials::new(self.username.clone(), self.password.clone(), REALM.to_owned());
        let key = MessageIntegrityCredentials::LongTerm(key);
        message.add_message_integrity(&key, IntegrityAlgorithm::Sha1).unwrap();
        message.finish()
    }

    /// Sends bytes and takes the one reply apart; `None` is silence.
    pub(crate) fn send(&self, relay: &mut Relay, bytes: &[u8]) -> Option<Reply> {
        let mut sent = relay.input(self.tuple, bytes);
        assert!(sent.len() <= 1, "{sent:?}");
        match sent.pop()? {
            Sent::Client(to, bytes) => {
                assert_eq!(to, self.tuple);
                let message = Message::from_bytes(&bytes).unwrap();
                let code = message.attribute::<ErrorCode>().map_or(0, |error| error.code());
                Some(Reply { code, bytes: bytes.clone() })
            }
            other => panic!("{other:?}"),
        }
    }

    /// A request, repeated once with the nonce of a challenge.
    pub(crate) fn ask(&mut self, relay: &mut Relay, method: Method, attributes: &[&dyn AttributeWrite]) -> Reply {
        for _ in 0..2 {
            let request = self.sign(method, attributes);
            let reply = self.send(relay, &request).expect("a reply");
            if !(self.learn(&reply) && reply.code == 438) {
                return reply;
            }
        }
        panic!("two challenges");
    }

    pub(crate) fn learn(&mut self, reply: &Reply) -> bool {
        match reply.message().attribute::<Nonce>() {
            Ok(nonce) => {
                nonce.nonce().clone_into(&mut self.nonce);
                true
            }
            Err(_) => false,
        }
    }

    pub(crate) fn allocate_with(&mut self, relay: &mut Relay, more: &[&dyn AttributeWrite]) -> Reply {
        let udp = RequestedTransport::new(17);
        let mut attributes: Vec<&dyn AttributeWrite> = vec![&udp];
        attributes.extend(more);
        let reply = self.ask(relay, ALLOCATE, &attributes);
        if reply.code == 0 {
            self.relayed = Some(reply.relayed());
        }
        reply
    }

    pub(crate) fn allocate(&mut self, relay: &mut Relay) -> SocketAddr {
        let reply = self.allocate_with(relay, &[]);
        assert_eq!(reply.code, 0);
        self.relayed.unwrap()
    }

    pub(crate) fn permit(&mut self, relay: &mut Relay, peers: &[&str]) -> u16 {
        let transaction = TransactionId::from(u128::from(rand::random::<u64>()));
        let mut message = numbered(turn_types::message::CREATE_PERMISSION, transaction);
        for peer in peers {
            message.add_attribute(&XorPeerAddress::new(peer_address(peer), transaction)).unwrap();
        }
        let request = self.finish(message);
        self.send(relay, &request).expect("a reply").code
    }

    pub(crate) fn bind(&mut self, relay: &mut Relay, number: u16, peer: &str) -> u16 {
        let transaction = TransactionId::from(u128::from(rand::random::<u64>()));
        let mut message = numbered(turn_types::message::CHANNEL_BIND, transaction);
        message.add_attribute(&turn_types::attribute::ChannelNumber::new(number)).unwrap();
        message.add_attribute(&XorPeerAddress::new(peer_address(peer), transaction)).unwrap();
        let request = self.finish(message);
        self.send(relay, &request).expect("a reply").code
    }
}

fn numbered(method: Method, transaction: TransactionId) -> MessageWriteVec {
    let kind = MessageType::from_class_method(MessageClass::Request, method);
    Message::builder(kind, transaction, MessageWriteVec::new())
}

pub(crate) fn unsigned(method: Method, attributes: &[&dyn AttributeWrite]) -> MessageWriteVec {
    let mut message = Message::builder_request(method, MessageWriteVec::new());
    for attribute in attributes {
        message.add_attribute(*attribute).unwrap();
    }
    message
}

pub(crate) fn peer_address(peer: &str) -> SocketAddr {
    peer.parse().unwrap_or_else(|_| SocketAddr::new(peer.parse::<IpAddr>().unwrap(), 4_000))
}

pub(crate) fn indication(peer: &str, data: &[u8]) -> Vec<u8> {
    let mut message = Message::builder_indication(turn_types::message::SEND, MessageWriteVec::new());
    let transaction = message.transaction_id();
    message.add_attribute(&XorPeerAddress::new(peer_address(peer), transaction)).unwrap();
    message.add_attribute(&turn_types::attribute::Data::new(data)).unwrap();
    message.finish()
}

pub(crate) fn channel(number: u16, data: &[u8]) -> Vec<u8> {
    let mut frame = number.to_be_bytes().to_vec();
    frame.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    frame.extend(data);
    frame
}

pub(crate) fn raw(kind: u16, value: &[u8]) -> RawAttribute<'_> {
    RawAttribute::new(kind.into(), value)
}

pub(crate) fn first_of<A: AttributeStaticType>(message: &Message<'_>) -> Option<Vec<u8>> {
    message.iter_attributes().find(|(_, a)| a.get_type() == A::TYPE).map(|(_, a)| a.value.to_vec())
}
