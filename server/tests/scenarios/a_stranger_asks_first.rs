//! A first message from somebody one shares nothing with is a request: it shows nothing and rings nothing until it is accepted.

use chapar_protocol::{
    ChatId, ErrorCode, Event, OwnItem, Seq, UserId,
    call::{CallId, CallMedia},
    command::{AddMembers, AnswerRequest, CallInvite, MarkRead, OpenDirect, React, SetItems, SetTyping, WatchPresence},
    item::Contact,
};
use uuid::Uuid;

use crate::support::{Device, World, http, world::Plan};

fn ring(user_id: UserId) -> CallInvite {
    CallInvite { call_id: CallId(Uuid::new_v4()), user_id, media: CallMedia::Voice, relay_only: false, offer: None }
}

fn is_request(device: &Device, chat: ChatId) -> bool {
    device.model().mine.get(&chat).is_some_and(|mine| mine.request)
}

/// A stranger has written to somebody, who sees it.
async fn asked(world: &World) -> (Device, Device, ChatId) {
    let [stranger, person] = world.people().await;
    stranger.connect(world.at(0)).await;
    person.connect(world.at(world.nodes.len() - 1)).await;
    let chat = world.opens(&stranger, &person).await;
    stranger.say(chat, "hello?").await;
    person.sees(chat, "hello?").await;
    assert!(is_request(&person, chat) && !is_request(&stranger, chat));
    (stranger, person, chat)
}

async fn sees_presence(who: &Device, of: &Device) -> bool {
    !who.must(WatchPresence { user_ids: vec![of.id()] }).await.presences.is_empty()
}

#[tokio::test]
async fn nothing_of_either_is_shown_until_it_is_accepted() {
    let world = Plan::pair().start().await;
    let (stranger, person, chat) = asked(&world).await;
    let last = person.model().chats[&chat].messages.keys().next_back().copied().expect("a message");
    person.must(MarkRead { chat_id: chat, seq: last }).await;
    person.must(SetTyping { chat_id: chat }).await;
    stranger.must(SetTyping { chat_id: chat }).await;
    assert!(!sees_presence(&stranger, &person).await && !sees_presence(&person, &stranger).await);
    for (who, whom) in [(&stranger, &person), (&person, &stranger)] {
        assert_eq!(who.refused(ring(whom.id())).await.code, ErrorCode::CallForbidden);
    }
    // What came later has come: nothing more can be under way.
    stranger.say(chat, "are you there?").await;
    person.sees(chat, "are you there?").await;
    let shown = |device: &Device| {
        device.model().events.iter().any(|event| matches!(event, Event::Typing(_) | Event::Read(_) | Event::Call(_)))
    };
    assert!(!shown(&stranger) && !shown(&person));
    assert_eq!(stranger.model().chats[&chat].others_read.0, 0);

    person.must(AnswerRequest { chat_id: chat, accept: true }).await;
    person.until("that it is a chat like any other", |model| !model.mine[&chat].request).await;
    stranger.until("how far it was read", |model| model.chats[&chat].others_read == last).await;
    assert!(sees_presence(&stranger, &person).await && sees_presence(&person, &stranger).await);
    person.must(SetTyping { chat_id: chat }).await;
    stranger.event("typing", |event| matches!(event, Event::Typing(_)).then_some(())).await;
    stranger.must(ring(person.id())).await;
}

#[tokio::test]
async fn to_write_or_to_react_or_to_open_is_to_accept() {
    let world = Plan::single().start().await;
    let (_stranger, person, chat) = asked(&world).await;
    person.say(chat, "who is it?").await;
    person.until("that it is accepted", |model| !model.mine[&chat].request).await;

    let (_stranger, person, chat) = asked(&world).await;
    person.must(React { chat_id: chat, seq: Seq(1), emoji: Some("🌹".into()) }).await;
    person.until("that it is accepted", |model| !model.mine[&chat].request).await;

    let (stranger, person, chat) = asked(&world).await;
    person.must(OpenDirect { user_id: stranger.id() }).await;
    person.until("that it is accepted", |model| !model.mine[&chat].request).await;
}

#[tokio::test]
async fn declined_it_stays_away_and_the_stranger_learns_nothing() {
    let world = Plan::pair().start().await;
    let (stranger, person, chat) = asked(&world).await;
    let second = Device::new(person.account().clone());
    second.connect(world.at(0)).await;
    let before = stranger.model().chats[&chat].version;
    person.must(AnswerRequest { chat_id: chat, accept: false }).await;
    for device in [&person, &second] {
        device.until("that it is gone", |model| !model.chats.contains_key(&chat)).await;
    }
    let sent = stranger.say(chat, "an ordinary message").await;
    assert_eq!(sent.version.0, before.0 + 1, "nothing else has happened in the chat");
    stranger.reaches(chat, sent.version).await;
    assert_eq!(stranger.model().chats[&chat].members.len(), 2, "nobody has left");
    // A retry of the answer ends the same.
    person.must(AnswerRequest { chat_id: chat, accept: false }).await;
    // On a device that comes later, too.
    let third = Device::new(person.account().clone());
    third.connect(world.at(1)).await;
    for device in [&person, &second, &third] {
        let model = device.model();
        assert!(!model.chats.contains_key(&chat), "it came back");
    }
    let snapshot = person.must(OpenDirect { user_id: stranger.id() }).await;
    assert_eq!(snapshot.messages().count(), 2, "whoever thinks better of it finds all of it");
    for device in [&person, &second, &third] {
        device.sees(chat, "an ordinary message").await;
        assert!(!is_request(device, chat));
    }
}

#[tokio::test]
async fn who_is_no_stranger_need_not_ask() {
    let world = Plan::single().start().await;
    let [sara, reza, leila, owner] = world.people().await;
    for device in [&sara, &reza, &leila] {
        device.connect(world.at(0)).await;
    }
    let group = world.group(&owner, &[&sara, &reza]).await;
    sara.say(group, "salam").await;
    let chat = world.opens(&reza, &sara).await;
    sara.until("the chat", |model| model.mine.contains_key(&chat)).await;
    assert!(!is_request(&sara, chat), "they share a group");

    let contact = OwnItem::Contact { user_id: leila.id(), value: Some(Contact { name: None }) };
    sara.must(SetItems { items: vec![contact] }).await;
    let chat = world.opens(&leila, &sara).await;
    sara.until("the chat", |model| model.mine.contains_key(&chat)).await;
    assert!(!is_request(&sara, chat), "a contact");

    // The readers of a channel share it with nobody.
    let [reader, other] = world.people().await;
    reader.connect(world.at(0)).await;
    world.chat(chapar_protocol::ChatKind::Channel, &other, &[&reader]).await;
    let chat = world.opens(&other, &reader).await;
    reader.until("the request", |model| model.mine.contains_key(&chat)).await;
    assert!(is_request(&reader, chat));
    let open = OpenDirect { user_id: other.id() };
    http::call(world.at(0), other.token(), &open).await.expect("with oneself nobody need ask");
    let own = world.opens(&other, &other).await;
    other.connect(world.at(0)).await;
    assert!(!is_request(&other, own));
}

#[tokio::test]
async fn to_bring_somebody_into_a_group_is_no_acquaintance() {
    let world = Plan::single().start().await;
    let [stranger, person] = world.people().await;
    stranger.connect(world.at(0)).await;
    person.connect(world.at(0)).await;
    let group = world.group(&stranger, &[&person]).await;
    let chat = world.opens(&stranger, &person).await;
    stranger.say(chat, "hello?").await;
    person.sees(chat, "hello?").await;
    assert!(is_request(&person, chat));

    // Whoever says something there is in company.
    let [other] = world.people().await;
    other.connect(world.at(0)).await;
    person.say(group, "who are you all?").await;
    stranger.must(AddMembers { chat_id: group, user_ids: vec![other.id()] }).await;
    let chat = world.opens(&other, &person).await;
    other.say(chat, "a guest like you").await;
    person.sees(chat, "a guest like you").await;
    assert!(!is_request(&person, chat));
}
