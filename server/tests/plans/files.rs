//! Calls everything that the store can do with files.

use std::time::Duration;

use chapar_protocol::{ChatId, FileId, FileKind, PackId, Seq, UserId, sticker::NewPackSticker};
use chapar_server::store::{
    Store,
    people::{
        blobs::Blob,
        budgets::{BudgetKind, Charge},
        files::{Facts, Outcome},
        link_previews::FoundPage,
        uploads::NewUpload,
    },
};
use uuid::Uuid;

use crate::fill::{GROUP, PERSON};

const ME: UserId = UserId(PERSON);
const DAY: Duration = Duration::from_hours(24);

/// Packs of stickers, of one who has made some.
async fn stickers(store: &Store, round: i64) {
    let people = &store.people;
    let [pack, other] = [PackId(Uuid::new_v4()), PackId(Uuid::new_v4())];
    let files = [1, 2].map(|n| FileId(Uuid::from_u128((u128::from(round.unsigned_abs()) << 64) + n)));
    let stickers = files.map(|file_id| NewPackSticker { file_id, emoji: Some("😺".into()) });
    people.set_sticker_pack(ME, pack, "Cats", &stickers).await.expect("made");
    people.set_sticker_pack(ME, pack, "Cats", &stickers[..1]).await.expect("replaced");
    let packs = [PackId(Uuid::from_u128(1)), PackId(Uuid::from_u128(2)), pack];
    assert_eq!(people.sticker_packs(ME, &packs).await.expect("read").len(), 2);
    people.own_sticker_packs(ME).await.expect("read");
    let file = people.sticker_packs(ME, &packs[..1]).await.expect("read")[0].stickers[0].file_id;
    people.hold_sticker(packs[0], file).await.expect("held").expect("stands there");
    people.served_sticker(file).await.expect("read").expect("is published");
    people.delete_sticker_pack(ME, pack).await.expect("deleted");
    assert!(people.delete_sticker_pack(ME, other).await.is_err());
}

/// What was found behind links.
async fn previews(store: &Store, round: i64) {
    let link = [u8::try_from(round).unwrap_or(u8::MAX); 32];
    let page = FoundPage { site: "example.ir".into(), title: Some("A page".into()), description: None };
    store.people.keep_link_preview(&link, Some(&page), None).await.expect("kept");
    let known = store.people.link_preview(&link).await.expect("read").expect("known");
    assert_eq!((known.page, known.fresh), (Some(page), true));
}

pub async fn files(store: &Store, round: i64) {
    let place = Uuid::new_v4();
    let people = &store.people;
    let begin = async |parts: Option<&str>| {
        let id = FileId(Uuid::new_v4());
        let new = NewUpload {
            id,
            user: ME,
            kind: FileKind::Photo,
            size: None,
            metadata: "",
            name: Some("a.jpg"),
            parts,
            place,
            within: DAY,
        };
        assert!(people.begin_upload(&new, 500).await.expect("begun"));
        id
    };
    let file = begin(None).await;
    let charge = Charge::of(BudgetKind::Uploads, 1 << 40, 1000);
    people.spend(ME, charge).await.expect("paid");
    people.refund(ME, charge).await.expect("given back");
    assert!(people.set_upload_size(file, 1000).await.expect("told"));
    people.upload_received(file, 1000, DAY).await.expect("noted").expect("there");
    assert_eq!(people.uploads(ME, &[file]).await.expect("read").len(), 1);
    assert!(people.upload_complete(file).await.expect("noted"));
    assert_eq!(people.parts_needed(place, &[file]).await.expect("read"), [(file, true)]);
    let stored = async |n: u8| {
        let (sha256, key) = ([Uuid::new_v4().as_bytes(), &[n; 16][..]].concat(), Uuid::new_v4());
        assert_eq!(people.stored_blob(&sha256).await.expect("read"), None);
        people.announce_object(key).await.expect("written");
        people.keep_blob(&Blob { sha256, key, size: 1000 }).await.expect("kept")
    };
    let (blob, smaller) = (stored(1).await, stored(2).await);
    let job = people.upload_stored(file, &blob.sha256, place).await.expect("noted").expect("is new");
    assert_eq!(people.prepare_again(place).await.expect("due"), 1);
    people.job_due(job).await.expect("due");
    people.take_back_jobs(&[job]).await.expect("taken back");
    people.to_prepare(file).await.expect("read").expect("there");
    let facts = Facts { mime: "image/jpeg".into(), variants: vec![(320, smaller.sha256)], ..Facts::default() };
    assert!(people.prepared(file, &Outcome::Ready(Box::new(facts))).await.expect("noted"));
    assert!(!people.prepared(file, &Outcome::Held).await.expect("it was ready"));
    assert_eq!(people.hold_files(ME, &[file]).await.expect("held").len(), 1);
    people.file_info(ME, file).await.expect("read");
    assert_eq!(people.file_key().await.expect("read").len(), 32);
    for longer in [None, Some(320)] {
        people.served(file, longer).await.expect("read").expect("there");
    }
    assert_eq!(people.served_avatar(file, 320).await.expect("read"), None);
    stickers(store, round).await;
    previews(store, round).await;
    let part = begin(Some("")).await;
    people.end_upload(ME, part).await.expect("ended").expect("there");
    assert!(!store.chats.names_file(ChatId(GROUP), ME, Seq(1 + round), file).await.expect("read"));
    people.collect_files(100).await.expect("collected");
    people.collect_blobs(100).await.expect("collected");
    let due = people.trash(100).await.expect("read");
    people.trash_deleted(&due).await.expect("deleted");
    store.feed_behind("a test").await.expect("read");
}
