//! A relay in the test's own process, and what a client says to it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use chapar_protocol::{Timestamp, UserId, call::CallId};
use chapar_signaling::credentials::Secret;
use chapar_signaling::relay::{
    address::{Class, PeerPolicy},
    config::{CoreConfig, Limits, RelayedAddress},
    rate::Rate,
    secrets::Secrets,
    server::{Relay, RelayConfig},
    streams::StreamLimits,
};
use stun_types::{
    attribute::{ErrorCode, Nonce, Realm, Username},
    message::{
        IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageIntegrityCredentials, MessageWrite,
        MessageWriteExt, MessageWriteVec,
    },
};
use tokio_rustls::rustls::{
    ServerConfig, crypto,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use turn_types::{attribute::RequestedTransport, message::ALLOCATE};

pub(crate) const SECRET: &str = "a secret for all the tests";
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

fn certificate() -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["relay.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

/// `first_port` lies below the ports that the kernel gives: a peer there would be taken for a relayed address.
pub(crate) fn config(ip: &str, first_port: u16, open: Vec<Class>) -> RelayConfig {
    let ip: IpAddr = ip.parse().unwrap();
    let any = SocketAddr::new(ip, 0);
    let ports = first_port..=first_port + 1_999;
    RelayConfig {
        core: CoreConfig {
            realm: "chapar".to_owned(),
            relayed: vec![RelayedAddress { bind: ip, public: ip }],
            policy: PeerPolicy { open, own: vec![(ip, ports.clone())], ..PeerPolicy::default() },
            ports,
            limits: Limits {
                allocations_per_user: 5_000,
                bandwidth: Rate::with_burst_seconds(1 << 30, 1),
                ..Limits::default()
            },
            nonce_key: [9; 32],
            alternate: None,
        },
        udp: vec![any],
        tcp: vec![any],
        tls: vec![any],
        tls_config: Some(certificate()),
        shards: 2,
        streams: StreamLimits::default(),
    }
}

pub(crate) async fn start(config: RelayConfig) -> Relay {
    Relay::start(config, Arc::new(Secrets::new(Secret::new(SECRET, None).unwrap()))).await.unwrap()
}

pub(crate) fn request(username: &str, password: &str, nonce: &str) -> Vec<u8> {
    let mut message = Message::builder_request(ALLOCATE, MessageWriteVec::new());
    message.add_attribute(&RequestedTransport::new(17)).unwrap();
    if nonce.is_empty() {
        return message.finish();
    }
    message.add_attribute(&Username::new(username).unwrap()).unwrap();
    message.add_attribute(&Realm::new("chapar").unwrap()).unwrap();
    message.add_attribute(&Nonce::new(nonce).unwrap()).unwrap();
    let key = LongTermKeyCredentials::new(username.to_owned(), password.to_owned(), "chapar".to_owned());
    message.add_message_integrity(&MessageIntegrityCredentials::LongTerm(key), IntegrityAlgorithm::Sha1).unwrap();
    message.finish()
}

pub(crate) fn nonce_of(reply: &[u8]) -> String {
    Message::from_bytes(reply).unwrap().attribute::<Nonce>().unwrap().nonce().to_owned()
}

pub(crate) fn code_of(reply: &[u8]) -> u16 {
    Message::from_bytes(reply).unwrap().attribute::<ErrorCode>().map_or(0, |error| error.code())
}

pub(crate) fn credential(user: i64) -> (String, String) {
    let unix = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let now = Timestamp::from_millis(i64::try_from(unix).unwrap() * 1_000).unwrap();
    let made = Secret::new(SECRET, None).unwrap().issue(UserId(user), CallId(uuid::Uuid::from_u128(7)), now, 600);
    (made.username, made.password)
}
