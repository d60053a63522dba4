//! Scheduled messages: sent once when their time comes or when the other one is online, whatever dies meanwhile; seen, changed and taken back
//! on all own devices.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chapar_protocol::{
    Audience, ChatId, ChatKind, ErrorCode, OwnItem, Timestamp, Version,
    command::{
        DeleteScheduled, EditScheduled, GetScheduled, OpenDirect, RemoveMember, Schedule, ScheduledMessages,
        SendScheduled, SetItems,
    },
    item::{Scheduled, WHO_MAY_SEE},
    message::{Body, NewBody},
};
use uuid::Uuid;

use crate::support::{Device, device::message, within, world::Plan};

fn in_ms(ms: i64) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    Timestamp::from_millis(i64::try_from(now).expect("small") + ms).expect("a time")
}

const HOUR: i64 = 3_600_000;

fn later(chat: ChatId, text: &str, ms: i64) -> Schedule {
    Schedule { message: message(chat, text), at: Some(in_ms(ms)), when_online: false }
}

fn when_online(chat: ChatId, text: &str) -> Schedule {
    Schedule { message: message(chat, text), at: None, when_online: true }
}

async fn waiting(who: &Device, chat: ChatId) -> ScheduledMessages {
    who.must(GetScheduled { chat_id: chat }).await
}

/// What the item of a chat says, as this device has heard it.
fn told(who: &Device, chat: ChatId) -> Option<Scheduled> {
    who.model().own.values().find_map(|item| match item {
        OwnItem::Scheduled { chat_id, value } if *chat_id == chat => *value,
        _ => None,
    })
}

fn times_said(who: &Device, chat: ChatId, text: &str) -> usize {
    let model = who.model();
    let messages = model.chats.get(&chat).map(|chat| chat.messages.values().cloned().collect::<Vec<_>>());
    messages.unwrap_or_default().iter().filter(|it| matches!(&it.body, Body::Text(it) if it.text == text)).count()
}

#[tokio::test]
async fn at_its_time_and_once_though_the_node_dies() {
    let mut world = Plan::single().start().await;
    let [sara, amir] = world.people().await;
    let chat = world.direct(&sara, &amir).await;
    sara.connect(world.at(0)).await;
    let soon = later(chat, "soon", 1500);
    sara.must(soon.clone()).await;
    // A retry of the same changes nothing.
    sara.must(soon).await;
    sara.must(later(chat, "in an hour", HOUR)).await;
    assert_eq!(waiting(&sara, chat).await.messages.len(), 2);
    amir.connect(world.at(0)).await;
    assert_eq!(times_said(&amir, chat, "soon"), 0);
    amir.sees(chat, "soon").await;
    sara.until("that one is left", |model| {
        model.own.values().any(|it| matches!(it, OwnItem::Scheduled { value: Some(left), .. } if left.count == 1))
    })
    .await;

    // The node dies while many are due, and another begins: each is there once.
    for n in 0..40 {
        sara.must(later(chat, &format!("number {n}"), 700)).await;
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    world.nodes[0].kill();
    world.restart(0);
    amir.connect(world.at(0)).await;
    sara.connect(world.at(0)).await;
    for n in 0..40 {
        amir.sees(chat, &format!("number {n}")).await;
    }
    within("all of them to be noted", async {
        while waiting(&sara, chat).await.messages.len() > 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    for n in 0..40 {
        assert_eq!(times_said(&amir, chat, &format!("number {n}")), 1);
    }
    assert_eq!(amir.model().violations, Vec::<String>::new());
    assert_eq!(sara.model().violations, Vec::<String>::new());
}

#[tokio::test]
async fn it_is_changed_taken_back_and_sent_now_from_any_device_and_one_that_was_away_knows() {
    let world = Plan::pair().start().await;
    let (telephone, computer) = world.person_with_two_devices("sara").await;
    let [amir] = world.people().await;
    telephone.connect(world.at(0)).await;
    amir.connect(world.at(1)).await;
    let chat = world.direct(&telephone, &amir).await;
    computer.connect(world.at(1)).await;
    let away = Device::new(computer.account().clone());
    away.connect(world.at(0)).await;
    away.cut().await;

    let one = later(chat, "one", HOUR);
    let client_id = one.message.client_id;
    telephone.must(one).await;
    telephone.must(later(chat, "two", 2 * HOUR)).await;
    computer.until("that two wait", |model| model.own.len() == 1).await;
    let texts = |of: ScheduledMessages| of.messages.into_iter().map(|it| it.message.body).collect::<Vec<_>>();
    assert_eq!(texts(waiting(&computer, chat).await), [NewBody::text("one"), NewBody::text("two")]);
    assert_eq!(amir.must(GetScheduled { chat_id: chat }).await.messages, [], "one's own business");

    let at = Some(in_ms(3 * HOUR));
    computer.must(EditScheduled { client_id, body: Some(NewBody::text("uno")), at, when_online: false }).await;
    let now = waiting(&telephone, chat).await;
    assert_eq!(now.messages[1].at, at);
    assert_eq!(texts(now), [NewBody::text("two"), NewBody::text("uno")]);
    let body = Some(NewBody::text("eins"));
    computer.must(EditScheduled { client_id, body, at: None, when_online: false }).await;
    assert_eq!(waiting(&telephone, chat).await.messages[1].at, at, "the time stays");

    let two = waiting(&telephone, chat).await.messages[0].message.client_id;
    telephone.must(DeleteScheduled { client_ids: vec![two] }).await;
    telephone.must(DeleteScheduled { client_ids: vec![two] }).await;
    computer.must(SendScheduled { client_ids: vec![client_id, Uuid::from_u128(1)] }).await;
    amir.sees(chat, "eins").await;
    for device in [&telephone, &computer] {
        device.until("that none is left", |model| model.own.is_empty()).await;
    }
    away.connect(world.at(1)).await;
    away.until("that none is left", |model| model.own.is_empty()).await;
    let gone = EditScheduled { client_id, body: None, at: Some(in_ms(HOUR)), when_online: false };
    assert_eq!(computer.refused(gone).await.code, ErrorCode::MessageNotFound);
    for device in [&telephone, &computer, &away, &amir] {
        assert_eq!(device.model().violations, Vec::<String>::new());
    }
}

#[tokio::test]
async fn when_the_other_one_comes_online_if_that_may_be_seen() {
    let world = Plan::pair().start().await;
    let [sara, amir, shy] = world.people().await;
    sara.connect(world.at(0)).await;
    let chat = world.direct(&sara, &amir).await;
    let hidden = world.direct(&sara, &shy).await;
    let group = world.group(&sara, &[&amir]).await;
    for who in [&amir, &shy] {
        who.cut().await;
    }
    let nobody = OwnItem::Setting { name: WHO_MAY_SEE.into(), value: Some(Audience::Nobody.name().into()) };
    shy.connect(world.at(1)).await;
    shy.must(SetItems { items: vec![nobody] }).await;
    shy.cut().await;

    sara.must(when_online(chat, "good morning")).await;
    assert_eq!(sara.refused(when_online(hidden, "psst")).await.code, ErrorCode::Forbidden);
    assert_eq!(sara.refused(when_online(group, "all")).await.code, ErrorCode::BadRequest);
    let own = sara.must(OpenDirect { user_id: sara.id() }).await.chat.id;
    assert_eq!(sara.refused(when_online(own, "me")).await.code, ErrorCode::BadRequest);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(waiting(&sara, chat).await.messages[0].at, None, "it waits");
    amir.connect(world.at(1)).await;
    amir.sees(chat, "good morning").await;
    assert_eq!(times_said(&amir, chat, "good morning"), 1);
}

#[tokio::test]
async fn what_is_refused_at_its_time_stays_and_says_why() {
    let world = Plan::single().start().await;
    let [owner, sara] = world.people().await;
    for who in [&owner, &sara] {
        who.connect(world.at(0)).await;
    }
    let channel = world.chat(ChatKind::Channel, &owner, &[&sara]).await;
    sara.reaches(channel, Version(1)).await;
    // Readers do not write in channels: that is judged when its time comes.
    sara.must(later(channel, "let me in", 0)).await;
    within("a refusal", async {
        while told(&sara, channel).is_none_or(|it| it.failed == 0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let failed = waiting(&sara, channel).await.messages;
    assert_eq!(failed[0].failed, Some(ErrorCode::Forbidden));
    let client_ids = vec![failed[0].message.client_id];
    sara.must(DeleteScheduled { client_ids }).await;
    assert_eq!(waiting(&sara, channel).await.messages, []);

    // Whoever is not in the chat any more: it is gone with the chat.
    let group = world.group(&owner, &[&sara]).await;
    sara.must(later(group, "bye", 1500)).await;
    owner.must(RemoveMember { chat_id: group, user_id: sara.id(), reason: None }).await;
    within("it to be gone", async {
        while !waiting(&sara, group).await.messages.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(sara.refused(later(group, "again", HOUR)).await.code, ErrorCode::ChatNotFound);
}

#[tokio::test]
async fn what_cannot_be_scheduled() {
    let world = Plan::single().start().await;
    let [sara, amir] = world.people().await;
    sara.connect(world.at(0)).await;
    let chat = world.direct(&sara, &amir).await;
    let code = async |asked: Schedule| sara.refused(asked).await.code;
    assert_eq!(code(later(ChatId(999_999), "x", HOUR)).await, ErrorCode::ChatNotFound);
    assert_eq!(code(later(chat, "", HOUR)).await, ErrorCode::BadText);
    assert_eq!(code(later(chat, "x", 367 * 24 * HOUR)).await, ErrorCode::BadRequest);
    assert_eq!(code(Schedule { at: None, ..later(chat, "x", 0) }).await, ErrorCode::BadRequest);
    assert_eq!(code(Schedule { when_online: true, ..later(chat, "x", HOUR) }).await, ErrorCode::BadRequest);
    let many = DeleteScheduled { client_ids: (0..101).map(Uuid::from_u128).collect() };
    assert_eq!(sara.refused(many).await.code, ErrorCode::TooLarge);
    let item =
        OwnItem::Scheduled { chat_id: chat, value: Some(Scheduled { count: 9, failed: 0, changed_at: in_ms(0) }) };
    assert_eq!(sara.refused(SetItems { items: vec![item] }).await.code, ErrorCode::UnknownKind);
}
