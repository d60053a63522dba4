//! A node misses far more changes of a chat than one page of the database holds, and still ends with all of them.

use std::time::{Duration, Instant};

use chapar_protocol::{ChatId, Version};
use futures_util::future::join_all;

use crate::support::{
    Device, Traffic,
    audit::{all_equal, knows_everything},
    device::message,
    within,
    world::Plan,
};

/// Writes so many messages, fifty at a time.
async fn write_many(writer: &Device, chat: ChatId, count: usize) -> Version {
    let mut last = Version(0);
    for first in (0..count).step_by(50) {
        let texts: Vec<String> = (first..count.min(first + 50)).map(|n| format!("number {n}")).collect();
        let sent = join_all(texts.iter().map(|text| writer.must(message(chat, text)))).await;
        last = sent.iter().map(|sent| sent.version).fold(last, Ord::max);
    }
    last
}

#[tokio::test]
async fn they_come_page_by_page_to_the_end() {
    let mut world = Plan::pair().start().await;
    let [writer, reader, other] = world.people().await;
    let group = world.group(&writer, &[&reader, &other]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(1)).await;
    writer.say(group, "before").await;
    reader.sees(group, "before").await;

    world.redis().kill();
    let last = write_many(&writer, group, 930).await;
    world.redis().up().await;
    let back = Instant::now();
    reader.reaches(group, last).await;
    assert!(back.elapsed() < Duration::from_secs(5), "it took {:?}", back.elapsed());
    assert!(reader.connected());

    // Who comes now, and who writes there, hear as well.
    other.connect(world.at(1)).await;
    let own = other.say(group, "from the other node").await;
    for device in [&other, &reader, &writer] {
        device.reaches(group, own.version).await;
    }
    all_equal(world.at(1), group, &[writer, reader, other]).await;
}

/// The chat is written to without a pause, so that there is always something newer than the page that was read.
#[tokio::test]
async fn also_while_it_is_written_to_all_the_time() {
    let mut world = Plan::pair().start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    reader.connect(world.at(1)).await;
    let only_there = std::sync::Arc::new(std::sync::Mutex::new(vec![world.at(0)]));
    let traffic = Traffic::start(std::slice::from_ref(&writer), group, 8, Duration::ZERO, &only_there);
    traffic.more(100).await;
    world.redis().kill();
    traffic.more(500).await;
    world.redis().up().await;
    for _ in 0..3 {
        let now = writer.model().version(group);
        within("the reader to come this far", reader.reaches(group, now)).await;
        traffic.more(50).await;
    }
    let written = traffic.finish().await;
    let audit = all_equal(world.at(0), group, &[writer, reader]).await;
    audit.proves(&written);
}

/// The same for what belongs to one person: into and out of many chats while nobody could tell the other node.
#[tokio::test]
async fn of_ones_own_things_as_well() {
    let mut world = Plan::pair().start().await;
    let [host, guest] = world.people().await;
    guest.connect(world.at(1)).await;
    host.connect(world.at(0)).await;
    world.redis().kill();
    let make = async |_| world.group(&host, &[&guest]).await;
    let groups = join_all((0..40).map(make)).await;
    world.redis().up().await;
    guest.until("all the groups", |model| groups.iter().all(|group| model.mine.contains_key(group))).await;
    for group in [groups[0], groups[39]] {
        host.say(group, "welcome").await;
        guest.sees(group, "welcome").await;
    }
    knows_everything(&guest, world.at(0)).await;
}
