//! Posts of a channel are discussed in a group: each comes there once, whoever dies, and says how many comments it has.

use std::time::Duration;

use chapar_protocol::{
    Body, ChatId, ChatKind, ErrorCode, FileKind, Message, Role, Seq,
    command::{AddMembers, Delete, GetThread, JoinDiscussion, Leave, Send, SetDiscussion, SetRole},
    message::NewBody,
};
use uuid::Uuid;

use crate::support::{Audit, Device, Model, World, device::message, files::with_file, world::Plan};

/// Behind every message.
const END: i64 = (1 << 53) - 1;

async fn discussed(world: &World, owner: &Device) -> (ChatId, ChatId) {
    let channel = world.chat(ChatKind::Channel, owner, &[]).await;
    let group = world.group(owner, &[]).await;
    owner.must(SetDiscussion { chat_id: channel, group_id: Some(group) }).await;
    (channel, group)
}

/// A message as a device has it, when it fits.
async fn seen(device: &Device, chat: ChatId, seq: Seq, fits: impl Fn(&Message) -> bool) -> Message {
    let found = |model: &Model| model.chats.get(&chat)?.messages.get(&seq).cloned();
    device.until("the message", |model| found(model).is_some_and(|it| fits(&it))).await;
    found(&device.model()).expect("is there")
}

fn comment(chat_id: ChatId, thread: Seq, text: &str) -> Send {
    Send { thread: Some(thread), ..Send::new(chat_id, Uuid::new_v4(), NewBody::text(text)) }
}

#[tokio::test]
async fn a_post_comes_into_the_group_and_counts_its_comments() {
    let world = Plan::pair().start().await;
    let [owner, reader, late] = world.people().await;
    for device in [&owner, &reader] {
        device.connect(world.at(0)).await;
    }
    let (channel, group) = discussed(&world, &owner).await;
    for device in [&reader, &late] {
        world.opens(&owner, device).await;
        owner.must(AddMembers { chat_id: channel, user_ids: vec![device.id()] }).await;
    }
    let file = world.file(&owner, FileKind::Photo);
    let posts = [owner.must(message(channel, "خبر")).await.seq, owner.must(with_file(channel, file, "عکس")).await.seq];
    let mut roots = Vec::new();
    for post in posts {
        let it = seen(&owner, channel, post, |it| it.comments.is_some()).await;
        let comments = it.comments.expect("can have some");
        assert_eq!((comments.chat_id, comments.count), (group, 0));
        let root = seen(&owner, group, comments.seq, |it| it.post.is_some()).await;
        assert_eq!((root.post, root.forwarded.and_then(|it| it.chat_id)), (Some(post), Some(channel)));
        roots.push(root.seq);
    }
    let carried = seen(&owner, group, roots[1], |_| true).await;
    assert!(matches!(&carried.body, Body::Photo(photo) if photo.file.id != file), "a file of its own: {carried:?}");

    // Whoever reads the channel comes into its group, and says something.
    assert_eq!(reader.refused(comment(group, roots[0], "x")).await.code, ErrorCode::ChatNotFound);
    reader.must(JoinDiscussion { chat_id: channel }).await;
    let mut said = Vec::new();
    for n in 0..5 {
        said.push(reader.must(comment(group, roots[0], &format!("نظر {n}"))).await.seq);
    }
    owner.must(comment(group, roots[1], "under the other")).await;
    owner.must(message(group, "beside all threads")).await;
    seen(&reader, channel, posts[0], |it| it.comments.is_some_and(|it| it.count == 5)).await;
    reader.must(Delete { chat_id: group, seq: said[1] }).await;
    seen(&owner, channel, posts[0], |it| it.comments.is_some_and(|it| it.count == 4)).await;
    let page = async |seq, before, after| {
        let get = GetThread { chat_id: group, root: roots[0], seq: Seq(seq), before, after };
        reader.must(get).await.messages.into_iter().map(|it| it.seq).collect::<Vec<_>>()
    };
    assert_eq!(page(END, 50, 0).await, [roots[0], said[0], said[2], said[3], said[4]]);
    assert_eq!(page(END, 2, 0).await, [roots[0], said[3], said[4]]);
    assert_eq!(page(said[2].0, 1, 1).await, [roots[0], said[0], said[2]]);
    let nothing = GetThread { chat_id: group, root: said[0], seq: Seq(1), before: 0, after: 1 };
    assert_eq!(reader.refused(nothing).await.code, ErrorCode::MessageNotFound);
    // Only under a post.
    assert_eq!(reader.refused(comment(group, said[0], "x")).await.code, ErrorCode::MessageNotFound);

    // Somebody who was away has it by the difference.
    late.connect(world.at(1)).await;
    let it = seen(&late, channel, posts[0], |it| it.comments.is_some_and(|it| it.count == 4)).await;
    assert_eq!(it.comments.map(|it| it.seq), Some(roots[0]));
    late.must(JoinDiscussion { chat_id: channel }).await;
    assert_eq!(seen(&late, group, said[0], |_| true).await.thread, Some(roots[0]));
    for (device, chat) in [(&reader, channel), (&late, channel), (&late, group)] {
        Audit::read(world.at(0), device.token(), chat).await.equals(device, world.at(0)).await;
    }

    // When it is over, new posts stay where they are.
    owner.must(SetDiscussion { chat_id: group, group_id: None }).await;
    let after = owner.must(message(channel, "later")).await.seq;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(seen(&owner, channel, after, |_| true).await.comments, None);
    assert_eq!(late.refused(JoinDiscussion { chat_id: channel }).await.code, ErrorCode::ChatNotFound);
}

#[tokio::test]
async fn each_post_comes_once_whoever_dies() {
    let mut world = Plan::pair().start().await;
    let [owner] = world.people().await;
    owner.connect(world.at(0)).await;
    let (channel, group) = discussed(&world, &owner).await;
    let mut posts = Vec::new();
    for n in 0..40 {
        posts.push(owner.must(message(channel, &format!("post {n}"))).await.seq);
        if n == 15 {
            // In the middle of carrying, and it comes back.
            world.nodes[1].kill();
            world.restart(1);
        }
    }
    for post in &posts {
        seen(&owner, channel, *post, |it| it.comments.is_some()).await;
    }
    let carried = world.database.sql(&format!(
        "SELECT count(*), count(DISTINCT body #> '{{beside,post}}') FROM messages WHERE chat_id = {} AND body -> 'beside' ? 'post'",
        group.0
    ));
    assert_eq!(carried.trim(), "40|40");
}

#[tokio::test]
async fn both_chats_are_ones_own_to_look_after() {
    let world = Plan::single().start().await;
    let [owner, admin, member] = world.people().await;
    for device in [&owner, &admin, &member] {
        device.connect(world.at(0)).await;
    }
    let channel = world.chat(ChatKind::Channel, &owner, &[&admin, &member]).await;
    let group = world.group(&owner, &[&admin, &member]).await;
    let own = world.group(&admin, &[&owner]).await;
    let link = |chat_id, group_id| SetDiscussion { chat_id, group_id: Some(group_id) };
    for device in [&admin, &member] {
        assert_eq!(device.refused(link(channel, group)).await.code, ErrorCode::Forbidden, "no admin of them");
    }
    owner.must(SetRole { chat_id: channel, user_id: admin.id(), role: Role::Admin }).await;
    assert_eq!(admin.refused(link(channel, group)).await.code, ErrorCode::Forbidden, "of one of them");
    assert_eq!(owner.refused(link(group, channel)).await.code, ErrorCode::BadRequest);
    assert_eq!(owner.refused(link(channel, channel)).await.code, ErrorCode::BadRequest);
    // Two at once, for one channel: one of them holds, and no group is left with half of it.
    let (hers, his) = (link(channel, group), link(channel, own));
    let (one, two) = tokio::join!(owner.call(&hers), admin.call(&his));
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1, "{one:?} {two:?}");
    let (holds, free) = if one.is_ok() { (group, own) } else { (own, group) };
    let says = |chat: ChatId| {
        let said =
            world.database.sql(&format!("SELECT about -> 'discussion' ->> 'chat_id' FROM chats WHERE id = {}", chat.0));
        said.trim().parse::<i64>().ok().map(ChatId)
    };
    assert_eq!((says(channel), says(holds), says(free)), (Some(holds), Some(channel), None));
    assert_eq!(owner.refused(link(channel, free)).await.code, ErrorCode::Forbidden, "end the other first");
    // Nobody else ends it, and nobody but the server says what is a post, or in a thread of none.
    assert_eq!(member.refused(SetDiscussion { chat_id: channel, group_id: None }).await.code, ErrorCode::Forbidden);
    assert_eq!(member.refused(comment(group, Seq(1), "x")).await.code, ErrorCode::MessageNotFound);
    member.must(Leave { chat_id: channel }).await;
    assert_eq!(member.refused(JoinDiscussion { chat_id: channel }).await.code, ErrorCode::ChatNotFound);
    owner.must(SetDiscussion { chat_id: channel, group_id: None }).await;
    assert_eq!((says(channel), says(holds)), (None, None));
}
