//! A TURN client, as plain as the load needs it.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use chapar_protocol::{Timestamp, UserId, call::CallId};
use chapar_signaling::credentials::Secret;
use stun_types::{
    attribute::{ErrorCode, Nonce, Realm, Username},
    message::{
        IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageIntegrityCredentials, MessageWrite,
        MessageWriteExt, MessageWriteVec, Method,
    },
    prelude::AttributeWrite,
};
use turn_types::{
    attribute::{ChannelNumber, RequestedTransport, XorPeerAddress, XorRelayedAddress},
    message::{ALLOCATE, CHANNEL_BIND},
};

pub(crate) const SECRET: &str = "north of the caravanserai";
pub(crate) const REALM: &str = "chapar";
/// The channel that every client binds.
pub(crate) const CHANNEL: u16 = 0x4001;

pub(crate) struct Client {
    pub(crate) socket: UdpSocket,
    pub(crate) relayed: SocketAddr,
    nonce: String,
}

impl Client {
    /// With an allocation.
    pub(crate) fn new(server: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut client = Self { socket, relayed: server, nonce: String::new() };
        client.ask(ALLOCATE, &[&RequestedTransport::new(17)])?;
        let reply = client.ask(ALLOCATE, &[&RequestedTransport::new(17)])?;
        let message = Message::from_bytes(&reply).map_err(io::Error::other)?;
        let relayed = message.attribute::<XorRelayedAddress>().map_err(io::Error::other)?;
        client.relayed = relayed.addr(message.transaction_id());
        Ok(client)
    }

    /// Binds [`CHANNEL`] to the peer.
    pub(crate) fn bind(&mut self, peer: SocketAddr) -> io::Result<()> {
        let message = Message::builder_request(CHANNEL_BIND, MessageWriteVec::new());
        let peer = XorPeerAddress::new(peer, message.transaction_id());
        let reply = self.exchange(message, &[&ChannelNumber::new(CHANNEL), &peer])?;
        let message = Message::from_bytes(&reply).map_err(io::Error::other)?;
        match message.attribute::<ErrorCode>() {
            Ok(error) => Err(io::Error::other(format!("ChannelBind: {}", error.code()))),
            Err(_) => Ok(()),
        }
    }

    fn ask(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> io::Result<Vec<u8>> {
        self.exchange(Message::builder_request(method, MessageWriteVec::new()), attributes)
    }

    fn exchange(&mut self, message: MessageWriteVec, attributes: &[&dyn AttributeWrite]) -> io::Result<Vec<u8>> {
        self.socket.send(&request(message, attributes, &self.nonce))?;
        let mut buffer = vec![0; 2_048];
        let length = self.socket.recv(&mut buffer)?;
        buffer.truncate(length);
        if let Some(nonce) = nonce_of(&buffer) {
            self.nonce = nonce;
        }
        Ok(buffer)
    }
}

pub(crate) fn nonce_of(reply: &[u8]) -> Option<String> {
    let message = Message::from_bytes(reply).ok()?;
    message.attribute::<Nonce>().ok().map(|nonce| nonce.nonce().to_owned())
}

/// An Allocate request; without a nonce the one that is answered with a challenge.
pub(crate) fn allocate(nonce: &str) -> Vec<u8> {
    let message = Message::builder_request(ALLOCATE, MessageWriteVec::new());
    request(message, &[&RequestedTransport::new(17)], nonce)
}

static CREDENTIAL: LazyLock<(String, String)> = LazyLock::new(|| {
    let unix = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let now = Timestamp::from_millis(i64::try_from(unix).unwrap_or_default() * 1_000).expect("the present");
    let secret = Secret::new(SECRET, None).expect("long enough");
    let made = secret.issue(UserId(1), CallId(uuid::Uuid::from_u128(7)), now, 3_600);
    (made.username, made.password)
});

fn request(mut message: MessageWriteVec, attributes: &[&dyn AttributeWrite], nonce: &str) -> Vec<u8> {
    for attribute in attributes {
        message.add_attribute(*attribute).expect("fits");
    }
    if !nonce.is_empty() {
        let (username, password) = &*CREDENTIAL;
        message.add_attribute(&Username::new(username).expect("short")).expect("fits");
        message.add_attribute(&Realm::new(REALM).expect("short")).expect("fits");
        message.add_attribute(&Nonce::new(nonce).expect("short")).expect("fits");
        let key = LongTermKeyCredentials::new(username.clone(), password.clone(), REALM.to_owned());
        let key = MessageIntegrityCredentials::LongTerm(key);
        message.add_message_integrity(&key, IntegrityAlgorithm::Sha1).expect("fits");
    }
    message.finish()
}
