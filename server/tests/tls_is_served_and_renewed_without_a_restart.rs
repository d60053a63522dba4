//! A node with a certificate of its own: `https` and `wss` work, and a renewed certificate is taken up while people are
//! connected.

#[path = "support/chapar.rs"]
mod chapar;

use std::{fs, path::Path, sync::Arc, time::Duration};

use chapar::{Node, Place};
use chapar_client::{Client, Error, Trust, protocol::message::NewBody, tls::client_config};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// The node looks at the files every 10 s.
const SEEN_WITHIN: Duration = Duration::from_secs(25);
const TAKEN_UP: &str = "took up a renewed certificate";

/// A certificate authority for one test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM.
struct Pair {
    cert: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn sign(&self) -> Pair {
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("signed").pem();
        Pair { cert, key: key.serialize_pem() }
    }

    fn trust(&self) -> Trust {
        Trust::Only(self.pem.clone().into_bytes())
    }
}

fn write(place: &Place, pair: &Pair) {
    // As renewing programs do it: written aside, then moved over.
    for (name, text) in [("cert.pem", &pair.cert), ("key.pem", &pair.key)] {
        fs::write(place.path("new"), text).expect("written");
        fs::rename(place.path("new"), place.path(name)).expect("moved");
    }
}

fn start(place: &Place) -> Node {
    let text = |path: &Path| path.to_str().expect("plain").to_owned();
    let (cert, key) = (text(&place.path("cert.pem")), text(&place.path("key.pem")));
    place.start(&["--tls-cert", &cert, "--tls-key", &key, "--drain-seconds", "0"])
}

/// The head of the answer to a page asked for over https.
async fn head(node: &Node, trust: &Trust) -> String {
    let connector = TlsConnector::from(client_config(trust).expect("a configuration"));
    let stream = TcpStream::connect(node.address()).await.expect("connected");
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let mut stream = connector.connect(name, stream).await.expect("a handshake");
    let asked = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    stream.write_all(asked.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("it ends");
    String::from_utf8_lossy(&answer).to_lowercase()
}

/// The certificate that the node shows to a new connection, in PEM without its frame.
async fn shown(node: &Node, trust: &Trust) -> Vec<u8> {
    let connector = TlsConnector::from(client_config(trust).expect("a configuration"));
    let stream = TcpStream::connect(node.address()).await.expect("connected");
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let stream = connector.connect(name, stream).await.expect("a handshake");
    stream.get_ref().1.peer_certificates().expect("certificates")[0].to_vec()
}

fn der(pair: &Pair) -> Vec<u8> {
    use rustls_pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::from_pem_slice(pair.cert.as_bytes()).expect("PEM").to_vec()
}

async fn until_logged(node: &Node, text: &str, times: usize) {
    let logged = async {
        while node.log().matches(text).count() < times {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SEEN_WITHIN, logged).await.unwrap_or_else(|_| panic!("no {text:?} in {}", node.log()));
}

#[tokio::test]
async fn people_are_served_over_tls_and_a_renewal_disturbs_nobody() {
    let authority = Authority::new();
    let (place, first) = (Place::new(), authority.sign());
    write(&place, &first);
    let node = start(&place);
    assert!(node.url().starts_with("https://127.0.0.1:"), "{}", node.url());

    // Registering speaks https, everything after it wss.
    let sara = Client::builder(node.url()).trust(authority.trust());
    let sara = sara.register("sara", "a password", None).await.expect("registered over https");
    sara.online().await.expect("welcomed over wss");
    let me = sara.me().expect("known").id;
    let chat = sara.open_direct(me).await.expect("opened").chat.id;
    sara.send(chat, NewBody::text("سلام"), None).await.expect("sent");
    assert_eq!(shown(&node, &authority.trust()).await, der(&first));
    let head = head(&node, &authority.trust()).await;
    assert!(head.contains("strict-transport-security: max-age=31536000"), "browsers stay with TLS: {head}");

    // Who trusts another authority does not talk to this node.
    let stranger = Client::builder(node.url()).trust(Authority::new().trust());
    let refused = stranger.sign_in("sara", "a password").await.map(drop);
    assert!(matches!(&refused, Err(error) if !matches!(error, Error::Server(_))), "{refused:?}");

    // A broken renewal: the certificate of another key, and then no certificate at all. The old pair stays.
    let second = authority.sign();
    let broken = "a renewed certificate cannot be used; the old one stays";
    fs::write(place.path("cert.pem"), &second.cert).expect("written");
    until_logged(&node, broken, 1).await;
    assert_eq!(shown(&node, &authority.trust()).await, der(&first));
    fs::write(place.path("cert.pem"), "no certificate\n").expect("written");
    until_logged(&node, "cert.pem holds no usable certificate", 1).await;
    assert_eq!(shown(&node, &authority.trust()).await, der(&first));

    // A whole one is taken up. Those who are connected stay connected.
    write(&place, &second);
    let taken_up = async {
        while shown(&node, &authority.trust()).await != der(&second) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(SEEN_WITHIN, taken_up).await.expect("the renewed certificate is shown");
    sara.send(chat, NewBody::text("هنوز اینجا"), None).await.expect("sent over the old connection");
    // SIGHUP reads the files again, whether they seem changed or not, and is no reason to end.
    until_logged(&node, TAKEN_UP, 1).await;
    node.signal(rustix::process::Signal::HUP);
    until_logged(&node, TAKEN_UP, 2).await;
    assert_eq!(shown(&node, &authority.trust()).await, der(&second));
    let again = Client::builder(node.url()).trust(authority.trust());
    let again = again.sign_in("sara", "a password").await.expect("signed in under the new certificate");
    again.online().await.expect("welcomed");
    for client in [sara, again] {
        client.close().await;
    }
    node.stop();
}

#[tokio::test]
async fn what_is_not_tls_is_let_go_and_harms_nobody() {
    let authority = Authority::new();
    let place = Place::new();
    write(&place, &authority.sign());
    let node = Arc::new(start(&place));
    for said in ["GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "سلام\r\n", "\u{16}\u{3}\u{1}\u{0}\u{5}abcde"]
    {
        let mut stream = TcpStream::connect(node.address()).await.expect("connected");
        stream.write_all(said.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        // A reset says no as well as an end does.
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer));
        let _ = ended.await.unwrap_or_else(|_| panic!("{said:?} keeps the connection open"));
        // At most a TLS alert (content type 21), never a page.
        assert!(answer.first().is_none_or(|&kind| kind == 21) && answer.len() <= 7, "{answer:?}");
    }
    let client = Client::builder(node.url()).trust(authority.trust());
    let client = client.register("sara", "a password", None).await.expect("the node goes on");
    client.online().await.expect("welcomed");
    client.close().await;
    assert!(!node.log().contains("a panic: this is a bug"), "{}", node.log());
}
