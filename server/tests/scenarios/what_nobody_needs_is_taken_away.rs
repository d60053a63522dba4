//! Files that no message names go, and content that no file names; what somebody sends at the same time stays.

use std::{path::Path, time::Duration};

use chapar_protocol::{
    ChatId, FileId, FileKind, PackId,
    command::{Delete, DeleteStickerPack, Send, SetStickerPack},
    message::NewBody,
    sticker::NewPackSticker,
};
use serde_json::json;
use uuid::Uuid;

use crate::support::{
    Device, World, http,
    tus::{self, Tus, noise},
    within,
    world::Plan,
};

async fn send_document(world: &World, by: &Device, chat_id: ChatId, file: &str) -> chapar_protocol::Seq {
    let body: NewBody = serde_json::from_value(json!({ "kind": "document", "file_id": file })).expect("a body");
    let send = Send::new(chat_id, Uuid::new_v4(), body);
    http::call(world.at(0), by.token(), &send).await.expect("sent").seq
}

async fn until(world: &World, what: &str, sql: &str, expected: &str) {
    within(what, async {
        while world.database.sql(sql).trim() != expected {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// Two days go by for files and content, and the collector has its turn.
async fn two_days_later(world: &World) {
    world.database.sql(
        "UPDATE files SET kept_until = kept_until - interval '2 days';
         UPDATE blobs SET doubted_at = doubted_at - interval '2 days';
         UPDATE blob_trash SET due = due - interval '2 days'",
    );
    collect(world).await;
}

async fn collect(world: &World) {
    // A try that is under way has begun too early.
    let ask = "WITH asked AS (
            UPDATE jobs SET run_at = now(), last_error = 'asked' WHERE kind = 'collect_files' AND lease IS NULL RETURNING 1
        ) SELECT count(*) FROM asked";
    until(world, "the collector to rest", ask, "1").await;
    let done = "SELECT last_error IS NULL AND lease IS NULL FROM jobs WHERE kind = 'collect_files'";
    until(world, "the collector", done, "t").await;
}

fn objects(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { objects(&entry.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn and_what_a_message_names_stays() {
    let seed = tus::seed();
    let world = Plan::single().start().await;
    let [me] = world.people().await;
    let chat = world.group(&me, &[]).await;
    let tus = Tus::of(&world, &me);
    let dir = world.directory().join("node0/data/files/objects");
    let (named, unnamed) = (noise(seed, 100_000), noise(seed + 1, 100_000));
    let one = tus.upload(&world, "document", "a", &named).await;
    tus.upload(&world, "document", "b", &unnamed).await;
    let open = tus.create("document", "c", 1000).await;
    let seq = send_document(&world, &me, chat, &one).await;
    until(&world, "the use to be known", "SELECT count(*) FROM file_uses", "1").await;
    assert_eq!(objects(&dir), 2);
    two_days_later(&world).await;
    two_days_later(&world).await;
    assert_eq!(world.database.sql(&format!("SELECT count(*) FROM files WHERE id = '{one}'")), "1");
    assert_eq!(world.database.sql("SELECT count(*) FROM files WHERE state = 'ready'"), "1");
    assert_eq!(world.database.sql("SELECT count(*) FROM blobs"), "1");
    two_days_later(&world).await;
    assert_eq!(objects(&dir), 1);
    // An upload that was given up is told so for a week.
    assert_eq!(tus.must("HEAD", &open, &[], &[]).await.status, 410);
    http::call(world.at(0), me.token(), &Delete { chat_id: chat, seq }).await.expect("deleted");
    until(&world, "the use to be over", "SELECT count(*) FROM file_uses", "0").await;
    for _ in 0..4 {
        two_days_later(&world).await;
    }
    assert_eq!(world.database.sql("SELECT count(*) FROM files"), "0");
    assert_eq!(world.database.sql("SELECT count(*) FROM blobs"), "0");
    assert_eq!(objects(&dir), 0);
    assert_eq!(world.database.sql("SELECT count(*) FROM blob_trash"), "0");
}

#[tokio::test]
async fn and_what_stands_in_a_pack_of_stickers_stays() {
    let world = Plan::single().start().await;
    let [me, friend] = world.people().await;
    let direct = world.direct(&me, &friend).await;
    let [kept, shown, unnamed] = [(); 3].map(|()| world.file(&me, FileKind::Sticker));
    let pack_id = PackId(Uuid::new_v4());
    let stickers = [kept, shown].map(|file_id| NewPackSticker { file_id, emoji: None }).to_vec();
    let set = SetStickerPack { pack_id, title: "x".into(), stickers };
    http::call(world.at(0), me.token(), &set).await.expect("made");
    two_days_later(&world).await;
    two_days_later(&world).await;
    let left = |files: &[FileId]| {
        let named: Vec<_> = files.iter().map(|file| format!("'{file}'")).collect();
        world.database.sql(&format!("SELECT count(*) FROM files WHERE id IN ({})", named.join(",")))
    };
    assert_eq!(left(&[kept, shown, unnamed]), "2");
    // Whoever sends it keeps it, also when the pack is gone at that moment.
    let json = json!({ "kind": "sticker", "file_id": shown, "pack_id": pack_id });
    let body: NewBody = serde_json::from_value(json).expect("a body");
    let send = Send::new(direct, Uuid::new_v4(), body);
    http::call(world.at(0), friend.token(), &send).await.expect("sent");
    http::call(world.at(0), me.token(), &DeleteStickerPack { pack_id }).await.expect("deleted");
    until(&world, "the use to be known", "SELECT count(*) FROM file_uses", "1").await;
    two_days_later(&world).await;
    two_days_later(&world).await;
    assert_eq!((left(&[kept]), left(&[shown])), ("0".to_owned(), "1".to_owned()));
}

#[tokio::test]
async fn while_others_send_the_same_content_at_the_same_time() {
    let seed = tus::seed();
    let world = Plan::single().start().await;
    let [me, other] = world.people().await;
    let chat = world.group(&me, &[&other]).await;
    let bytes = noise(seed, 50_000);
    let dir = world.directory().join("node0/data/files/objects");
    let upload = async |by: &Device| {
        let tus = Tus::of(&world, by);
        for _ in 0..6 {
            let file = tus.upload(&world, "document", "a", &bytes).await;
            send_document(&world, by, chat, &file).await;
        }
    };
    let age = async {
        // What is in use is aged and collected again and again, while it is sent anew.
        for _ in 0..12 {
            world.database.sql(
                "UPDATE blobs SET doubted_at = coalesce(doubted_at, now()) - interval '59 minutes 58 seconds'
                     WHERE doubted_at IS NULL OR doubted_at > now() - interval '1 minute';
                 UPDATE blob_trash SET due = now() - interval '1 second' WHERE key NOT IN (SELECT key FROM blobs)
                     AND due < now() + interval '1 hour'",
            );
            collect(&world).await;
        }
    };
    tokio::join!(upload(&me), upload(&other), age);
    assert_eq!(world.database.sql("SELECT count(*) FROM files WHERE state = 'ready'"), "12");
    let lost = "SELECT count(*) FROM files f LEFT JOIN blobs b ON b.sha256 = f.blob WHERE b.key IS NULL";
    assert_eq!(world.database.sql(lost), "0", "every file has its content");
    let key = world.database.sql("SELECT replace(key::text, '-', '') FROM blobs");
    assert!(!key.contains('\n'), "stored once: {key}");
    let object = dir.join(&key[..2]).join(&key);
    assert!(std::fs::read(object).expect("there") == bytes);
}
