//! Whoever may read a file may send it on; theirs is a file of its own then.

use chapar_protocol::{
    Body, ErrorCode, FileId, FileKind,
    command::{Delete, GetFile, RemoveMember, Send},
};
use uuid::Uuid;

use crate::support::{
    Audit,
    files::{forwarded, photo, with_file},
    world::Plan,
};

#[tokio::test]
async fn it_lives_on_when_the_original_is_deleted() {
    let world = Plan::single().start().await;
    let [author, reader, friend] = world.people().await;
    let group = world.group(&author, &[&reader]).await;
    let direct = world.direct(&reader, &friend).await;
    for device in [&author, &reader, &friend] {
        device.connect(world.at(0)).await;
    }
    let file = world.file(&author, FileKind::Photo);
    let original = author.must(with_file(group, file, "of the author")).await.seq;
    // Not theirs, as long as they do not say from where they have it.
    assert_eq!(reader.refused(with_file(direct, file, "")).await.code, ErrorCode::FileNotFound);
    let body = forwarded(file, group, original);
    let forward = Send::new(direct, Uuid::new_v4(), body);
    let sent = reader.must(forward.clone()).await;
    let copy = copy_in(&world, &friend, direct, sent.seq).await;
    assert_ne!(copy, file);
    let content = |file: FileId| {
        world.database.sql(&format!(
            "SELECT f.blob, f.kind, f.name, f.size, array_agg(v.blob ORDER BY v.longer) FROM files f
             JOIN file_variants v ON v.file_id = f.id WHERE f.id = '{file}' GROUP BY f.id"
        ))
    };
    assert_eq!(content(copy), content(file));
    assert_eq!(reader.must(GetFile { file_id: copy }).await.sizes, [320, 1280]);

    author.must(Delete { chat_id: group, seq: original }).await;
    world
        .database
        .sql(&format!("DELETE FROM files WHERE id = '{file}'; DELETE FROM file_variants WHERE file_id = '{file}'"));
    // A retry says the same; a new one finds nothing there.
    assert_eq!(reader.must(forward.clone()).await, sent);
    let late = Send { client_id: Uuid::new_v4(), ..forward };
    assert_eq!(reader.refused(late).await.code, ErrorCode::FileNotFound);
    // What was forwarded is the forwarder's, and is sent on from there, by anybody who may read it.
    reader.must(with_file(group, copy, "again")).await;
    let on = Send::new(direct, Uuid::new_v4(), forwarded(copy, direct, sent.seq));
    let on = friend.must(on).await;
    assert_ne!(copy_in(&world, &reader, direct, on.seq).await, copy);
}

#[tokio::test]
async fn only_by_who_may_read_it() {
    let world = Plan::single().start().await;
    let [author, removed, stranger] = world.people().await;
    let group = world.group(&author, &[&removed]).await;
    let own = world.group(&removed, &[&stranger]).await;
    for device in [&author, &removed, &stranger] {
        device.connect(world.at(0)).await;
    }
    let (file, other) = (world.file(&author, FileKind::Photo), world.file(&author, FileKind::Photo));
    let seq = author.must(with_file(group, file, "")).await.seq;
    let text = author.say(group, "a text").await.seq;
    let send = |body| Send::new(own, Uuid::new_v4(), body);
    for (why, body) in [
        ("another file", forwarded(other, group, seq)),
        ("another message", forwarded(file, group, text)),
        ("another chat", forwarded(file, own, seq)),
        ("nobody's", photo(other, "")),
    ] {
        assert_eq!(removed.refused(send(body)).await.code, ErrorCode::FileNotFound, "{why}");
    }
    removed.must(send(forwarded(file, group, seq))).await;
    assert_eq!(stranger.refused(send(forwarded(file, group, seq))).await.code, ErrorCode::FileNotFound);
    author.must(RemoveMember { chat_id: group, user_id: removed.id(), reason: None }).await;
    assert_eq!(removed.refused(send(forwarded(file, group, seq))).await.code, ErrorCode::FileNotFound);
}

/// The file of a message, as somebody sees it.
async fn copy_in(
    world: &crate::support::World,
    reader: &crate::support::Device,
    chat: chapar_protocol::ChatId,
    seq: chapar_protocol::Seq,
) -> FileId {
    let audit = Audit::read(world.at(0), reader.token(), chat).await;
    let Body::Photo(photo) = &audit.messages[&seq].body else { panic!("a photo") };
    photo.file.id
}
