//! Whoever is blocked cannot write, call, add the other to chats, or see when they are there; and can again when it is over.

use std::time::Duration;

use chapar_protocol::{
    ChatKind, ErrorCode, Event, Item, OwnItem, Version,
    call::{CallAsk, CallId, CallMedia, EndReason, Standing},
    command::{
        AddMembers, AskCall, CallInvite, CreateChat, Delete, Edit, GetMembers, MarkRead, OpenDirect, React, SetItems,
        SetTyping, UserDifference, WatchPresence,
    },
    item::Block,
    message::NewBody,
};
use uuid::Uuid;

use crate::support::{Device, device::message, within, world::Plan};

async fn blocks(who: &Device, whom: &Device, blocked: bool) {
    let value = blocked.then_some(Block {});
    who.must(SetItems { items: vec![OwnItem::Block { user_id: whom.id(), value }] }).await;
}

/// What her list says, as she gets it anew.
async fn is_blocked(who: &Device, whom: &Device) -> bool {
    let all = who.must(UserDifference { from: Version(0) }).await;
    all.items.iter().any(|item| {
        matches!(item, Item::Own(kept) if matches!(kept.item, OwnItem::Block { user_id, value: Some(_) } if user_id == whom.id()))
    })
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

    amir.forget_events();
    let version = amir.model().version(chat_id);
    blocks(&sara, &amir, true).await;
    let gone = |event: &Event| match event {
        Event::Presence(it) if it.user_id == sara.id() && !it.online => Some(it.last_seen_at),
        _ => None,
    };
    let seen = amir.event("that she is not seen any more", gone).await;
    assert!(seen.is_some(), "as of anybody who goes: it does not say why");
    assert_eq!(amir.must(WatchPresence { user_ids: user_ids.clone() }).await.presences, []);
    let body = NewBody::text("again");
    let emoji = Some("🌹".to_owned());
    let refusals = [
        amir.refused(message(chat_id, "again")).await,
        amir.refused(Edit { chat_id, seq: said.seq, body: body.clone() }).await,
        amir.refused(React { chat_id, seq: said.seq, emoji: emoji.clone() }).await,
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
    // His tombstone is the one change that he has heard of: nothing told him of the block.
    amir.reaches(chat_id, Version(version.0 + 1)).await;
    let tells = |event: &Event| match event {
        Event::Me(delta) => delta.items.iter().any(|item| matches!(item, Item::Chat(mine) if mine.chat_id == chat_id)),
        Event::Presence(_) | Event::Delta(_) => false,
        _ => true,
    };
    {
        let model = amir.model();
        assert_eq!(model.version(chat_id), Version(version.0 + 1));
        assert!(!model.events.iter().any(tells), "{:?}", model.events);
    }

    blocks(&sara, &amir, false).await;
    amir.say(chat_id, "thank you").await;
    sara.sees(chat_id, "thank you").await;
    assert_eq!(amir.must(WatchPresence { user_ids }).await.presences.len(), 1);
    amir.must(add).await;
}

/// Neither is shown that the other writes, or how far they have read: not as it happens, and not by asking.
#[tokio::test]
async fn and_neither_sees_the_other_write_or_read() {
    let world = Plan::pair().start().await;
    let [sara, amir] = world.people().await;
    sara.connect(world.at(0)).await;
    amir.connect(world.at(1)).await;
    let chat_id = world.direct(&sara, &amir).await;
    let before = amir.say(chat_id, "hello").await.seq;
    for (who, other) in [(&sara, &amir), (&amir, &sara)] {
        who.must(MarkRead { chat_id, seq: before }).await;
        other.until("the mark", |model| model.chats[&chat_id].others_read == before).await;
    }
    let last = amir.say(chat_id, "are you there?").await.seq;
    blocks(&sara, &amir, true).await;
    for (who, other) in [(&sara, &amir), (&amir, &sara)] {
        other.forget_events();
        who.must(SetTyping { chat_id }).await;
        who.must(MarkRead { chat_id, seq: last }).await;
        // Something that the other does hear, after all that.
        if who.id() == sara.id() {
            who.say(chat_id, "no").await;
            other.sees(chat_id, "no").await;
        } else {
            let version = who.must(Delete { chat_id, seq: last }).await.version;
            other.reaches(chat_id, version).await;
        }
        let of_other = |event: &&Event| match event {
            Event::Typing(it) => it.user_id == who.id(),
            Event::Read(it) => it.user_id == who.id(),
            _ => false,
        };
        let told: Vec<_> = other.model().events.iter().filter(of_other).cloned().collect();
        assert!(told.is_empty(), "{told:?}");
        let members = other.must(GetMembers { chat_id, after: None }).await.members;
        assert!(members.iter().all(|it| it.read_seq == Some(before)), "{members:?}");
        other.cut().await;
        let node = usize::from(other.id() == amir.id());
        let fresh = Device::new(other.account().clone());
        let sync = fresh.connect(world.at(node)).await.sync;
        assert!(sync.others_read.iter().all(|it| it.1 == before), "{:?}", sync.others_read);
        other.connect(world.at(node)).await;
        assert_eq!(other.model().chats[&chat_id].others_read, before);
    }

    blocks(&sara, &amir, false).await;
    let seq = amir.say(chat_id, "thank you").await.seq;
    sara.must(MarkRead { chat_id, seq }).await;
    amir.until("the mark", |model| model.chats[&chat_id].others_read == seq).await;
    amir.must(SetTyping { chat_id }).await;
    let writes = |event: &Event| matches!(event, Event::Typing(it) if it.user_id == amir.id()).then_some(());
    sara.event("that he writes", writes).await;
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
    // Hers to open; what he may is as before.
    let chat_id = world.opens(&sara, &amir).await;
    assert_eq!(amir.refused(message(chat_id, "hello")).await.code, ErrorCode::RefusedByUser);
    blocks(&sara, &amir, false).await;
    amir.must(open).await;
    amir.say(chat_id, "hello").await;
}

/// Two devices, on two nodes, set and end the block at the same time: the chat must not think otherwise than the list of blocks.
#[tokio::test]
async fn and_let_in_again_at_the_same_moment() {
    let world = Plan::pair().start().await;
    let (sara, second) = world.person_with_two_devices("sara_blocks").await;
    let [amir] = world.people().await;
    for (device, node) in [(&sara, 0), (&second, 1), (&amir, 0)] {
        device.connect(world.at(node)).await;
    }
    let chat_id = world.direct(&sara, &amir).await;
    for round in 0..20 {
        tokio::join!(
            blocks(&sara, &amir, true),
            blocks(&second, &amir, false),
            blocks(&sara, &amir, false),
            blocks(&second, &amir, true),
        );
        let blocked = is_blocked(&sara, &amir).await;
        let refused = amir.call(&message(chat_id, "well?")).await.is_err();
        assert_eq!(refused, blocked, "round {round}");
    }
}

#[tokio::test]
async fn while_their_chat_cannot_be_changed() {
    let world = Plan::single().start().await;
    let [sara, amir] = world.people().await;
    sara.connect(world.at(0)).await;
    amir.connect(world.at(0)).await;
    let chat_id = world.direct(&sara, &amir).await;
    let holder = world.database.meanwhile(&format!("SELECT id FROM chats WHERE id = {chat_id} FOR UPDATE"));
    blocks(&sara, &amir, true).await;
    world.database.end_meanwhile();
    drop(holder);
    let refused = async {
        while amir.call(&message(chat_id, "well?")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within("the block to hold in the chat as well", refused).await;
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
