//! Another name is told at once to those who know the person, on all nodes, and to nobody else.

use chapar_protocol::{ChatKind, ErrorCode, Event, Role, User, command::SetName, command::SetRole};

use crate::support::{Device, device::message, world::Plan};

fn name(name: &str) -> SetName {
    SetName { name: name.to_owned() }
}

async fn hears(device: &Device, of: &Device, name: &str) -> User {
    let told = |event: &Event| match event {
        Event::User(user) if user.id == of.id() && user.name == name => Some(user.clone()),
        _ => None,
    };
    device.event("the other name", told).await
}

fn heard_of(device: &Device, of: &Device) -> bool {
    device.model().events.iter().any(|event| matches!(event, Event::User(user) if user.id == of.id()))
}

#[tokio::test]
async fn those_who_know_the_person_hear_it() {
    let world = Plan::pair().start().await;
    let [sara, friend, colleague, admin, reader, stranger] = world.people().await;
    let second = Device::new(sara.account().clone());
    let direct = world.direct(&sara, &friend).await;
    let group = world.group(&admin, &[&sara, &colleague]).await;
    let channel = world.chat(ChatKind::Channel, &admin, &[&sara, &reader]).await;
    for (index, device) in [&sara, &second, &friend, &colleague, &admin, &reader, &stranger].into_iter().enumerate() {
        device.connect(world.at(index % 2)).await;
    }

    let answer = sara.must(name("سارا کریمی")).await;
    for device in [&sara, &second, &friend, &colleague, &admin] {
        assert_eq!(hears(device, &sara, "سارا کریمی").await, answer);
    }
    // Whatever came later has come: so nothing is under way to those who must not hear it.
    admin.must(message(channel, "after")).await;
    reader.sees(channel, "after").await;
    assert!(!heard_of(&reader, &sara), "readers of a channel do not learn of each other");
    assert!(!heard_of(&stranger, &sara));

    // Whoever writes in a channel is known to its readers.
    admin.must(SetRole { chat_id: channel, user_id: sara.id(), role: Role::Admin }).await;
    sara.must(name("Sara K.")).await;
    hears(&reader, &sara, "Sara K.").await;

    // Who is not in a chat any more hears nothing of it.
    friend.forget_events();
    world.routes();
    sara.say(direct, "still me").await;
    friend.sees(direct, "still me").await;
    sara.say(group, "and here").await;
    colleague.sees(group, "and here").await;
}

#[tokio::test]
async fn a_name_is_not_a_ticker() {
    let world = Plan::single().limited().start().await;
    let [sara] = world.people().await;
    sara.connect(world.at(0)).await;
    for turn in 0..20 {
        sara.must(name(&format!("Sara {turn}"))).await;
    }
    assert_eq!(sara.refused(name("Sara again")).await.code, ErrorCode::RateLimited);
    // A name that is none costs nothing and changes nothing.
    assert_eq!(sara.refused(name(" ")).await.code, ErrorCode::BadTitle);
}
