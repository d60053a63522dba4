//! Redis is killed and started again while people write. People on one node go on chatting; afterwards everybody has
//! everything, and nobody had to reconnect.

use std::time::Duration;

use chapar_protocol::command::{AddMembers, RemoveMember};

use crate::support::{
    Traffic,
    audit::{all_equal, knows_everything},
    world::Plan,
};

#[tokio::test]
async fn everybody_has_everything_without_a_reconnect() {
    let mut world = Plan::pair().start().await;
    let people: [_; 4] = world.people().await;
    let group = world.group(&people[0], &[&people[1], &people[2], &people[3]]).await;
    // Writers 0 and 2 are on node 0, 1 and 3 on node 1.
    let traffic = Traffic::start(&people, group, 2, Duration::from_millis(2), &world.routes());
    traffic.more(100).await;

    world.redis().kill();
    let [one, neighbour] = world.people().await;
    one.connect(world.at(0)).await;
    neighbour.connect(world.at(0)).await;
    let direct = world.direct(&one, &neighbour).await;
    one.say(direct, "with Redis dead").await;
    neighbour.sees(direct, "with Redis dead").await;
    traffic.more(100).await;

    world.redis().up().await;
    traffic.more(100).await;
    let written = traffic.finish().await;
    all_equal(world.at(0), group, &people).await.proves(&written);
    for device in &people {
        assert!(device.connected(), "somebody was disconnected");
    }
}

#[tokio::test]
async fn what_was_written_while_it_was_dead_arrives_though_nothing_follows() {
    let mut world = Plan::pair().start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(1)).await;
    writer.say(group, "before").await;
    reader.sees(group, "before").await;
    world.redis().kill();
    writer.say(group, "during").await;
    world.redis().up().await;
    reader.sees(group, "during").await;
    assert!(reader.connected());
    // The bus carries again, not only the comparison with the database.
    writer.say(group, "after").await;
    reader.sees(group, "after").await;
}

#[tokio::test]
async fn a_frozen_redis_holds_nobody_up() {
    let mut world = Plan::pair().start().await;
    let [writer, neighbour, far] = world.people().await;
    let group = world.group(&writer, &[&neighbour, &far]).await;
    writer.connect(world.at(0)).await;
    neighbour.connect(world.at(0)).await;
    far.connect(world.at(1)).await;
    world.redis().stop();
    for n in 0..20 {
        writer.say(group, &format!("frozen {n}")).await;
    }
    neighbour.sees(group, "frozen 19").await;
    world.redis().go_on();
    far.sees(group, "frozen 19").await;
    assert!(far.connected());
    all_equal(world.at(1), group, &[writer, neighbour, far]).await;
}

#[tokio::test]
async fn who_was_added_meanwhile_hears_what_follows() {
    let mut world = Plan::pair().start().await;
    let [owner, added, removed] = world.people().await;
    // Nobody on the other node watches the first group yet, so that its stream begins with whom is added.
    let group = world.group(&owner, &[]).await;
    let other = world.group(&owner, &[&removed]).await;
    owner.connect(world.at(0)).await;
    added.connect(world.at(1)).await;
    removed.connect(world.at(1)).await;
    world.redis().kill();
    owner.must(AddMembers { chat_id: group, user_ids: vec![added.id()] }).await;
    owner.must(RemoveMember { chat_id: other, user_id: removed.id(), reason: None }).await;
    owner.say(group, "during").await;
    world.redis().up().await;
    added.sees(group, "during").await;
    removed.until("the chat to be gone", |model| !model.chats.contains_key(&other)).await;
    owner.say(other, "not for all").await;
    owner.say(group, "after").await;
    added.sees(group, "after").await;
    assert!(!format!("{:?}", removed.model().events).contains("not for all"));
    for device in [&owner, &added, &removed] {
        knows_everything(device, world.at(1)).await;
    }
}
