//! What others see of a file is what the server found, whoever sent it and whatever was said of it; and nobody sends what is not theirs, or
//! not ready.

use std::time::Duration;

use chapar_protocol::{
    Body, ErrorCode, Event, FileId, FileKind, OwnItem, Seq,
    command::{Delete, Edit, GetFile, GetLinks, GetUsers, React, RemoveMember, Send, SetAvatar, SetItems},
    item::Block,
    media::{FileAt, FileState, NamedFile, NewDocument, NewVoice},
    message::NewBody,
};
use uuid::Uuid;

use crate::support::{
    Audit, Device, World,
    files::{photo, with_file},
    within,
    world::Plan,
};

fn body(device: &Device, chat: chapar_protocol::ChatId, seq: Seq) -> Option<Body> {
    device.model().chats.get(&chat)?.messages.get(&seq).map(|message| message.body.clone())
}

async fn sees(device: &Device, chat: chapar_protocol::ChatId, seq: Seq) -> Body {
    device.until("the message", |model| model.chats.get(&chat).is_some_and(|it| it.messages.contains_key(&seq))).await;
    body(device, chat, seq).expect("is there")
}

#[tokio::test]
async fn others_see_what_the_server_found() {
    let world = Plan::pair().start().await;
    let [sender, reader] = world.people().await;
    let chat = world.direct(&sender, &reader).await;
    sender.connect(world.at(0)).await;
    reader.connect(world.at(1)).await;
    let file = world.file(&sender, FileKind::Photo);
    let sent = sender.must(with_file(chat, file, "از حرم")).await;
    let Body::Photo(seen) = sees(&reader, chat, sent.seq).await else { panic!("a photo") };
    assert_eq!((seen.file.id, seen.file.size, seen.file.mime.as_str()), (file, 1000, "image/jpeg"));
    assert_eq!(seen.file.name.as_deref(), Some("حرم.jpg"));
    assert_eq!((seen.width, seen.height, seen.sizes.as_slice()), (4000, 3000, &[320, 1280][..]));
    assert_eq!((seen.preview.as_deref(), seen.caption.text.as_str()), (Some("AAAAAAA"), "از حرم"));

    // Another text under it, of the same file, and nothing else.
    sender.must(Edit { chat_id: chat, seq: sent.seq, body: photo(file, "از حرم، امروز") }).await;
    reader
        .until("the other text", |model| {
            let message = model.chats.get(&chat).and_then(|it| it.messages.get(&sent.seq));
            message.and_then(|it| it.body.caption()).is_some_and(|it| it.text == "از حرم، امروز")
        })
        .await;
    let Some(Body::Photo(edited)) = body(&reader, chat, sent.seq) else { panic!("a photo") };
    assert_eq!((edited.file, edited.sizes), (seen.file, seen.sizes));
    let other = world.file(&sender, FileKind::Photo);
    let swap = Edit { chat_id: chat, seq: sent.seq, body: photo(other, "x") };
    assert_eq!(sender.refused(swap).await.code, ErrorCode::Forbidden);
    Audit::read(world.at(0), reader.token(), chat).await.equals(&reader, world.at(0)).await;
}

#[tokio::test]
async fn nobody_sends_what_is_not_theirs_or_not_ready_or_something_else() {
    let world = Plan::single().start().await;
    let [sender, other] = world.people().await;
    let chat = world.direct(&sender, &other).await;
    for device in [&sender, &other] {
        device.connect(world.at(0)).await;
    }
    let foreign = world.file(&other, FileKind::Photo);
    let nothing = FileId(Uuid::new_v4());
    for file in [foreign, nothing] {
        assert_eq!(sender.refused(with_file(chat, file, "")).await.code, ErrorCode::FileNotFound);
        assert_eq!(sender.refused(GetFile { file_id: file }).await.code, ErrorCode::FileNotFound);
    }
    for (state, code) in [
        ("uploading", ErrorCode::FileNotReady),
        ("preparing", ErrorCode::FileNotReady),
        ("refused", ErrorCode::FileRefused),
        ("held", ErrorCode::FileHeld),
    ] {
        let file = world.file_in(&sender, FileKind::Photo, state);
        let message = with_file(chat, file, "");
        let error = sender.refused(message.clone()).await;
        assert_eq!((error.code, error.retry_after_ms.is_some()), (code, code == ErrorCode::FileNotReady), "{state}");
        let info = sender.must(GetFile { file_id: file }).await;
        assert_eq!(serde_json::to_value(info.state).expect("a word"), state);
        // The outbox tries again, with the same client id.
        world.database.sql(&format!("UPDATE files SET state = 'ready' WHERE id = '{file}'"));
        sender.must(message).await;
    }
    let voice = world.file(&sender, FileKind::Voice);
    assert_eq!(sender.refused(with_file(chat, voice, "")).await.code, ErrorCode::FileRefused, "a voice is no photo");
    let named = NamedFile { file_id: voice, from: None };
    let caption = chapar_protocol::media::Caption::default();
    let document = NewBody::Document(NewDocument { file: named, caption: caption.clone(), album: None });
    let send = |body| Send::new(chat, Uuid::new_v4(), body);
    assert_eq!(sender.refused(send(document)).await.code, ErrorCode::FileRefused, "nor a document");
    let speech = |waveform: &str| {
        let waveform = Some(waveform.to_owned());
        NewBody::Voice(NewVoice { file: named, duration_ms: Some(9), waveform, caption: caption.clone() })
    };
    assert_eq!(sender.refused(send(speech("short"))).await.code, ErrorCode::BadRequest);
    sender.must(send(speech(&"f".repeat(84)))).await;
    // Whoever is not in the chat learns that, and not whether the file is there.
    let elsewhere = world.group(&other, &[]).await;
    let own = world.file(&sender, FileKind::Photo);
    for file in [own, nothing] {
        assert_eq!(sender.refused(with_file(elsewhere, file, "")).await.code, ErrorCode::ChatNotFound);
    }
}

#[tokio::test]
async fn a_retry_finds_its_message_also_when_the_file_is_gone() {
    let world = Plan::single().start().await;
    let [sender, reader] = world.people().await;
    let chat = world.direct(&sender, &reader).await;
    for device in [&sender, &reader] {
        device.connect(world.at(0)).await;
    }
    let file = world.file(&sender, FileKind::Photo);
    let message = with_file(chat, file, "");
    let sent = sender.must(message.clone()).await;
    assert_eq!(sender.must(message.clone()).await, sent);
    sender.must(Delete { chat_id: chat, seq: sent.seq }).await;
    world.database.sql(&format!("DELETE FROM files WHERE id = '{file}'"));
    assert_eq!(sender.must(message.clone()).await.seq, sent.seq);
    let other = Send { body: photo(file, "something else"), ..message };
    assert_eq!(sender.refused(other).await.code, ErrorCode::ClientIdReused);
    assert_eq!(sender.refused(with_file(chat, file, "")).await.code, ErrorCode::FileNotFound);
    assert_eq!(sees(&reader, chat, sent.seq).await, Body::Deleted);
}

/// Which messages name a file is known soon, and stays so whatever is told again.
#[tokio::test]
async fn who_collects_files_knows_which_are_named() {
    let world = Plan::pair().start().await;
    let [sender, reader] = world.people().await;
    let chat = world.group(&sender, &[&reader]).await;
    for device in [&sender, &reader] {
        device.connect(world.at(0)).await;
    }
    let (file, other) = (world.file(&sender, FileKind::Photo), world.file(&sender, FileKind::Photo));
    let first = sender.must(with_file(chat, file, "")).await.seq;
    sender.say(chat, "between").await;
    let second = sender.must(with_file(chat, file, "again")).await.seq;
    let third = sender.must(with_file(chat, other, "")).await.seq;
    comes_to_be(&world, file, &[first, second]).await;
    comes_to_be(&world, other, &[third]).await;
    sender.must(Edit { chat_id: chat, seq: first, body: photo(file, "edited") }).await;
    // The version of a message moves by a reaction, too.
    reader.must(React { chat_id: chat, seq: first, emoji: Some("🌹".into()) }).await;
    sender.must(Delete { chat_id: chat, seq: second }).await;
    sender.must(Delete { chat_id: chat, seq: third }).await;
    comes_to_be(&world, file, &[first]).await;
    comes_to_be(&world, other, &[]).await;
    // All of it once more, after something was noted that is not so.
    world.database.sql(&format!(
        "DELETE FROM feed_cursors WHERE consumer = 'file_uses';
         INSERT INTO file_uses (file_id, chat_id, seq) VALUES ('{other}', {chat}, {first})"
    ));
    comes_to_be(&world, other, &[]).await;
    comes_to_be(&world, file, &[first]).await;
    assert_eq!(world.database.sql(&format!("SELECT kept_until IS NULL FROM files WHERE id = '{other}'")), "f");
}

async fn comes_to_be(world: &World, file: FileId, seqs: &[Seq]) {
    let seqs: Vec<i64> = seqs.iter().map(|seq| seq.0).collect();
    let wait = async {
        while world.uses(file) != seqs {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(&format!("the uses {seqs:?}"), wait).await;
}

/// Links are for who may read the message, for each of its files and nothing else.
#[tokio::test]
async fn whoever_may_read_a_message_gets_links_to_its_files() {
    let world = Plan::single().start().await;
    let [sender, reader, stranger] = world.people().await;
    let chat = world.group(&sender, &[&reader]).await;
    for device in [&sender, &reader, &stranger] {
        device.connect(world.at(0)).await;
    }
    let (file, other) = (world.file(&sender, FileKind::Photo), world.file(&sender, FileKind::Photo));
    let seq = sender.must(with_file(chat, file, "")).await.seq;
    let text = sender.say(chat, "a text").await.seq;
    let gone = sender.must(with_file(chat, other, "")).await.seq;
    sender.must(Delete { chat_id: chat, seq: gone }).await;
    let ask = |files: &[(Seq, FileId)]| {
        let files = files.iter().map(|&(seq, file_id)| FileAt { seq, file_id }).collect();
        GetLinks { chat_id: chat, files }
    };
    let answer = reader.must(ask(&[(seq, file), (seq, other), (text, file), (gone, other), (Seq(99), file)])).await;
    let sizes: Vec<_> = answer.links.iter().map(|link| (link.file_id, link.size.as_str())).collect();
    assert_eq!(sizes, [(file, "original"), (file, "320"), (file, "1280")]);
    assert!(answer.links.iter().all(|link| link.url.starts_with("/files/d/")), "{answer:?}");
    let sender_has = sender.must(ask(&[(seq, file)])).await;
    assert_ne!(sender_has.links[0].url, answer.links[0].url, "each reader has links of their own");
    assert_eq!(stranger.refused(ask(&[(seq, file)])).await.code, ErrorCode::ChatNotFound);
    assert_eq!(reader.refused(ask(&[(seq, file); 101])).await.code, ErrorCode::TooLarge);
    sender.must(RemoveMember { chat_id: chat, user_id: reader.id(), reason: None }).await;
    assert_eq!(reader.refused(ask(&[(seq, file)])).await.code, ErrorCode::ChatNotFound);
}

#[tokio::test]
async fn a_picture_of_oneself_is_seen_by_those_who_know_one() {
    let world = Plan::pair().start().await;
    let [sara, friend] = world.people().await;
    world.direct(&sara, &friend).await;
    sara.connect(world.at(0)).await;
    friend.connect(world.at(1)).await;
    let picture = world.file(&sara, FileKind::Avatar);
    for (file, code) in [
        (world.file(&friend, FileKind::Avatar), ErrorCode::FileNotFound),
        (world.file(&sara, FileKind::Photo), ErrorCode::FileRefused),
        (world.file_in(&sara, FileKind::Avatar, "preparing"), ErrorCode::FileNotReady),
    ] {
        assert_eq!(sara.refused(SetAvatar { file_id: Some(file) }).await.code, code);
    }
    let answer = sara.must(SetAvatar { file_id: Some(picture) }).await;
    assert_eq!(answer.photo, Some(picture));
    let told = |event: &Event| matches!(event, Event::User(user) if *user == answer).then_some(());
    friend.event("the picture", told).await;
    let users = friend.must(GetUsers { user_ids: vec![sara.id()] }).await.users;
    assert_eq!(users, std::slice::from_ref(&answer));
    // It goes with the name: also to whom one has blocked.
    let items = vec![OwnItem::Block { user_id: friend.id(), value: Some(Block {}) }];
    sara.must(SetItems { items }).await;
    assert_eq!(friend.must(GetUsers { user_ids: vec![sara.id()] }).await.users, [answer]);
    assert_eq!(sara.must(SetAvatar { file_id: None }).await.photo, None);
    let info = sara.must(GetFile { file_id: picture }).await;
    assert_eq!((info.state, info.kind, info.sizes.as_slice()), (FileState::Ready, FileKind::Avatar, &[320, 1280][..]));
}
