//! Hundreds react to a post, look at it and come in at once, over two nodes: each is answered when it is stored, whoever watches hears of it
//! about once a second, and in the end knows exactly how many they were, also when a node dies before it has told them.

use std::time::{Duration, Instant};

use chapar_protocol::{
    ChatDelta, ChatId, ChatKind, ChatRow, Event, Seq,
    command::{CreateChat, Join, Leave, MarkRead, React},
};
use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use crate::support::{Device, World, http, within, world::Plan};

async fn channel(world: &World, owner: &Device, handle: &str) -> ChatId {
    let create = CreateChat {
        client_id: Uuid::new_v4(),
        kind: ChatKind::Channel,
        title: "کاروان".to_owned(),
        handle: Some(handle.to_owned()),
        members: Vec::new(),
    };
    http::call(world.at(0), owner.token(), &create).await.expect("made").chat.id
}

async fn crowd(world: &World, count: u32, handle: &str) -> Vec<Device> {
    let crowd: Vec<Device> = world.accounts(count).await.into_iter().map(Device::new).collect();
    let join = Join { handle: handle.to_owned() };
    let joined = stream::iter(crowd.iter().enumerate()).for_each_concurrent(64, |(n, person)| {
        let join = &join;
        async move { drop(http::call(world.at(n % 2), person.token(), join).await.expect("joined")) }
    });
    joined.await;
    crowd
}

fn like(chat_id: ChatId, seq: Seq, emoji: &str) -> React {
    React { chat_id, seq, emoji: Some(emoji.to_owned()) }
}

/// How often a device was told of this post.
fn tellings(device: &Device, chat: ChatId, post: Seq) -> usize {
    let of = |event: &&Event| {
        matches!(event, Event::Delta(ChatDelta { chat_id, rows, .. })
            if *chat_id == chat && rows.iter().filter_map(ChatRow::message).any(|it| it.seq == post))
    };
    device.model().events.iter().filter(of).count()
}

async fn knows(device: &Device, chat: ChatId, post: Seq, reactions: u32, views: u32, members: u32) {
    let what = format!("{reactions} reactions, {views} views, {members} members");
    device
        .until(&what, |model| {
            let Some(message) = model.message(chat, post) else { return false };
            message.reactions.iter().map(|it| it.count).sum::<u32>() == reactions
                && message.views == views
                && model.chats[&chat].info.as_ref().and_then(|it| it.member_count) == Some(members)
        })
        .await;
}

#[tokio::test]
async fn however_many_react_and_look() {
    let world = Plan::pair().start().await;
    let [owner, watcher] = world.people().await;
    let channel = channel(&world, &owner, "counted").await;
    http::call(world.at(1), watcher.token(), &Join { handle: "counted".to_owned() }).await.expect("joined");
    owner.connect(world.at(0)).await;
    watcher.connect(world.at(1)).await;
    let crowd = crowd(&world, 300, "counted").await;
    let post = owner.say(channel, "what do you say?").await.seq;
    watcher.sees(channel, "what do you say?").await;
    for device in [&owner, &watcher] {
        knows(device, channel, post, 0, 0, 302).await;
        device.forget_events();
    }

    let began = Instant::now();
    let all = stream::iter(crowd.iter().enumerate()).for_each_concurrent(64, |(n, person)| {
        let (node, other) = (world.at(n % 2), world.at((n + 1) % 2));
        async move {
            http::call(node, person.token(), &like(channel, post, "👍")).await.expect("stored");
            // Some change their minds, elsewhere; some look, and look again.
            if n % 3 == 0 {
                http::call(other, person.token(), &like(channel, post, "🌹")).await.expect("stored");
            }
            if n % 2 == 0 {
                let read = MarkRead { chat_id: channel, seq: post };
                for node in [node, other] {
                    http::call(node, person.token(), &read).await.expect("read");
                }
            }
        }
    });
    all.await;
    for device in [&owner, &watcher] {
        knows(device, channel, post, 300, 150, 302).await;
    }
    let (took, told) = (began.elapsed(), [&owner, &watcher].map(|it| tellings(it, channel, post)));
    println!("300 reactions and 150 views within {took:?}, told in {told:?} changes");
    let most = usize::try_from(took.as_secs()).expect("few") + 2;
    assert!(told.iter().all(|told| *told <= most), "{told:?} within {took:?}");
    let counts = watcher.model().message(channel, post).expect("held").reactions.clone();
    assert_eq!(counts.iter().map(|it| it.count).collect::<Vec<_>>(), [200, 100]);

    // Who has gone has seen it all the same, and one's own reaction is one's own.
    for person in &crowd[..3] {
        http::call(world.at(0), person.token(), &Leave { chat_id: channel }).await.expect("left");
    }
    knows(&watcher, channel, post, 300, 150, 299).await;
    let counted = "SELECT count(*) FROM reactions WHERE version = 0 OR counted IS DISTINCT FROM emoji";
    assert_eq!(world.database.sql(counted).trim(), "0");
}

#[tokio::test]
async fn a_node_dies_before_it_has_told_what_it_stored() {
    let mut world = Plan::pair().start().await;
    let [owner] = world.people().await;
    let channel = channel(&world, &owner, "survives").await;
    owner.connect(world.at(0)).await;
    let crowd = crowd(&world, 60, "survives").await;
    let post = owner.say(channel, "who is there?").await.seq;
    let (dying, person) = (world.at(1), crowd[0].clone());
    // The first is told at once; what follows within the second is stored and waits.
    http::call(dying, person.token(), &like(channel, post, "👍")).await.expect("stored");
    let rest = stream::iter(&crowd[1..]).for_each_concurrent(64, |person| async move {
        http::call(dying, person.token(), &like(channel, post, "👍")).await.expect("stored");
        http::call(dying, person.token(), &MarkRead { chat_id: channel, seq: post }).await.expect("read");
    });
    rest.await;
    world.nodes[1].kill();
    knows(&owner, channel, post, 60, 59, 61).await;
    within("nothing to be left to tell", async {
        while world.database.sql("SELECT count(*) FROM counts WHERE stale").trim() != "0" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn ones_own_reaction_is_heard_at_once_on_all_own_devices() {
    let world = Plan::pair().start().await;
    let (one, one_elsewhere) = world.person_with_two_devices("tara").await;
    let [owner] = world.people().await;
    let channel = world.chat(ChatKind::Channel, &owner, &[&one]).await;
    owner.connect(world.at(0)).await;
    one.connect(world.at(0)).await;
    one_elsewhere.connect(world.at(1)).await;
    let post = owner.say(channel, "well?").await.seq;
    one_elsewhere.sees(channel, "well?").await;
    one.must(like(channel, post, "👍")).await;
    knows(&owner, channel, post, 1, 0, 2).await;
    one_elsewhere.forget_events();
    // Within the second after the last telling.
    let asked = Instant::now();
    one.must(like(channel, post, "🌹")).await;
    let own = |event: &Event| match event {
        Event::Reacted(own) => Some(own.reacted.emoji.clone()),
        _ => None,
    };
    let heard = one_elsewhere.event("the own reaction", own).await;
    assert_eq!(heard.as_deref(), Some("🌹"));
    println!("heard after {:?}", asked.elapsed());
    assert!(owner.model().events.iter().all(|it| own(it).is_none()), "nobody else hears whose it was");
    // A device that was away learns of it when it comes back, whether it was told to others or not.
    one_elsewhere.cut().await;
    one.must(like(channel, post, "🌙")).await;
    one_elsewhere.connect(world.at(1)).await;
    one_elsewhere
        .until("the last one", |model| model.chats[&channel].reacted.get(&post).map(String::as_str) == Some("🌙"))
        .await;
    tokio::time::timeout(Duration::from_secs(5), knows(&owner, channel, post, 1, 0, 2)).await.expect("counted");
}
