//! Two peers with real sockets, real relays and real sound; descriptions and candidates go through the server's own
//! rewriter, which lets the candidates of its relays through.

#[path = "../../../tests/support/sound.rs"]
mod sound;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use chapar_protocol::{
    Timestamp, UserId,
    call::{CallId, CandidateType, IceServer, PathKind},
};
use chapar_signaling::{
    credentials::Secret,
    relay::{
        address::{Class, PeerPolicy},
        config::{CoreConfig, Limits, RelayedAddress},
        rate::Rate,
        secrets::Secrets,
        server::{Relay, RelayConfig},
        streams::StreamLimits,
    },
    sdp::{Candidate, CandidatePolicy, RelayPlace, Role, address::Network, rewrite},
};
use tokio::time::{Instant, timeout};

use super::{Command, Happened, Measurement, Peer, Routes, Settings};
use sound::{Ear, Tone};

const PATIENCE: Duration = Duration::from_secs(40);
const SECRET: &str = "a secret for tests of calls";

fn settings(relay_only: bool, tls: Arc<rustls::ClientConfig>) -> Settings {
    Settings {
        relay_only,
        tls,
        toward: Some("127.0.0.1:9".parse().expect("address")),
        fixed: None,
        routes: Routes::default(),
    }
}

struct Side {
    peer: Peer,
    ear: Ear,
    described: bool,
    connected: Option<Duration>,
    flows: Option<Duration>,
    stats: Option<Measurement>,
}

impl Side {
    fn new(settings: Settings, servers: Vec<IceServer>, hertz: f64) -> Self {
        let (peer, ear) = (Peer::start(settings), Ear::default());
        peer.tell(if servers.is_empty() { Command::NoServers } else { Command::Servers(servers) });
        peer.tell(Command::Open(Box::new(Tone::new(hertz)), Box::new(ear.clone())));
        Self { peer, ear, described: false, connected: None, flows: None, stats: None }
    }
}

/// Hands descriptions over as the server would, until both have heard sound for a while.
async fn talk(policy: &CandidatePolicy, a: &mut Side, b: &mut Side) {
    let began = Instant::now();
    a.peer.tell(Command::MakeOffer { generation: 1, restart: false });
    timeout(PATIENCE, async {
        while a.ear.frames() < 75 || b.ear.frames() < 75 || a.stats.is_none() || b.stats.is_none() {
            let (happened, from_a) = tokio::select! {
                it = a.peer.happened.recv() => (it.expect("a lives"), true),
                it = b.peer.happened.recv() => (it.expect("b lives"), false),
            };
            let (own, other) = if from_a { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
            match happened {
                Happened::Offer { generation, sdp } => {
                    own.described = true;
                    let sdp = rewrite(&sdp, Role::Offer, policy).unwrap_or_else(|e| panic!("{e}: {sdp}")).sdp;
                    other.peer.tell(Command::TakeOffer { generation, sdp });
                }
                Happened::Answer { generation, sdp } => {
                    own.described = true;
                    let sdp = rewrite(&sdp, Role::Answer, policy).unwrap_or_else(|e| panic!("{e}: {sdp}")).sdp;
                    other.peer.tell(Command::TakeAnswer { generation, sdp });
                }
                Happened::Connected { .. } => own.connected = Some(began.elapsed()),
                Happened::Media { flows: true } => own.flows = Some(began.elapsed()),
                Happened::Stats(stats) => own.stats = Some(*stats),
                // What the description did not carry follows, once the other side has that.
                Happened::Candidate { text, .. } if own.described => {
                    let candidate = Candidate::parse(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
                    if policy.permits(&candidate) {
                        other.peer.tell(Command::Candidates(vec![candidate.to_string()]));
                    }
                }
                Happened::Candidate { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("a {:?} {:?}, b {:?} {:?}", a.connected, a.flows, b.connected, b.flows));
}

/// Each hears the other for a whole second, and not itself.
async fn heard(a: &Side, b: &Side) {
    let both = async {
        while a.ear.share(660.0) < 0.8 || b.ear.share(440.0) < 0.8 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let heard = timeout(PATIENCE, both).await;
    assert!(heard.is_ok(), "b's tone at a: {}, a's tone at b: {}", a.ear.share(660.0), b.ear.share(440.0));
    assert!(a.ear.share(440.0) < 0.1, "and not its own");
    println!("a: connected {:?}, sound {:?}; b: {:?}, {:?}", a.connected, a.flows, b.connected, b.flows);
}

fn nobody() -> Arc<rustls::ClientConfig> {
    Arc::new(crate::tls::nobody().expect("rustls"))
}

async fn relay() -> (Relay, RelayPlace, Arc<rustls::ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("certificate");
    let tls = crate::tls::client_config(&crate::Trust::Only(made.cert.pem().into_bytes())).expect("trust");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let server = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("certificate");
    let ip: IpAddr = "127.0.0.1".parse().expect("address");
    let any = SocketAddr::new(ip, 0);
    let first = 40_000 + rand::random::<u16>() % 20_000;
    let ports = first..=first + 1_000;
    let place = RelayPlace { network: Network { address: ip, prefix: 32 }, ports: ports.clone() };
    let config = RelayConfig {
        core: CoreConfig {
            realm: "chapar".to_owned(),
            relayed: vec![RelayedAddress { bind: ip, public: ip }],
            policy: PeerPolicy { open: vec![Class::Loopback], own: vec![(ip, ports.clone())], ..PeerPolicy::default() },
            ports,
            limits: Limits { bandwidth: Rate::with_burst_seconds(1 << 30, 1), ..Limits::default() },
            nonce_key: [9; 32],
            alternate: None,
        },
        udp: vec![any],
        tcp: vec![any],
        tls: vec![any],
        tls_config: Some(Arc::new(server)),
        shards: 1,
        streams: StreamLimits::default(),
    };
    let relay = Relay::start(config, Arc::new(Secrets::new(secret()))).await.expect("the relay starts");
    (relay, place, tls)
}

fn secret() -> Secret {
    Secret::new(SECRET, None).expect("long enough")
}

fn server(url: String, user: i64) -> IceServer {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    let now = Timestamp::from_millis(now.try_into().expect("in range")).expect("in range");
    let made = secret().issue(UserId(user), CallId(uuid::Uuid::from_u128(7)), now, 300);
    let (username, credential) = (made.username, made.password);
    IceServer { name: "test".to_owned(), region: "here".to_owned(), urls: vec![url], username, credential }
}

fn policy(relays: Vec<RelayPlace>) -> CandidatePolicy {
    CandidatePolicy { relay_only: !relays.is_empty(), relays, allow_loopback: true, ..CandidatePolicy::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_hear_each_other_directly() {
    let mut a = Side::new(settings(false, nobody()), Vec::new(), 440.0);
    let mut b = Side::new(settings(false, nobody()), Vec::new(), 660.0);
    talk(&policy(Vec::new()), &mut a, &mut b).await;
    heard(&a, &b).await;
    let stats = a.stats.expect("measured");
    assert_eq!((stats.path, stats.local), (PathKind::Direct, CandidateType::Host));
}

async fn over(transport: &str, path: PathKind) {
    let (relay, place, tls) = relay().await;
    let url = match transport {
        "udp" => format!("turn:{}?transport=udp", relay.udp[0]),
        "tcp" => format!("turn:{}?transport=tcp", relay.tcp[0]),
        _ => format!("turns:{}?transport=tcp", relay.tls[0]),
    };
    let mut a = Side::new(settings(true, tls.clone()), vec![server(url.clone(), 1)], 440.0);
    let mut b = Side::new(settings(true, tls), vec![server(url, 2)], 660.0);
    talk(&policy(vec![place]), &mut a, &mut b).await;
    heard(&a, &b).await;
    let stats = a.stats.clone().expect("measured");
    assert_eq!((stats.path, stats.local, stats.remote), (path, CandidateType::Relay, CandidateType::Relay));
    assert_eq!(relay.allocations(), 2);
    a.peer.close();
    b.peer.close();
    timeout(PATIENCE, async {
        while relay.allocations() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("both let go of their allocations");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_hear_each_other_over_a_relay_by_udp() {
    over("udp", PathKind::RelayUdp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_hear_each_other_over_a_relay_by_tcp() {
    over("tcp", PathKind::RelayTcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_hear_each_other_over_a_relay_by_tls() {
    over("tls", PathKind::RelayTls).await;
}
