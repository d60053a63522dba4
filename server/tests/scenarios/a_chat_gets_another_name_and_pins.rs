//! A group gets another title and description, and messages are pinned: all see it at once, also who was away, and nobody else may.

use chapar_protocol::{
    ErrorCode, Right, Seq,
    command::{Delete, GetChat, PinMessage, SetChatRights, SetInfo, UnpinAll, UnpinMessage},
};

use crate::support::{Device, Model, device::message, world::Plan};

fn info(title: Option<&str>, description: Option<&str>) -> impl Fn(chapar_protocol::ChatId) -> SetInfo {
    let (title, description) = (title.map(str::to_owned), description.map(str::to_owned));
    move |chat_id| SetInfo { chat_id, title: title.clone(), description: description.clone(), photo: None }
}

#[tokio::test]
async fn for_all_who_are_in_it() {
    let world = Plan::pair().start().await;
    let [owner, member, away] = world.people().await;
    owner.connect(world.at(0)).await;
    member.connect(world.at(1)).await;
    let chat_id = world.group(&owner, &[&member, &away]).await;
    away.connect(world.at(1)).await;
    away.cut().await;
    let (first, second) = (owner.say(chat_id, "one").await.seq, member.say(chat_id, "two").await.seq);
    let shows = |title: &'static str, description: Option<&'static str>, pinned: Vec<Seq>| {
        move |model: &Model| {
            let info = model.chats[&chat_id].info.as_ref().expect("told");
            (info.title.as_deref(), info.description.as_deref(), &info.pinned) == (Some(title), description, &pinned)
        }
    };

    assert_eq!(member.refused(info(Some("mine"), None)(chat_id)).await.code, ErrorCode::Forbidden);
    assert_eq!(member.refused(PinMessage { chat_id, seq: first }).await.code, ErrorCode::Forbidden);
    let version = owner.must(info(Some("  کاروان نو "), Some("برای همه"))(chat_id)).await.version;
    assert_eq!(owner.must(info(Some("کاروان نو"), None)(chat_id)).await.version, version, "so already");
    for seq in [second, first] {
        owner.must(PinMessage { chat_id, seq }).await;
    }
    let pinned = vec![second, first];
    for device in [&owner, &member] {
        device.until("title, description and pins", shows("کاروان نو", Some("برای همه"), pinned.clone())).await;
    }
    away.connect(world.at(0)).await;
    away.until("what was missed", shows("کاروان نو", Some("برای همه"), pinned.clone())).await;
    let fresh = Device::new(away.account().clone());
    fresh.connect(world.at(1)).await;
    fresh.until("it from scratch", shows("کاروان نو", Some("برای همه"), pinned)).await;

    // What is deleted is pinned no longer, and is not pinned again.
    owner.must(Delete { chat_id, seq: first }).await;
    member.until("one pin less", shows("کاروان نو", Some("برای همه"), vec![second])).await;
    assert_eq!(owner.refused(PinMessage { chat_id, seq: first }).await.code, ErrorCode::MessageNotFound);
    owner.must(UnpinMessage { chat_id, seq: second }).await;
    owner.must(info(None, Some(" "))(chat_id)).await;
    member.until("none of it", shows("کاروان نو", None, Vec::new())).await;

    for (bad, code) in [
        (info(None, None), ErrorCode::BadRequest),
        (info(Some(" "), None), ErrorCode::BadTitle),
        (info(None, Some("a\0b")), ErrorCode::BadText),
    ] {
        assert_eq!(owner.refused(bad(chat_id)).await.code, code);
    }
    let long = SetInfo { chat_id, title: None, description: Some("س".repeat(256)), photo: None };
    assert_eq!(owner.refused(long).await.code, ErrorCode::TooLarge);
    let rights = vec![Right::Write, Right::ChangeInfo, Right::Pin];
    owner.must(SetChatRights { chat_id, rights }).await;
    member.must(info(Some("از ما"), Some(&"س".repeat(255)))(chat_id)).await;
    member.must(PinMessage { chat_id, seq: second }).await;
    let read = away.must(GetChat { chat_id }).await.chat;
    assert_eq!((read.title.as_deref(), read.pinned), (Some("از ما"), vec![second]));
    let third = owner.say(chat_id, "three").await.seq;
    member.must(PinMessage { chat_id, seq: third }).await;
    owner.must(SetChatRights { chat_id, rights: vec![Right::Write] }).await;
    assert_eq!(member.refused(UnpinAll { chat_id }).await.code, ErrorCode::Forbidden);
    let version = owner.must(UnpinAll { chat_id }).await.version;
    assert_eq!(owner.must(UnpinAll { chat_id }).await.version, version, "none is pinned already");
    member.until("no pins", |model| model.chats[&chat_id].info.as_ref().is_some_and(|it| it.pinned.is_empty())).await;
    assert!([&owner, &member, &away].iter().all(|it| it.model().violations.is_empty()));
}

#[tokio::test]
async fn in_a_direct_chat_either_pins() {
    let world = Plan::single().start().await;
    let [sara, amir] = world.people().await;
    sara.connect(world.at(0)).await;
    amir.connect(world.at(0)).await;
    let chat_id = world.direct(&sara, &amir).await;
    let seq = sara.must(message(chat_id, "the address")).await.seq;
    amir.must(PinMessage { chat_id, seq }).await;
    sara.until("the pin", |model| model.chats[&chat_id].info.as_ref().is_some_and(|it| it.pinned == [seq])).await;
    assert_eq!(sara.refused(info(Some("x"), None)(chat_id)).await.code, ErrorCode::Forbidden);
}
