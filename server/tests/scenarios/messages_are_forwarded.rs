//! A message goes on into another chat, with a word about where it comes from.

use chapar_protocol::{
    Body, ChatId, ErrorCode, FileId, FileKind, Right, Seq,
    command::{CreateChat, Delete, Edit, Forward, ForwardedItem, RemoveMember, SendAlbum, SentAlbum, SetChatRights},
    media::AlbumItem,
    message::{Forwarded, NewBody},
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{
    Audit, Device,
    files::{photo, with_file},
    world::Plan,
};

fn forward(from: ChatId, seqs: &[Seq], to: ChatId) -> Forward {
    let item = |seq: &Seq| ForwardedItem { client_id: Uuid::new_v4(), seq: *seq };
    Forward { chat_id: to, from, messages: seqs.iter().map(item).collect(), hide_origin: false }
}

/// Where those messages come from, and what they say, as somebody sees them.
async fn shown(
    at: std::net::SocketAddr,
    reader: &Device,
    chat: ChatId,
    sent: &SentAlbum,
) -> Vec<(Option<Forwarded>, Body)> {
    let audit = Audit::read(at, reader.token(), chat).await;
    let message = |seq: Seq| &audit.messages[&seq];
    sent.sent.iter().map(|it| (message(it.seq).forwarded.clone(), message(it.seq).body.clone())).collect()
}

#[tokio::test]
async fn they_stand_in_order_and_say_where_they_come_from() {
    let world = Plan::pair().start().await;
    let [author, reader, friend] = world.people().await;
    let group = world.group(&author, &[&reader]).await;
    let direct = world.direct(&reader, &friend).await;
    author.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    friend.connect(world.at(1)).await;
    let first = author.say(group, "یک").await;
    let second = reader.say(group, "two").await;
    let ask = forward(group, &[second.seq, first.seq], direct);
    // Sent by two devices at once, and again: it stands there once.
    let other = Device::new(reader.account().clone());
    other.connect(world.at(1)).await;
    let mut tries = JoinSet::new();
    for device in [reader.clone(), other, reader.clone()] {
        let ask = ask.clone();
        tries.spawn(async move { device.must(ask).await });
    }
    let answers = tries.join_all().await;
    assert!(answers.iter().all(|it| *it == answers[0]), "{answers:?}");
    let sent = &answers[0];
    assert_eq!(sent.sent[1].seq, sent.sent[0].seq.next());
    let origin = |of: &Device, it: &chapar_protocol::command::Sent| Forwarded {
        user_id: Some(of.id()),
        name: Some(of.account().user.name.clone()),
        chat_id: Some(group),
        seq: Some(it.seq),
        sent_at: Some(it.sent_at),
    };
    let expected =
        vec![(Some(origin(&reader, &second)), Body::text("two")), (Some(origin(&author, &first)), Body::text("یک"))];
    assert_eq!(shown(world.at(1), &friend, direct, sent).await, expected);
    // Who hears it as an event sees the same as who reads it later.
    friend.reaches(direct, sent.sent[1].version).await;
    Audit::read(world.at(0), friend.token(), direct).await.equals(&friend, world.at(1)).await;
    // Forwarded on it still names the first one; hidden, nobody; of a chat between two, no place in it.
    let on = friend.must(forward(direct, &[sent.sent[1].seq], direct)).await;
    assert_eq!(shown(world.at(0), &reader, direct, &on).await, expected[1..]);
    let hidden = Forward { hide_origin: true, ..forward(group, &[first.seq], direct) };
    let hidden = reader.must(hidden).await;
    let unnamed = (Some(Forwarded::default()), Body::text("یک"));
    assert_eq!(shown(world.at(0), &friend, direct, &hidden).await, vec![unnamed]);
    let between = friend.say(direct, "between us").await;
    let told = reader.must(forward(direct, &[between.seq], group)).await;
    let of_two = Forwarded { chat_id: None, seq: None, ..origin(&friend, &between) };
    assert_eq!(shown(world.at(0), &author, group, &told).await[0].0, Some(of_two));
    // It is somebody else's word: it stays as it is, or goes.
    let seq = told.sent[0].seq;
    let edit = Edit { chat_id: group, seq, body: NewBody::text("not what they said") };
    assert_eq!(reader.refused(edit).await.code, ErrorCode::Forbidden);
    reader.must(Delete { chat_id: group, seq }).await;
    let gone = author.until("a tombstone without marks", |model| {
        let message = &model.chats[&group].messages[&seq];
        message.body == Body::Deleted && message.forwarded.is_none()
    });
    gone.await;
}

#[tokio::test]
async fn a_post_names_its_channel_and_an_album_stays_together() {
    let world = Plan::single().start().await;
    let [author, reader, friend] = world.people().await;
    let new = CreateChat {
        client_id: Uuid::new_v4(),
        kind: chapar_protocol::ChatKind::Channel,
        title: "خبر".into(),
        handle: None,
        members: Vec::new(),
    };
    for device in [&author, &reader, &friend] {
        device.connect(world.at(0)).await;
    }
    let own = world.group(&author, &[&reader]).await;
    let channel = author.must(new).await.chat.id;
    let to = world.group(&author, &[&reader, &friend]).await;
    let post = author.say(channel, "a post").await;
    let sent = author.must(forward(channel, &[post.seq], to)).await;
    let [(Some(origin), _)] = &shown(world.at(0), &friend, to, &sent).await[..] else { panic!("one") };
    assert_eq!((origin.user_id, origin.name.as_deref()), (None, Some("خبر")));
    assert_eq!((origin.chat_id, origin.seq), (Some(channel), Some(post.seq)));

    let files: Vec<FileId> = (0..3).map(|_| world.file(&author, FileKind::Photo)).collect();
    let items = files.iter().map(|file| AlbumItem { client_id: Uuid::new_v4(), body: photo(*file, "") }).collect();
    let album = author.must(SendAlbum { chat_id: own, items, reply_to: None, silent: false }).await;
    let lone = author.must(with_file(own, world.file(&author, FileKind::Photo), "alone")).await;
    let seqs: Vec<Seq> = album.sent.iter().map(|it| it.seq).chain([lone.seq]).collect();
    let ask = forward(own, &seqs, to);
    let sent = reader.must(ask.clone()).await;
    let versions: Vec<i64> = sent.sent.iter().map(|it| it.version.0 - sent.sent[0].version.0).collect();
    assert_eq!(versions, [0, 0, 0, 1], "an album is told as one");
    let there = shown(world.at(0), &friend, to, &sent).await;
    let albums: Vec<_> = there.iter().map(|(_, body)| body.album()).collect();
    assert!(albums[0].is_some() && albums[..3].iter().all(|it| *it == albums[0]) && albums[3].is_none(), "{albums:?}");
    assert_ne!(albums[0], Some(ask.messages[3].client_id));
    // The files are the forwarder's own, and outlive the originals; a retry finds what it sent.
    assert!(there.iter().zip(&files).all(|((_, body), file)| body.files().all(|copy| copy != *file)));
    for seq in seqs {
        author.must(Delete { chat_id: own, seq }).await;
    }
    author.must(RemoveMember { chat_id: own, user_id: reader.id(), reason: None }).await;
    assert_eq!(reader.must(ask.clone()).await, sent);
    let mut other = ask;
    for it in &mut other.messages {
        it.client_id = Uuid::new_v4();
    }
    assert_eq!(reader.refused(other).await.code, ErrorCode::ChatNotFound);
}

#[tokio::test]
async fn only_what_may_be_read_where_may_be_written() {
    let world = Plan::single().start().await;
    let [author, reader, stranger] = world.people().await;
    let group = world.group(&author, &[&reader]).await;
    let own = world.group(&reader, &[&stranger]).await;
    for device in [&author, &reader, &stranger] {
        device.connect(world.at(0)).await;
    }
    let said = author.say(group, "here").await.seq;
    let line = Seq(1);
    let code = |ask: Forward, by: &Device| {
        let by = by.clone();
        async move { by.refused(ask).await.code }
    };
    assert_eq!(code(forward(group, &[said], own), &stranger).await, ErrorCode::ChatNotFound, "not in it");
    assert_eq!(code(forward(group, &[said], own), &author).await, ErrorCode::ChatNotFound, "not there");
    assert_eq!(code(forward(group, &[said, Seq(99)], own), &reader).await, ErrorCode::MessageNotFound);
    assert_eq!(code(forward(group, &[line], own), &reader).await, ErrorCode::Forbidden, "a line of the server's");
    assert_eq!(code(forward(group, &[], own), &reader).await, ErrorCode::TooLarge);
    assert_eq!(code(forward(group, &[said; 31], own), &reader).await, ErrorCode::TooLarge);
    let mut twice = forward(group, &[said, said], own);
    twice.messages[1].client_id = twice.messages[0].client_id;
    assert_eq!(code(twice, &reader).await, ErrorCode::BadRequest);
    // All of it, or nothing: also where the client id was used for something else.
    let mut used = forward(group, &[said, said], own);
    let text = reader.say(own, "mine").await;
    let audit = Audit::read(world.at(0), reader.token(), own).await;
    used.messages[1].client_id = audit.messages[&text.seq].client_id;
    assert_eq!(code(used, &reader).await, ErrorCode::ClientIdReused);
    author.must(SetChatRights { chat_id: group, rights: vec![Right::React] }).await;
    assert_eq!(code(forward(own, &[text.seq], group), &reader).await, ErrorCode::Forbidden, "may not write");
    reader.must(Delete { chat_id: own, seq: text.seq }).await;
    assert_eq!(code(forward(own, &[text.seq], own), &reader).await, ErrorCode::MessageNotFound, "a tombstone");
    let last = reader.say(own, "last").await.seq;
    assert_eq!(last, text.seq.next(), "nothing came of all that");
}
