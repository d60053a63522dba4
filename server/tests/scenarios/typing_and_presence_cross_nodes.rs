//! Who is writing and who is there is seen on every node, and nowhere where it is nobody's business.

use chapar_protocol::{
    Event,
    command::{SetTyping, WatchPresence},
};

use crate::support::{Device, world::Plan};

#[tokio::test]
async fn typing() {
    let world = Plan::pair().start().await;
    let [writer, here, there, stranger] = world.people().await;
    let chat_id = world.group(&writer, &[&here, &there]).await;
    writer.connect(world.at(0)).await;
    here.connect(world.at(0)).await;
    there.connect(world.at(1)).await;
    stranger.connect(world.at(1)).await;
    writer.must(SetTyping { chat_id }).await;
    let by_writer = |event: &Event| {
        matches!(event, Event::Typing(typing) if typing.chat_id == chat_id && typing.user_id == writer.id())
            .then_some(())
    };
    here.event("typing on the same node", by_writer).await;
    there.event("typing on the other node", by_writer).await;
    // What came later has come: so nothing more can be under way.
    let last = writer.say(chat_id, "written").await;
    writer.reaches(chat_id, last.version).await;
    let typing = |device: &Device| device.model().events.iter().any(|event| matches!(event, Event::Typing(_)));
    assert!(!typing(&stranger), "a stranger saw it");
}

#[tokio::test]
async fn presence() {
    let world = Plan::pair().start().await;
    let [watcher, friend, stranger] = world.people().await;
    world.direct(&watcher, &friend).await;
    watcher.connect(world.at(0)).await;
    let user_ids = vec![friend.id(), stranger.id()];
    stranger.connect(world.at(1)).await;
    let first = watcher.call(&WatchPresence { user_ids }).await;
    if let Ok(first) = &first {
        assert!(!first.presences.iter().any(|presence| presence.user_id == stranger.id() && presence.online));
        assert!(!first.presences.iter().any(|presence| presence.online));
    }
    watcher.must(WatchPresence { user_ids: vec![friend.id()] }).await;
    let is = |online: bool| {
        let id = friend.id();
        move |event: &Event| match event {
            Event::Presence(presence) if presence.user_id == id && presence.online == online => Some(presence.clone()),
            _ => None,
        }
    };
    friend.connect(world.at(1)).await;
    watcher.event("coming online on the other node", is(true)).await;

    // With two devices, one going is not gone.
    let second = Device::new(friend.account().clone());
    second.connect(world.at(0)).await;
    watcher.forget_events();
    friend.cut().await;
    let again = watcher.must(WatchPresence { user_ids: vec![friend.id()] }).await;
    assert!(
        again.presences.iter().any(|presence| presence.online) || {
            watcher.event("still online", is(true)).await;
            true
        }
    );
    second.cut().await;
    let gone = watcher.event("going offline", is(false)).await;
    assert!(gone.last_seen_at.is_some());
    let stranger_seen =
        watcher.model().events.iter().any(|event| matches!(event, Event::Presence(p) if p.user_id == stranger.id()));
    assert!(!stranger_seen, "a stranger's presence was told");
}
