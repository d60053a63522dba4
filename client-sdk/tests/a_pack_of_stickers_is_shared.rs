//! Somebody makes a pack of stickers, and somebody else sends from it: over the SDK, against the real server.

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use chapar_client::{
    FileOptions, FileSource,
    protocol::{
        Body, FileKind, OwnItem, PackId,
        item::AddedPack,
        media::{NamedFile, NewSticker},
        message::NewBody,
        sticker::NewPackSticker,
    },
};
use world::{Server, person, until};

/// A pixel that is seen through.
const PNG: [u8; 70] = [
    0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x00, 0x00, 0x00, 0x0D, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1F, 0x15, 0xC4, 0x89, 0x00, 0x00, 0x00, 0x0D, 0x49,
    0x44, 0x41, 0x54, 0x78, 0x9C, 0x63, 0xF8, 0xCF, 0xC0, 0xD0, 0x00, 0x00, 0x04, 0x81, 0x01, 0x80, 0x2C, 0x55, 0xCE,
    0xB0, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82,
];

#[tokio::test]
async fn one_makes_a_pack_and_the_other_sends_from_it() {
    let server = Server::start();
    let (sara, reza) = (person(&server.url, "sara").await, person(&server.url, "reza").await);
    let (mut at_sara, mut at_reza) = (sara.events(), reza.events());
    let chat_id = sara.open_direct(reza.me().expect("known").id).await.expect("opened").chat.id;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("me.png");
    std::fs::write(&path, PNG).expect("written");
    let avatar = sara.upload(&path, FileKind::Avatar).await.expect("at the server").id;
    assert_eq!(sara.set_avatar(Some(avatar)).await.expect("set").photo, Some(avatar));
    let gone = sara.upload(folder.path().join("nothing.png"), FileKind::Avatar).await.expect_err("no such file");
    assert_eq!(gone.code(), "file_failed");
    let picture = FileSource::Bytes { name: None, bytes: PNG.to_vec().into() };
    let options = FileOptions { kind: Some(FileKind::Sticker), ..FileOptions::default() };
    sara.send_file(chat_id, picture, options).await.expect("sent");
    until(&mut at_sara, "the sticker", || !sara.messages(chat_id).is_empty()).await;
    let body = sara.messages(chat_id).pop().expect("there").message.body;
    let file_id = body.file().expect("has one").id;

    let pack_id = PackId(uuid::Uuid::new_v4());
    let stickers = vec![NewPackSticker { file_id, emoji: Some("😺".into()) }];
    let made = sara.set_sticker_pack(pack_id, "گربه‌ها", stickers).await.expect("made");
    assert!(made.own && made.stickers.len() == 1);
    assert_eq!(sara.get_own_sticker_packs().await.expect("read").packs[0].id, pack_id);
    let seen = reza.get_sticker_packs(vec![pack_id]).await.expect("read").packs;
    assert_eq!((seen.len(), seen[0].own), (1, false));
    let added = OwnItem::StickerPack { pack_id, value: Some(AddedPack { order: 1 }) };
    reza.set_items(vec![added.clone()]).await.expect("added");
    until(&mut at_reza, "the pack in the own list", || {
        reza.item("sticker_pack", &pack_id.to_string()) == Some(added.clone())
    })
    .await;

    reza.answer_request(chat_id, true).await.expect("accepted");
    let named = NamedFile { file_id, from: None };
    let sticker = NewBody::Sticker(NewSticker { file: named, emoji: None, pack_id: Some(pack_id) });
    let sent = reza.send(chat_id, sticker, None).await.expect("sent");
    let received =
        || sara.messages(chat_id).into_iter().find(|view| view.message.seq == sent.seq).map(|view| view.message.body);
    until(&mut at_sara, "the answer", || received().is_some()).await;
    let Some(Body::Sticker(sticker)) = received() else { panic!("a sticker") };
    assert_eq!((sticker.file.id, sticker.pack_id, sticker.emoji.as_deref()), (file_id, Some(pack_id), Some("😺")));
    let error = reza.delete_sticker_pack(pack_id).await.expect_err("not his");
    assert_eq!(error.code(), "forbidden");
    sara.delete_sticker_pack(pack_id).await.expect("deleted");
}
