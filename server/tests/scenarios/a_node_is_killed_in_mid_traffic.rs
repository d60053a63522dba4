//! A node dies by SIGKILL while people write. Nothing acknowledged is lost, nothing is doubled, nothing out of order.

use std::time::Duration;

use crate::support::{Traffic, audit::all_equal, world::Plan};

#[tokio::test]
async fn the_only_node_three_times() {
    let mut world = Plan::single().start().await;
    let people: [_; 4] = world.people().await;
    let group = world.group(&people[0], &[&people[1], &people[2], &people[3]]).await;
    let traffic = Traffic::start(&people, group, 4, Duration::ZERO, &world.routes());
    for _ in 0..3 {
        traffic.more(200).await;
        world.nodes[0].kill();
        world.restart(0);
    }
    traffic.more(200).await;
    let written = traffic.finish().await;
    let audit = all_equal(world.at(0), group, &people).await;
    audit.proves(&written);
    audit.agrees_with(&world.database);
}

#[tokio::test]
async fn one_of_two_while_people_go_over_to_the_other() {
    let mut world = Plan::pair().start().await;
    let people: [_; 4] = world.people().await;
    let group = world.group(&people[0], &[&people[1], &people[2], &people[3]]).await;
    let traffic = Traffic::start(&people, group, 2, Duration::from_millis(1), &world.routes());
    traffic.more(100).await;
    world.nodes[0].kill();
    traffic.more(200).await;
    world.restart(0);
    traffic.more(100).await;
    let written = traffic.finish().await;
    all_equal(world.at(1), group, &people).await.proves(&written);
    all_equal(world.at(0), group, &people).await;
}
