//! People whose node is killed or goes away are seen to go offline from the other nodes, unless they come back.

use chapar_protocol::{
    Event, UserId,
    command::{Ping, WatchPresence},
};

use crate::support::{Device, Model, Signal, World, world::Plan};

fn told(model: &Model, user: UserId, online: bool) -> usize {
    let is_it = |event: &&Event| matches!(event, Event::Presence(it) if it.user_id == user && it.online == online);
    model.events.iter().filter(is_it).count()
}

async fn watch(watcher: &Device, friends: &[&Device]) {
    let user_ids = friends.iter().map(|friend| friend.id()).collect();
    let first = watcher.must(WatchPresence { user_ids }).await;
    for friend in friends {
        let known = first.presences.iter().any(|it| it.user_id == friend.id() && it.online);
        if !known {
            watcher.until("a friend to be online", |model| told(model, friend.id(), true) > 0).await;
        }
    }
}

/// A watcher on the first node, two friends on the second, one of whom comes back on the first.
async fn one_comes_back(world: &mut World, signal: Signal) {
    let [watcher, gone, back] = world.people().await;
    world.direct(&watcher, &gone).await;
    world.direct(&watcher, &back).await;
    watcher.connect(world.at(0)).await;
    gone.connect(world.at(1)).await;
    back.connect(world.at(1)).await;
    watch(&watcher, &[&gone, &back]).await;
    watcher.forget_events();
    world.nodes[1].signal(signal);
    back.ended().await;
    back.connect(world.at(0)).await;
    let offline = watcher
        .event("going offline", |event| match event {
            Event::Presence(it) if it.user_id == gone.id() && !it.online => Some(it.clone()),
            _ => None,
        })
        .await;
    assert!(offline.last_seen_at.is_some());
    assert_eq!(told(&watcher.model(), back.id(), false), 0, "who came back in time was never gone");
    let seen = world.database.sql(&format!("SELECT last_seen_at IS NOT NULL FROM users WHERE id = {}", gone.id().0));
    assert_eq!(seen, "t");
}

#[tokio::test]
async fn that_is_killed() {
    let mut world = Plan::pair().start().await;
    one_comes_back(&mut world, Signal::KILL).await;
}

#[tokio::test]
async fn that_drains() {
    let mut world = Plan::pair().flags(&["--drain-seconds", "2"]).start().await;
    one_comes_back(&mut world, Signal::TERM).await;
}

/// Each who begins to watch is answered; those who watch already hear nothing of it.
#[tokio::test]
async fn and_a_question_is_answered_to_who_asked() {
    let world = Plan::pair().start().await;
    let [friend] = world.people().await;
    let watchers: [_; 6] = world.people().await;
    friend.connect(world.at(1)).await;
    for (index, watcher) in watchers.iter().enumerate() {
        world.direct(watcher, &friend).await;
        watcher.connect(world.at(index % 2)).await;
        watch(watcher, &[&friend]).await;
        // Once more: the app is opened again.
        watch(watcher, &[&friend]).await;
    }
    for watcher in &watchers {
        watcher.must(Ping {}).await;
        let model = watcher.model();
        assert!(told(&model, friend.id(), true) <= 1, "told {} times", told(&model, friend.id(), true));
        assert_eq!(told(&model, friend.id(), false), 0);
    }
}
