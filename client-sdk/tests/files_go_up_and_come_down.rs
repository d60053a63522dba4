//! Files arrive whole, whatever breaks on the way: the network, the server, the sender.

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use std::{path::Path, process::Stdio, time::Duration};

use chapar_client::{
    Client, ClientEvent, FileOf, FileOptions, FileSource, FileStore,
    protocol::{Body, ChatId, FileKind, Seq, media::Caption},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};
use world::{PATIENCE, Server, Wire, built, event, person, until};

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// The last message of a chat that has a file.
fn with_file(client: &Client, chat_id: ChatId) -> Option<(Seq, Body)> {
    let messages = client.messages(chat_id).into_iter().map(|view| view.message);
    messages.rev().find(|message| message.body.file().is_some()).map(|message| (message.seq, message.body))
}

#[tokio::test]
async fn over_a_network_that_is_cut_and_a_server_that_is_killed() {
    let mut server = Server::start();
    let wire = Wire::to(server.address()).await;
    let reza = person(&server.url, "reza").await;
    let directory = tempfile::tempdir().expect("a directory");
    let store = FileStore::open(directory.path().join("store")).expect("opened");
    let builder = Client::builder(&wire.url).store(store);
    let sara = builder.register("sara", "a long password", None).await.expect("registered");
    sara.online().await.expect("online");
    let chat_id = sara.open_direct(reza.me().expect("known").id).await.expect("opened").chat.id;
    let path = directory.path().join("فیلم سفر.bin");
    let bytes = noise(1, 12 * 1024 * 1024);
    std::fs::write(&path, &bytes).expect("written");
    let (mut at_sara, mut at_reza) = (sara.events(), reza.events());
    let caption = Caption { text: "از راه".into(), entities: Vec::new() };
    let options = FileOptions { caption, ..FileOptions::default() };
    let client_id = sara.post_file(chat_id, path, options).await.expect("in the outbox");
    // Words do not wait for it.
    sara.send(chat_id, chapar_client::protocol::message::NewBody::text("first"), None).await.expect("sent");
    for least in [1, 3 * 1024 * 1024] {
        event(&mut at_sara, "some of it is there", |event| {
            matches!(event, ClientEvent::Uploading { client_id: it, sent, .. } if *it == client_id && *sent >= least)
        })
        .await;
        wire.cut();
        tokio::time::sleep(Duration::from_millis(100)).await;
        wire.mend();
    }
    server.stop("KILL");
    server.start_again(&["--messages-per-second", "0"]);
    until(&mut at_sara, "sent", || sara.outbox().is_empty()).await;
    until(&mut at_reza, "received", || with_file(&reza, chat_id).is_some()).await;
    let (seq, body) = with_file(&reza, chat_id).expect("received");
    let (file, caption) = (body.file().expect("has one"), body.caption().expect("has one"));
    assert_eq!((file.size, file.name.as_deref()), (bytes.len() as u64, Some("فیلم سفر.bin")));
    assert_eq!(caption.text, "از راه");
    let saved = directory.path().join("saved");
    let of = FileOf { chat_id, seq, file_id: file.id, size: None };
    // Half of it is there from an earlier try.
    std::fs::write(directory.path().join("saved.part"), &bytes[..5_000_000]).expect("written");
    let mut told = Vec::new();
    reza.save(of, &saved, |there, size| told.push((there, size))).await.expect("saved");
    assert!(std::fs::read(&saved).expect("is there") == bytes, "every byte");
    assert!(told.first().is_some_and(|it| it.0 > 5_000_000) && told.is_sorted(), "it went on where it was");
    let mut part = reza.download(of, 1_000_000).await.expect("begun");
    let first = part.next().await.expect("goes on").expect("some bytes");
    assert_eq!((part.from, part.size), (1_000_000, Some(bytes.len() as u64)));
    assert_eq!(first[..], bytes[1_000_000..1_000_000 + first.len()]);
}

#[tokio::test]
async fn what_is_given_as_bytes_and_what_is_taken_back() {
    let server = Server::start();
    let (sara, reza) = (person(&server.url, "sara").await, person(&server.url, "reza").await);
    let chat_id = sara.open_direct(reza.me().expect("known").id).await.expect("opened").chat.id;
    let bytes = noise(2, 300_000);
    let source = FileSource::Bytes { name: Some("a.bin".into()), bytes: bytes.clone().into() };
    let sent = sara.send_file(chat_id, source, FileOptions::default()).await.expect("sent");
    let mut download = {
        let page = reza.history(chat_id, sent.seq, 0, 1).await.expect("read");
        let file = page.messages[0].body.file().expect("has one").id;
        reza.download(FileOf { chat_id, seq: sent.seq, file_id: file, size: None }, 0).await.expect("begun")
    };
    let mut came = Vec::new();
    while let Some(some) = download.next().await.expect("goes on") {
        came.extend_from_slice(&some);
    }
    assert!(came == bytes, "every byte");
    // What is no such thing is refused before anybody sees it, and stays in the outbox as failed.
    let text = FileSource::Bytes { name: Some("photo.jpg".into()), bytes: b"no photo at all".to_vec().into() };
    let options = FileOptions { kind: Some(FileKind::Photo), ..FileOptions::default() };
    let error = sara.send_file(chat_id, text, options).await.expect_err("refused");
    assert_eq!(error.code(), "file_refused", "{error}");
    let failed: Vec<_> = sara.outbox().into_iter().map(|it| it.item.client_id).collect();
    assert_eq!(failed.len(), 1);
    assert!(sara.cancel(failed[0]) && sara.outbox().is_empty());
}

#[tokio::test]
async fn what_is_taken_back_while_it_goes_up_is_forgotten_by_the_server() {
    let server = Server::start();
    let (sara, reza) = (person(&server.url, "sara").await, person(&server.url, "reza").await);
    let chat_id = sara.open_direct(reza.me().expect("known").id).await.expect("opened").chat.id;
    let mut at_sara = sara.events();
    let source = FileSource::Bytes { name: Some("film.bin".into()), bytes: noise(3, 60 * 1024 * 1024).into() };
    let client_id = sara.post_file(chat_id, source, FileOptions::default()).await.expect("in the outbox");
    event(
        &mut at_sara,
        "some of it is there",
        |event| matches!(event, ClientEvent::Uploading { sent, size, .. } if *sent > 0 && sent < size),
    )
    .await;
    let item = sara.outbox().into_iter().find(|it| it.item.client_id == client_id).expect("is on its way").item;
    let file = item.upload.and_then(|it| it.id).expect("has begun");
    assert!(sara.cancel(client_id) && sara.outbox().is_empty());
    let began = std::time::Instant::now();
    while sara.file(file).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(20), "the server still keeps what nobody wants");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(with_file(&reza, chat_id).is_none());
}

struct Terminal {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    fn open(url: &str, handle: &str, store: &Path, register: bool) -> Self {
        let mut process = Command::new(built("examples/chat"))
            .args(["--url", url, "--handle", handle, "--password", "a long password", "--store"])
            .arg(store)
            .args(register.then_some("--register"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the example starts");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { process, input, output }
    }

    async fn types(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("typed");
    }

    /// The first line that holds this.
    async fn shows(&mut self, wanted: &str) -> String {
        let mut seen = Vec::new();
        let wait = async {
            while let Some(line) = self.output.next_line().await.expect("a line") {
                if line.contains(wanted) {
                    return Some(line);
                }
                seen.push(line);
            }
            None
        };
        let found = tokio::time::timeout(PATIENCE, wait).await.unwrap_or(None);
        found.unwrap_or_else(|| panic!("never shown: {wanted}\nbut: {seen:#?}"))
    }
}

#[tokio::test]
async fn from_a_terminal_that_is_killed_in_the_middle() {
    let server = Server::start();
    let wire = Wire::to(server.address()).await;
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let bytes = noise(3, 40 * 1024 * 1024);
    std::fs::write(at("large.bin"), &bytes).expect("written");
    let mut reza = Terminal::open(&server.url, "reza", &at("reza"), true);
    reza.shows("you are @reza").await;
    let mut sara = Terminal::open(&wire.url, "sara", &at("sara"), true);
    sara.types("/open @reza").await;
    sara.shows("@reza (chat").await;
    sara.types(&format!("/file {} from the road", at("large.bin").display())).await;
    sara.shows("25 % of the file").await;
    wire.cut();
    sara.process.start_kill().expect("SIGKILL");
    sara.process.wait().await.expect("it ends");
    wire.mend();
    let mut sara = Terminal::open(&wire.url, "sara", &at("sara"), false);
    sara.shows("100 % of the file").await;
    reza.types("/open @sara").await;
    let line = reza.shows("from the road").await;
    let seq = line.split_whitespace().find(|word| word.starts_with('#')).expect("a number").to_owned();
    assert!(line.contains("document") && line.contains("large.bin"), "{line}");
    reza.types(&format!("/save {seq} {}", at("saved.bin").display())).await;
    reza.shows("— saved").await;
    assert!(std::fs::read(at("saved.bin")).expect("is there") == bytes, "every byte");
}
