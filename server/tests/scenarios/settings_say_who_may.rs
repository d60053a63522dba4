//! Who may write, call, add to chats and see whether somebody is there is for them to say.

use chapar_protocol::{
    Audience, ChatKind, ErrorCode, OwnItem,
    call::{CallId, CallMedia},
    command::{AddMembers, CallInvite, CreateChat, OpenDirect, SetItems, WatchPresence},
    item::{Block, Contact, WHO_MAY_ADD, WHO_MAY_CALL, WHO_MAY_SEE, WHO_MAY_WRITE},
};
use uuid::Uuid;

use crate::support::{Device, device::message, within, world::Plan};

async fn lets(who: &Device, setting: &str, audience: Audience) {
    let item = OwnItem::Setting { name: setting.to_owned(), value: Some(audience.name().to_owned()) };
    who.must(SetItems { items: vec![item] }).await;
}

async fn knows(who: &Device, whom: &Device) {
    let item = OwnItem::Contact { user_id: whom.id(), value: Some(Contact { name: None }) };
    who.must(SetItems { items: vec![item] }).await;
}

#[tokio::test]
async fn write_and_add() {
    let world = Plan::single().start().await;
    let [sara, friend, stranger, owner] = world.people().await;
    for device in [&sara, &friend, &stranger, &owner] {
        device.connect(world.at(0)).await;
    }
    knows(&sara, &friend).await;
    lets(&sara, WHO_MAY_WRITE, Audience::Nobody).await;
    lets(&sara, WHO_MAY_ADD, Audience::Nobody).await;
    let open = OpenDirect { user_id: sara.id() };
    let create = || CreateChat {
        client_id: Uuid::new_v4(),
        kind: ChatKind::Group,
        title: "گروه".into(),
        handle: None,
        members: vec![sara.id()],
    };
    for who in [&friend, &stranger] {
        assert_eq!(who.refused(open.clone()).await.code, ErrorCode::RefusedByUser);
        assert_eq!(who.refused(create()).await.code, ErrorCode::RefusedByUser);
    }
    lets(&sara, WHO_MAY_WRITE, Audience::Known).await;
    lets(&sara, WHO_MAY_ADD, Audience::Known).await;
    assert_eq!(stranger.refused(open.clone()).await.code, ErrorCode::RefusedByUser);
    let empty = world.group(&stranger, &[]).await;
    let add = AddMembers { chat_id: empty, user_ids: vec![sara.id()] };
    assert_eq!(stranger.refused(add).await.code, ErrorCode::RefusedByUser);
    friend.must(open.clone()).await;
    let group = friend.must(create()).await.chat.id;
    // Whoever shares a group with her is known to her, once she has said something there.
    sara.say(group, "salam").await;
    friend.must(AddMembers { chat_id: group, user_ids: vec![stranger.id()] }).await;
    stranger.must(open).await;
    let chat = stranger.model();
    assert_eq!(chat.violations, Vec::<String>::new());
}

/// Who takes messages from nobody takes none in the chats that are there either: a refusal says no more than that.
#[tokio::test]
async fn write_where_they_have_written_before() {
    let world = Plan::pair().start().await;
    let [sara, friend, blocked] = world.people().await;
    for (device, node) in [(&sara, 0), (&friend, 1), (&blocked, 1)] {
        device.connect(world.at(node)).await;
    }
    let chats = [world.direct(&sara, &friend).await, world.direct(&sara, &blocked).await];
    let told = async |who: &Device, chat_id, refused: bool| {
        let text = "are you there?";
        let as_it_should_be = async {
            while who.call(&message(chat_id, text)).await.is_err() != refused {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        within("the setting to hold in the chat", as_it_should_be).await;
    };
    lets(&sara, WHO_MAY_WRITE, Audience::Nobody).await;
    for (who, chat) in [&friend, &blocked].into_iter().zip(chats) {
        told(who, chat, true).await;
    }
    let by_setting = friend.refused(message(chats[0], "well?")).await;
    let block = OwnItem::Block { user_id: blocked.id(), value: Some(Block {}) };
    sara.must(SetItems { items: vec![block] }).await;
    let by_block = blocked.refused(message(chats[1], "well?")).await;
    assert_eq!(by_setting.code, ErrorCode::RefusedByUser);
    assert_eq!(by_setting, by_block, "one refusal looks like the other");
    // She is there, and opens a chat anew: it stays as it is.
    sara.must(OpenDirect { user_id: friend.id() }).await;
    friend.refused(message(chats[0], "well?")).await;

    lets(&sara, WHO_MAY_WRITE, Audience::Everybody).await;
    told(&friend, chats[0], false).await;
    blocked.refused(message(chats[1], "well?")).await;
}

#[tokio::test]
async fn call_and_see() {
    let world = Plan::pair().start().await;
    let [sara, friend] = world.people().await;
    world.direct(&sara, &friend).await;
    sara.connect(world.at(0)).await;
    friend.connect(world.at(1)).await;
    let ring = || CallInvite {
        call_id: CallId(Uuid::new_v4()),
        user_id: sara.id(),
        media: CallMedia::Voice,
        relay_only: false,
        offer: None,
    };
    let watch = || WatchPresence { user_ids: vec![sara.id()] };
    assert_eq!(friend.must(watch()).await.presences.len(), 1);
    lets(&sara, WHO_MAY_CALL, Audience::Nobody).await;
    lets(&sara, WHO_MAY_SEE, Audience::Nobody).await;
    assert_eq!(friend.refused(ring()).await.code, ErrorCode::CallForbidden);
    assert_eq!(friend.must(watch()).await.presences, []);
    for audience in [Audience::Known, Audience::Everybody] {
        lets(&sara, WHO_MAY_CALL, audience).await;
        lets(&sara, WHO_MAY_SEE, audience).await;
        assert_eq!(friend.must(watch()).await.presences.len(), 1, "{audience:?}");
    }
    friend.must(ring()).await;
}
