//! The line is cut in the middle of a stream; the device comes back on the other node and gets only what it missed.

use std::time::Duration;

use chapar_protocol::ChatSync;

use crate::support::{Traffic, audit::all_equal, world::Plan};

#[tokio::test]
async fn the_answer_holds_only_what_changed() {
    let world = Plan::pair().start().await;
    let [writer, reader] = world.people().await;
    let busy = world.group(&writer, &[&reader]).await;
    let quiet = world.group(&writer, &[&reader]).await;
    let left_alone = world.direct(&writer, &reader).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    writer.say(quiet, "before").await;
    reader.sees(quiet, "before").await;
    let traffic = Traffic::start(std::slice::from_ref(&writer), busy, 4, Duration::ZERO, &world.routes());
    reader.until("the stream", |model| model.arrivals.iter().filter(|(chat, _)| *chat == busy).count() >= 50).await;

    reader.cut().await;
    let before = reader.model().resume().expect("has cursors");
    let cursor = before.chats.iter().find(|cursor| cursor.0 == busy).expect("known").1;
    traffic.more(50).await;
    let welcome = reader.connect(world.at(1)).await;

    let sync = welcome.sync;
    assert!(sync.reset.is_empty());
    assert_eq!(sync.epochs, before.epochs);
    assert_eq!(sync.user.version, sync.user.from, "nothing of the user's own changed");
    let [ChatSync::Delta { delta, .. }] = &sync.chats[..] else { panic!("more than the one chat: {:?}", sync.chats) };
    assert_eq!((delta.chat_id, delta.from), (busy, cursor), "not {quiet}, not {left_alone}");
    assert!(delta.rows.iter().all(|row| row.version() > cursor), "a row that was known");
    assert!(!delta.rows.is_empty() && delta.rows.iter().all(|row| row.message().is_some()));
    assert_eq!(reader.model().snapshots, 0);

    let written = traffic.finish().await;
    all_equal(world.at(0), busy, &[writer, reader]).await.proves(&written);
}

#[tokio::test]
async fn a_device_that_missed_nothing_is_told_nothing() {
    let world = Plan::pair().start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    writer.say(group, "one").await;
    reader.sees(group, "one").await;
    let sync = reader.connect(world.at(1)).await.sync;
    assert!(
        sync.reset.is_empty() && sync.chats.is_empty() && sync.user.items.is_empty() && sync.behind.is_empty(),
        "{sync:?}"
    );
}
