//! Complete files lie on S3: small ones and ones in parts, read in ranges from any node, and taken away. Against a real S3 server, moto,
//! where `CHAPAR_MOTO_SERVER` names its program: `script/test-files` installs it.

use std::{process::Command, time::Duration};

use chapar_protocol::{FileId, Seq, Timestamp, command::Send, message::NewBody};
use chapar_server::files::{Grant, Links};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::support::{
    http,
    process::Process,
    tus::{self, Tus, noise},
    within,
    world::Plan,
};

#[tokio::test]
async fn and_every_node_reads_them() {
    let Ok(program) = std::env::var("CHAPAR_MOTO_SERVER") else {
        println!("skipped: CHAPAR_MOTO_SERVER does not name moto_server (script/test-files)");
        return;
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let directory = tempfile::tempdir().expect("temp dir");
    let mut command = Command::new(program);
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    let mut moto = Process::start(command, &directory.path().join("log"));
    let s3: std::net::SocketAddr = ([127, 0, 0, 1], port).into();
    within("moto to make a bucket", async {
        loop {
            let made = tus::ask(s3, "PUT", "/chapar-media", &[], &[], None).await;
            if made.is_ok_and(|answer| answer.status == 200) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let endpoint = format!("http://{s3}");
    let world = Plan::pair()
        .flags(&["--blob-url", "s3://chapar-media/files", "--s3-endpoint", &endpoint])
        .flags(&["--s3-access-key", "AKIATEST", "--s3-secret-key", "not-a-secret"])
        .start()
        .await;
    let [me] = world.people().await;
    let chat = world.group(&me, &[]).await;
    let hex = world.database.sql("SELECT encode(key, 'hex') FROM file_keys");
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    let links = Links::new(&(0..hex.len()).step_by(2).map(byte).collect::<Vec<u8>>());
    let until =
        Timestamp::from_millis(Timestamp::from(OffsetDateTime::now_utc()).as_millis() + 3_600_000).expect("a time");
    let tus = Tus::of(&world, &me);
    for (n, length) in [100, 9_000_000, 20_000_001].into_iter().enumerate() {
        let bytes = noise(n as u64, length);
        let file = tus.upload(&world, "document", "a", &bytes).await;
        let body: NewBody = serde_json::from_value(json!({ "kind": "document", "file_id": file })).expect("a body");
        let send = Send::new(chat, Uuid::new_v4(), body);
        let seq: Seq = http::call(world.at(0), me.token(), &send).await.expect("sent").seq;
        let file = FileId(Uuid::parse_str(&file).expect("an id"));
        let path = links.sign(&Grant { user: me.id(), chat, seq, file, size: None }, until);
        // The node that has not received it.
        let whole = tus::ask(world.at(1), "GET", &path, &[], &[], None).await.expect("an answer");
        assert_eq!((whole.status, whole.body == bytes), (200, true), "{length} bytes");
        let range = [("Range", "bytes=50-98".to_owned())];
        let fifty = tus::ask(world.at(1), "GET", &path, &range, &[], None).await.expect("an answer");
        assert_eq!((fifty.status, fifty.body == bytes[50..99]), (206, true));
    }
    let listed =
        || async { tus::ask(s3, "GET", "/chapar-media?list-type=2", &[], &[], None).await.expect("an answer").body };
    let count = |body: &[u8]| String::from_utf8_lossy(body).matches("<Key>files/").count();
    assert_eq!(count(&listed().await), 3);
    // When nobody names them any more they go there, too.
    world.database.sql("DELETE FROM messages; DELETE FROM file_uses");
    within("the objects to be taken away", async {
        while count(&listed().await) > 0 {
            world.database.sql(
                "UPDATE files SET kept_until = now() - interval '2 days';
                 UPDATE blobs SET doubted_at = now() - interval '2 days';
                 UPDATE blob_trash SET due = now() - interval '1 second';
                 UPDATE jobs SET run_at = now() WHERE kind = 'collect_files' AND lease IS NULL",
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    })
    .await;
    moto.kill();
}
