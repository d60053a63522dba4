//! Edits, deletions and reactions made while a device was away reach it through the difference, in their final state.

use chapar_protocol::{
    Body, ChatRow, ChatSync,
    command::{Delete, Edit, React, Send},
    message::NewBody,
};
use uuid::Uuid;

use crate::support::{audit::all_equal, model::text, world::Plan};

#[tokio::test]
async fn edit_deletion_and_reaction() {
    let world = Plan::pair().start().await;
    let [writer, away] = world.people().await;
    let chat_id = world.direct(&writer, &away).await;
    writer.connect(world.at(0)).await;
    away.connect(world.at(1)).await;
    let edited = writer.say(chat_id, "to be edited").await.seq;
    let deleted = writer.say(chat_id, "to be deleted").await.seq;
    let liked = away.say(chat_id, "to be liked").await.seq;
    let untouched = writer.say(chat_id, "untouched").await;
    away.reaches(chat_id, untouched.version).await;
    away.cut().await;

    writer.must(Edit { chat_id, seq: edited, body: NewBody::text("edited once") }).await;
    writer.must(Edit { chat_id, seq: edited, body: NewBody::text("edited twice") }).await;
    writer.must(Delete { chat_id, seq: deleted }).await;
    writer.must(React { chat_id, seq: liked, emoji: Some("👍".to_owned()) }).await;
    writer.must(React { chat_id, seq: liked, emoji: Some("❤️".to_owned()) }).await;
    let client_id = Uuid::new_v4();
    let last = Send { reply_to: Some(liked), ..Send::new(chat_id, client_id, NewBody::text("and a reply")) };
    let last = writer.must(last).await;

    let sync = away.connect(world.at(0)).await.sync;
    let [ChatSync::Delta { delta, more: false }] = &sync.chats[..] else { panic!("{:?}", sync.chats) };
    let seqs: Vec<_> = delta.rows.iter().filter_map(ChatRow::message).map(|message| message.seq).collect();
    assert_eq!(seqs, [edited, deleted, liked, last.seq], "each changed row once, by version");
    {
        let model = away.model();
        let get = |seq| model.message(chat_id, seq).expect("is held");
        assert_eq!(text(get(edited)), Some("edited twice"));
        assert!(get(edited).edited_at.is_some());
        assert_eq!(get(deleted).body, Body::Deleted);
        let reactions: Vec<_> = get(liked).reactions.iter().map(|r| (r.emoji.as_str(), r.count)).collect();
        assert_eq!(reactions, [("❤️", 1)]);
        assert_eq!(get(last.seq).reply_to, Some(liked));
    }
    all_equal(world.at(1), chat_id, &[writer, away]).await;
}

#[tokio::test]
async fn the_own_reaction_made_on_another_device() {
    let world = Plan::pair().start().await;
    let [writer, other] = world.people().await;
    let chat_id = world.direct(&writer, &other).await;
    let second = crate::support::Device::new(other.account().clone());
    writer.connect(world.at(0)).await;
    other.connect(world.at(0)).await;
    second.connect(world.at(1)).await;
    let seq = writer.say(chat_id, "nice?").await.seq;
    second.sees(chat_id, "nice?").await;
    // Live.
    let set = other.must(React { chat_id, seq, emoji: Some("🔥".to_owned()) }).await;
    second.reaches(chat_id, set.version).await;
    assert_eq!(second.model().chats[&chat_id].reacted.get(&seq).map(String::as_str), Some("🔥"));
    // Away.
    second.cut().await;
    let taken = other.must(React { chat_id, seq, emoji: None }).await;
    second.connect(world.at(1)).await;
    second.reaches(chat_id, taken.version).await;
    assert_eq!(second.model().chats[&chat_id].reacted.get(&seq), None);
    all_equal(world.at(1), chat_id, &[writer, other, second]).await;
}

/// The page that brings the message is another one than that in which the reaction was made.
#[tokio::test]
async fn the_own_reaction_to_a_message_that_was_edited_much_later() {
    let world = Plan::pair().start().await;
    let [writer, other] = world.people().await;
    let chat_id = world.direct(&writer, &other).await;
    let second = crate::support::Device::new(other.account().clone());
    writer.connect(world.at(0)).await;
    other.connect(world.at(0)).await;
    second.connect(world.at(1)).await;
    let seq = writer.say(chat_id, "nice").await.seq;
    second.sees(chat_id, "nice").await;
    second.cut().await;
    other.must(React { chat_id, seq, emoji: Some("🔥".to_owned()) }).await;
    for n in 0..300 {
        writer.say(chat_id, &format!("and {n}")).await;
    }
    writer.must(Edit { chat_id, seq, body: NewBody::text("very nice") }).await;
    second.connect(world.at(1)).await;
    all_equal(world.at(0), chat_id, &[other, second.clone()]).await;
    assert_eq!(second.model().chats[&chat_id].reacted.get(&seq).map(String::as_str), Some("🔥"));
}
