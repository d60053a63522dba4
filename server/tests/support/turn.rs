//! A TURN client over one UDP socket or one stream, as far as the tests need it.

#![allow(dead_code, reason = "each test file uses another part")]

use std::{io, net::SocketAddr};

use chapar_protocol::call::IceServer;
use stun_types::{
    attribute::{ErrorCode, Nonce, Realm, Username},
    message::{
        BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageIntegrityCredentials, MessageWrite,
        MessageWriteExt, MessageWriteVec, Method,
    },
    prelude::AttributeWrite,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::UdpSocket,
};
use turn_types::{
    attribute::{Data, RequestedTransport, XorPeerAddress, XorRelayedAddress},
    message::{ALLOCATE, CREATE_PERMISSION, REFRESH, SEND},
};

use super::within;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

enum Line {
    Datagrams(UdpSocket),
    Stream(Box<dyn Stream>),
}

/// A client with credentials.
pub(crate) struct Turn {
    line: Line,
    username: String,
    password: String,
    realm: String,
    nonce: String,
}

impl Turn {
    /// By UDP to the first `turn:` URL with UDP that a server names.
    pub(crate) async fn by_udp(server: &IceServer) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        socket.connect(place(server, "turn:", "udp")).await.expect("connected");
        Self::new(Line::Datagrams(socket), server)
    }

    /// Over a stream that is open already.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, server: &IceServer) -> Self {
        Self::new(Line::Stream(Box::new(stream)), server)
    }

    fn new(line: Line, server: &IceServer) -> Self {
        let (username, password) = (server.username.clone(), server.credential.clone());
        Self { line, username, password, realm: String::new(), nonce: String::new() }
    }

    /// The relayed address, or the code of the refusal.
    pub(crate) async fn allocate(&mut self) -> Result<SocketAddr, u16> {
        let reply = self.ask(ALLOCATE, &[&RequestedTransport::new(17)]).await?;
        let reply = Message::from_bytes(&reply).expect("a message");
        let relayed = reply.attribute::<XorRelayedAddress>().expect("a relayed address");
        Ok(relayed.addr(reply.transaction_id()))
    }

    /// Lets a peer in, and lets it be sent to.
    pub(crate) async fn permit(&mut self, peer: SocketAddr) -> Result<(), u16> {
        let message = Message::builder_request(CREATE_PERMISSION, MessageWriteVec::new());
        let address = XorPeerAddress::new(peer, message.transaction_id());
        self.finish(message, &[&address]).await.map(drop)
    }

    /// Whether the allocation is still there.
    pub(crate) async fn refresh(&mut self) -> Result<(), u16> {
        self.ask(REFRESH, &[]).await.map(drop)
    }

    /// A binding request: whether anybody answers.
    pub(crate) async fn is_answered(&mut self) -> bool {
        let message = Message::builder_request(BINDING, MessageWriteVec::new());
        self.write(&message.finish()).await.is_ok() && self.read().await.is_ok()
    }

    pub(crate) async fn send(&mut self, peer: SocketAddr, data: &[u8]) {
        let mut message = Message::builder_indication(SEND, MessageWriteVec::new());
        let address = XorPeerAddress::new(peer, message.transaction_id());
        message.add_attribute(&address).expect("fits");
        message.add_attribute(&Data::new(data)).expect("fits");
        self.write(&message.finish()).await.expect("sent");
    }

    /// The next data, and who sent it.
    pub(crate) async fn receive(&mut self) -> (SocketAddr, Vec<u8>) {
        loop {
            let bytes = self.read().await.expect("received");
            let message = Message::from_bytes(&bytes).expect("a message");
            if let (Ok(peer), Ok(data)) = (message.attribute::<XorPeerAddress>(), message.attribute::<Data>()) {
                return (peer.addr(message.transaction_id()), data.data().to_vec());
            }
        }
    }

    async fn ask(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Result<Vec<u8>, u16> {
        for _ in 0..2 {
            let message = Message::builder_request(method, MessageWriteVec::new());
            match self.finish(message, attributes).await {
                // The first answer is a challenge.
                Err(401 | 438) if self.nonce.is_empty() => panic!("a challenge names a nonce"),
                Err(401) if method == ALLOCATE => {}
                other => return other,
            }
        }
        Err(401)
    }

    async fn finish(
        &mut self,
        mut message: MessageWriteVec,
        attributes: &[&dyn AttributeWrite],
    ) -> Result<Vec<u8>, u16> {
        for attribute in attributes {
            message.add_attribute(*attribute).expect("fits");
        }
        if !self.nonce.is_empty() {
            message.add_attribute(&Username::new(&self.username).expect("a name")).expect("fits");
            message.add_attribute(&Realm::new(&self.realm).expect("a realm")).expect("fits");
            message.add_attribute(&Nonce::new(&self.nonce).expect("a nonce")).expect("fits");
            let key = LongTermKeyCredentials::new(self.username.clone(), self.password.clone(), self.realm.clone());
            let key = MessageIntegrityCredentials::LongTerm(key);
            message.add_message_integrity(&key, IntegrityAlgorithm::Sha1).expect("fits");
        }
        self.write(&message.finish()).await.map_err(|_| 0_u16)?;
        let bytes = self.read().await.map_err(|_| 0_u16)?;
        let reply = Message::from_bytes(&bytes).expect("a message");
        if let Ok(nonce) = reply.attribute::<Nonce>() {
            nonce.nonce().clone_into(&mut self.nonce);
        }
        if let Ok(realm) = reply.attribute::<Realm>() {
            realm.realm().clone_into(&mut self.realm);
        }
        match reply.attribute::<ErrorCode>() {
            Ok(error) => Err(error.code()),
            Err(_) => Ok(bytes),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.line {
            Line::Datagrams(socket) => socket.send(bytes).await.map(drop),
            Line::Stream(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    /// One STUN message.
    async fn read(&mut self) -> io::Result<Vec<u8>> {
        within("an answer of the relay", async {
            match &mut self.line {
                Line::Datagrams(socket) => {
                    let mut bytes = vec![0; 2048];
                    let length = socket.recv(&mut bytes).await?;
                    bytes.truncate(length);
                    Ok(bytes)
                }
                Line::Stream(stream) => {
                    let mut bytes = vec![0; 20];
                    stream.read_exact(&mut bytes).await?;
                    let rest = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
                    bytes.resize(20 + rest, 0);
                    stream.read_exact(&mut bytes[20..]).await?;
                    Ok(bytes)
                }
            }
        })
        .await
    }
}

/// Where a URL of a scheme and transport points to.
pub(crate) fn place(server: &IceServer, scheme: &str, transport: &str) -> SocketAddr {
    let url = server.urls.iter().find_map(|url| {
        let rest = url.strip_prefix(scheme)?;
        rest.strip_suffix(&format!("?transport={transport}"))
    });
    let url = url.unwrap_or_else(|| panic!("no {scheme} over {transport} in {:?}", server.urls));
    url.parse().expect("an address")
}
