//! Public chats are found and joined by their handle; making one is repeatable.

use chapar_protocol::{
    ChatKind, ErrorCode,
    command::{CreateChat, Join, Resolve},
};
use uuid::Uuid;

use crate::support::{audit::knows_everything, device::message, world::Plan};

#[tokio::test]
async fn found_joined_and_heard_on_another_node() {
    let world = Plan::pair().start().await;
    let [owner, reader] = world.people().await;
    owner.connect(world.at(0)).await;
    reader.connect(world.at(1)).await;
    let create = CreateChat {
        client_id: Uuid::new_v4(),
        kind: ChatKind::Channel,
        title: "اخبار کاروان".to_owned(),
        handle: Some("Karvan_News".to_owned()),
        members: Vec::new(),
    };
    let made = owner.must(create.clone()).await;
    assert_eq!(made.chat.handle.as_deref(), Some("karvan_news"), "handles are folded");
    let chat = made.chat.id;
    assert_eq!(owner.must(create.clone()).await.chat.id, chat, "a retry finds what the first try made");
    let taken = CreateChat { client_id: Uuid::new_v4(), ..create };
    assert_eq!(reader.refused(taken).await.code, ErrorCode::HandleTaken);

    owner.say(chat, "before").await;
    let found = reader.must(Resolve { handle: "@KARVAN_NEWS".to_owned() }).await;
    assert_eq!(found.chat.map(|found| found.id), Some(chat));
    assert_eq!(reader.refused(message(chat, "not in it")).await.code, ErrorCode::ChatNotFound);
    let joined = reader.must(Join { handle: "karvan_news".to_owned() }).await;
    assert_eq!(joined.chat.id, chat);
    assert_eq!(joined.members().map(|member| member.user_id).collect::<Vec<_>>(), [reader.id()]);
    reader.sees(chat, "before").await;
    owner.say(chat, "after").await;
    reader.sees(chat, "after").await;
    assert_eq!(reader.refused(message(chat, "may I?")).await.code, ErrorCode::Forbidden);
    reader.must(Join { handle: "karvan_news".to_owned() }).await;
    let nowhere = reader.refused(Join { handle: "no_such_place".to_owned() }).await;
    assert_eq!(nowhere.code, ErrorCode::ChatNotFound);
    knows_everything(&reader, world.at(0)).await;
    knows_everything(&owner, world.at(1)).await;
}

#[tokio::test]
async fn two_who_open_one_direct_chat_at_once_meet_in_it() {
    let world = Plan::pair().start().await;
    let [one, other] = world.people().await;
    one.connect(world.at(0)).await;
    other.connect(world.at(1)).await;
    let (to_other, to_one) = tokio::join!(world.direct(&one, &other), world.direct(&other, &one));
    assert_eq!(to_other, to_one);
    one.say(to_other, "here?").await;
    other.sees(to_other, "here?").await;
    let alone = world.direct(&one, &one).await;
    one.say(alone, "a note to myself").await;
    one.sees(alone, "a note to myself").await;
    for device in [&one, &other] {
        knows_everything(device, world.at(0)).await;
    }
}

/// The word that a chat was made under its name may be lost: then the name is still that chat's. A name whose chat was never made
/// is free after an hour.
#[tokio::test]
async fn a_name_that_was_claimed_long_ago_is_whose_chat_is_there() {
    let world = Plan::single().start().await;
    let [owner, other] = world.people().await;
    owner.connect(world.at(0)).await;
    other.connect(world.at(0)).await;
    let public = |handle: &str| CreateChat {
        client_id: Uuid::new_v4(),
        kind: ChatKind::Channel,
        title: "کاروان".to_owned(),
        handle: Some(handle.to_owned()),
        members: Vec::new(),
    };
    owner.must(public("made_long_ago")).await;
    world
        .database
        .sql("UPDATE handles SET confirmed = false, claimed_at = now() - interval '2 hours' WHERE chat_id IS NOT NULL");
    world.database.sql(
        "INSERT INTO handles (handle, chat_id, confirmed, claimed_at)
         VALUES ('never_made', 7, false, now() - interval '2 hours'), ('in_the_making', 8, false, now())",
    );
    for taken in ["made_long_ago", "in_the_making"] {
        assert_eq!(other.refused(public(taken)).await.code, ErrorCode::HandleTaken, "{taken}");
    }
    assert_eq!(other.must(public("never_made")).await.chat.handle.as_deref(), Some("never_made"));
}
