//! Mutes, pins, drafts, contacts, blocks, settings: what is set on one device is set on all, also on one that was away.

use chapar_protocol::{
    Audience, ChatId, ErrorCode, FileId, OwnItem, PackId, Seq, Timestamp, UserDelta, UserId, Version,
    command::{Hello, ItemsSet, SetItems, UserDifference},
    item::{AddedPack, Archive, BOUNDS, Block, Contact, Draft, Folder, FolderKind, KeptSticker, Mute, Pin},
    limit,
    message::Text,
};
use uuid::Uuid;

use crate::support::{Device, RawSocket, World, http, world::Plan};

fn draft(chat: i64, text: &str) -> OwnItem {
    let text = Text { text: text.to_owned(), entities: Vec::new() };
    OwnItem::Draft { chat_id: ChatId(chat), value: Some(Draft { text, reply_to: Some(Seq(3)) }) }
}

fn pin(chat: i64, order: u32) -> OwnItem {
    OwnItem::Pin { chat_id: ChatId(chat), value: Some(Pin { order }) }
}

async fn sets(device: &Device, items: Vec<OwnItem>) -> ItemsSet {
    device.must(SetItems { items }).await
}

/// Everything, read from the start, page by page.
async fn everything(world: &World, who: &Device) -> (Version, Vec<OwnItem>) {
    let (mut from, mut all) = (Version(0), Vec::new());
    loop {
        let delta = http::call(world.at(0), who.token(), &UserDifference { from }).await.expect("own things");
        let set = delta.items.into_iter().filter_map(|item| match item {
            chapar_protocol::Item::Own(kept) => Some(kept.item),
            _ => None,
        });
        all.extend(set);
        from = delta.version;
        if !delta.more {
            return (from, all);
        }
    }
}

#[tokio::test]
async fn on_every_node_and_on_a_device_that_was_away() {
    let world = Plan::pair().start().await;
    let (telephone, computer) = world.person_with_two_devices("sara").await;
    let late = Device::new(computer.account().clone());
    late.connect(world.at(0)).await;
    late.cut().await;
    telephone.connect(world.at(0)).await;
    computer.connect(world.at(1)).await;
    let pack_id = PackId(Uuid::from_u128(8));
    let at = Timestamp::from_millis(1_700_000_000_000).expect("a time");
    let kept = KeptSticker { pack_id, emoji: Some("😺".into()), animated: false, at };
    let mine = vec![
        OwnItem::Mute { chat_id: ChatId(7), value: Some(Mute { until: None, mentions: false }) },
        pin(7, 1),
        draft(7, "سلام"),
        OwnItem::Folder {
            id: Uuid::from_u128(7),
            value: Some(Folder {
                name: "کار".into(),
                icon: Some("💼".into()),
                order: 1,
                chats: vec![ChatId(7)],
                kinds: vec![FolderKind::Groups],
                unread: true,
                unmuted: true,
                without: vec![ChatId(8)],
            }),
        },
        OwnItem::Archive { chat_id: ChatId(7), value: Some(Archive {}) },
        OwnItem::Contact { user_id: UserId(999), value: Some(Contact { name: Some("دایی".into()) }) },
        OwnItem::Block { user_id: UserId(998), value: Some(Block {}) },
        OwnItem::Setting { name: "who_may_call".into(), value: Some(Audience::Known.name().into()) },
        OwnItem::Setting { name: "app_theme".into(), value: Some("dark".into()) },
        OwnItem::StickerPack { pack_id, value: Some(AddedPack { order: 1 }) },
        OwnItem::FavoriteSticker { file_id: FileId(Uuid::from_u128(9)), value: Some(kept.clone()) },
        OwnItem::RecentSticker { file_id: FileId(Uuid::from_u128(9)), value: Some(kept) },
    ];
    let set = sets(&telephone, mine.clone()).await;
    computer.until("all of it", |model| model.user_version >= set.version).await;
    assert_eq!(computer.model().own.len(), mine.len());
    assert!(mine.iter().all(|item| computer.model().own.values().any(|it| it == item)));
    // The same again changes nothing.
    assert_eq!(sets(&telephone, mine.clone()).await, set);

    let back = mine.iter().take(4).cloned().map(OwnItem::taken_back).collect();
    let less = sets(&computer, back).await;
    assert_eq!(less.version, Version(set.version.0 + 4), "each has a version of its own");
    telephone.until("that some was taken back", |model| model.user_version >= less.version).await;
    late.connect(world.at(1)).await;
    late.until("what it has missed", |model| model.user_version >= less.version).await;
    for device in [&telephone, &computer, &late] {
        let model = device.model();
        let own: Vec<_> = model.own.values().cloned().collect();
        assert_eq!(own.len(), mine.len() - 4, "{own:?}");
        assert!(mine[4..].iter().all(|item| own.contains(item)), "{own:?}");
        assert_eq!(model.violations, Vec::<String>::new());
    }
    assert_eq!(late.model().resets, 0, "it went on from where it was");
}

#[tokio::test]
async fn what_is_refused_leaves_all_as_it_was() {
    let world = Plan::single().start().await;
    let [sara] = world.people().await;
    sara.connect(world.at(0)).await;
    let before = sets(&sara, vec![pin(1, 1)]).await;
    let unknown = serde_json::json!({"items": [
        {"kind": "pin", "chat_id": 2, "value": {"order": 2}}, {"kind": "sticker_set", "id": 9, "value": {}}]});
    let unknown: SetItems = serde_json::from_value(unknown).expect("tolerated");
    assert_eq!(sara.refused(unknown).await.code, ErrorCode::UnknownKind);
    assert_eq!(sara.refused(SetItems { items: vec![pin(2, 1), pin(2, 2)] }).await.code, ErrorCode::BadRequest);
    let own = OwnItem::Block { user_id: sara.id(), value: Some(Block {}) };
    assert_eq!(sara.refused(SetItems { items: vec![pin(2, 1), own] }).await.code, ErrorCode::BadRequest);
    let many = (0..101).map(|chat| pin(chat + 10, 1)).collect();
    assert_eq!(sara.refused(SetItems { items: many }).await.code, ErrorCode::TooLarge);
    // One pin more than there may be: none of that command is set, and whoever is at the bound can still change what there is.
    let most = i64::try_from(BOUNDS.iter().find(|bound| bound.kind == "pin").expect("a kind").most).expect("small");
    sets(&sara, (2..=100).map(|chat| pin(chat, 1)).collect()).await;
    sets(&sara, (101..=most).map(|chat| pin(chat, 1)).collect()).await;
    let over = vec![pin(1, 9), pin(most + 1, 1)];
    assert_eq!(sara.refused(SetItems { items: over }).await.code, ErrorCode::TooLarge);
    sets(&sara, vec![pin(1, 8)]).await;
    let (version, all) = everything(&world, &sara).await;
    assert_eq!(all.len(), usize::try_from(most).expect("small"));
    assert!(all.contains(&pin(1, 8)) && version > before.version);
}

#[tokio::test]
async fn more_than_fits_into_one_answer_comes_in_pages() {
    let world = Plan::single().start().await;
    let [sara] = world.people().await;
    let long = "آ".repeat(4000);
    for chat in 1..=100 {
        let set = SetItems { items: vec![draft(chat, &long)] };
        http::call(world.at(0), sara.token(), &set).await.expect("set");
    }
    let mut socket = RawSocket::connect(world.at(0)).await;
    let welcome = socket.call(1, &Hello { token: sara.token().to_owned(), resume: None }).await.expect("greeted");
    let bytes = serde_json::to_vec(&welcome).expect("serialises").len();
    assert!(bytes <= limit::ANSWER_BYTES && welcome.sync.user.more, "{bytes} bytes");
    let (version, all) = everything(&world, &sara).await;
    assert_eq!((version, all.len()), (Version(100), 100));
    sara.connect(world.at(0)).await;
    sara.until("all pages", |model| model.own.len() == 100 && model.user_version == version).await;
}

#[tokio::test]
async fn a_device_that_was_away_for_too_long_begins_anew() {
    let world = Plan::single().start().await;
    let [sara] = world.people().await;
    sara.connect(world.at(0)).await;
    sets(&sara, vec![pin(1, 1), pin(2, 1)]).await;
    sara.until("both", |model| model.own.len() == 2).await;
    sara.cut().await;
    let contact = |user: i64, value: Option<Contact>| OwnItem::Contact { user_id: UserId(1_000_000 + user), value };
    let call = async |items: Vec<OwnItem>| {
        http::call(world.at(0), sara.token(), &SetItems { items }).await.expect("set");
    };
    call(vec![pin(1, 1).taken_back()]).await;
    // More is taken back than is remembered: that of the pin is forgotten.
    for some in 0..26 {
        let some: Vec<i64> = (some * 100..some * 100 + 100).collect();
        call(some.iter().map(|user| contact(*user, Some(Contact { name: None }))).collect()).await;
        call(some.iter().map(|user| contact(*user, None)).collect()).await;
    }
    let (version, all) = everything(&world, &sara).await;
    assert_eq!(all, [pin(2, 1)]);
    sara.connect(world.at(0)).await;
    sara.until("to be up to date", |model| model.user_version == version).await;
    assert_eq!(sara.model().own.values().cloned().collect::<Vec<_>>(), [pin(2, 1)]);
    assert_eq!(sara.model().resets, 1);
    let old = UserDifference { from: Version(2) };
    let path = "/api/v1/call/user_difference";
    let refused: Result<UserDelta, _> = http::post(world.at(0), path, Some(sara.token()), &old).await;
    assert_eq!(refused.expect_err("too far behind").code, ErrorCode::TooFarBehind);
}
