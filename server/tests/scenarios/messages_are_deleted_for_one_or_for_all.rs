//! Several messages are deleted at once, for all or for oneself.

use chapar_protocol::{
    AdminAction, Body, ChatId, ErrorCode, OwnItem, Right, Role, Seq,
    command::{Delete, DeleteMessages, GetAdminLog, HideMessages, PinMessage, SetAdminRights, SetItems, SetRole},
    item::Hidden,
};
use tokio::task::JoinSet;

use crate::support::{Device, Model, audit::all_equal, world::Plan};

fn hidden(model: &Model, chat: ChatId) -> Vec<(i64, i64)> {
    match model.own.get(&("hidden".to_owned(), chat.to_string())) {
        Some(OwnItem::Hidden { value: Some(Hidden { seqs }), .. }) => seqs.iter().map(|it| (it.0.0, it.1.0)).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn all_of_them_or_none() {
    let world = Plan::pair().start().await;
    let [owner, member, away] = world.people().await;
    let chat_id = world.group(&owner, &[&member, &away]).await;
    for device in [&owner, &member, &away] {
        device.connect(world.at(0)).await;
    }
    let mine = [member.say(chat_id, "یک").await.seq, member.say(chat_id, "دو").await.seq];
    let theirs = owner.say(chat_id, "three").await;
    owner.must(PinMessage { chat_id, seq: mine[0] }).await;
    away.reaches(chat_id, theirs.version).await;
    away.cut().await;
    let delete = |seqs: &[Seq]| DeleteMessages { chat_id, seqs: seqs.to_vec() };
    let both = [mine[0], mine[1], theirs.seq];
    assert_eq!(member.refused(delete(&both)).await.code, ErrorCode::Forbidden, "one of them is somebody else's");
    assert_eq!(member.refused(delete(&[mine[0], Seq(999)])).await.code, ErrorCode::MessageNotFound);
    assert_eq!(owner.refused(delete(&[Seq(1), mine[0]])).await.code, ErrorCode::Forbidden, "the server's own line");
    assert_eq!(member.refused(delete(&[])).await.code, ErrorCode::TooLarge);
    assert_eq!(member.refused(delete(&(1..=101).map(Seq).collect::<Vec<_>>())).await.code, ErrorCode::TooLarge);
    assert_eq!(member.refused(delete(&[mine[0], mine[0]])).await.code, ErrorCode::BadRequest);
    let untouched = all_equal(world.at(1), chat_id, &[owner.clone(), member.clone()]).await;
    assert!(untouched.messages.values().all(|it| it.body != Body::Deleted));

    // Twice at once, and one of them by itself: each is deleted once.
    let mut tries = JoinSet::new();
    for device in [member.clone(), member.clone()] {
        let ask = delete(&mine);
        tries.spawn(async move { device.must(ask).await });
    }
    let one = member.clone();
    let seq = mine[1];
    tries.spawn(async move { one.must(Delete { chat_id, seq }).await });
    tries.join_all().await;
    // With the right to, anybody's: it stands in the log, with whose it was.
    owner.must(SetRole { chat_id, user_id: member.id(), role: Role::Admin }).await;
    owner.must(SetAdminRights { chat_id, user_id: member.id(), rights: vec![Right::Write] }).await;
    assert_eq!(member.refused(delete(&[theirs.seq])).await.code, ErrorCode::Forbidden);
    owner.must(SetAdminRights { chat_id, user_id: member.id(), rights: vec![Right::Delete] }).await;
    member.must(delete(&both)).await;
    let log = owner.must(GetAdminLog { chat_id, before: None }).await.entries;
    let deleted: Vec<_> = log.iter().filter(|it| matches!(it.action, AdminAction::Deleted { .. })).collect();
    assert_eq!(deleted.len(), 1, "one's own, and what was deleted before, are no business of the log");
    assert_eq!(deleted[0].action, AdminAction::Deleted { seq: theirs.seq, user_id: owner.id() });
    away.connect(world.at(1)).await;
    let audit = all_equal(world.at(0), chat_id, &[owner, member, away]).await;
    assert!(both.iter().all(|seq| audit.messages[seq].body == Body::Deleted));
    assert!(audit.snapshot.chat.pinned.is_empty());
}

#[tokio::test]
async fn for_oneself_on_all_devices_and_nobody_else() {
    let world = Plan::pair().start().await;
    let [sara, friend] = world.people().await;
    let chat_id = world.direct(&sara, &friend).await;
    sara.connect(world.at(0)).await;
    friend.connect(world.at(1)).await;
    let away = Device::new(sara.account().clone());
    away.connect(world.at(1)).await;
    away.cut().await;
    for n in 0..6 {
        friend.say(chat_id, &format!("{n}")).await;
    }
    let hide = |seqs: &[i64]| HideMessages { chat_id, seqs: seqs.iter().copied().map(Seq).collect() };
    // At once by two devices: neither takes back what the other has hidden.
    let other = Device::new(sara.account().clone());
    other.connect(world.at(1)).await;
    let mut tries = JoinSet::new();
    for (device, ask) in [(sara.clone(), hide(&[2, 3])), (other.clone(), hide(&[5])), (sara.clone(), hide(&[2, 3]))] {
        tries.spawn(async move { device.must(ask).await });
    }
    tries.join_all().await;
    for device in [&sara, &other] {
        device.until("what was hidden by both", |model| hidden(model, chat_id) == [(2, 3), (5, 5)]).await;
    }
    sara.must(hide(&[4, 4])).await;
    away.connect(world.at(0)).await;
    assert_eq!(hidden(&away.model(), chat_id), [(2, 5)], "stretches that touch are one");
    let fresh = Device::new(sara.account().clone());
    fresh.connect(world.at(0)).await;
    assert_eq!(hidden(&fresh.model(), chat_id), [(2, 5)]);
    assert!(hidden(&friend.model(), chat_id).is_empty());
    let audit = all_equal(world.at(0), chat_id, &[sara.clone(), friend]).await;
    assert!(audit.messages.values().all(|it| it.body != Body::Deleted), "nothing of it is seen by others");
    // What is not there, what is too much, and what is the server's to say.
    assert_eq!(sara.refused(hide(&[7])).await.code, ErrorCode::MessageNotFound);
    assert_eq!(sara.refused(hide(&[0])).await.code, ErrorCode::MessageNotFound);
    assert_eq!(sara.refused(hide(&[])).await.code, ErrorCode::TooLarge);
    let strange = HideMessages { chat_id: ChatId(chat_id.0 + 1024), seqs: vec![Seq(1)] };
    assert_eq!(sara.refused(strange).await.code, ErrorCode::ChatNotFound);
    let own = |value| SetItems { items: vec![OwnItem::Hidden { chat_id, value }] };
    let made_up = Hidden { seqs: vec![(Seq(1), Seq(9))] };
    assert_eq!(sara.refused(own(Some(made_up))).await.code, ErrorCode::UnknownKind);
    // Taken back, they are shown again.
    sara.must(own(None)).await;
    away.until("them to be shown again", |model| hidden(model, chat_id).is_empty()).await;
}
