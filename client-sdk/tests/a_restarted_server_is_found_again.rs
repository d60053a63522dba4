//! The server goes away with a drain, and by SIGKILL, and comes back over TLS on the same port.

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use chapar_client::{Client, ClientEvent, Connection, Error, Trust, protocol::message::NewBody};
use world::{Server, event, texts, until};

// Threads, because starting and stopping the server blocks one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_is_found_again() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let folder = tempfile::tempdir().expect("a directory");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, certified.cert.pem()).expect("written");
    std::fs::write(&key, certified.signing_key.serialize_pem()).expect("written");
    let settings = ["--tls-cert", cert.to_str().expect("a path"), "--tls-key", key.to_str().expect("a path")];
    let mut server = Server::start_with(&settings);
    let url = format!("https://localhost:{}", server.address().port());

    let stranger = Client::builder(&url).register("mallory", "a long password", None).await;
    assert!(matches!(stranger, Err(Error::Unreachable(_) | Error::Tls(_))), "an unknown certificate is not trusted");
    let trust = Trust::Only(certified.cert.pem().into_bytes());
    let builder = Client::builder(&url).trust(trust);
    let sara = builder.register("sara", "a long password", None).await.expect("registered");
    sara.online().await.expect("online over TLS");
    let chat_id = sara.open_direct(sara.me().expect("known").id).await.expect("opened").chat.id;
    sara.send(chat_id, NewBody::text("یک"), None).await.expect("stored");
    let mut events = sara.events();

    server.stop("TERM");
    until(&mut events, "it went away", || !sara.phase().is_live()).await;
    sara.post(chat_id, NewBody::text("دو"), None);
    server.start_again(&settings);
    sara.hurry();
    let online = |event: &ClientEvent| matches!(event, ClientEvent::Connection(Connection::Online));
    event(&mut events, "it is back", online).await;
    until(&mut events, "the waiting message went out", || texts(&sara, chat_id) == ["یک", "دو"]).await;

    server.stop("KILL");
    until(&mut events, "it went away again", || !sara.phase().is_live()).await;
    sara.post(chat_id, NewBody::text("سه"), None);
    server.start_again(&settings);
    until(&mut events, "nothing was lost", || sara.outbox().is_empty() && texts(&sara, chat_id) == ["یک", "دو", "سه"])
        .await;
}
