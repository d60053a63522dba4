//! Somebody makes a pack of stickers; whoever knows it sends from it, and what was sent stays.

use chapar_protocol::{
    Body, ChatId, ErrorCode, FileId, FileKind, PackId, Seq,
    command::{DeleteStickerPack, GetLinks, GetOwnStickerPacks, GetStickerPacks, Send, SetStickerPack},
    media::{FileAt, FileSource, NamedFile, NewSticker, StickerBody},
    message::NewBody,
    sticker::NewPackSticker,
};
use uuid::Uuid;

use crate::support::{
    Audit, Device, World,
    tus::{self, Tus},
    within,
    world::Plan,
};

/// A pixel that is seen through.
const PNG: [u8; 70] = [
    0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x00, 0x00, 0x00, 0x0D, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1F, 0x15, 0xC4, 0x89, 0x00, 0x00, 0x00, 0x0D, 0x49,
    0x44, 0x41, 0x54, 0x78, 0x9C, 0x63, 0xF8, 0xCF, 0xC0, 0xD0, 0x00, 0x00, 0x04, 0x81, 0x01, 0x80, 0x2C, 0x55, 0xCE,
    0xB0, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82,
];

fn sticker(file_id: FileId, emoji: &str) -> NewPackSticker {
    NewPackSticker { file_id, emoji: Some(emoji.to_owned()) }
}

fn pack(pack_id: PackId, stickers: &[NewPackSticker]) -> SetStickerPack {
    SetStickerPack { pack_id, title: "گربه‌ها".to_owned(), stickers: stickers.to_vec() }
}

fn new_pack() -> PackId {
    PackId(Uuid::new_v4())
}

fn send(chat_id: ChatId, file_id: FileId, pack_id: Option<PackId>, from: Option<FileSource>) -> Send {
    let body = NewBody::Sticker(NewSticker { file: NamedFile { file_id, from }, emoji: None, pack_id });
    Send::new(chat_id, Uuid::new_v4(), body)
}

async fn shown(world: &World, reader: &Device, chat: ChatId, seq: Seq) -> StickerBody {
    let audit = Audit::read(world.at(0), reader.token(), chat).await;
    let Body::Sticker(sticker) = &audit.messages[&seq].body else { panic!("a sticker") };
    sticker.clone()
}

async fn status(world: &World, file: FileId) -> (u16, String) {
    let answer = tus::ask(world.at(0), "GET", &format!("/files/sticker/{file}"), &[], &[], None).await;
    let answer = answer.expect("an answer");
    (answer.status, answer.header("content-type").to_owned())
}

#[tokio::test]
async fn whoever_knows_it_sends_from_it_without_an_upload() {
    let world = Plan::single().start().await;
    let [maker, friend] = world.people().await;
    let direct = world.direct(&maker, &friend).await;
    for device in [&maker, &friend] {
        device.connect(world.at(0)).await;
    }
    let uploaded = Tus::of(&world, &maker).upload(&world, "sticker", "a.png", &PNG).await;
    let real = FileId(Uuid::parse_str(&uploaded).expect("an id"));
    let [second, alone] = [world.file(&maker, FileKind::Sticker), world.file(&maker, FileKind::Sticker)];
    let id = new_pack();
    assert_eq!(status(&world, real).await.0, 404, "it stands in no pack yet");
    let stickers = [sticker(real, "😺"), sticker(second, "❤")];
    let made = maker.must(pack(id, &stickers)).await;
    assert!(made.own);
    assert_eq!(maker.must(pack(id, &stickers)).await, made, "again, it changes nothing");
    assert_eq!(made.stickers.iter().map(|it| it.file_id).collect::<Vec<_>>(), [real, second]);
    assert_eq!(made.stickers[1].emoji.as_deref(), Some("❤️"));

    let nobodys = new_pack();
    let known = friend.must(GetStickerPacks { pack_ids: vec![nobodys, id, id] }).await.packs;
    assert_eq!(known.len(), 1);
    assert!(!known[0].own && known[0].stickers == made.stickers && known[0].title == made.title);
    assert_eq!(status(&world, real).await, (200, "image/webp".to_owned()));
    assert_eq!(status(&world, alone).await.0, 404);

    // The friend's message shows the pack's own file, and tells of which pack it is.
    let first = send(direct, real, Some(id), None);
    let sent = friend.must(first.clone()).await;
    let body = shown(&world, &maker, direct, sent.seq).await;
    assert_eq!((body.file.id, body.pack_id, body.emoji.as_deref()), (real, Some(id), Some("😺")));
    let links = GetLinks { chat_id: direct, files: vec![FileAt { seq: sent.seq, file_id: real }] };
    assert_eq!(friend.must(links).await.links.len(), 1);
    for (why, refused) in [
        ("without the pack it is somebody else's", send(direct, real, None, None)),
        ("not in this pack", send(direct, alone, Some(id), None)),
        ("no such pack", send(direct, real, Some(nobodys), None)),
    ] {
        assert_eq!(friend.refused(refused).await.code, ErrorCode::FileNotFound, "{why}");
    }
    // Sent on, it brings its pack along.
    let on = friend.must(send(direct, real, None, Some(FileSource { chat_id: direct, seq: sent.seq }))).await;
    let copy = shown(&world, &maker, direct, on.seq).await;
    assert!(copy.file.id != real && copy.pack_id == Some(id));
    assert_eq!(status(&world, copy.file.id).await.0, 200);

    // The maker takes it out again, and then the pack is gone: what was sent stays, and a retry is answered as before.
    let less = SetStickerPack { title: "Cats".into(), ..pack(id, &[sticker(second, "🐈")]) };
    assert_eq!(maker.must(less).await.stickers.len(), 1);
    assert_eq!(friend.refused(send(direct, real, Some(id), None)).await.code, ErrorCode::FileNotFound);
    assert_eq!(friend.must(first.clone()).await, sent);
    let own = maker.must(GetOwnStickerPacks {}).await.packs;
    assert_eq!((own.len(), own[0].title.as_str(), own[0].count), (1, "Cats", 1));
    assert!(friend.must(GetOwnStickerPacks {}).await.packs.is_empty());
    maker.must(DeleteStickerPack { pack_id: id }).await;
    assert!(friend.must(GetStickerPacks { pack_ids: vec![id] }).await.packs.is_empty());
    assert_eq!(friend.must(first).await, sent);
    assert_eq!(status(&world, real).await.0, 200);
    let uses = within("the use to be known", async {
        while world.uses(real).is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        world.uses(real)
    });
    assert_eq!(uses.await, [sent.seq.0]);
}

#[tokio::test]
async fn what_is_wrong_with_a_pack_is_said_by_a_code() {
    let world = Plan::single().start().await;
    let [maker, other] = world.people().await;
    for device in [&maker, &other] {
        device.connect(world.at(0)).await;
    }
    let file = world.file(&maker, FileKind::Sticker);
    let id = new_pack();
    maker.must(pack(id, &[sticker(file, "😺")])).await;
    let theirs = world.file(&other, FileKind::Sticker);
    assert_eq!(other.refused(pack(id, &[sticker(theirs, "😺")])).await.code, ErrorCode::Forbidden);
    assert_eq!(other.refused(DeleteStickerPack { pack_id: id }).await.code, ErrorCode::Forbidden);
    assert_eq!(other.refused(DeleteStickerPack { pack_id: new_pack() }).await.code, ErrorCode::PackNotFound);
    let bad = |stickers: &[NewPackSticker]| pack(new_pack(), stickers);
    let waiting = world.file_in(&maker, FileKind::Sticker, "preparing");
    let photo = world.file(&maker, FileKind::Photo);
    let titled = |title: &str| SetStickerPack { title: title.to_owned(), ..bad(&[sticker(file, "😺")]) };
    for (code, set) in [
        (ErrorCode::FileNotFound, bad(&[sticker(file, "😺"), sticker(theirs, "😺")])),
        (ErrorCode::FileNotReady, bad(&[sticker(waiting, "😺")])),
        (ErrorCode::FileRefused, bad(&[sticker(photo, "😺")])),
        (ErrorCode::BadRequest, bad(&[])),
        (ErrorCode::BadRequest, bad(&[sticker(file, "😺"), sticker(file, "😸")])),
        (ErrorCode::BadReaction, bad(&[sticker(file, "cat")])),
        (ErrorCode::BadTitle, titled(" ")),
        (ErrorCode::TooLarge, bad(&(0..121).map(|_| sticker(FileId(Uuid::new_v4()), "😺")).collect::<Vec<_>>())),
    ] {
        assert_eq!(maker.refused(set).await.code, code);
    }
    assert_eq!(maker.must(GetOwnStickerPacks {}).await.packs.len(), 1, "nothing of it was made");
    let many = GetStickerPacks { pack_ids: (0..9).map(|_| new_pack()).collect() };
    assert_eq!(other.refused(many).await.code, ErrorCode::TooLarge);

    let me = maker.id();
    world.database.sql(&format!(
        "INSERT INTO sticker_packs (id, user_id, title) SELECT gen_random_uuid(), {me}, 'x' FROM generate_series(2, 50)"
    ));
    assert_eq!(maker.refused(titled("one more")).await.code, ErrorCode::TooLarge);
    maker.must(pack(id, &[sticker(file, "😸")])).await;
}
