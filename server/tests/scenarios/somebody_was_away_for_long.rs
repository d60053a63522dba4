//! Thousands of changes behind: a snapshot, not a flood. A bit behind: pages of the difference.

use chapar_protocol::{ChatId, ChatSync, Version, command::Difference, limit};

use crate::support::{Device, audit::all_equal, world::Plan};

async fn write(writer: &Device, chat: ChatId, count: usize) {
    let lanes = (0..40).map(|lane| {
        let writer = writer.clone();
        tokio::spawn(async move {
            for n in 0..count / 40 {
                writer.say(chat, &format!("{lane} {n}")).await;
            }
        })
    });
    for lane in lanes.collect::<Vec<_>>() {
        lane.await.expect("no panic");
    }
}

#[tokio::test]
async fn too_far_behind_gives_a_snapshot() {
    let world = Plan::single().start().await;
    let [writer, away] = world.people().await;
    let group = world.group(&writer, &[&away]).await;
    writer.connect(world.at(0)).await;
    away.connect(world.at(0)).await;
    writer.say(group, "seen").await;
    away.sees(group, "seen").await;
    away.cut().await;
    let old = away.model().version(group);
    let far = usize::try_from(limit::DIFFERENCE_VERSIONS).expect("fits") + 40;
    write(&writer, group, far).await;

    let sync = away.connect(world.at(0)).await.sync;
    let [ChatSync::Snapshot { snapshot }] = &sync.chats[..] else { panic!("no snapshot") };
    assert_eq!(snapshot.messages.len(), limit::SNAPSHOT_MESSAGES);
    assert!(!sync.reset, "the other chats stay");
    all_equal(world.at(0), group, &[writer, away.clone()]).await;
    for from in [old, Version(0)] {
        let answer = away.must(Difference { chats: vec![(group, from)] }).await;
        assert!(matches!(answer.chats[..], [ChatSync::Snapshot { .. }]), "from {from:?}");
    }
}

#[tokio::test]
async fn a_bit_behind_gives_the_difference_in_pages() {
    let world = Plan::single().start().await;
    let [writer, away] = world.people().await;
    let group = world.group(&writer, &[&away]).await;
    writer.connect(world.at(0)).await;
    away.connect(world.at(0)).await;
    away.cut().await;
    write(&writer, group, 1000).await;
    away.connect(world.at(0)).await;
    let last = writer.say(group, "and one more, live").await;
    away.reaches(group, last.version).await;
    all_equal(world.at(0), group, &[writer, away.clone()]).await;
    let model = away.model();
    assert_eq!(model.snapshots, 0);
    assert_eq!(
        model.chats[&group].messages.keys().map(|seq| seq.0).collect::<Vec<_>>(),
        (1..=last.seq.0).collect::<Vec<_>>(),
        "all of them, not only the last"
    );
}
