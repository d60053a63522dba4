//! In a group that hides its history newcomers see only what follows their coming, by whatever way they ask.

use chapar_protocol::{
    Body, ChatId, ErrorCode, FileKind, Message, Seq, SettingsChange,
    command::{
        AddMembers, Edit, Forward, ForwardedItem, GetChat, GetLinks, GetReactions, GetReaders, History, React,
        RemoveMember, Report, ReportReason, Send, SetChatSettings,
    },
    media::FileAt,
    message::NewBody,
};
use uuid::Uuid;

use crate::support::{
    Device, World,
    audit::all_equal,
    device::message,
    files::{forwarded, with_file},
    http,
    model::text,
    world::Plan,
};

async fn hide(owner: &Device, chat_id: ChatId, hidden: bool) {
    let change = SettingsChange { hidden_history: Some(hidden), ..SettingsChange::default() };
    owner.must(SetChatSettings { chat_id, change }).await;
}

/// All that somebody can read of a chat, by pages in both directions.
async fn readable(world: &World, of: &Device, chat_id: ChatId) -> Vec<Message> {
    let page = |seq, before, after| History { chat_id, seq: Seq(seq), before, after };
    let down = http::call(world.at(1), of.token(), &page(1, 0, 200)).await.expect("a member reads").messages;
    let up = http::call(world.at(0), of.token(), &page(i64::MAX >> 12, 200, 0)).await.expect("a member reads").messages;
    assert_eq!(down, up);
    down
}

#[tokio::test]
async fn neither_pages_nor_events_nor_files_nor_answers_tell_what_was_said_before() {
    let world = Plan::pair().start().await;
    let [owner, old, newcomer] = world.people().await;
    let chat_id = world.group(&owner, &[&old]).await;
    let elsewhere = world.direct(&owner, &newcomer).await;
    owner.connect(world.at(0)).await;
    old.connect(world.at(1)).await;
    newcomer.connect(world.at(1)).await;
    let secret = owner.say(chat_id, "a secret").await.seq;
    let file = world.file(&owner, FileKind::Photo);
    let shown = owner.must(with_file(chat_id, file, "a secret picture")).await.seq;
    hide(&owner, chat_id, true).await;
    owner.must(AddMembers { chat_id, user_ids: vec![newcomer.id()] }).await;
    let after = owner.say(chat_id, "welcome").await;
    newcomer.sees(chat_id, "welcome").await;

    // What follows is the line that says who was added, and what was said then.
    let visible = readable(&world, &newcomer, chat_id).await;
    assert_eq!(visible.len(), 2, "{visible:?}");
    assert!(matches!(visible[0].body, Body::Service { .. }));
    assert_eq!(text(&visible[1]), Some("welcome"));
    let snapshot = newcomer.must(GetChat { chat_id }).await;
    assert_eq!(snapshot.messages().map(|it| it.seq).collect::<Vec<_>>(), [visible[0].seq, after.seq]);
    assert_eq!(snapshot.last_seq, after.seq);

    // Nothing is done with what one does not see.
    let not_found = ErrorCode::MessageNotFound;
    let reply = Send { reply_to: Some(secret), ..message(chat_id, "to that") };
    assert_eq!(newcomer.refused(reply).await.code, not_found);
    let react = React { chat_id, seq: secret, emoji: Some("👍".to_owned()) };
    assert_eq!(newcomer.refused(react).await.code, not_found);
    let messages = vec![ForwardedItem { client_id: Uuid::new_v4(), seq: secret }];
    let onward = Forward { chat_id: elsewhere, from: chat_id, messages, hide_origin: false };
    assert_eq!(newcomer.refused(onward).await.code, not_found);
    old.must(React { chat_id, seq: shown, emoji: Some("👍".to_owned()) }).await;
    let who = GetReactions { chat_id, seq: shown, emoji: None, after: None };
    assert!(newcomer.must(who).await.reactions.is_empty());
    assert_eq!(newcomer.refused(GetReaders { chat_id, seq: shown }).await.code, not_found);
    let links = GetLinks { chat_id, files: vec![FileAt { seq: shown, file_id: file }] };
    assert!(newcomer.must(links.clone()).await.links.is_empty());
    assert!(!old.must(links).await.links.is_empty());
    let body = forwarded(file, chat_id, shown);
    let send = Send::new(elsewhere, Uuid::new_v4(), body);
    assert_eq!(newcomer.refused(send).await.code, ErrorCode::FileNotFound);
    let (user_id, reason) = (owner.id(), ReportReason::Spam);
    let report = Report { user_id, reason, chat_id: Some(chat_id), seq: Some(secret), note: None };
    assert_eq!(newcomer.refused(report).await.code, not_found);

    // Changed later, it is told to those who see it, live and to whoever was away, and to nobody else.
    let away = Device::new(newcomer.account().clone());
    away.connect(world.at(0)).await;
    away.cut().await;
    let edit = owner.must(Edit { chat_id, seq: secret, body: NewBody::text("a secret, told better") }).await;
    old.must(React { chat_id, seq: secret, emoji: Some("👍".to_owned()) }).await;
    let last = owner.say(chat_id, "and on").await;
    for device in [&old, &newcomer] {
        device.reaches(chat_id, last.version).await;
    }
    assert!(edit.version < last.version);
    assert_eq!(old.model().message(chat_id, secret).and_then(text), Some("a secret, told better"));
    away.connect(world.at(1)).await;
    away.reaches(chat_id, last.version).await;
    for device in [&newcomer, &away] {
        let model = device.model();
        for seq in [secret, shown] {
            assert_eq!(model.message(chat_id, seq), None);
        }
        assert!(!model.chats[&chat_id].reacted.contains_key(&secret));
        assert_eq!(model.violations, Vec::<String>::new());
        assert_eq!(model.message(chat_id, last.seq).and_then(text), Some("and on"));
    }
    all_equal(world.at(0), chat_id, &[owner, old]).await;
}

#[tokio::test]
async fn it_holds_from_each_coming_on_and_ends_when_they_come_again_after_it_was_set_back() {
    let world = Plan::pair().start().await;
    let [owner, first, second, third] = world.people().await;
    let chat_id = world.group(&owner, &[&first]).await;
    for device in [&owner, &first, &second, &third] {
        device.connect(world.at(0)).await;
    }
    owner.say(chat_id, "one").await;
    hide(&owner, chat_id, true).await;
    // Many come while somebody writes: each sees all from their own line on, and nothing before.
    let adds = async {
        for user in [second.id(), third.id()] {
            owner.must(AddMembers { chat_id, user_ids: vec![user] }).await;
        }
    };
    let says = async {
        for n in 0..20 {
            first.say(chat_id, &format!("meanwhile {n}")).await;
        }
    };
    tokio::join!(adds, says);
    let all = readable(&world, &first, chat_id).await;
    for device in [&second, &third] {
        let own = readable(&world, device, chat_id).await;
        let came = |it: &&Message| matches!(&it.body, Body::Service { action: chapar_protocol::ServiceAction::Added { user_ids } } if user_ids == &[device.id()]);
        let line = all.iter().find(came).expect("who came").seq;
        let expected: Vec<&Message> = all.iter().filter(|it| it.seq >= line).collect();
        assert_eq!(own.iter().collect::<Vec<_>>(), expected);
    }
    // Set back, it counts for who comes from now on: also for whoever goes and comes back.
    hide(&owner, chat_id, false).await;
    assert!(readable(&world, &second, chat_id).await[0].seq > Seq(1), "what was hidden stays so");
    owner.must(RemoveMember { chat_id, user_id: second.id(), reason: None }).await;
    owner.must(AddMembers { chat_id, user_ids: vec![second.id()] }).await;
    assert_eq!(readable(&world, &second, chat_id).await[0].seq, Seq(1));
    // And the other way round: whoever leaves a group that hides sees nothing of before.
    hide(&owner, chat_id, true).await;
    owner.must(RemoveMember { chat_id, user_id: first.id(), reason: None }).await;
    let line = owner.say(chat_id, "without the first").await.seq;
    owner.must(AddMembers { chat_id, user_ids: vec![first.id()] }).await;
    assert!(readable(&world, &first, chat_id).await[0].seq > line);
    let change = SettingsChange { hidden_history: Some(true), ..SettingsChange::default() };
    let direct = world.direct(&owner, &first).await;
    let refused = owner.refused(SetChatSettings { chat_id: direct, change }).await;
    assert_eq!(refused.code, ErrorCode::BadRequest);
}
