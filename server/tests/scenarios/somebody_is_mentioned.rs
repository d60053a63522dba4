//! Whom a message of a group calls, by a mention or as an answer, is counted for them: also for a device that was away, until it is read,
//! edited away or deleted.

use chapar_protocol::{
    Body, ChatId, Entity, EntityKind, ErrorCode, Seq, UserId,
    command::{Delete, Edit, GetChat, MarkRead, RemoveMember, Send, Sent},
    message::{NewBody, Text},
};
use uuid::Uuid;

use crate::support::{Device, audit::all_equal, http, world::Plan};

fn mention(user_id: UserId) -> NewBody {
    let entities = vec![Entity { offset: 0, length: 5, kind: EntityKind::Mention { user_id } }];
    NewBody::Text(Text { text: "@sara چای می‌خوری؟".to_owned(), entities })
}

async fn send(by: &Device, chat_id: ChatId, body: NewBody, reply_to: Option<Seq>) -> Sent {
    by.must(Send { reply_to, ..Send::new(chat_id, Uuid::new_v4(), body) }).await
}

#[tokio::test]
async fn it_is_counted_on_all_devices_until_it_is_read_or_gone() {
    let world = Plan::pair().start().await;
    let [writer, sara, third] = world.people().await;
    let chat = world.group(&writer, &[&sara, &third]).await;
    writer.connect(world.at(0)).await;
    sara.connect(world.at(1)).await;
    let hers = sara.say(chat, "سلام").await.seq;
    let away = Device::new(sara.account().clone());
    away.connect(world.at(0)).await;
    away.cut().await;

    let first = send(&writer, chat, mention(sara.id()), None).await.seq;
    let second = send(&writer, chat, mention(sara.id()), None).await.seq;
    writer.say(chat, "plain").await;
    let answer = send(&writer, chat, NewBody::text("yes"), Some(hers)).await.seq;
    // One calls neither oneself, nor others by answering oneself.
    send(&sara, chat, mention(sara.id()), Some(hers)).await;
    let last = send(&writer, chat, mention(third.id()), None).await;
    sara.reaches(chat, last.version).await;
    assert_eq!(sara.model().unread_mentions(chat), [first, second, answer]);
    // A device that was away, and one that is new.
    away.connect(world.at(1)).await;
    assert_eq!(away.model().unread_mentions(chat), [first, second, answer]);
    let fresh = Device::new(sara.account().clone());
    fresh.connect(world.at(0)).await;
    assert_eq!(fresh.model().unread_mentions(chat), [first, second, answer]);
    assert!(writer.model().unread_mentions(chat).is_empty());
    // Edited away, and into another.
    let other = Edit { chat_id: chat, seq: second, body: mention(third.id()) };
    let edited = writer.must(other).await;
    writer.must(Delete { chat_id: chat, seq: answer }).await;
    let again = Edit { chat_id: chat, seq: last.seq, body: mention(sara.id()) };
    let changed = writer.must(again).await;
    assert!(edited.version < changed.version);
    for device in [&sara, &away, &fresh] {
        device.reaches(chat, changed.version).await;
        assert_eq!(device.model().unread_mentions(chat), [first, last.seq]);
    }
    // Read elsewhere.
    away.must(MarkRead { chat_id: chat, seq: first }).await;
    sara.until("the mark of the other device", |model| model.unread_mentions(chat) == [last.seq]).await;
    let anew = http::call(world.at(1), sara.token(), &GetChat { chat_id: chat }).await.expect("a member");
    assert_eq!(anew.mentions, [last.seq], "what the snapshot names");
    let others = http::call(world.at(1), third.token(), &GetChat { chat_id: chat }).await.expect("a member");
    assert_eq!(others.mentions, [second]);
    third.connect(world.at(0)).await;
    all_equal(world.at(0), chat, &[writer, sara, third, away, fresh]).await;
}

/// A device that was away for more changes than a difference brings gets a snapshot, whose messages are only the last ones.
#[tokio::test]
async fn a_device_that_was_away_for_long_finds_the_oldest_one() {
    let world = Plan::single().start().await;
    let [writer, sara] = world.people().await;
    let chat = world.group(&writer, &[&sara]).await;
    writer.connect(world.at(0)).await;
    sara.connect(world.at(0)).await;
    let hers = sara.say(chat, "سلام").await.seq;
    sara.must(MarkRead { chat_id: chat, seq: hers }).await;
    sara.cut().await;
    let old = send(&writer, chat, mention(sara.id()), None).await.seq;
    for n in 0..40 {
        writer.say(chat, &format!("{n}")).await;
    }
    let answer = send(&writer, chat, NewBody::text("yes"), Some(hers)).await.seq;
    let fresh = Device::new(sara.account().clone());
    fresh.connect(world.at(0)).await;
    assert!(fresh.model().chats[&chat].first > old, "the snapshot does not hold it");
    assert_eq!(fresh.model().unread_mentions(chat), [old, answer]);
    // Older than what is held, and still counted down.
    let gone = writer.must(Delete { chat_id: chat, seq: old }).await;
    fresh.reaches(chat, gone.version).await;
    assert_eq!(fresh.model().unread_mentions(chat), [answer]);
    let audit = all_equal(world.at(0), chat, &[writer.clone(), fresh]).await;
    assert_eq!(audit.messages[&answer].answers, Some(sara.id()));
    assert_eq!(audit.messages[&old].body, Body::Deleted);
}

#[tokio::test]
async fn it_has_bounds_and_is_for_members_of_groups() {
    let world = Plan::single().start().await;
    let [writer, sara, stranger] = world.people().await;
    let chat = world.group(&writer, &[&sara]).await;
    let direct = world.direct(&writer, &sara).await;
    for device in [&writer, &sara] {
        device.connect(world.at(0)).await;
    }
    let many = |count: u32| {
        let named = |offset| if offset < 2 { sara.id() } else { UserId(1_000_000 + i64::from(offset)) };
        let mark = |offset| Entity { offset, length: 1, kind: EntityKind::Mention { user_id: named(offset) } };
        NewBody::Text(Text { text: "x".repeat(60), entities: (0..count).map(mark).collect() })
    };
    let too_many = Send::new(chat, Uuid::new_v4(), many(52));
    assert_eq!(writer.refused(too_many).await.code, ErrorCode::BadEntities);
    let all = send(&writer, chat, many(51), None).await;
    send(&writer, chat, mention(stranger.id()), None).await;
    let plain = writer.say(direct, "x").await.seq;
    let answer = send(&sara, direct, mention(writer.id()), Some(plain)).await;
    writer.reaches(direct, answer.version).await;
    assert!(writer.model().unread_mentions(direct).is_empty(), "of two each message is for the other");
    sara.reaches(chat, all.version).await;
    assert_eq!(sara.model().unread_mentions(chat), [all.seq]);
    let rows = world.database.sql("SELECT user_id, seq FROM chats.mentions");
    assert_eq!(rows, format!("{}|{}", sara.id(), all.seq), "one row, for a member, once");
    // Whoever was taken out is called no more.
    writer.must(RemoveMember { chat_id: chat, user_id: sara.id(), reason: None }).await;
    send(&writer, chat, mention(sara.id()), None).await;
    assert_eq!(world.database.sql("SELECT count(*) FROM chats.mentions"), "1");
}
