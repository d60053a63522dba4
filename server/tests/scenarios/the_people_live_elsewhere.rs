//! What belongs to people is in a database of its own. Everything works as with one; with either of the two away, what needs it waits
//! or is refused honestly, all else goes on, and nothing is half-done when it is back.

use std::{sync::Arc, time::Duration};

use chapar_protocol::{
    Action, ChatId, ChatKind, ErrorCode, OwnItem,
    command::{AddMembers, AnswerRequest, CreateChat, GetUsers, Join, Leave, MarkRead, RemoveMember, SetItems},
    item::Block,
};
use uuid::Uuid;

use crate::support::{
    Device, Failure, Traffic,
    audit::{all_equal, knows_everything},
    device::message,
    postgres::{Cluster, Database},
    within,
    world::{Plan, World},
};

/// Two nodes, and two clusters of Postgres: one for chats, one for people.
async fn apart() -> (World, Database) {
    let people = Cluster::start().database();
    let chats: Arc<Cluster> = Cluster::start();
    let plan = Plan::pair().over_postgres(chats).flags(&["--people-database-url", &people.url()]);
    (plan.start().await, people)
}

async fn public(world: &World, owner: &Device, kind: ChatKind, handle: &str) -> ChatId {
    let (title, handle) = ("کاروان".to_owned(), Some(handle.to_owned()));
    let create = CreateChat { client_id: Uuid::new_v4(), kind, title, handle, members: Vec::new() };
    crate::support::http::call(world.at(0), owner.token(), &create).await.expect("made").chat.id
}

fn is_refused_for_now<T: std::fmt::Debug>(answer: &Result<T, Failure>) -> bool {
    matches!(answer, Err(Failure::Refused(error)) if error.action == Action::Retry)
}

#[tokio::test]
async fn and_nobody_notices() {
    let (world, people) = apart().await;
    let [owner, member, reader] = world.people().await;
    owner.connect(world.at(0)).await;
    member.connect(world.at(1)).await;
    reader.connect(world.at(1)).await;
    let group = world.group(&owner, &[&member]).await;
    owner.say(group, "all of us").await;
    member.sees(group, "all of us").await;
    let channel = public(&world, &owner, ChatKind::Channel, "elsewhere").await;
    reader.must(Join { handle: "elsewhere".into() }).await;
    owner.say(channel, "a post").await;
    reader.sees(channel, "a post").await;
    owner.must(AddMembers { chat_id: group, user_ids: vec![reader.id()] }).await;
    reader.sees(group, "all of us").await;
    owner.must(RemoveMember { chat_id: group, user_id: member.id(), reason: None }).await;
    reader.must(Leave { chat_id: channel }).await;
    member.until("the chat to be gone", |model| !model.chats.contains_key(&group)).await;
    reader.until("the channel to be gone", |model| !model.chats.contains_key(&channel)).await;
    for device in [&owner, &member, &reader] {
        knows_everything(device, world.at(0)).await;
        device.cut().await;
        device.connect(world.at(0)).await;
        knows_everything(device, world.at(1)).await;
    }
    // The walls: what is of one side is in its database alone.
    let tables = "SELECT string_agg(DISTINCT schemaname, ',') FROM pg_tables WHERE schemaname IN ('chats', 'people')";
    assert_eq!((people.sql(tables), world.database.sql(tables)), ("people".to_owned(), "chats".to_owned()));
}

#[tokio::test]
async fn the_chats_go_on_without_the_people() {
    let (world, people) = apart().await;
    let [owner, removed, stays] = world.people().await;
    let group = world.group(&owner, &[&removed, &stays]).await;
    let door = public(&world, &owner, ChatKind::Channel, "a_door").await;
    owner.connect(world.at(0)).await;
    removed.connect(world.at(1)).await;
    stays.connect(world.at(1)).await;
    owner.say(group, "before").await;
    removed.sees(group, "before").await;

    people.cluster().kill();
    owner.say(group, "they are away").await;
    stays.sees(group, "they are away").await;
    // Out means out, whatever their own list says.
    owner.must(RemoveMember { chat_id: group, user_id: removed.id(), reason: None }).await;
    owner.say(group, "a secret").await;
    stays.sees(group, "a secret").await;
    assert_eq!(removed.refused(message(group, "me too")).await.code, ErrorCode::ChatNotFound);
    assert!(is_refused_for_now(&stays.call(&Join { handle: "a_door".into() }).await));
    assert!(is_refused_for_now(&owner.call(&GetUsers { user_ids: vec![stays.id()] }).await));
    assert!(!format!("{:?}", removed.model().events).contains("a secret"), "a removed member heard it");

    people.cluster().restart();
    removed.until("the chat to be gone", |model| !model.chats.contains_key(&group)).await;
    stays.must(Join { handle: "a_door".into() }).await;
    owner.say(door, "welcome").await;
    stays.sees(door, "welcome").await;
    for device in [&owner, &removed, &stays] {
        knows_everything(device, world.at(0)).await;
    }
}

#[tokio::test]
async fn the_people_go_on_without_the_chats() {
    let (world, _people) = apart().await;
    let people: [Device; 3] = world.people().await;
    let group = world.group(&people[0], &[&people[1], &people[2]]).await;
    let traffic = Traffic::start(&people, group, 2, std::time::Duration::ZERO, &world.routes());
    traffic.more(100).await;
    world.database.cluster().kill();
    let ask = GetUsers { user_ids: vec![people[1].id(), people[2].id()] };
    let known = crate::support::http::call(world.at(0), people[0].token(), &ask).await;
    assert_eq!(known.expect("people are there").users.len(), 2);
    world.database.cluster().restart();
    traffic.more(100).await;
    let written = traffic.finish().await;
    let audit = all_equal(world.at(0), group, &people).await;
    audit.proves(&written);
    audit.agrees_with(&world.database);
    for person in &people {
        let last = person.model().chats[&group].messages.keys().next_back().copied().expect("some");
        person.must(MarkRead { chat_id: group, seq: last }).await;
        knows_everything(person, world.at(1)).await;
    }
}

#[tokio::test]
async fn a_block_and_a_request_hold_on_both_sides() {
    let (world, people) = apart().await;
    let [sara, amir] = world.people().await;
    sara.connect(world.at(0)).await;
    amir.connect(world.at(1)).await;
    let chat_id = world.opens(&amir, &sara).await;
    amir.say(chat_id, "hello?").await;
    sara.sees(chat_id, "hello?").await;
    assert!(sara.model().mine[&chat_id].request);
    sara.must(AnswerRequest { chat_id, accept: true }).await;
    sara.until("that it is accepted", |model| !model.mine[&chat_id].request).await;

    // The chats are away: the block is kept, and comes into its chat by itself when they are back.
    let block = SetItems { items: vec![OwnItem::Block { user_id: amir.id(), value: Some(Block {}) }] };
    world.database.cluster().kill();
    sara.must(block).await;
    world.database.cluster().restart();
    // The other node finds its connections broken first, and the chat is shut a moment after it can be changed.
    within("him to be shut out", async {
        loop {
            match amir.call(&message(chat_id, "again")).await {
                Err(Failure::Refused(refused)) if refused.action != Action::Retry => {
                    assert_eq!(refused.code, ErrorCode::RefusedByUser);
                    break;
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    })
    .await;
    let kept = "SELECT count(*) FROM items WHERE kind = 'block' AND value IS NOT NULL";
    assert_eq!(people.sql(kept).trim(), "1");
}
