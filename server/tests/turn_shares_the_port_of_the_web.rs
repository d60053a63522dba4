//! On one port, with TLS or without: the web, the WebSocket, and calls that are relayed where nothing else gets through.

#[path = "support/chapar.rs"]
mod chapar;
#[path = "support/turn.rs"]
mod turn;

use std::{fs, path::Path, sync::Arc, time::Duration};

use chapar::{Node, Place};
use chapar_client::{Client, Trust, protocol::message::NewBody, tls::client_config};
use chapar_protocol::{
    account::SignedIn,
    call::{CallId, IceServer},
    command::{CallRelays, CallServers},
};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::ServerName;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use turn::{Turn, place as place_of};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// A certificate that vouches for itself; it is also written for the node.
fn certificate(place: &Place) -> Trust {
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
    let key = KeyPair::generate().expect("a key");
    let cert = params.self_signed(&key).expect("signed").pem();
    fs::write(place.path("cert.pem"), &cert).expect("written");
    fs::write(place.path("key.pem"), key.serialize_pem()).expect("written");
    Trust::Only(cert.into_bytes())
}

fn start(place: &Place, more: &[&str]) -> Node {
    let text = |path: &Path| path.to_str().expect("plain").to_owned();
    let (cert, key) = (text(&place.path("cert.pem")), text(&place.path("key.pem")));
    let flags = [&["--tls-cert", &cert, "--tls-key", &key, "--drain-seconds", "0"], more].concat();
    place.start(&flags)
}

async fn tls(at: &str, trust: &Trust, protocols: &[&str]) -> TlsStream<TcpStream> {
    let mut config = (*client_config(trust).expect("a configuration")).clone();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(at).await.expect("connected");
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a handshake")
}

/// One request; the answer's body.
async fn http(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    token: &str,
    body: Option<String>,
) -> String {
    let (verb, body) = body.map_or(("GET", String::new()), |body| ("POST", body));
    let head = format!(
        "{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    // An end without a TLS goodbye is an end too.
    let _ = within("an answer", stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    body.to_owned()
}

async fn relays<S: AsyncRead + AsyncWrite + Unpin>(handle: &str, mut connect: impl AsyncFnMut() -> S) -> IceServer {
    let account = json!({ "handle": handle, "password": "correct horse battery" }).to_string();
    let made: SignedIn =
        serde_json::from_str(&http(connect().await, "/api/v1/register", "", Some(account)).await).expect("an account");
    // Credentials are for a call that lives: it rings at somebody who is not there.
    let account = json!({ "handle": format!("{handle}_callee"), "password": "correct horse battery" }).to_string();
    let callee: SignedIn =
        serde_json::from_str(&http(connect().await, "/api/v1/register", "", Some(account)).await).expect("an account");
    let call_id = CallId(Uuid::new_v4());
    // Whom one has looked up by handle one may name.
    let resolve = json!({ "handle": callee.user.handle }).to_string();
    http(connect().await, "/api/v1/call/resolve", &made.token, Some(resolve)).await;
    let direct = json!({ "user_id": callee.user.id }).to_string();
    http(connect().await, "/api/v1/call/open_direct", &made.token, Some(direct)).await;
    // And call who has opened the chat too.
    let back = json!({ "user_id": made.user.id }).to_string();
    http(connect().await, "/api/v1/call/open_direct", &callee.token, Some(back)).await;
    let invite = json!({ "call_id": call_id, "user_id": callee.user.id, "media": "voice" }).to_string();
    http(connect().await, "/api/v1/call/call_invite", &made.token, Some(invite)).await;
    let ask = CallRelays { call_id, round_trips: Vec::new() };
    let ask = serde_json::to_string(&ask).expect("JSON");
    let told = http(connect().await, "/api/v1/call/call_relays", &made.token, Some(ask)).await;
    let mut told: CallServers = serde_json::from_str(&told).expect("servers");
    told.servers.remove(0)
}

/// A binding request, which ends like a request of HTTP so that nobody waits for the rest.
async fn is_no_http(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    stream.write_all(b"\0\x01\0\0\x21\x12\xa4\x42a transact\r\n\r\n").await.expect("written");
    let mut answer = Vec::new();
    let _ = within("an answer", stream.read_to_end(&mut answer)).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
}

async fn hear_each_other(mut one: Turn, mut other: Turn) {
    let (first, second) = (one.allocate().await.expect("allocated"), other.allocate().await.expect("allocated"));
    one.permit(second).await.expect("permitted");
    other.permit(first).await.expect("permitted");
    one.send(second, b"hello").await;
    assert_eq!(other.receive().await, (first, b"hello".to_vec()));
    other.send(first, &[7; 1000]).await;
    assert_eq!(one.receive().await, (second, vec![7; 1000]));
}

#[tokio::test]
async fn over_tls_turn_is_told_by_its_name_and_by_its_first_bytes() {
    let place = Place::new();
    let trust = certificate(&place);
    let node = start(&place, &[]);
    let at = node.address().to_owned();
    let server = relays("sara", async || tls(&at, &trust, &["http/1.1"]).await).await;
    let shared = format!("turns:{at}?transport=tcp");
    assert!(server.urls.contains(&shared), "{:?}", server.urls);
    assert_eq!(server.urls.iter().filter(|url| url.starts_with("turns:")).count(), 2, "{:?}", server.urls);

    let named = Turn::over(tls(&at, &trust, &["stun.turn"]).await, &server);
    // As browsers do it.
    let unnamed = Turn::over(tls(&at, &trust, &[]).await, &server);
    hear_each_other(named, unnamed).await;
    let mut binding = Turn::over(tls(&at, &trust, &["stun.nat-discovery"]).await, &server);
    assert!(binding.is_answered().await);
    // The relay's own port for TLS serves the same.
    let own = place_of(
        &IceServer { urls: server.urls.iter().filter(|url| **url != shared).cloned().collect(), ..server.clone() },
        "turns:",
        "tcp",
    );
    let own = tls(&own.to_string(), &trust, &[]).await;
    hear_each_other(Turn::over(own, &server), Turn::by_udp(&server).await).await;

    for protocols in [&["http/1.1"][..], &[]] {
        assert_eq!(http(tls(&at, &trust, protocols).await, "/healthz", "", None).await, "ok\n", "{protocols:?}");
    }
    // Who says that it speaks HTTP gets HTTP.
    is_no_http(tls(&at, &trust, &["http/1.1"]).await).await;

    let nima = Client::builder(node.url()).trust(trust.clone());
    let nima = nima.register("nima", "correct horse battery", None).await.expect("registered");
    nima.online().await.expect("welcomed");
    let me = nima.me().expect("known").id;
    let chat = nima.open_direct(me).await.expect("opened").chat.id;
    nima.send(chat, NewBody::text("سلام"), None).await.expect("the WebSocket works beside it");
    nima.close().await;
    node.stop();
}

#[tokio::test]
async fn without_tls_turn_is_told_by_its_first_bytes() {
    let place = Place::new();
    let node = place.start(&["--drain-seconds", "0"]);
    let at = node.address().to_owned();
    let connect = async || TcpStream::connect(&at).await.expect("connected");
    let server = relays("sara", connect).await;
    hear_each_other(Turn::over(connect().await, &server), Turn::over(connect().await, &server)).await;
    assert_eq!(http(connect().await, "/healthz", "", None).await, "ok\n");
    node.stop();
}

#[tokio::test]
async fn with_the_relay_off_the_port_is_the_webs_alone() {
    let place = Place::new();
    let trust = certificate(&place);
    let node = start(&place, &["--relay", "off"]);
    let at = node.address().to_owned();
    assert_eq!(http(tls(&at, &trust, &[]).await, "/healthz", "", None).await, "ok\n");
    is_no_http(tls(&at, &trust, &[]).await).await;
    node.stop();
}
