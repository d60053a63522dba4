//! Rights are given and taken one by one; everybody in the group hears of it, and a restriction ends by itself.

use std::time::{Duration, SystemTime};

use chapar_protocol::{
    ChatId, ChatKind, ErrorCode, Right, Role, Seq, Timestamp, WireError,
    command::{
        CreateChat, Delete, GetBanned, GetChat, GetMembers, Join, Leave, React, RemoveMember, RestrictMember,
        SetAdminRights, SetChatRights, SetRole, UnbanMember,
    },
};
use uuid::Uuid;

use crate::support::{Device, World, audit::all_equal, device::message, http, world::Plan};

async fn public(world: &World, owner: &Device, kind: ChatKind, handle: &str, members: &[&Device]) -> ChatId {
    let members = members.iter().map(|member| member.id()).collect();
    let (client_id, handle) = (Uuid::new_v4(), Some(handle.to_owned()));
    let create = CreateChat { client_id, kind, title: "گروه".to_owned(), handle, members };
    http::call(world.at(0), owner.token(), &create).await.expect("made").chat.id
}

fn soon(after: Duration) -> Timestamp {
    let since = (SystemTime::now() + after).duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("not so far")).expect("a time")
}

fn forbidden(error: &WireError, word: &str) {
    assert_eq!(error.code, ErrorCode::Forbidden);
    assert!(error.message.contains(word), "{error:?}");
}

#[tokio::test]
async fn until_the_time_is_over_and_also_after_coming_back() {
    let world = Plan::pair().start().await;
    let [owner, admin, loud] = world.people().await;
    let group = public(&world, &owner, ChatKind::Group, "a_loud_group", &[&admin, &loud]).await;
    owner.connect(world.at(0)).await;
    loud.connect(world.at(1)).await;
    admin.connect(world.at(1)).await;
    owner.must(SetRole { chat_id: group, user_id: admin.id(), role: Role::Admin }).await;
    loud.say(group, "!!!").await;

    let until = soon(Duration::from_secs(4));
    let restrict =
        RestrictMember { chat_id: group, user_id: loud.id(), denied: vec![Right::Write], until: Some(until) };
    admin.must(restrict.clone()).await;
    forbidden(&loud.refused(message(group, "and more")).await, "restricted");
    loud.must(React { chat_id: group, seq: Seq(2), emoji: Some("👍".to_owned()) }).await;
    for device in [&owner, &loud] {
        device
            .until("the restriction", |model| {
                let member = model.chats[&group].members.get(&loud.id());
                member.is_some_and(|it| it.denied == [Right::Write] && it.denied_until == Some(until))
            })
            .await;
    }
    // Going and coming back is no way out.
    loud.must(Leave { chat_id: group }).await;
    loud.must(Join { handle: "a_loud_group".to_owned() }).await;
    forbidden(&loud.refused(message(group, "back")).await, "restricted");
    // Nobody does anything: it is over when it is over.
    while SystemTime::now() < SystemTime::UNIX_EPOCH + Duration::from_millis(until.as_millis().unsigned_abs() + 50) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    loud.say(group, "quietly").await;

    let forever = RestrictMember { until: None, ..restrict };
    admin.must(forever.clone()).await;
    forbidden(&loud.refused(message(group, "again")).await, "restricted");
    admin.must(RestrictMember { denied: Vec::new(), ..forever.clone() }).await;
    loud.say(group, "thank you").await;
    for (wrong, code) in [
        (RestrictMember { denied: vec![Right::Name], ..forever.clone() }, ErrorCode::BadRequest),
        (RestrictMember { denied: vec![Right::Unknown], ..forever.clone() }, ErrorCode::BadRequest),
        (RestrictMember { until: Some(soon(Duration::ZERO)), ..forever.clone() }, ErrorCode::BadRequest),
        (RestrictMember { user_id: owner.id(), ..forever.clone() }, ErrorCode::Forbidden),
        (RestrictMember { user_id: admin.id(), ..forever }, ErrorCode::Forbidden),
    ] {
        assert_eq!(admin.refused(wrong.clone()).await.code, code, "{wrong:?}");
    }
    all_equal(world.at(1), group, &[owner, admin, loud]).await.agrees_with(&world.database);
}

#[tokio::test]
async fn what_everybody_may_and_what_an_admin_may() {
    let world = Plan::single().start().await;
    let [owner, admin, member] = world.people().await;
    let group = world.group(&owner, &[&admin, &member]).await;
    for device in [&owner, &admin, &member] {
        device.connect(world.at(0)).await;
    }
    let post = member.say(group, "hello").await.seq;
    let rights = |rights: &[Right]| SetChatRights { chat_id: group, rights: rights.to_vec() };
    owner.must(rights(&[Right::React])).await;
    forbidden(&member.refused(message(group, "and?")).await, "right");
    // Who is in it stands in what all hear: nobody takes that.
    member.must(GetMembers { chat_id: group, after: None }).await;
    member.must(React { chat_id: group, seq: post, emoji: Some("👍".to_owned()) }).await;
    member
        .until("to hear what everybody may", |model| {
            model.chats[&group].info.as_ref().is_some_and(|it| it.rights == [Right::React, Right::List])
        })
        .await;
    assert_eq!(owner.refused(rights(&[Right::Delete])).await.code, ErrorCode::BadRequest, "not for everybody");

    owner.must(SetRole { chat_id: group, user_id: admin.id(), role: Role::Admin }).await;
    admin.say(group, "an admin writes all the same").await;
    let set = |rights: &[Right]| SetAdminRights { chat_id: group, user_id: admin.id(), rights: rights.to_vec() };
    owner.must(set(&[Right::Delete])).await;
    forbidden(&admin.refused(message(group, "no more")).await, "right");
    admin.must(Delete { chat_id: group, seq: post }).await;
    member
        .until("to hear what the admin may", |model| {
            model.chats[&group].members.get(&admin.id()).is_some_and(|it| it.rights == [Right::Delete])
        })
        .await;
    // Who may name admins names no more than they are, and gives the group to nobody.
    owner.must(set(&[Right::Delete, Right::Name])).await;
    let name = |role| SetRole { chat_id: group, user_id: member.id(), role };
    for role in [Role::Admin, Role::Owner] {
        assert_eq!(admin.refused(name(role)).await.code, ErrorCode::Forbidden, "{role:?}");
    }
    let all = [
        Right::Write,
        Right::React,
        Right::Add,
        Right::Remove,
        Right::Delete,
        Right::List,
        Right::ChangeInfo,
        Right::Pin,
    ];
    owner.must(set(&[&all[..], &[Right::Name]].concat())).await;
    admin.must(name(Role::Admin)).await;
    assert_eq!(admin.refused(name(Role::Owner)).await.code, ErrorCode::Forbidden);
    assert_eq!(admin.refused(name(Role::Member)).await.code, ErrorCode::Forbidden, "an equal");
    assert_eq!(admin.refused(set(&[])).await.code, ErrorCode::Forbidden, "oneself");
    owner.must(name(Role::Member)).await;
    let not_one = SetAdminRights { user_id: member.id(), ..set(&[Right::Write]) };
    assert_eq!(owner.refused(not_one).await.code, ErrorCode::BadRequest);
    all_equal(world.at(0), group, &[owner, admin, member]).await.agrees_with(&world.database);
}

#[tokio::test]
async fn who_was_removed_is_in_a_list_until_let_back() {
    let world = Plan::single().start().await;
    for kind in [ChatKind::Group, ChatKind::Channel] {
        let [owner, guest, other] = world.people().await;
        let handle = format!("{kind:?}_with_a_door").to_lowercase();
        let chat_id = public(&world, &owner, kind, &handle, &[&guest, &other]).await;
        owner.connect(world.at(0)).await;
        guest.connect(world.at(0)).await;
        let list = || owner.must(GetBanned { chat_id, after: None });
        assert!(list().await.members.is_empty());
        for who in [&guest, &other] {
            owner.must(RemoveMember { chat_id, user_id: who.id(), reason: None }).await;
        }
        let banned: Vec<_> = list().await.members.iter().map(|it| it.user_id).collect();
        assert_eq!(banned, [guest.id(), other.id()]);
        let join = Join { handle: handle.clone() };
        assert_eq!(guest.refused(join.clone()).await.code, ErrorCode::Forbidden);
        for _ in ["once", "and again"] {
            owner.must(UnbanMember { chat_id, user_id: guest.id() }).await;
        }
        let after = GetBanned { chat_id, after: Some(guest.id()) };
        assert_eq!(owner.must(after).await.members.len(), 1);
        assert_eq!(list().await.members.len(), 1);
        guest.must(join).await;
        guest.must(GetChat { chat_id }).await;
    }
}

#[tokio::test]
async fn a_reader_of_a_channel_who_may_not_react_knows_it_and_nobody_else() {
    let world = Plan::single().start().await;
    let [owner, reader] = world.people().await;
    let channel = public(&world, &owner, ChatKind::Channel, "stern", &[&reader]).await;
    owner.connect(world.at(0)).await;
    let seq = owner.say(channel, "news").await.seq;
    let (denied, chat_id) = (vec![Right::React], channel);
    owner.must(RestrictMember { chat_id, user_id: reader.id(), denied: denied.clone(), until: None }).await;
    let react = React { chat_id, seq, emoji: Some("👍".to_owned()) };
    forbidden(&http::call(world.at(0), reader.token(), &react).await.expect_err("denied"), "restricted");
    let own = http::call(world.at(0), reader.token(), &GetChat { chat_id }).await.expect("in it");
    assert_eq!(own.members().next().expect("oneself").denied, denied);
    assert!(!owner.model().chats[&channel].members.contains_key(&reader.id()));
    owner.must(SetChatRights { chat_id, rights: Vec::new() }).await;
    owner.must(RestrictMember { chat_id, user_id: reader.id(), denied: Vec::new(), until: None }).await;
    forbidden(&http::call(world.at(0), reader.token(), &react).await.expect_err("nobody reacts"), "right");
}
