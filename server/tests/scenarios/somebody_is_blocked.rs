//! Whoever is blocked cannot write, call, add the other to chats, or see when they are there; and can again when it is over.

use chapar_protocol::{
    ChatKind, ErrorCode, Event, OwnItem,
    call::{CallAsk, CallId, CallMedia, EndReason, Standing},
    command::{
        AddMembers, AskCall, CallInvite, CreateChat, Delete, Edit, OpenDirect, React, SetItems, SetTyping,
        WatchPresence,
    },
    item::Block,
    message::NewBody,
};
use uuid::Uuid;

use crate::support::{Device, device::message, world::Plan};

async fn blocks(who: &Device, whom: &Device, blocked: bool) {
    let value = blocked.then_some(Block {});
    who.must(SetItems { items: vec![OwnItem::Block { user_id: whom.id(), value }] }).await;
}

fn ring(callee: &Device) -> CallInvite {
    let call_id = CallId(Uuid::new_v4());
    CallInvite { call_id, user_id: callee.id(), media: CallMedia::Voice, relay_only: false, offer: None }
}

#[tokio::test]
async fn in_the_chat_of_the_two() {
    let world = Plan::pair().start().await;
    let [sara, amir] = world.people().await;
    sara.connect(world.at(0)).await;
    amir.connect(world.at(1)).await;
    let chat_id = world.direct(&sara, &amir).await;
    let said = amir.say(chat_id, "hello").await;
    sara.sees(chat_id, "hello").await;
    let user_ids = vec![sara.id()];
    assert_eq!(amir.must(WatchPresence { user_ids: user_ids.clone() }).await.presences.len(), 1);

    blocks(&sara, &amir, true).await;
    let gone = |event: &Event| match event {
        Event::Presence(it) if it.user_id == sara.id() && !it.online => Some(it.last_seen_at),
        _ => None,
    };
    assert_eq!(amir.event("that she is not seen any more", gone).await, None, "nor when she was");
    assert_eq!(amir.must(WatchPresence { user_ids: user_ids.clone() }).await.presences, []);
    let body = NewBody::text("again");
    let emoji = Some("🌹".to_owned());
    let refusals = [
        amir.refused(message(chat_id, "again")).await,
        amir.refused(Edit { chat_id, seq: said.seq, body: body.clone() }).await,
        amir.refused(React { chat_id, seq: said.seq, emoji: emoji.clone() }).await,
        amir.refused(SetTyping { chat_id }).await,
    ];
    for refusal in refusals {
        assert_eq!(refusal.code, ErrorCode::RefusedByUser, "{refusal:?}");
        assert!(!refusal.message.contains("block"), "it does not say which of the reasons it is: {refusal:?}");
    }
    assert_eq!(amir.refused(ring(&sara)).await.code, ErrorCode::CallForbidden);
    let create = CreateChat {
        client_id: Uuid::new_v4(),
        kind: ChatKind::Group,
        title: "گروه".into(),
        handle: None,
        members: vec![sara.id()],
    };
    assert_eq!(amir.refused(create).await.code, ErrorCode::RefusedByUser);
    let group = world.group(&amir, &[]).await;
    let add = AddMembers { chat_id: group, user_ids: vec![sara.id()] };
    assert_eq!(amir.refused(add.clone()).await.code, ErrorCode::RefusedByUser);
    amir.must(Delete { chat_id, seq: said.seq }).await;
    assert!(amir.must(WatchPresence { user_ids: user_ids.clone() }).await.presences.is_empty());
    // Blocked twice is blocked.
    blocks(&sara, &amir, true).await;

    blocks(&sara, &amir, false).await;
    amir.say(chat_id, "thank you").await;
    sara.sees(chat_id, "thank you").await;
    assert_eq!(amir.must(WatchPresence { user_ids }).await.presences.len(), 1);
    amir.must(add).await;
}

#[tokio::test]
async fn before_there_is_a_chat() {
    let world = Plan::single().start().await;
    let [sara, amir] = world.people().await;
    sara.connect(world.at(0)).await;
    amir.connect(world.at(0)).await;
    blocks(&sara, &amir, true).await;
    let open = OpenDirect { user_id: sara.id() };
    assert_eq!(amir.refused(open.clone()).await.code, ErrorCode::RefusedByUser);
    blocks(&sara, &amir, false).await;
    amir.must(open).await;
}

#[tokio::test]
async fn a_ringing_call_ends() {
    let world = Plan::pair().start().await;
    let [sara, amir] = world.people().await;
    world.direct(&sara, &amir).await;
    sara.connect(world.at(0)).await;
    amir.connect(world.at(1)).await;
    let call = amir.must(ring(&sara)).await.call_id;
    let rings = |event: &Event| matches!(event, Event::Call(state) if state.call_id == call).then_some(());
    sara.event("the ringing", rings).await;
    sara.must(AskCall { call_id: call, ask: CallAsk::Ringing }).await;
    blocks(&sara, &amir, true).await;
    for device in [&sara, &amir] {
        let ended = |event: &Event| match event {
            Event::Call(state) if state.call_id == call => match state.standing {
                Standing::Ended { reason, .. } => Some(reason),
                _ => None,
            },
            _ => None,
        };
        assert_eq!(device.event("the end", ended).await, EndReason::Declined);
    }
}
