//! A failover or a restore may lose commits, and then versions are used a second time. A changed epoch makes clients
//! forget what they know, so that nobody takes the new for the old.

use std::time::Duration;

use chapar_protocol::{
    ChatKind, ChatSync, CloseCode, Epoch, Role, Version,
    command::{AddMembers, Leave},
    limit,
};

use crate::support::{
    Device, Model, Traffic, audit, device::message, http, postgres::Cluster, traffic, within, world::Plan,
};

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
    traffic::insist(&writer, &message(group, "another history")).await;
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

/// Only the chats' database lost something: lists of people know more of who is where than there is now.
#[tokio::test]
async fn lists_follow_the_memberships_that_are_left() {
    let people = Cluster::shared().database();
    let world = Plan::single().own_postgres().flags(&["--people-database-url", &people.url()]).start().await;
    let [owner, member] = world.people().await;
    let group = world.group(&owner, &[&member]).await;
    let channel = world.chat(ChatKind::Channel, &owner, &[]).await;
    let add = AddMembers { chat_id: channel, user_ids: vec![member.id()] };
    http::call(world.at(0), owner.token(), &add).await.expect("added");
    world.database.cluster().back_up();
    for chat_id in [group, channel] {
        insist(&member, world.at(0), &Leave { chat_id }).await;
    }

    world.database.cluster().fail_over_to_backup();
    // In both they are again: the leaving was lost.
    let told = |chats: [Option<Role>; 2]| {
        move |model: &Model| [group, channel].map(|chat| model.mine.get(&chat).and_then(|mine| mine.role)) == chats
    };
    connect_anew(&member, world.at(0), told([Some(Role::Member); 2])).await;
    // And what they do from now on is newer than all that was lost.
    for chat_id in [group, channel] {
        insist(&member, world.at(0), &Leave { chat_id }).await;
    }
    connect_anew(&member, world.at(0), told([None; 2])).await;
}

/// The same where what is left is older than all that the feed still has; and of a chat that is not there any more.
#[tokio::test]
async fn lists_follow_also_what_the_feed_has_forgotten() {
    let people = Cluster::shared().database();
    let world = Plan::single().own_postgres().flags(&["--people-database-url", &people.url()]).start().await;
    let [owner, member] = world.people().await;
    let group = world.group(&owner, &[&member]).await;
    let quiet = world.group(&owner, &[&member]).await;
    // A week passes.
    world.database.sql("DELETE FROM feed");
    world.database.cluster().back_up();
    insist(&member, world.at(0), &Leave { chat_id: group }).await;
    let lost = world.group(&owner, &[&member]).await;

    world.database.cluster().fail_over_to_backup();
    let told = |model: &Model| {
        let roles = [group, quiet, lost].map(|chat| model.mine.get(&chat).and_then(|mine| mine.role));
        roles == [Some(Role::Member), Some(Role::Member), None]
    };
    connect_anew(&member, world.at(0), told).await;
}

/// Asks over HTTP until it is done: the node may not have found its database again.
async fn insist<C: chapar_protocol::Command>(who: &Device, node: std::net::SocketAddr, command: &C) {
    let done = async {
        while let Err(error) = http::call(node, who.token(), command).await {
            assert_eq!(error.action, chapar_protocol::Action::Retry, "{error:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(C::METHOD, done).await;
}

/// Connects, again when the node lets go, until what is told fits.
async fn connect_anew(who: &Device, node: std::net::SocketAddr, fits: impl Fn(&Model) -> bool) {
    let told = async {
        loop {
            let connected = who.connected() || who.try_connect(node).await.is_ok();
            if connected && fits(&who.model()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within("what is told to fit", told).await;
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
