//! A node that knows it is alone publishes nothing. When another one joins, nobody on it misses anything.

use std::time::Duration;

use crate::support::{
    Device, Traffic,
    audit::all_equal,
    world::{Plan, World},
};

/// Four people write on the first node while the second one starts. A reader goes over to it as soon as it takes connections,
/// which is while the first one may have thought itself alone a moment ago.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_on_the_new_node_misses_anything() {
    let mut world = Plan::first().start().await;
    let people: [Device; 5] = world.people().await;
    let (writers, reader) = (&people[..4], &people[4]);
    let group = world.group(&writers[0], &[&writers[1], &writers[2], &writers[3], reader]).await;
    let traffic = Traffic::start(writers, group, 2, Duration::from_millis(2), &world.routes());
    traffic.more(200).await;
    let alone = published(&mut world).await;
    traffic.more(200).await;
    let heartbeats = published(&mut world).await - alone;
    assert!(heartbeats < 100, "a node that is alone publishes nothing of 200 messages, but: {heartbeats}");
    world.join().await;
    reader.connect(world.at(1)).await;
    traffic.more(400).await;
    assert!(published(&mut world).await > alone + 100 + heartbeats, "a node that is not alone publishes");
    let written = traffic.finish().await;
    // Each message was heard as it was told: a reader that saw a hole would have asked, and its model would say so.
    all_equal(world.at(1), group, &people).await.proves(&written);
    all_equal(world.at(0), group, &people).await;
}

/// Redis forgets who is there, so that each node may take itself for alone. Whatever is not told then is made up for.
#[tokio::test]
async fn a_forgotten_node_hears_everything_all_the_same() {
    let mut world = Plan::pair().start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(1)).await;
    for round in 0..20 {
        let _: () = world.redis().ask(&["DEL", "chapar:n"]).await;
        let text = format!("{round}");
        writer.say(group, &text).await;
        tokio::time::sleep(Duration::from_millis(97)).await;
        reader.sees(group, &text).await;
    }
}

/// How often anybody has published so far.
async fn published(world: &mut World) -> u64 {
    let told: String = world.redis().ask(&["INFO", "commandstats"]).await;
    let calls = told.split_once("cmdstat_publish:calls=").map_or("0", |(_, rest)| rest);
    calls.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number")
}
