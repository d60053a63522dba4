//! What admins set of a chat: nothing is forwarded from it, messages delete themselves, posts are signed.

use std::time::Duration;

use chapar_protocol::{
    AdminAction, Body, ChatId, ChatKind, ChatSettings, ErrorCode, FileKind, Message, Role, Seq, ServiceAction,
    SettingsChange,
    command::{Edit, Forward, ForwardedItem, GetAdminLog, GetLinks, Schedule, Send, SetChatSettings, SetRole},
    media::FileAt,
    message::NewBody,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{
    Device,
    audit::{all_equal, knows_everything},
    device::message,
    files::{forwarded, photo, with_file},
    model::Model,
    within,
    world::Plan,
};

const NOTHING: SettingsChange =
    SettingsChange { no_forwarding: None, hidden_history: None, delete_after: None, signed: None };

fn forward(from: ChatId, seq: Seq, to: ChatId) -> Forward {
    let messages = vec![ForwardedItem { client_id: Uuid::new_v4(), seq }];
    Forward { chat_id: to, from, messages, hide_origin: false }
}

fn settings(model: &Model, chat: ChatId) -> ChatSettings {
    model.chats[&chat].info.as_ref().map(|it| it.settings).unwrap_or_default()
}

fn held(device: &Device, chat: ChatId, seq: Seq) -> Message {
    device.model().message(chat, seq).expect("is held").clone()
}

/// What the lines in the chat say of its settings.
fn lines(device: &Device, chat: ChatId, upto: Seq) -> Vec<SettingsChange> {
    let of = |seq| match device.model().message(chat, Seq(seq)).map(|it| it.body.clone()) {
        Some(Body::Service { action: ServiceAction::Settings { change } }) => Some(change),
        _ => None,
    };
    (1..=upto.0).filter_map(of).collect()
}

#[tokio::test]
async fn nothing_is_forwarded_from_a_chat_that_keeps_what_is_said_in_it() {
    let world = Plan::pair().start().await;
    let [owner, admin, member] = world.people().await;
    let chat_id = world.group(&owner, &[&admin, &member]).await;
    let direct = world.direct(&owner, &member).await;
    for (device, node) in [(&owner, 0), (&admin, 1), (&member, 1)] {
        device.connect(world.at(node)).await;
    }
    owner.must(SetRole { chat_id, user_id: admin.id(), role: Role::Admin }).await;
    let said = owner.say(chat_id, "between us").await.seq;
    let file = world.file(&owner, FileKind::Photo);
    let shown = owner.must(with_file(chat_id, file, "")).await.seq;
    let early = forward(chat_id, said, direct);
    member.must(early.clone()).await;
    let away = Device::new(member.account().clone());
    away.connect(world.at(0)).await;
    away.cut().await;

    // Two admins set different things at once: both hold.
    let mut tries = JoinSet::new();
    for (device, change) in [
        (owner.clone(), SettingsChange { no_forwarding: Some(true), ..NOTHING }),
        (admin.clone(), SettingsChange { delete_after: Some(86_400), ..NOTHING }),
    ] {
        tries.spawn(async move { device.must(SetChatSettings { chat_id, change }).await });
    }
    tries.join_all().await;
    let both = ChatSettings { no_forwarding: true, delete_after: 86_400, ..ChatSettings::default() };
    member.until("both hold", |model| settings(model, chat_id) == both).await;

    for device in [&owner, &admin, &member] {
        let to = if device.id() == admin.id() { chat_id } else { direct };
        assert_eq!(device.refused(forward(chat_id, said, to)).await.code, ErrorCode::NoForwarding);
    }
    let body = forwarded(file, chat_id, shown);
    let again = Send::new(direct, Uuid::new_v4(), body);
    assert_eq!(member.refused(again).await.code, ErrorCode::NoForwarding);
    // What was forwarded before is there, also to whoever asks again because the answer was lost.
    member.must(early).await;
    let own = Send::new(direct, Uuid::new_v4(), photo(file, "mine"));
    owner.must(own).await;

    // A device that was away learns it, and so does the log; what is set so already is no news.
    away.connect(world.at(1)).await;
    away.until("the settings", |model| settings(model, chat_id) == both).await;
    let version =
        owner.must(SetChatSettings { chat_id, change: SettingsChange { no_forwarding: Some(true), ..NOTHING } });
    let version = version.await.version;
    member.reaches(chat_id, version).await;
    let log = admin.must(GetAdminLog { chat_id, before: None }).await.entries;
    let told = log.iter().filter(|it| matches!(it.action, AdminAction::Settings { .. })).count();
    assert_eq!(told, 2, "{log:?}");
    assert_eq!(lines(&member, chat_id, Seq(20)).len(), 2);

    let off = SettingsChange { no_forwarding: Some(false), ..NOTHING };
    admin.must(SetChatSettings { chat_id, change: off }).await;
    member.must(forward(chat_id, said, direct)).await;
    let wrong = SettingsChange { delete_after: Some(4), ..NOTHING };
    assert_eq!(owner.refused(SetChatSettings { chat_id, change: wrong }).await.code, ErrorCode::BadRequest);
    let wrong = SettingsChange { delete_after: Some(366 * 86_400 + 1), ..NOTHING };
    assert_eq!(owner.refused(SetChatSettings { chat_id, change: wrong }).await.code, ErrorCode::BadRequest);
    all_equal(world.at(0), chat_id, &[owner, admin, member]).await;
}

#[tokio::test]
async fn messages_delete_themselves_once_whatever_dies_meanwhile() {
    let mut world = Plan::pair().start().await;
    let [sara, amir] = world.people().await;
    let chat_id = world.direct(&sara, &amir).await;
    sara.connect(world.at(0)).await;
    amir.connect(world.at(1)).await;
    let before = sara.say(chat_id, "stays").await.seq;
    let change = SettingsChange { delete_after: Some(5), ..NOTHING };
    amir.must(SetChatSettings { chat_id, change }).await;
    sara.until("it is set", |model| settings(model, chat_id).delete_after == 5).await;

    let file = world.file(&sara, FileKind::Photo);
    let shown = sara.must(with_file(chat_id, file, "gone soon")).await;
    let mut seqs = vec![shown.seq];
    for n in 0..20 {
        let (device, text) = if n % 2 == 0 { (&sara, "one") } else { (&amir, "two") };
        seqs.push(device.must(message(chat_id, text)).await.seq);
    }
    let body = NewBody::text("said otherwise");
    sara.must(Edit { chat_id, seq: seqs[1], body }).await;
    let last = *seqs.last().expect("many");
    amir.until("all is there", |model| model.message(chat_id, last).is_some()).await;
    let at = held(&amir, chat_id, shown.seq).deletes_at.expect("says when");
    assert_eq!(at.as_millis() - shown.sent_at.as_millis(), 5000);
    assert!(held(&amir, chat_id, seqs[1]).deletes_at.is_some(), "an edit takes no time away");
    assert_eq!(held(&amir, chat_id, before).deletes_at, None);
    // The time stays that of the message when the setting goes.
    let off = SettingsChange { delete_after: Some(0), ..NOTHING };
    let stays = sara.must(SetChatSettings { chat_id, change: off }).await;
    let after = sara.say(chat_id, "stays too").await.seq;
    amir.reaches(chat_id, stays.version).await;
    amir.cut().await;

    // One node dies about when it is time, and comes back.
    tokio::time::sleep(Duration::from_millis(4500)).await;
    world.nodes[0].kill();
    world.restart(0);
    sara.connect(world.at(0)).await;
    let gone = |model: &Model, seq| model.message(chat_id, seq).is_some_and(|it| it.body == Body::Deleted);
    sara.until("all are gone", |model| seqs.iter().all(|seq| gone(model, *seq))).await;
    // Who was away reads it in the difference; the others stay, and each was deleted once.
    amir.connect(world.at(1)).await;
    amir.until("all are gone", |model| seqs.iter().all(|seq| gone(model, *seq))).await;
    for seq in [before, after] {
        assert_ne!(held(&amir, chat_id, seq).body, Body::Deleted);
    }
    assert_eq!(lines(&amir, chat_id, after), [change, off]);
    let links = GetLinks { chat_id, files: vec![FileAt { seq: shown.seq, file_id: file }] };
    assert!(amir.must(links).await.links.is_empty());
    within("the file's use to be forgotten", async {
        while !world.uses(file).is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(world.database.sql("SELECT count(*) FROM expiring").trim(), "0");
    let audit = all_equal(world.at(0), chat_id, &[sara.clone(), amir]).await;
    let moved = audit.messages.values().filter(|it| it.body == Body::Deleted).count();
    assert_eq!(moved, seqs.len());
    knows_everything(&sara, world.at(1)).await;
}

#[tokio::test]
async fn a_silent_message_says_so_to_whoever_was_away_too() {
    let world = Plan::pair().start().await;
    let [sara, amir] = world.people().await;
    let chat_id = world.direct(&sara, &amir).await;
    sara.connect(world.at(0)).await;
    let silent = Send { silent: true, ..message(chat_id, "no hurry") };
    let sent = sara.must(silent.clone()).await;
    // A retry, also one that has forgotten it, finds the same message.
    assert_eq!(sara.must(Send { silent: false, ..silent }).await, sent);
    let file = world.file(&sara, FileKind::Photo);
    let shown = sara.must(Send { silent: true, ..with_file(chat_id, file, "") }).await;
    let when = Schedule { message: Send { silent: true, ..message(chat_id, "later") }, at: None, when_online: true };
    sara.must(when).await;
    let loud = sara.say(chat_id, "now").await;
    amir.connect(world.at(1)).await;
    amir.sees(chat_id, "later").await;
    let later = {
        let model = amir.model();
        let all = &model.chats[&chat_id].messages;
        all.values().find(|it| it.body == Body::text("later")).expect("is there").seq
    };
    let marks = [sent.seq, shown.seq, later, loud.seq].map(|seq| held(&amir, chat_id, seq).silent);
    assert_eq!(marks, [true, true, true, false]);
    all_equal(world.at(0), chat_id, &[sara, amir]).await;
}

#[tokio::test]
async fn posts_are_signed_while_it_is_set() {
    let world = Plan::pair().start().await;
    let [owner, admin, reader] = world.people().await;
    let chat_id = world.chat(ChatKind::Channel, &owner, &[&admin, &reader]).await;
    owner.connect(world.at(0)).await;
    admin.connect(world.at(1)).await;
    owner.must(SetRole { chat_id, user_id: admin.id(), role: Role::Admin }).await;
    let plain = owner.say(chat_id, "unsigned").await.seq;
    let change = SettingsChange { signed: Some(true), ..NOTHING };
    admin.must(SetChatSettings { chat_id, change }).await;
    let signed = admin.say(chat_id, "signed").await.seq;
    admin.must(Edit { chat_id, seq: signed, body: NewBody::text("signed, and edited") }).await;
    let off = SettingsChange { signed: Some(false), ..NOTHING };
    owner.must(SetChatSettings { chat_id, change: off }).await;
    let later = owner.say(chat_id, "unsigned again").await;
    reader.connect(world.at(1)).await;
    reader.reaches(chat_id, later.version).await;
    let signs = [plain, signed, later.seq].map(|seq| held(&reader, chat_id, seq).signed);
    assert_eq!(signs, [false, true, false]);
    assert_eq!(held(&reader, chat_id, signed).sender, admin.id());
    assert!(lines(&reader, chat_id, later.seq).is_empty(), "nothing is told among posts");
}
