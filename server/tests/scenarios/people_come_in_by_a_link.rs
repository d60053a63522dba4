//! Invite links: as many come in as a link is for, however many try at once; who must ask is told the answer; who came through which link
//! is kept; and nobody comes in who is not to.

use chapar_protocol::{
    ChatId, ChatKind, ErrorCode, Event, Invite, InviteId, Item, OwnItem, Role, Timestamp,
    command::{
        AnswerJoinRequest, GetInviteUses, GetInvites, GetJoinRequests, GetMembers, JoinByInvite, Leave, PreviewInvite,
        RemoveMember, RevokeInvite, SetInvite, SetRole,
    },
    item::AskedToJoin,
};
use futures_util::future::join_all;
use time::OffsetDateTime;
use tokio::time::Duration;
use uuid::Uuid;

use crate::support::{Device, audit::knows_everything, http, model::Model, world::Plan};

fn link(chat_id: ChatId) -> SetInvite {
    let invite_id = InviteId(Uuid::new_v4());
    SetInvite { chat_id, invite_id, title: None, expires_at: None, max_uses: None, approval: false }
}

fn by(invite: &Invite) -> JoinByInvite {
    JoinByInvite { token: invite.token.clone() }
}

/// What a device holds of its person's wish to come into a chat.
fn asked(model: &Model, chat: ChatId) -> Option<AskedToJoin> {
    match model.own.get(&("join_request".to_owned(), chat.to_string())) {
        Some(OwnItem::JoinRequest { value, .. }) => value.clone(),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_over_two_nodes_and_exactly_as_many_as_the_link_is_for() {
    let world = Plan::pair().start().await;
    let people: [Device; 51] = world.people().await;
    let (owner, others) = people.split_first().expect("an owner");
    for kind in [ChatKind::Group, ChatKind::Channel] {
        let chat_id = world.chat(kind, owner, &[]).await;
        let set = SetInvite { max_uses: Some(20), title: Some("برای کاروان".to_owned()), ..link(chat_id) };
        let invite = http::call(world.at(0), owner.token(), &set).await.expect("made");
        assert!(invite.open && invite.uses == 0, "{invite:?}");
        let tries = others.iter().enumerate().map(|(n, who)| {
            let (node, join) = (world.at(n % 2), by(&invite));
            async move { http::call(node, who.token(), &join).await }
        });
        let (came, not): (Vec<_>, Vec<_>) = join_all(tries).await.into_iter().partition(Result::is_ok);
        assert_eq!((came.len(), not.len()), (20, 30), "{kind:?}");
        assert!(not.iter().all(|it| it.as_ref().is_err_and(|error| error.code == ErrorCode::InviteGone)));
        assert!(came.iter().all(|it| it.as_ref().is_ok_and(|it| it.chat.is_some() && !it.asked)));
        let list = http::call(world.at(1), owner.token(), &GetInvites { chat_id }).await.expect("listed").invites;
        assert_eq!((list[0].uses, list[0].open), (20, false));
        let uses = GetInviteUses { chat_id, invite_id: invite.id, after: None };
        let through = http::call(world.at(0), owner.token(), &uses).await.expect("kept").uses;
        let members = http::call(world.at(0), owner.token(), &GetMembers { chat_id, after: None }).await.expect("read");
        let mut inside: Vec<_> = members.members.iter().filter(|it| it.role == Some(Role::Member)).collect();
        inside.sort_by_key(|it| it.user_id);
        assert_eq!(
            through.iter().map(|it| it.user_id).collect::<Vec<_>>(),
            inside.iter().map(|it| it.user_id).collect::<Vec<_>>(),
            "who came through it is who is in"
        );
    }
}

#[tokio::test]
async fn a_link_is_looked_at_taken_back_and_ends() {
    let world = Plan::pair().start().await;
    let [owner, admin, guest, late] = world.people().await;
    let chat_id = world.group(&owner, &[&admin]).await;
    for (device, node) in [(&owner, 0), (&admin, 1), (&guest, 1), (&late, 0)] {
        device.connect(world.at(node)).await;
    }
    owner.must(SetRole { chat_id, user_id: admin.id(), role: Role::Admin }).await;
    let set = link(chat_id);
    let invite = admin.must(set.clone()).await;
    assert_eq!(admin.must(set).await, invite, "a retry finds what the first try made");
    let address = format!("https://chat.example/#/join/{}", invite.token);
    let shown = guest.must(PreviewInvite { token: address.clone() }).await;
    assert_eq!((shown.chat_id, shown.title.as_str(), shown.member_count), (chat_id, "کاروان", 2));
    assert!(!shown.inside && !shown.approval);
    let joined = guest.must(JoinByInvite { token: address }).await.chat.expect("is in");
    assert_eq!(joined.chat.id, chat_id);
    owner.say(chat_id, "welcome").await;
    guest.sees(chat_id, "welcome").await;
    assert!(guest.must(PreviewInvite { token: invite.token.clone() }).await.inside);
    knows_everything(&guest, world.at(1)).await;

    // With whoever made it goes what they opened; and it opens nothing to whoever was removed.
    owner.must(RemoveMember { chat_id, user_id: admin.id(), reason: None }).await;
    assert_eq!(late.refused(by(&invite)).await.code, ErrorCode::InviteGone);
    assert_eq!(late.refused(PreviewInvite { token: invite.token.clone() }).await.code, ErrorCode::InviteGone);
    let other = owner.must(link(chat_id)).await;
    assert_eq!(admin.refused(by(&other)).await.code, ErrorCode::Forbidden);
    owner.must(RevokeInvite { chat_id, invite_id: other.id }).await;
    assert_eq!(late.refused(by(&other)).await.code, ErrorCode::InviteGone);
    let soon = OffsetDateTime::now_utc() + Duration::from_millis(1500);
    let short = owner.must(SetInvite { expires_at: Some(Timestamp::from(soon)), ..link(chat_id) }).await;
    assert!(short.open);
    let list = || async { owner.must(GetInvites { chat_id }).await.invites };
    while list().await.iter().any(|it| it.id == short.id && it.open) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(late.refused(by(&short)).await.code, ErrorCode::InviteGone);
    assert_eq!(list().await.len(), 3, "what was taken back is remembered");

    for token in ["", "nonsense", "1-abcdefghijklmnopqrstuv", "999999999-abcdefghijklmnopqrstuv"] {
        assert_eq!(late.refused(JoinByInvite { token: token.to_owned() }).await.code, ErrorCode::InviteGone);
    }
    let past = SetInvite { expires_at: Timestamp::from_millis(1), ..link(chat_id) };
    assert_eq!(owner.refused(past).await.code, ErrorCode::BadRequest);
    assert_eq!(owner.refused(SetInvite { max_uses: Some(0), ..link(chat_id) }).await.code, ErrorCode::BadRequest);
    assert_eq!(owner.refused(SetInvite { title: Some(" ".into()), ..link(chat_id) }).await.code, ErrorCode::BadTitle);
}

#[tokio::test]
async fn who_asks_hears_the_answer_also_when_they_were_away() {
    for kind in [ChatKind::Group, ChatKind::Channel] {
        let world = Plan::pair().start().await;
        let [owner, here, away, declined] = world.people().await;
        let chat_id = world.chat(kind, &owner, &[]).await;
        owner.connect(world.at(0)).await;
        for device in [&here, &away, &declined] {
            device.connect(world.at(1)).await;
        }
        let invite = owner.must(SetInvite { approval: true, ..link(chat_id) }).await;
        for device in [&here, &away, &declined] {
            for _ in ["asks", "asks again"] {
                let answer = device.must(by(&invite)).await;
                assert!(answer.asked && answer.chat.is_none(), "{answer:?}");
            }
            device.until("the wish is its own", |model| asked(model, chat_id).is_some_and(|it| !it.declined)).await;
        }
        assert!(here.must(PreviewInvite { token: invite.token.clone() }).await.asked);
        let requests = owner.must(GetJoinRequests { chat_id, after: None }).await.requests;
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|it| it.invite_id == invite.id));
        assert_eq!(owner.must(GetInvites { chat_id }).await.requests, 3);
        for device in [&away, &declined] {
            device.cut().await;
        }

        let answer = |who: &Device, accept| AnswerJoinRequest { chat_id, user_id: who.id(), accept };
        owner.must(answer(&here, true)).await;
        owner.must(answer(&here, true)).await;
        here.event("the chat in the own list", |event| match event {
            Event::Me(delta) => delta.items.iter().filter_map(Item::chat).any(|it| it.role.is_some()).then_some(()),
            _ => None,
        })
        .await;
        owner.must(answer(&away, true)).await;
        owner.must(answer(&declined, false)).await;
        assert_eq!(owner.refused(answer(&declined, true)).await.code, ErrorCode::UserNotFound, "answered already");
        owner.say(chat_id, "you are in").await;
        here.sees(chat_id, "you are in").await;
        away.connect(world.at(0)).await;
        away.sees(chat_id, "you are in").await;
        declined.connect(world.at(0)).await;
        declined.until("it was not let in", |model| asked(model, chat_id).is_some_and(|it| it.declined)).await;
        assert!(!declined.model().chats.contains_key(&chat_id));
        assert_eq!(owner.must(GetJoinRequests { chat_id, after: None }).await.requests, []);
        assert_eq!(owner.must(GetInvites { chat_id }).await.invites[0].uses, 2);

        // Two answer at once: one of them says what happens.
        declined.must(by(&invite)).await;
        let (accept, decline) = (answer(&declined, true), answer(&declined, false));
        let (yes, no) = tokio::join!(
            http::call(world.at(0), owner.token(), &accept),
            http::call(world.at(1), owner.token(), &decline),
        );
        let inside = http::call(world.at(0), owner.token(), &GetMembers { chat_id, after: None }).await.expect("read");
        let inside = inside.members.iter().any(|it| it.user_id == declined.id());
        assert_eq!(inside, yes.is_ok(), "{kind:?}: {yes:?}, {no:?}");
        assert!(yes.is_ok() || no.is_ok());
        // Whoever goes asks no more.
        if inside {
            http::call(world.at(0), declined.token(), &Leave { chat_id }).await.expect("gone");
        }
        assert_eq!(owner.must(GetJoinRequests { chat_id, after: None }).await.requests, []);
    }
}
