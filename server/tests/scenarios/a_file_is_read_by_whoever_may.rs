//! A link opens a file to whom it was given, as long as they may read the message: in parts, as what the file is, and so that nothing in it
//! runs.

use std::time::Duration;

use chapar_protocol::{
    ChatId, FileId, Seq, Timestamp,
    command::{Delete, RemoveMember, Send},
    message::NewBody,
};
use chapar_server::files::{Grant, Links};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::support::{
    Device, World, http,
    tus::{self, Answer, Tus, noise},
    within,
    world::Plan,
};

fn now() -> Timestamp {
    OffsetDateTime::now_utc().into()
}

fn in_an_hour() -> Timestamp {
    Timestamp::from_millis(now().as_millis() + 3_600_000).expect("a time")
}

fn links(world: &World) -> Links {
    let hex = world.database.sql("SELECT encode(key, 'hex') FROM file_keys");
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    Links::new(&(0..hex.len()).step_by(2).map(byte).collect::<Vec<u8>>())
}

async fn send_document(world: &World, by: &Device, chat_id: ChatId, file: &str) -> Seq {
    let body: NewBody = serde_json::from_value(json!({ "kind": "document", "file_id": file })).expect("a body");
    let send = Send::new(chat_id, Uuid::new_v4(), body);
    http::call(world.at(0), by.token(), &send).await.expect("sent").seq
}

async fn read(world: &World, path: &str, headers: &[(&str, &str)]) -> Answer {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    tus::ask(world.at(0), "GET", path, &headers, &[], None).await.expect("an answer")
}

#[tokio::test]
async fn as_long_as_they_may_read_the_message() {
    let seed = tus::seed();
    let world = Plan::single().start().await;
    let [me, reader, stranger] = world.people().await;
    let chat = world.group(&me, &[&reader]).await;
    let bytes = noise(seed, 700_000);
    let file = Tus::of(&world, &me).upload(&world, "document", "نامه \"ها\".bin", &bytes).await;
    let seq = send_document(&world, &me, chat, &file).await;
    let links = links(&world);
    let file = FileId(Uuid::parse_str(&file).expect("an id"));
    let grant = Grant { user: reader.id(), chat, seq, file, size: None };
    let path = links.sign(&grant, in_an_hour());

    let whole = read(&world, &path, &[]).await;
    assert_eq!((whole.status, whole.body == bytes), (200, true));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    assert!(whole.header("content-security-policy").contains("sandbox"));
    assert!(whole.header("cache-control").starts_with("private, max-age="));
    assert_eq!(
        whole.header("content-disposition"),
        "attachment; filename=\"____ ____.bin\"; filename*=UTF-8''%D9%86%D8%A7%D9%85%D9%87%20%22%D9%87%D8%A7%22.bin"
    );
    let tag = whole.header("etag").to_owned();
    let part = read(&world, &path, &[("Range", "bytes=100000-199999")]).await;
    assert_eq!((part.status, part.header("content-range")), (206, "bytes 100000-199999/700000"));
    assert!(part.body == bytes[100_000..200_000]);
    let last = read(&world, &path, &[("Range", "bytes=-5"), ("If-Range", &tag)]).await;
    assert!(last.status == 206 && last.body == bytes[699_995..]);
    let beyond = read(&world, &path, &[("Range", "bytes=700000-")]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */700000"));
    let other = read(&world, &path, &[("Range", "bytes=0-1"), ("If-Range", "\"another\"")]).await;
    assert_eq!((other.status, other.body.len()), (200, bytes.len()));
    assert_eq!(read(&world, &path, &[("If-None-Match", &tag)]).await.status, 304);

    for (what, grant) in [
        ("a stranger", Grant { user: stranger.id(), ..grant }),
        ("another message", Grant { seq: Seq(seq.0 + 1), ..grant }),
        ("another file", Grant { file: FileId(Uuid::new_v4()), ..grant }),
        ("a size that there is not", Grant { size: Some(320), ..grant }),
    ] {
        let nothing = read(&world, &links.sign(&grant, in_an_hour()), &[]).await;
        assert_eq!((nothing.status, nothing.code().as_str()), (404, "file_not_found"), "{what}");
    }
    let over = read(&world, &links.sign(&grant, now()), &[]).await;
    assert_eq!((over.status, over.code().as_str()), (403, "forbidden"));
    assert_eq!(read(&world, &format!("{path}A"), &[]).await.status, 403);

    // Whoever was removed has nothing of an old link; nor has anybody when the message is deleted.
    http::call(world.at(0), me.token(), &RemoveMember { chat_id: chat, user_id: reader.id(), reason: None })
        .await
        .expect("removed");
    assert_eq!(read(&world, &path, &[]).await.status, 404);
    let own = links.sign(&Grant { user: me.id(), ..grant }, in_an_hour());
    assert_eq!(read(&world, &own, &[]).await.status, 200);
    http::call(world.at(0), me.token(), &Delete { chat_id: chat, seq }).await.expect("deleted");
    assert_eq!(read(&world, &own, &[]).await.status, 404);
}

#[tokio::test]
async fn and_what_is_in_it_runs_nowhere() {
    let world = Plan::single().start().await;
    let [me] = world.people().await;
    let chat = world.group(&me, &[]).await;
    let (tus, links) = (Tus::of(&world, &me), links(&world));
    let jpeg: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F'];
    let svg: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (name, bytes, mime, how) in [
        ("a.jpg", jpeg, "image/jpeg", "inline"),
        ("photo.jpg", svg, "application/octet-stream", "attachment"),
        ("page.html", b"<!doctype html><script>alert(1)</script>", "application/octet-stream", "attachment"),
    ] {
        let file = tus.upload(&world, "document", name, bytes).await;
        let seq = send_document(&world, &me, chat, &file).await;
        let file = FileId(Uuid::parse_str(&file).expect("an id"));
        let path = links.sign(&Grant { user: me.id(), chat, seq, file, size: None }, in_an_hour());
        let answer = read(&world, &path, &[]).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, mime), "{name}");
        assert!(answer.header("content-disposition").starts_with(how), "{answer:?}");
        let saved = read(&world, &format!("{path}?download"), &[]).await;
        assert!(saved.header("content-disposition").starts_with("attachment"), "{saved:?}");
    }
}

#[tokio::test]
async fn a_slow_reader_keeps_nobody_from_the_database() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let seed = tus::seed();
    let world = Plan::single().start().await;
    let [me] = world.people().await;
    let chat = world.group(&me, &[]).await;
    let bytes = noise(seed, 24_000_000);
    let file = Tus::of(&world, &me).upload(&world, "document", "a", &bytes).await;
    let seq = send_document(&world, &me, chat, &file).await;
    let file = FileId(Uuid::parse_str(&file).expect("an id"));
    let path = links(&world).sign(&Grant { user: me.id(), chat, seq, file, size: None }, in_an_hour());
    let before = world.nodes[0].memory();
    let mut readers = Vec::new();
    for _ in 0..60 {
        let mut stream = tokio::net::TcpStream::connect(world.at(0)).await.expect("connected");
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.expect("sent");
        let mut first = [0; 1000];
        within("the first bytes", stream.read_exact(&mut first)).await.expect("read");
        readers.push(stream);
    }
    // More of them than there are connections to the database, and each command is answered at once.
    for _ in 0..20 {
        let asked = tokio::time::timeout(Duration::from_secs(5), http::get(world.at(0), "/readyz")).await;
        assert_eq!(asked.expect("in time").status, 200);
    }
    let grown = world.nodes[0].memory().saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "60 slow readers take {grown} bytes");
    drop(readers);
}
