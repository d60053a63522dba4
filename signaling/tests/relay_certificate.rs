//! A relay's certificate is renewed while people are connected over TLS: by SIGHUP, and by the mere change of the files.
#![forbid(unsafe_code)]

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use chapar_signaling::credentials::Secret;
use chapar_signaling::relay::{
    address::PeerPolicy,
    certificate::{Certificate, CertificateError},
    config::{CoreConfig, Limits, RelayedAddress},
    secrets::Secrets,
    server::{Relay, RelayConfig},
    streams::StreamLimits,
};
use stun_types::message::{BINDING, Message, MessageWrite, MessageWriteVec};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{ChildStderr, Command},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, crypto,
        pki_types::{CertificateDer, ServerName},
    },
};

const SECRET: &str = "a secret for all the tests";
const NAME: &str = "relay.test";
const PATIENCE: Duration = Duration::from_mins(1);

/// A certificate and its key, in PEM; and what a client trusts and is shown.
struct Pair {
    chain: String,
    key: String,
    der: CertificateDer<'static>,
}

impl Pair {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        Self { chain: made.cert.pem(), key: made.signing_key.serialize_pem(), der: made.cert.der().clone() }
    }

    /// As renewing programs do it: written aside, then moved over.
    fn write(&self, folder: &Path) {
        for (name, text) in [("chain.pem", &self.chain), ("key.pem", &self.key)] {
            fs::write(folder.join("new"), text).unwrap();
            fs::rename(folder.join("new"), folder.join(name)).unwrap();
        }
    }
}

/// A client that trusts these and nothing else.
async fn connect(server: SocketAddr, trusted: &[&Pair]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    for pair in trusted {
        roots.add(pair.der.clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server).await.unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap().unwrap()
}

async fn shown(server: SocketAddr, trusted: &[&Pair]) -> CertificateDer<'static> {
    connect(server, trusted).await.get_ref().1.peer_certificates().unwrap()[0].clone()
}

/// A STUN binding over the stream.
async fn is_served(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(&Message::builder_request(BINDING, MessageWriteVec::new()).finish()).await.unwrap();
    let mut reply = [0; 32];
    timeout(PATIENCE, stream.read_exact(&mut reply)).await.unwrap().unwrap();
    assert!(Message::from_bytes(&reply).unwrap().has_class(stun_types::message::MessageClass::Success));
}

/// Reads the log up to the line with this text.
async fn until_logged(log: &mut BufReader<ChildStderr>, text: &str) -> String {
    let mut line = String::new();
    let found = async {
        while !line.contains(text) {
            line.clear();
            assert!(log.read_line(&mut line).await.unwrap() > 0, "the relay ended without {text:?}");
        }
    };
    timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("nothing was logged of {text:?}"));
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_takes_a_renewed_certificate_up_and_disturbs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Pair::new(), Pair::new());
    first.write(folder.path());
    let secrets = folder.path().join("secrets");
    fs::write(&secrets, SECRET).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_chapar-relay"))
        .args(["--udp", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--tls", "127.0.0.1:0", "--address", "127.0.0.1"])
        .args(["--first-port", "37000", "--last-port", "37099", "--shards", "1", "--drain", "0"])
        .arg("--secrets")
        .arg(&secrets)
        .arg("--certificate")
        .arg(folder.path().join("chain.pem"))
        .arg("--key")
        .arg(folder.path().join("key.pem"))
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    let signal = |which| rustix::process::kill_process(pid, which).unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let line = until_logged(&mut log, "tls=[").await;
    let server: SocketAddr = line.split_once("tls=[").unwrap().1.split_once(']').unwrap().0.parse().unwrap();
    let both = [&first, &second];

    let mut early = connect(server, &[&first]).await;
    is_served(&mut early).await;
    assert_eq!(shown(server, &both).await, first.der);

    // A broken renewal, the chain of another key: the old pair stays.
    fs::write(folder.path().join("chain.pem"), &second.chain).unwrap();
    signal(rustix::process::Signal::HUP);
    until_logged(&mut log, "a renewed certificate cannot be used; the old one stays").await;
    assert_eq!(shown(server, &both).await, first.der);

    second.write(folder.path());
    signal(rustix::process::Signal::HUP);
    until_logged(&mut log, "took up a renewed certificate").await;
    assert_eq!(shown(server, &both).await, second.der);
    is_served(&mut connect(server, &[&second]).await).await;
    is_served(&mut early).await;

    signal(rustix::process::Signal::TERM);
    assert!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_files_are_seen_without_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Pair::new(), Pair::new());
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let watched = || Certificate::watched(chain.clone(), key.clone(), Duration::from_millis(20));
    assert!(matches!(watched(), Err(CertificateError::Read(path, _)) if path == chain));
    first.write(folder.path());
    fs::write(&key, "no key\n").unwrap();
    assert!(matches!(watched(), Err(CertificateError::Pem(path, "private key")) if path == key));
    fs::write(&key, &second.key).unwrap();
    assert!(matches!(watched(), Err(CertificateError::Pair(_))));
    first.write(folder.path());

    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let any = SocketAddr::new(ip, 0);
    let config = RelayConfig {
        core: CoreConfig {
            realm: "chapar".to_owned(),
            relayed: vec![RelayedAddress { bind: ip, public: ip }],
            ports: 37_100..=37_199,
            policy: PeerPolicy::default(),
            limits: Limits::default(),
            nonce_key: [9; 32],
            alternate: None,
        },
        udp: vec![any],
        tcp: vec![any],
        tls: vec![any],
        tls_config: Some(Arc::new(watched().unwrap().config(&[b"stun.turn"]).unwrap())),
        shards: 1,
        streams: StreamLimits::default(),
    };
    let secrets = Secrets::new(Secret::new(SECRET, None).unwrap());
    let relay = Relay::start(config, Arc::new(secrets)).await.unwrap();
    let both = [&first, &second];
    assert_eq!(shown(relay.tls[0], &both).await, first.der);
    // Gone for a moment, as with a program that removes and then writes.
    fs::remove_file(&chain).unwrap();
    assert_eq!(shown(relay.tls[0], &both).await, first.der);
    second.write(folder.path());
    let taken_up = async { while shown(relay.tls[0], &both).await != second.der {} };
    timeout(PATIENCE, taken_up).await.expect("the renewed certificate is shown");
    relay.stop().await;
}
