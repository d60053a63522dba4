//! A failover or a restore may lose commits, and then versions are used a second time. A changed epoch makes clients
//! forget what they know, so that nobody takes the new for the old.

use chapar_protocol::{ChatSync, CloseCode, Epoch, Version, limit};

use crate::support::{Traffic, audit, device::message, postgres::Cluster, traffic::insist, world::Plan};

#[tokio::test]
async fn after_a_failover_nobody_mixes_two_histories() {
    let world = Plan::single().own_postgres().start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    writer.say(group, "kept").await;
    reader.sees(group, "kept").await;
    writer.cut().await;
    reader.cut().await;
    let cluster = world.database.cluster();
    cluster.back_up();
    let keep = Traffic::start(std::slice::from_ref(&writer), group, 1, std::time::Duration::ZERO, &world.routes());
    keep.more(5).await;
    keep.finish().await;
    reader.connect(world.at(0)).await;
    let known = reader.model().version(group);

    cluster.fail_over_to_backup();
    // The node notices by itself; it may take a look every few seconds.
    assert_eq!(reader.ended().await, Some(CloseCode::EpochChanged.number()));
    let keep = Traffic::start(&[writer.clone(), reader.clone()], group, 1, std::time::Duration::ZERO, &world.routes());
    insist(&writer, &message(group, "another history")).await;
    keep.more(2).await;
    keep.finish().await;
    assert_eq!((writer.model().resets, reader.model().resets), (1, 1));
    assert!(reader.model().version(group) > known || reader.model().version(group).0 > 0);
    let real = audit::all_equal(world.at(0), group, &[writer.clone(), reader]).await;
    assert!(real.messages.values().any(|message| audit_text(message) == Some("kept")));
}

fn audit_text(message: &chapar_protocol::Message) -> Option<&str> {
    crate::support::model::text(message)
}

#[tokio::test]
async fn after_a_restore_the_operator_names_a_new_epoch() {
    let mut world = Plan::single().start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    writer.say(group, "one").await;
    reader.sees(group, "one").await;
    reader.cut().await;
    writer.cut().await;
    world.nodes[0].kill();
    world
        .database
        .sql("UPDATE chats.meta SET epoch = gen_random_uuid(); UPDATE people.meta SET epoch = gen_random_uuid()");
    world.restart(0);
    let old = reader.model().epochs.clone();
    let sync = reader.connect(world.at(0)).await.sync;
    assert_eq!(sync.reset, [Epoch::PEOPLE, Epoch::CHATS]);
    assert!(sync.epochs.iter().all(|epoch| !old.contains(epoch)));
    assert_eq!(reader.model().texts(group), ["one"]);
    audit::knows_everything(&reader, world.at(0)).await;
}

/// Each side has a history of its own: what the other one holds stays.
#[tokio::test]
async fn one_of_two_databases_has_another_history() {
    let people = Cluster::shared().database();
    let world = Plan::pair().flags(&["--people-database-url", &people.url()]).start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(1)).await;
    for n in 0..40 {
        writer.say(group, &n.to_string()).await;
    }
    reader.sees(group, "39").await;
    let held = reader.model().chats[&group].messages.len();
    let own = reader.model().user_version;
    assert!(held > limit::SNAPSHOT_MESSAGES, "more than a snapshot would bring");

    people.sql("UPDATE meta SET epoch = gen_random_uuid()");
    assert_eq!(reader.ended().await, Some(CloseCode::EpochChanged.number()));
    let sync = reader.connect(world.at(1)).await.sync;
    assert_eq!(sync.reset, [Epoch::PEOPLE]);
    assert_eq!((sync.user.from, sync.user.version, sync.user.items.len()), (Version(0), own, 1));
    assert!(sync.chats.is_empty() && sync.behind.is_empty(), "of the chats nothing: {sync:?}");
    assert_eq!(reader.model().chats[&group].messages.len(), held);
    audit::knows_everything(&reader, world.at(0)).await;

    world.database.sql("UPDATE meta SET epoch = gen_random_uuid()");
    assert_eq!(reader.ended().await, Some(CloseCode::EpochChanged.number()));
    let sync = reader.connect(world.at(1)).await.sync;
    assert_eq!(sync.reset, [Epoch::CHATS]);
    assert_eq!((sync.user.from, sync.user.items.len()), (own, 0), "of the list of chats nothing");
    assert!(matches!(&sync.chats[..], [ChatSync::Snapshot { .. }]), "{sync:?}");
    assert_eq!(reader.model().chats[&group].messages.len(), limit::SNAPSHOT_MESSAGES);
    assert_eq!(reader.model().resets, 2);
    writer.connect(world.at(0)).await;
    writer.say(group, "we go on").await;
    reader.sees(group, "we go on").await;
    audit::knows_everything(&reader, world.at(0)).await;
}
