//! Who is removed or leaves hears nothing from that moment on, on any node; who is added hears everything.

use std::time::Duration;

use chapar_protocol::{
    ChatKind, ErrorCode, MyChat, Role,
    command::{AddMembers, CreateChat, Join, Leave, Ping, RemoveMember, SetRole},
};
use uuid::Uuid;

use crate::support::{Device, World, audit, http, within, world::Plan};

#[tokio::test]
async fn at_once_and_on_every_device() {
    let world = Plan::pair().start().await;
    let [owner, removed, stays] = world.people().await;
    let second = Device::new(removed.account().clone());
    let chat_id = world.group(&owner, &[&removed, &stays]).await;
    owner.connect(world.at(0)).await;
    removed.connect(world.at(0)).await;
    second.connect(world.at(1)).await;
    stays.connect(world.at(1)).await;
    owner.say(chat_id, "all of us").await;
    for device in [&removed, &second, &stays] {
        device.sees(chat_id, "all of us").await;
    }

    owner.must(RemoveMember { chat_id, user_id: removed.id(), reason: None }).await;
    owner.say(chat_id, "a secret").await;
    stays.sees(chat_id, "a secret").await;
    for device in [&removed, &second] {
        device.until("the chat to be gone", |model| !model.chats.contains_key(&chat_id)).await;
    }
    // A later event of another chat has come: an earlier one of this chat would have, too.
    let other = world.direct(&owner, &removed).await;
    owner.say(other, "and now?").await;
    for device in [&removed, &second] {
        device.sees(other, "and now?").await;
        let heard = format!("{:?}", device.model().events);
        assert!(!heard.contains("a secret"), "a removed member heard it");
    }
    let refused = removed.refused(crate::support::device::message(chat_id, "me too")).await;
    assert_eq!(refused.code, ErrorCode::ChatNotFound);

    // A device that was away learns the same.
    removed.cut().await;
    removed.connect(world.at(1)).await;
    audit::knows_everything(&removed, world.at(0)).await;

    // Added again, everything is there again.
    owner.must(AddMembers { chat_id, user_ids: vec![removed.id()] }).await;
    for device in [&removed, &second] {
        device.sees(chat_id, "a secret").await;
        audit::knows_everything(device, world.at(0)).await;
    }
}

#[tokio::test]
async fn leaving() {
    let world = Plan::pair().start().await;
    let [owner, leaver] = world.people().await;
    let chat_id = world.group(&owner, &[&leaver]).await;
    owner.connect(world.at(0)).await;
    leaver.connect(world.at(1)).await;
    leaver.must(Leave { chat_id }).await;
    leaver.until("the chat to be gone", |model| !model.chats.contains_key(&chat_id)).await;
    let gone = leaver.id();
    owner.until("the member to be gone", |model| !model.chats[&chat_id].members.contains_key(&gone)).await;
    audit::knows_everything(&owner, world.at(0)).await;
    audit::knows_everything(&leaver, world.at(0)).await;
}

#[tokio::test]
async fn who_is_added_while_connected_hears_at_once() {
    let world = Plan::pair().start().await;
    let [owner, added] = world.people().await;
    owner.connect(world.at(0)).await;
    added.connect(world.at(1)).await;
    let chat_id = world.group(&owner, &[]).await;
    owner.say(chat_id, "before").await;
    owner.must(AddMembers { chat_id, user_ids: vec![added.id()] }).await;
    owner.say(chat_id, "after").await;
    added.sees(chat_id, "after").await;
    added.sees(chat_id, "before").await;
    audit::knows_everything(&added, world.at(0)).await;
}

/// Removed the moment after being added, and while connecting: whatever overtakes what, the end is silence.
#[tokio::test]
async fn however_quickly_it_goes() {
    let world = Plan::pair().start().await;
    let [owner, removed, stays] = world.people().await;
    let chat_id = world.group(&owner, &[&stays]).await;
    owner.connect(world.at(0)).await;
    stays.connect(world.at(1)).await;
    for round in 0..40 {
        let again = tokio::spawn({
            let (removed, node) = (removed.clone(), world.at(1));
            async move {
                // Now while it is in, now when it just was.
                tokio::time::sleep(std::time::Duration::from_micros(300 * (round % 20))).await;
                if round % 2 == 0 || !removed.connected() {
                    removed.connect(node).await;
                }
            }
        });
        owner.must(AddMembers { chat_id, user_ids: vec![removed.id()] }).await;
        owner.must(RemoveMember { chat_id, user_id: removed.id(), reason: None }).await;
        again.await.expect("no panic");
        removed.until("the chat to be gone", |model| !model.chats.contains_key(&chat_id) && model.settled()).await;
        removed.forget_events();
        let secret = format!("secret {round}");
        owner.say(chat_id, &secret).await;
        stays.sees(chat_id, &secret).await;
        // An answer from the same node, written after whatever was told to this connection before.
        removed.must(Ping {}).await;
        let heard = format!("{:?}", removed.model().events);
        assert!(!heard.contains("secret"), "round {round}: a removed member heard it");
    }
}

/// No word of it reaches the other node: the rows that it reads to fill what is missing say it.
#[tokio::test]
async fn also_while_redis_is_away() {
    let mut world = Plan::pair().start().await;
    let [owner, removed, stays] = world.people().await;
    let group = world.group(&owner, &[&removed, &stays]).await;
    let channel = world.chat(ChatKind::Channel, &owner, &[&removed, &stays]).await;
    owner.connect(world.at(0)).await;
    removed.connect(world.at(1)).await;
    stays.connect(world.at(1)).await;
    owner.must(SetRole { chat_id: channel, user_id: stays.id(), role: Role::Admin }).await;
    owner.say(group, "all of us").await;
    removed.sees(group, "all of us").await;

    world.redis().kill();
    owner.must(RemoveMember { chat_id: group, user_id: removed.id(), reason: None }).await;
    owner.must(RemoveMember { chat_id: channel, user_id: removed.id(), reason: None }).await;
    for n in 0..20 {
        stays.say(group, &format!("a secret {n}")).await;
    }
    stays.sees(group, "a secret 19").await;
    removed.until("the group to be gone", |model| !model.chats.contains_key(&group)).await;
    // Who is taken out of a channel is no change of the channel: it is looked for.
    removed.until("the channel to be gone", |model| !model.chats.contains_key(&channel)).await;
    stays.say(channel, "a secret of the channel").await;
    stays.sees(channel, "a secret of the channel").await;
    removed.must(Ping {}).await;
    assert!(!format!("{:?}", removed.model().events).contains("a secret"), "a removed member heard it");

    // Brought back the same way.
    owner.must(AddMembers { chat_id: group, user_ids: vec![removed.id()] }).await;
    stays.say(group, "no secret").await;
    removed.sees(group, "no secret").await;
    world.redis().up().await;
    owner.say(group, "Redis is back").await;
    removed.sees(group, "Redis is back").await;
    for device in [&owner, &removed, &stays] {
        audit::knows_everything(device, world.at(0)).await;
    }
}

/// Brought into several chats by several people in the same moment: one invitation overtakes another, and all are heard.
#[tokio::test]
async fn who_is_added_to_many_chats_at_once_hears_them_all() {
    let world = Plan::pair().start().await;
    let [amir, mina, nima, added] = world.people().await;
    let hosts = [&amir, &mina, &nima];
    for (index, host) in hosts.iter().enumerate() {
        host.connect(world.at(index % 2)).await;
    }
    added.connect(world.at(1)).await;
    let mut chats = Vec::new();
    for host in hosts {
        for _ in 0..6 {
            chats.push((host, world.group(host, &[]).await));
        }
    }
    let user_id = added.id();
    for round in 0..8 {
        let welcome = format!("welcome {round}");
        let add = |chat_id| AddMembers { chat_id, user_ids: vec![user_id] };
        futures_util::future::join_all(chats.iter().map(|(host, chat_id)| host.must(add(*chat_id)))).await;
        for (host, chat_id) in &chats {
            host.say(*chat_id, &welcome).await;
        }
        for (_, chat_id) in &chats {
            added.sees(*chat_id, &welcome).await;
        }
        let remove = |chat_id| RemoveMember { chat_id, user_id, reason: None };
        futures_util::future::join_all(chats.iter().map(|(host, chat_id)| host.must(remove(*chat_id)))).await;
    }
    audit::knows_everything(&added, world.at(0)).await;
}

/// Waits until somebody waits for a lock over such a statement.
async fn blocked(world: &World, statement: &str) {
    let waits = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%{statement}%'"
    );
    let waiting = async {
        while world.database.sql(&waits) == "0" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("a statement to wait for the lock", waiting).await;
}

/// From here on the look of a `hello` at the chats, begun after the own list was read, waits for whoever holds [`HELD`]. What changes
/// chats and what the node does by itself does not: their sessions have other time-outs, by which they are told apart.
fn hold_back_greetings(world: &World) {
    world.database.sql(
        "ALTER TABLE chats.meta RENAME TO meta_itself;
         CREATE FUNCTION chats.hold_back() RETURNS boolean LANGUAGE plpgsql AS $$
         BEGIN
             IF current_setting('lock_timeout') = '2s' THEN
                 PERFORM set_config('lock_timeout', '20s', true);
                 PERFORM pg_advisory_xact_lock_shared(7);
             END IF;
             RETURN true;
         END $$;
         CREATE VIEW chats.meta AS SELECT * FROM chats.meta_itself WHERE chats.hold_back()",
    );
}

const HELD: &str = "SELECT pg_advisory_xact_lock(7)";
/// In the statement that waits.
const LOOK: &str = "changed_at DESC, id";

/// The own list has yet to follow, so the next device watches a chat that its person is not in any more; the answer to its `hello`,
/// in which that comes out, takes its time.
#[tokio::test]
async fn while_a_device_is_greeted_whose_list_is_old() {
    let world = Plan::single().start().await;
    let [owner, removed, stays] = world.people().await;
    let chat_id = world.group(&owner, &[&removed, &stays]).await;
    owner.connect(world.at(0)).await;
    stays.connect(world.at(0)).await;
    owner.say(chat_id, "all of us").await;
    stays.sees(chat_id, "all of us").await;
    let id = removed.id();
    hold_back_greetings(&world);
    let _held = world.database.meanwhile(&format!("SELECT FROM people.users WHERE id = {id} FOR UPDATE; {HELD}"));
    owner.must(RemoveMember { chat_id, user_id: id, reason: None }).await;
    let greeted = tokio::spawn({
        let (removed, node) = (removed.clone(), world.at(0));
        async move { removed.try_connect(node).await }
    });
    blocked(&world, LOOK).await;
    owner.say(chat_id, "a secret").await;
    stays.sees(chat_id, "a secret").await;
    world.database.end_meanwhile();
    greeted.await.expect("no panic").expect("greeted");
    // After whatever was told to this connection before.
    removed.must(Ping {}).await;
    let heard = format!("{:?}", removed.model().events);
    assert!(!heard.contains("a secret"), "a removed member heard it");
    let gone = |mine: &MyChat| mine.role.is_none();
    removed.until("the list to follow", |model| model.mine.get(&chat_id).is_none_or(gone) && model.settled()).await;
    audit::knows_everything(&removed, world.at(0)).await;
}

/// Left and entered again after a device had read the list and the chats, before it was greeted: it hears what follows.
#[tokio::test]
async fn who_is_back_before_a_device_is_greeted_hears_what_follows() {
    let world = Plan::single().start().await;
    let [owner, one] = world.people().await;
    let other = Device::new(one.account().clone());
    let (title, handle) = ("کاروان".to_owned(), Some("back_and_forth".to_owned()));
    let (kind, members) = (ChatKind::Group, vec![one.id()]);
    let create = CreateChat { client_id: Uuid::new_v4(), kind, title, handle, members };
    let chat_id = http::call(world.at(0), owner.token(), &create).await.expect("made").chat.id;
    owner.connect(world.at(0)).await;
    one.connect(world.at(0)).await;
    hold_back_greetings(&world);
    let _held = world.database.meanwhile(HELD);
    let greeted = tokio::spawn({
        let (other, node) = (other.clone(), world.at(0));
        async move { other.try_connect(node).await }
    });
    blocked(&world, LOOK).await;
    one.must(Leave { chat_id }).await;
    one.must(Join { handle: "back_and_forth".to_owned() }).await;
    world.database.end_meanwhile();
    greeted.await.expect("no panic").expect("greeted");
    audit::knows_everything(&other, world.at(0)).await;
    owner.say(chat_id, "welcome back").await;
    other.sees(chat_id, "welcome back").await;
    one.sees(chat_id, "welcome back").await;
}
