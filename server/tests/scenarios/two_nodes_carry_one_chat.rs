//! A sender on one node, readers on both: everybody sees everything once and in order.

use std::time::Duration;

use crate::support::{Traffic, audit::all_equal, world::Plan};

#[tokio::test]
async fn readers_on_both_nodes_see_what_is_written_on_one() {
    let world = Plan::pair().start().await;
    let [writer, here, there] = world.people().await;
    let group = world.group(&writer, &[&here, &there]).await;
    writer.connect(world.at(0)).await;
    here.connect(world.at(0)).await;
    there.connect(world.at(1)).await;

    let sent = writer.say(group, "سلام از این سو").await;
    for reader in [&writer, &here, &there] {
        reader.sees(group, "سلام از این سو").await;
        assert_eq!(reader.model().message(group, sent.seq).expect("is there").version, sent.version);
    }
}

#[tokio::test]
async fn writers_on_both_nodes_end_with_one_order() {
    let world = Plan::pair().start().await;
    let people: [_; 4] = world.people().await;
    let group = world.group(&people[0], &[&people[1], &people[2], &people[3]]).await;
    let traffic = Traffic::start(&people, group, 4, Duration::ZERO, &world.routes());
    traffic.more(400).await;
    let written = traffic.finish().await;
    all_equal(world.at(0), group, &people).await.proves(&written);
    all_equal(world.at(1), group, &people).await;
}
