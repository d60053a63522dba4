//! The messages of an album come together, one after the other, or not at all.

use chapar_protocol::{
    Body, ChatId, ErrorCode, FileId, FileKind,
    command::{Delete, SendAlbum, SentAlbum},
    media::AlbumItem,
    message::NewBody,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{Audit, Device, files::photo, world::Plan};

fn album(chat_id: ChatId, files: &[FileId]) -> SendAlbum {
    let item = |file: &FileId| AlbumItem { client_id: Uuid::new_v4(), body: photo(*file, "") };
    SendAlbum { chat_id, items: files.iter().map(item).collect(), reply_to: None, silent: false }
}

fn one_after_the_other(answer: &SentAlbum) -> bool {
    answer.sent.windows(2).all(|pair| pair[1].seq == pair[0].seq.next() && pair[1].version == pair[0].version)
}

#[tokio::test]
async fn others_see_all_of_it_at_once_and_a_retry_makes_no_second_one() {
    let world = Plan::pair().start().await;
    let [sender, talker, reader] = world.people().await;
    let chat = world.group(&sender, &[&talker, &reader]).await;
    sender.connect(world.at(0)).await;
    talker.connect(world.at(0)).await;
    reader.connect(world.at(1)).await;
    let files: Vec<FileId> = (0..10).map(|_| world.file(&sender, FileKind::Photo)).collect();
    let albums: Vec<SendAlbum> = files.chunks(5).map(|files| album(chat, files)).collect();

    // Somebody talks meanwhile, and each album is sent three times at once, by two devices.
    let second = Device::new(sender.account().clone());
    second.connect(world.at(1)).await;
    let talk = tokio::spawn({
        let talker = talker.clone();
        async move {
            for n in 0..30 {
                talker.say(chat, &format!("meanwhile {n}")).await;
            }
        }
    });
    let mut tries = JoinSet::new();
    for n in 0..6 {
        let (device, album) = ([&sender, &second][n % 2].clone(), albums[n / 3].clone());
        tries.spawn(async move { (n / 3, device.must(album).await) });
    }
    let mut answers: Vec<(usize, SentAlbum)> = tries.join_all().await;
    talk.await.expect("no panic");
    answers.sort_by_key(|(which, _)| *which);
    for (which, answer) in &answers {
        assert!(one_after_the_other(answer), "{answer:?}");
        assert_eq!((answer.sent.len(), answer), (5, &answers[which * 3].1), "each try is answered alike");
    }
    let audit = Audit::read(world.at(0), reader.token(), chat).await;
    let of_albums: Vec<_> =
        audit.messages.values().filter_map(|it| Some((it.body.album()?, it.seq, it.version))).collect();
    assert_eq!(of_albums.len(), 10, "no second one");
    for (which, album) in albums.iter().enumerate() {
        let id = album.items[0].client_id;
        let seqs: Vec<_> = of_albums.iter().filter(|it| it.0 == id).map(|it| it.1).collect();
        let told: Vec<_> = answers[which * 3].1.sent.iter().map(|it| it.seq).collect();
        assert_eq!(seqs, told);
    }
    reader.reaches(chat, audit.snapshot.version).await;
    audit.equals(&reader, world.at(0)).await;
    // One of them is deleted; the others stay, and so does the answer to a late retry.
    let gone = answers[0].1.sent[1].seq;
    sender.must(Delete { chat_id: chat, seq: gone }).await;
    let again = sender.must(albums[0].clone()).await;
    assert_eq!(
        again.sent.iter().map(|it| it.seq).collect::<Vec<_>>(),
        answers[0].1.sent.iter().map(|it| it.seq).collect::<Vec<_>>()
    );
    reader.until("the tombstone", |model| model.chats[&chat].messages[&gone].body == Body::Deleted).await;
}

#[tokio::test]
async fn one_file_that_cannot_be_sent_keeps_all_back() {
    let world = Plan::single().start().await;
    let [sender, other] = world.people().await;
    let chat = world.group(&sender, &[&other]).await;
    for device in [&sender, &other] {
        device.connect(world.at(0)).await;
    }
    let good = world.file(&sender, FileKind::Photo);
    let last = |device: &Device| device.model().chats.get(&chat).map(|it| it.messages.len());
    let before = last(&sender);
    for (file, code) in [
        (world.file_in(&sender, FileKind::Photo, "preparing"), ErrorCode::FileNotReady),
        (world.file(&other, FileKind::Photo), ErrorCode::FileNotFound),
        (world.file(&sender, FileKind::Video), ErrorCode::FileRefused),
    ] {
        assert_eq!(sender.refused(album(chat, &[good, file])).await.code, code);
    }
    let mut texts = album(chat, &[good, good]);
    texts.items[1].body = NewBody::text("no album holds texts");
    for bad in [album(chat, &[good]), album(chat, &[good; 11]), texts] {
        assert_eq!(sender.refused(bad).await.code, ErrorCode::BadRequest);
    }
    sender.say(chat, "nothing came of it").await;
    sender.sees(chat, "nothing came of it").await;
    assert_eq!(last(&sender), before.map(|count| count + 1));
    // The same file twice is two messages.
    assert!(one_after_the_other(&sender.must(album(chat, &[good, good])).await));
}
