//! Cuts in the middle of a stream of messages, against the real server.

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use std::{sync::Arc, time::Duration};

use chapar_client::{Client, ClientEvent, FileStore, MemoryStore, SendState, protocol::message::NewBody};
use world::{Server, Wire, event, person, texts, until};

const MESSAGES: i64 = 210;

#[tokio::test]
async fn a_broken_network_loses_doubles_and_reorders_nothing() {
    // The server's own bound on how fast somebody writes stays: its refusals are part of the weather.
    let server = Server::start_with(&[]);
    let (out, back) = (Wire::to(server.address()).await, Wire::to(server.address()).await);
    let sara = person(&out.url, "sara").await;
    let reza = person(&back.url, "reza").await;
    let mut at_sara = sara.events();
    let mut at_reza = reza.events();
    let reza_id = reza.me().expect("known").id;
    let chat_id = sara.open_direct(reza_id).await.expect("opened").chat.id;
    until(&mut at_reza, "the chat", || reza.chat(chat_id).is_some()).await;

    let wanted: Vec<_> = (0..MESSAGES).map(|number| format!("پیام {number}")).collect();
    for text in &wanted {
        sara.post(chat_id, NewBody::text(text), None);
    }
    // Each cut comes after some progress, in the middle of what is under way.
    for goal in (30..MESSAGES).step_by(30) {
        until(&mut at_sara, "progress", || sara.chat(chat_id).is_some_and(|chat| chat.last_seq.0 >= goal)).await;
        let wire = if goal % 60 == 0 { &out } else { &back };
        wire.cut();
        let client = if goal % 60 == 0 { &sara } else { &reza };
        until(if goal % 60 == 0 { &mut at_sara } else { &mut at_reza }, "the cut is felt", || {
            !client.phase().is_live()
        })
        .await;
        wire.mend();
        client.hurry();
    }
    until(&mut at_sara, "all sent", || sara.outbox().is_empty() && sara.in_step()).await;
    until(&mut at_reza, "all there", || reza.phase().is_live() && texts(&reza, chat_id).len() >= wanted.len()).await;
    assert_eq!(texts(&reza, chat_id), wanted);
    assert_eq!(texts(&sara, chat_id), wanted);
}

#[tokio::test]
async fn the_outbox_outlives_the_process() {
    let server = Server::start();
    let directory = tempfile::tempdir().expect("a directory");
    let reza = person(&server.url, "reza").await;
    let mut at_reza = reza.events();
    let reza_id = reza.me().expect("known").id;

    let wire = Wire::to(server.address()).await;
    let store = FileStore::open(directory.path()).expect("opened");
    let builder = Client::builder(&wire.url).store(store);
    let sara = builder.register("sara", "a long password", None).await.expect("registered");
    let mut at_sara = sara.events();
    sara.online().await.expect("online");
    let chat_id = sara.open_direct(reza_id).await.expect("opened").chat.id;
    sara.send(chat_id, NewBody::text("یک"), None).await.expect("stored");
    // What was answered stays in the outbox until the chat itself has it, which may come in a frame of its own.
    until(&mut at_sara, "shown", || texts(&sara, chat_id) == ["یک"] && sara.outbox().is_empty()).await;
    wire.cut();
    until(&mut at_sara, "offline", || !sara.phase().is_live()).await;
    for text in ["دو", "سه"] {
        sara.post(chat_id, NewBody::text(text), None);
    }
    let cancelled = sara.post(chat_id, NewBody::text("never mind"), None);
    assert!(sara.cancel(cancelled));
    let (token, waiting) = (sara.token(), sara.outbox().len());
    assert_eq!(waiting, 2);
    sara.close().await;
    drop((sara, at_sara));

    // Still without a network: what was known is there.
    let store = FileStore::open(directory.path()).expect("opened again");
    let sara = Client::builder(&wire.url).store(store).with_token(token).await.expect("started");
    assert_eq!((texts(&sara, chat_id), sara.outbox().len()), (vec!["یک".to_owned()], 2));
    let mut at_sara = sara.events();
    wire.mend();
    sara.hurry();
    until(&mut at_sara, "sent", || sara.outbox().is_empty()).await;
    until(&mut at_reza, "received", || texts(&reza, chat_id) == ["یک", "دو", "سه"]).await;
}

#[tokio::test]
async fn nobodys_messages_go_out_in_anothers_name() {
    let server = Server::start();
    let store = Arc::new(MemoryStore::default());
    let builder = Client::builder(&server.url).store(Arc::clone(&store));
    let sara = builder.register("sara", "a long password", None).await.expect("registered");
    sara.online().await.expect("online");
    sara.close().await;
    person(&server.url, "reza").await;
    let refused = Client::builder(&server.url).store(store).sign_in("reza", "a long password").await;
    assert!(refused.is_err_and(|error| error.to_string().contains("another user")));
}

#[tokio::test]
async fn a_slow_reader_of_events_is_told_and_finds_everything_in_the_state() {
    let server = Server::start();
    let (sara, reza) = (person(&server.url, "sara").await, person(&server.url, "reza").await);
    let chat_id = sara.open_direct(reza.me().expect("known").id).await.expect("opened").chat.id;
    let mut slow = sara.events();
    let mut quick = sara.events();
    // More events than the queue holds: each post makes at least two.
    for number in 0..800 {
        sara.post(chat_id, NewBody::text(format!("{number}")), None);
        if number % 100 == 99 {
            until(&mut quick, "sent", || sara.outbox().iter().all(|it| !matches!(it.state, SendState::Waiting { .. })))
                .await;
        }
    }
    until(&mut quick, "in step", || sara.outbox().is_empty()).await;
    event(&mut slow, "the gap is told", |event| matches!(event, ClientEvent::Lagged(missed) if *missed > 0)).await;
    let held = texts(&sara, chat_id);
    assert_eq!((held.first().map(String::as_str), held.last().map(String::as_str)), (Some("300"), Some("799")));
}

#[tokio::test]
async fn a_silent_server_is_left() {
    // Accepts and says nothing: the attempt is given up and tried again.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let options = chapar_client::transport::Options {
        timeout: Duration::from_millis(50),
        ..chapar_client::transport::Options::default()
    };
    let client = Client::builder(url).transport(options).with_token("none").await.expect("started");
    let first = listener.accept().await.expect("a first attempt");
    let second = listener.accept().await.expect("and a second");
    drop((first, second));
    client.close().await;
}
