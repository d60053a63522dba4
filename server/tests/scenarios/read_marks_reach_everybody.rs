//! What I have read here is read on my other devices; in direct chats and groups the others see it too, in channels nobody.

use chapar_protocol::{ChatKind, Event, Seq, command::MarkRead};

use crate::support::{Device, world::Plan};

#[tokio::test]
async fn own_devices_and_the_others() {
    let world = Plan::pair().start().await;
    let [writer, reader] = world.people().await;
    let second = Device::new(reader.account().clone());
    let chat_id = world.direct(&writer, &reader).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    second.connect(world.at(1)).await;
    writer.say(chat_id, "one").await;
    let seq = writer.say(chat_id, "two").await.seq;
    reader.must(MarkRead { chat_id, seq }).await;
    let read_to = |wanted: Seq| move |model: &crate::support::Model| model.mine[&chat_id].read_seq == wanted;
    reader.until("the own mark", read_to(seq)).await;
    second.until("the mark of the other device", read_to(seq)).await;
    writer.until("the other's mark", |model| model.chats[&chat_id].others_read == seq).await;

    // It never goes back, and never beyond the end.
    reader.must(MarkRead { chat_id, seq: Seq(1) }).await;
    let third = writer.say(chat_id, "three").await.seq;
    let _ = reader.call(&MarkRead { chat_id, seq: Seq(1_000_000) }).await;
    writer.say(chat_id, "four").await;
    second.sees(chat_id, "four").await;
    let mine = second.model().mine[&chat_id].read_seq;
    assert!(mine == seq || mine == third, "{mine}");
    assert!(second.model().violations.is_empty());
}

#[tokio::test]
async fn a_mark_made_while_the_other_was_away() {
    let world = Plan::pair().start().await;
    let [writer, reader] = world.people().await;
    let second = Device::new(reader.account().clone());
    let chat_id = world.group(&writer, &[&reader]).await;
    for device in [&writer, &second] {
        device.connect(world.at(0)).await;
        device.cut().await;
    }
    reader.connect(world.at(1)).await;
    let seq = reader.must(crate::support::device::message(chat_id, "mine")).await.seq;
    reader.must(MarkRead { chat_id, seq }).await;
    let sync = writer.connect(world.at(0)).await.sync;
    assert_eq!(sync.others_read, [(chat_id, seq)]);
    second.connect(world.at(0)).await;
    second.until("the own mark", |model| model.mine[&chat_id].read_seq == seq).await;
}

/// A message that everybody reads is told as read about once to each, not by each to each.
#[tokio::test]
async fn a_message_that_all_read_makes_no_storm() {
    let world = Plan::pair().start().await;
    let [writer] = world.people().await;
    let readers: [_; 20] = world.people().await;
    let group = world.group(&writer, &readers.iter().collect::<Vec<_>>()).await;
    writer.connect(world.at(0)).await;
    for (index, reader) in readers.iter().enumerate() {
        reader.connect(world.at(index % 2)).await;
    }
    let seq = writer.say(group, "read this").await.seq;
    for reader in &readers {
        reader.must(MarkRead { chat_id: group, seq }).await;
    }
    let everybody: Vec<_> = readers.iter().chain([&writer]).collect();
    for device in &everybody {
        device.until("that somebody has read it", |model| model.chats[&group].others_read == seq).await;
    }
    // What came later has come: so nothing more can be under way.
    let last = writer.say(group, "thank you").await;
    let mut frames = 0;
    for device in &everybody {
        device.reaches(group, last.version).await;
        frames += device.model().events.iter().filter(|event| matches!(event, Event::Read(_))).count();
    }
    assert!(frames <= 3 * everybody.len(), "{frames} frames for {} people", everybody.len());
    let second = Device::new(readers[7].account().clone());
    second.connect(world.at(1)).await;
    second.until("the own mark", |model| model.mine[&group].read_seq == seq).await;
}

#[tokio::test]
async fn in_a_channel_nobody_sees_who_read() {
    let world = Plan::pair().start().await;
    let [owner, reader] = world.people().await;
    let second = Device::new(reader.account().clone());
    let chat_id = world.chat(ChatKind::Channel, &owner, &[&reader]).await;
    owner.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    second.connect(world.at(1)).await;
    let seq = owner.say(chat_id, "news").await.seq;
    reader.must(MarkRead { chat_id, seq }).await;
    second.until("the own mark", |model| model.mine[&chat_id].read_seq == seq).await;
    owner.say(chat_id, "more news").await;
    owner.sees(chat_id, "more news").await;
    let model = owner.model();
    assert!(!model.events.iter().any(|event| matches!(event, Event::Read(_))), "the owner saw who read");
}
