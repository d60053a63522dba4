//! Readers of a channel react, and are counted: nobody hears who it was, save their own devices.

use std::time::Duration;

use chapar_protocol::{ChatDelta, ChatId, ChatKind, ChatRow, Event, Seq, UserId, command::React};

use futures_util::future::join_all;

use crate::support::{Device, audit::all_equal, world::Plan};

/// Whose reactions a device was told of, live.
fn named(device: &Device, chat: ChatId) -> Vec<UserId> {
    let of = |event: &Event| match event {
        Event::Delta(ChatDelta { chat_id, rows, .. }) if *chat_id == chat => {
            rows.iter().filter_map(ChatRow::reaction).cloned().collect()
        }
        Event::Reacted(own) if own.chat_id == chat => vec![own.reacted.clone()],
        _ => Vec::new(),
    };
    device.model().events.iter().flat_map(of).map(|it| it.user_id).collect()
}

fn like(chat_id: ChatId, seq: Seq, emoji: &str) -> React {
    React { chat_id, seq, emoji: Some(emoji.to_owned()) }
}

fn own(device: &Device, chat: ChatId, seq: Seq) -> Option<String> {
    device.model().chats[&chat].reacted.get(&seq).cloned()
}

#[tokio::test]
async fn live_and_when_a_gap_is_filled() {
    let mut world = Plan::pair().start().await;
    let (one, one_elsewhere) = world.person_with_two_devices("pari").await;
    let [owner, other] = world.people().await;
    let channel = world.chat(ChatKind::Channel, &owner, &[&one, &other]).await;
    owner.connect(world.at(0)).await;
    one.connect(world.at(0)).await;
    one_elsewhere.connect(world.at(1)).await;
    other.connect(world.at(1)).await;
    let everybody = [&owner, &one, &one_elsewhere, &other];
    let post = owner.say(channel, "what do you say?").await.seq;
    for device in everybody {
        device.sees(channel, "what do you say?").await;
    }

    one.must(like(channel, post, "🌹")).await;
    for device in everybody {
        let counted = |model: &crate::support::Model| {
            model.message(channel, post).and_then(|it| it.reactions.first()).is_some_and(|it| it.count == 1)
        };
        device.until("the reaction to be counted", counted).await;
    }
    for device in [&one, &one_elsewhere] {
        let named = named(device, channel);
        assert!(!named.is_empty() && named.iter().all(|it| *it == one.id()), "one's own is heard on all devices");
        assert_eq!(own(device, channel, post).as_deref(), Some("🌹"));
    }
    for device in [&owner, &other] {
        assert_eq!(named(device, channel), [], "nobody else hears whose it was");
    }

    // The other node misses some, and reads them from the database.
    world.redis().kill();
    one.must(like(channel, post, "👍")).await;
    let last = owner.say(channel, "meanwhile").await;
    world.redis().up().await;
    for device in everybody {
        device.reaches(channel, last.version).await;
    }
    one_elsewhere
        .until("the own reaction", |model| model.chats[&channel].reacted.get(&post).map(String::as_str) == Some("👍"))
        .await;
    for device in [&owner, &other] {
        assert_eq!(named(device, channel), [], "nor then");
    }
    all_equal(world.at(1), channel, &[owner, one, one_elsewhere, other]).await;
}

#[tokio::test]
async fn in_a_group_everybody_sees_who_it_was() {
    let world = Plan::pair().start().await;
    let [one, other] = world.people().await;
    let group = world.group(&one, &[&other]).await;
    one.connect(world.at(0)).await;
    other.connect(world.at(1)).await;
    let seq = one.say(group, "and here?").await.seq;
    other.sees(group, "and here?").await;
    let set = one.must(like(group, seq, "🌹")).await;
    other.reaches(group, set.version).await;
    assert_eq!(named(&other, group), [one.id()]);
}

/// What is stored together is told together: all that is one's own, not the first of it.
#[tokio::test]
async fn several_reactions_of_one_person_in_one_breath() {
    let world = Plan::pair().start().await;
    let [owner, one] = world.people().await;
    let channel = world.chat(ChatKind::Channel, &owner, &[&one]).await;
    owner.connect(world.at(0)).await;
    one.connect(world.at(1)).await;
    let mut posts = Vec::new();
    for n in 0..8 {
        posts.push(owner.say(channel, &format!("post {n}")).await.seq);
    }
    one.sees(channel, "post 7").await;
    let holder = world.database.meanwhile(&format!("SELECT id FROM chats WHERE id = {channel} FOR UPDATE"));
    let likes: Vec<React> = posts.iter().map(|post| like(channel, *post, "🌹")).collect();
    let release = async {
        while world.database.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.database.end_meanwhile();
    };
    let (answers, ()) = tokio::join!(join_all(likes.iter().map(|it| one.call(it))), release);
    drop(holder);
    let last = answers.into_iter().map(|it| it.expect("done").version).max().expect("some");
    one.reaches(channel, last).await;
    // By an event of its own, beside the answer.
    for post in &posts {
        one.until("one's own", |model| model.chats[&channel].reacted.get(post).is_some_and(|it| it == "🌹")).await;
    }
    // The counts are told later.
    let counted = |model: &crate::support::Model| {
        posts.iter().all(|post| model.message(channel, *post).is_some_and(|it| it.reactions.len() == 1))
    };
    owner.until("the counts", counted).await;
    one.until("the counts", counted).await;
    all_equal(world.at(0), channel, &[owner, one]).await;
}
