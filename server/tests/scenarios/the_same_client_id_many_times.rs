//! A retry never makes a second message, and never hides a different one.

use chapar_protocol::{
    ErrorCode,
    command::{Delete, Edit, Send},
    message::NewBody,
};
use tokio::task::JoinSet;

use crate::support::{Audit, Device, device::message, world::Plan};

#[tokio::test]
async fn sent_fifty_times_at_once_it_is_one_message() {
    let world = Plan::pair().start().await;
    let [sender, reader] = world.people().await;
    let group = world.group(&sender, &[&reader]).await;
    reader.connect(world.at(1)).await;
    let mut lines = Vec::new();
    for n in 0..5 {
        let line = Device::new(sender.account().clone());
        line.connect(world.at(n % 2)).await;
        lines.push(line);
    }
    let message = message(group, "once");
    let mut tries = JoinSet::new();
    for n in 0..50 {
        let (line, message) = (lines[n % lines.len()].clone(), message.clone());
        tries.spawn(async move { line.must(message).await });
    }
    let answers = tries.join_all().await;
    assert!(answers.iter().all(|sent| *sent == answers[0]), "different answers: {answers:?}");
    let audit = Audit::read(world.at(0), reader.token(), group).await;
    assert_eq!(audit.messages.values().filter(|message| message.client_id == client_of(&answers, &audit)).count(), 1);
    reader.reaches(group, audit.snapshot.version).await;
    audit.equals(&reader, world.at(0)).await;
    assert_eq!(reader.model().texts(group), ["once"]);
}

fn client_of(answers: &[chapar_protocol::command::Sent], audit: &Audit) -> uuid::Uuid {
    audit.messages[&answers[0].seq].client_id
}

#[tokio::test]
async fn with_other_content_it_is_refused() {
    let world = Plan::single().start().await;
    let [sender, other] = world.people().await;
    let group = world.group(&sender, &[&other]).await;
    let elsewhere = world.group(&sender, &[&other]).await;
    for device in [&sender, &other] {
        device.connect(world.at(0)).await;
    }
    let first = message(group, "one thing");
    let sent = sender.must(first.clone()).await;
    let reused = Send { body: NewBody::text("another thing"), ..first.clone() };
    assert_eq!(sender.refused(reused).await.code, ErrorCode::ClientIdReused);
    let answering = Send { reply_to: Some(sent.seq), ..first.clone() };
    assert_eq!(sender.refused(answering).await.code, ErrorCode::ClientIdReused);
    // It is unique for one sender in one chat, not beyond.
    other.must(Send { body: NewBody::text("somebody else"), ..first.clone() }).await;
    sender.must(Send { chat_id: elsewhere, body: NewBody::text("somewhere else"), ..first.clone() }).await;
    assert_eq!(sender.must(first).await, sent);
}

#[tokio::test]
async fn a_late_retry_finds_its_message_though_it_was_edited_or_deleted() {
    let world = Plan::single().start().await;
    let [sender] = world.people().await;
    let group = world.group(&sender, &[]).await;
    sender.connect(world.at(0)).await;
    let first = message(group, "as it was");
    let sent = sender.must(first.clone()).await;
    sender.must(Edit { chat_id: group, seq: sent.seq, body: NewBody::text("as it is") }).await;
    assert_eq!(sender.must(first.clone()).await.seq, sent.seq);
    sender.must(Delete { chat_id: group, seq: sent.seq }).await;
    assert_eq!(sender.must(first).await.seq, sent.seq);
    let texts = Audit::read(world.at(0), sender.token(), group).await;
    assert!(texts.messages.values().all(|message| crate::support::model::text(message).is_none()), "it came back");
}
