//! Whoever looks for strangers finds few of them in a day, by whatever way, and strangers neither ring nor see.

use chapar_protocol::{
    ChatKind, Command, ErrorCode, Event, Role, UserId, Version, WireError,
    call::{CallId, CallMedia},
    command::{
        AddMembers, AnswerRequest, CallInvite, CreateChat, GetMembers, GetUsers, Join, Leave, OpenDirect, RemoveMember,
        Report, ReportReason, Resolve, SetRole, UserDifference, WatchPresence,
    },
};
use uuid::Uuid;

use crate::support::{Device, World, device::message, http, world::Plan};

/// One try, without waiting when told to.
async fn once<C: Command>(world: &World, node: usize, who: &Device, command: &C) -> Result<C::Reply, WireError> {
    http::post(world.at(node), &format!("/api/v1/call/{}", C::METHOD), Some(who.token()), command).await
}

async fn finds(world: &World, who: &Device, other: &Device) -> Result<UserId, WireError> {
    let resolve = Resolve { handle: other.account().user.handle.clone() };
    once(world, 0, who, &resolve).await.map(|found| found.user.expect("a person").id)
}

fn group_of(members: &[&Device]) -> CreateChat {
    let members = members.iter().map(|it| it.id()).collect();
    CreateChat {
        client_id: Uuid::new_v4(), kind: ChatKind::Group, title: "کاروان".to_owned(), handle: None, members
    }
}

fn ring(callee: &Device) -> CallInvite {
    let call_id = CallId(Uuid::new_v4());
    CallInvite { call_id, user_id: callee.id(), media: CallMedia::Voice, relay_only: false, offer: None }
}

#[tokio::test]
async fn an_id_alone_opens_nothing_and_tells_nothing() {
    let world = Plan::single().guarded().start().await;
    let [owner, stranger] = world.people().await;
    let nobody = UserId(4_000_000_000);
    let group = world.group(&owner, &[]).await;
    let mut answers = Vec::new();
    for user_id in [stranger.id(), nobody] {
        let open = once(&world, 0, &owner, &OpenDirect { user_id }).await.map(drop);
        let add = once(&world, 0, &owner, &AddMembers { chat_id: group, user_ids: vec![user_id] }).await.map(drop);
        let create = CreateChat { members: vec![user_id], ..group_of(&[]) };
        let create = once(&world, 0, &owner, &create).await.map(drop);
        let remove = once(&world, 0, &owner, &RemoveMember { chat_id: group, user_id, reason: None }).await.map(drop);
        let promote = SetRole { chat_id: group, user_id, role: Role::Admin };
        let promote = once(&world, 0, &owner, &promote).await.map(drop);
        let who = once(&world, 0, &owner, &GetUsers { user_ids: vec![user_id] }).await.expect("answers").users;
        assert_eq!(who, [], "nothing is told of {user_id:?}");
        answers.push([open, add, create, remove, promote].map(|it| it.expect_err("refused")));
    }
    assert_eq!(answers[0], answers[1], "a stranger and nobody look alike");
    assert!(answers[0].iter().all(|error| error.code == ErrorCode::UserNotFound), "{answers:?}");

    assert_eq!(finds(&world, &owner, &stranger).await.expect("by handle"), stranger.id());
    let who = once(&world, 0, &owner, &GetUsers { user_ids: vec![stranger.id(), nobody] }).await.expect("answers");
    assert_eq!(who.users, [stranger.account().user.clone()]);
    once(&world, 0, &owner, &OpenDirect { user_id: stranger.id() }).await.expect("found by handle");
    let who = once(&world, 0, &stranger, &GetUsers { user_ids: vec![owner.id()] }).await.expect("answers");
    assert_eq!(who.users.len(), 1, "whoever is written to sees by whom");
}

#[tokio::test]
async fn the_budget_for_new_people_is_the_same_by_every_way() {
    let world = Plan::pair().guarded().flags(&["--new-contacts-per-day", "3"]).start().await;
    let [eager, anna, bert, cleo, dora, emil] = world.people().await;
    for other in [&anna, &bert, &cleo, &dora, &emil] {
        finds(&world, &eager, other).await.expect("found");
    }
    let open = |other: &Device| OpenDirect { user_id: other.id() };
    let chat = once(&world, 0, &eager, &open(&anna)).await.expect("the first").chat.id;
    let group = once(&world, 1, &eager, &group_of(&[&bert])).await.expect("the second").chat.id;
    once(&world, 0, &eager, &AddMembers { chat_id: group, user_ids: vec![cleo.id()] }).await.expect("the third");

    let second_device = Device::new(eager.account().clone());
    second_device.connect(world.at(1)).await;
    let refusals = [
        once(&world, 0, &eager, &open(&dora)).await.map(drop),
        once(&world, 1, &eager, &open(&dora)).await.map(drop),
        Err(second_device.refused(open(&dora)).await),
        once(&world, 0, &eager, &group_of(&[&dora])).await.map(drop),
        once(&world, 1, &eager, &AddMembers { chat_id: group, user_ids: vec![dora.id(), emil.id()] }).await.map(drop),
        once(&world, 0, &eager, &AddMembers { chat_id: group, user_ids: vec![emil.id()] }).await.map(drop),
    ];
    for refusal in refusals {
        let error = refusal.expect_err("three a day");
        assert_eq!(error.code, ErrorCode::RateLimited, "{error:?}");
        let wait = error.retry_after_ms.expect("says when");
        // One comes back in eight hours, two in sixteen.
        assert!((28_000_000..57_700_000).contains(&wait), "{wait}");
    }
    assert!(dora.model().chats.is_empty(), "nobody was reached");

    assert_eq!(
        once(&world, 0, &eager, &open(&anna)).await.expect("is there").chat.id,
        chat,
        "what exists costs nothing"
    );
    // Whoever has answered costs nothing.
    http::call(world.at(0), anna.token(), &message(chat, "who are you?")).await.expect("answered");
    once(&world, 1, &eager, &AddMembers { chat_id: group, user_ids: vec![anna.id()] })
        .await
        .expect("they have answered");
    once(&world, 0, &eager, &RemoveMember { chat_id: group, user_id: anna.id(), reason: None }).await.expect("removed");
    once(&world, 1, &eager, &AddMembers { chat_id: group, user_ids: vec![anna.id()] }).await.expect("and again");
    // Coming and going is no way round: somebody who has not answered costs again.
    once(&world, 0, &eager, &RemoveMember { chat_id: group, user_id: bert.id(), reason: None }).await.expect("removed");
    let again = once(&world, 0, &eager, &AddMembers { chat_id: group, user_ids: vec![bert.id()] }).await.map(drop);
    assert_eq!(again.expect_err("costs a quarter").code, ErrorCode::RateLimited);
}

#[tokio::test]
async fn people_in_a_shared_group_cost_a_quarter_and_readers_of_a_channel_are_strangers() {
    let world = Plan::single().guarded().flags(&["--new-contacts-per-day", "1"]).start().await;
    let [owner, other_owner, admin, x, y, z, reader] = world.people().await;
    let public = |kind, handle: &str| CreateChat { kind, handle: Some(handle.to_owned()), ..group_of(&[]) };
    once(&world, 0, &owner, &public(ChatKind::Group, "the_caravan")).await.expect("made");
    let channel = once(&world, 0, &other_owner, &public(ChatKind::Channel, "the_news")).await.expect("made").chat.id;
    for who in [&admin, &x, &y, &z, &reader] {
        let handle = "the_news".to_owned();
        http::call(world.at(0), who.token(), &Join { handle }).await.expect("public");
    }
    let open = |other: &Device| OpenDirect { user_id: other.id() };
    assert_eq!(
        once(&world, 0, &reader, &open(&x)).await.map(drop).expect_err("a reader").code,
        ErrorCode::UserNotFound
    );
    let who = GetUsers { user_ids: vec![x.id(), other_owner.id()] };
    let seen = once(&world, 0, &reader, &who).await.expect("answers").users;
    assert_eq!(seen.iter().map(|user| user.id).collect::<Vec<_>>(), [other_owner.id()], "who posts, not who reads");
    let members = once(&world, 0, &reader, &GetMembers { chat_id: channel, after: None }).await.map(drop);
    assert_eq!(members.expect_err("for admins").code, ErrorCode::Forbidden);

    for who in [&admin, &x, &y, &z] {
        let handle = "the_caravan".to_owned();
        http::call(world.at(0), who.token(), &Join { handle }).await.expect("public");
    }
    for who in [&owner, &x, &y, &z] {
        once(&world, 0, &admin, &open(who)).await.expect("four of a shared group are one stranger");
    }
    once(&world, 0, &admin, &Resolve { handle: reader.account().user.handle.clone() }).await.expect("found");
    let more = once(&world, 0, &admin, &open(&reader)).await.map(drop).expect_err("the day's budget");
    assert_eq!(more.code, ErrorCode::RateLimited);
}

#[tokio::test]
async fn looking_handles_up_is_counted_whether_they_exist_or_not() {
    let world = Plan::pair().guarded().flags(&["--lookups-per-day", "4"]).start().await;
    let [curious, a, b, c] = world.people().await;
    let caravan = CreateChat { handle: Some("the_caravan".to_owned()), ..group_of(&[]) };
    once(&world, 0, &a, &caravan).await.expect("made");
    let look = |handle: &str| Resolve { handle: handle.to_owned() };
    finds(&world, &curious, &a).await.expect("found");
    finds(&world, &curious, &b).await.expect("found");
    for node in [0, 1] {
        let nobody = once(&world, node, &curious, &look("nobody_at_all")).await.map(drop).expect_err("nobody");
        assert_eq!(nobody.code, ErrorCode::UserNotFound);
    }
    for handle in [c.account().user.handle.as_str(), "nobody_either"] {
        for node in [0, 1] {
            let error = once(&world, node, &curious, &look(handle)).await.map(drop).expect_err("four a day");
            assert_eq!(error.code, ErrorCode::RateLimited, "{error:?}");
            assert!((21_000_000..21_600_002).contains(&error.retry_after_ms.expect("says when")), "{error:?}");
        }
    }
    let join = Join { handle: "nobody_at_all".to_owned() };
    let error = once(&world, 0, &curious, &join).await.map(drop).expect_err("nor is it free to try to join");
    assert_eq!(error.code, ErrorCode::RateLimited, "{error:?}");
    for handle in ["the_caravan", "nobody_has_this"] {
        let create = CreateChat { handle: Some(handle.to_owned()), ..group_of(&[]) };
        let error = once(&world, 0, &curious, &create).await.map(drop).expect_err("nor to ask for a name");
        assert_eq!(error.code, ErrorCode::RateLimited, "taken or not looks alike: {error:?}");
    }
    finds(&world, &curious, &a).await.expect("whoever was found is found again for nothing");
}

#[tokio::test]
async fn only_those_who_have_answered_ring_and_are_seen() {
    let world = Plan::single().guarded().start().await;
    let [stranger, person] = world.people().await;
    finds(&world, &stranger, &person).await.expect("found");
    stranger.connect(world.at(0)).await;
    person.connect(world.at(0)).await;
    let chat = world.opens(&stranger, &person).await;
    stranger.say(chat, "hello?").await;
    person.sees(chat, "hello?").await;
    let refused = stranger.refused(ring(&person)).await;
    assert_eq!(refused.code, ErrorCode::CallForbidden, "{refused:?}");
    assert!(refused.message.contains("written"), "it says what is missing: {refused:?}");
    let watch = |who: &Device| WatchPresence { user_ids: vec![who.id(), UserId(4_000_000_000)] };
    assert_eq!(stranger.must(watch(&person)).await.presences, [], "not seen");
    assert_eq!(person.must(watch(&stranger)).await.presences, [], "it is a request still");
    let rang = person.model().events.iter().any(|event| matches!(event, Event::Call(_)));
    assert!(!rang, "it rang");

    person.say(chat, "hello").await;
    for (who, whom) in [(&stranger, &person), (&person, &stranger)] {
        let seen = who.must(watch(whom)).await.presences;
        assert!(matches!(seen.as_slice(), [it] if it.online), "{seen:?}");
    }
    stranger.must(ring(&person)).await;
}

#[tokio::test]
async fn whoever_was_written_to_calls_back_when_they_have_accepted() {
    let world = Plan::single().guarded().start().await;
    let [writer, person] = world.people().await;
    finds(&world, &writer, &person).await.expect("found");
    writer.connect(world.at(0)).await;
    person.connect(world.at(0)).await;
    let chat_id = world.opens(&writer, &person).await;
    assert_eq!(person.refused(ring(&writer)).await.code, ErrorCode::CallForbidden);
    person.must(AnswerRequest { chat_id, accept: true }).await;
    person.must(ring(&writer)).await;
}

#[tokio::test]
async fn an_old_account_reaches_more_and_a_reported_one_less() {
    let world = Plan::single().guarded().flags(&["--new-contacts-per-day", "4"]).start().await;
    let [young, old, bad] = world.people().await;
    let others: Vec<Device> = world.accounts(20).await.into_iter().map(Device::new).collect();
    world.database.sql(&format!(
        "UPDATE users SET created_at = now() - interval '31 days' WHERE id IN ({}, {})",
        old.id(),
        bad.id()
    ));
    for other in &others[..3] {
        assert_eq!(finds(&world, other, &bad).await.expect("found"), bad.id());
        let report = Report { user_id: bad.id(), reason: ReportReason::Spam, chat_id: None, seq: None, note: None };
        once(&world, 0, other, &report).await.expect("kept");
        once(&world, 0, other, &report).await.expect("said twice counts once");
    }
    for (who, most) in [(&young, 4), (&old, 16), (&bad, 1)] {
        let mut reached = 0;
        for other in &others {
            finds(&world, who, other).await.expect("found");
            match once(&world, 0, who, &OpenDirect { user_id: other.id() }).await {
                Ok(_) => reached += 1,
                Err(error) => assert_eq!(error.code, ErrorCode::RateLimited, "{error:?}"),
            }
        }
        assert_eq!(reached, most);
    }
    let nobody = UserId(4_000_000_000);
    let report = Report { user_id: nobody, reason: ReportReason::Other, chat_id: None, seq: None, note: None };
    let error = once(&world, 0, &young, &report).await.expect_err("nobody");
    assert_eq!(error.code, ErrorCode::UserNotFound);
}

#[tokio::test]
async fn a_removed_member_joins_again_only_when_an_admin_says_so() {
    for kind in [ChatKind::Group, ChatKind::Channel] {
        let world = Plan::single().start().await;
        let [owner, member] = world.people().await;
        let handle = "the_caravan".to_owned();
        let create = CreateChat { kind, handle: Some(handle.clone()), ..group_of(&[]) };
        let chat_id = once(&world, 0, &owner, &create).await.expect("made").chat.id;
        let join = Join { handle };
        once(&world, 0, &member, &join).await.expect("public");
        let remove = RemoveMember { chat_id, user_id: member.id(), reason: None };
        once(&world, 0, &owner, &remove).await.expect("removed");
        let error = once(&world, 0, &member, &join).await.map(drop).expect_err("removed is out");
        assert_eq!(error.code, ErrorCode::Forbidden, "{error:?}");
        let add = AddMembers { chat_id, user_ids: vec![member.id()] };
        once(&world, 0, &owner, &add).await.expect("added");
        // Going by oneself is no ban, and coming back is free.
        once(&world, 0, &member, &Leave { chat_id }).await.expect("left");
        once(&world, 0, &member, &join).await.expect("left by themselves");
        // Whoever is quicker than the admin is kept out all the same.
        once(&world, 0, &member, &Leave { chat_id }).await.expect("left");
        once(&world, 0, &owner, &remove).await.expect("kept out");
        assert_eq!(once(&world, 0, &member, &join).await.map(drop).expect_err("out").code, ErrorCode::Forbidden);
    }
}

#[tokio::test]
async fn to_ask_for_a_name_is_to_look_it_up() {
    let world = Plan::single().guarded().flags(&["--lookups-per-day", "3"]).start().await;
    let [curious, other] = world.people().await;
    let named = |handle: &str| CreateChat { handle: Some(handle.to_owned()), ..group_of(&[]) };
    once(&world, 0, &other, &named("the_caravan")).await.expect("made");
    for _ in 0..2 {
        let error = once(&world, 0, &curious, &named("the_caravan")).await.map(drop).expect_err("somebody has it");
        assert_eq!(error.code, ErrorCode::HandleTaken, "{error:?}");
    }
    let mine = named("the_other");
    let made = once(&world, 0, &curious, &mine).await.expect("the third").chat.id;
    assert_eq!(once(&world, 0, &curious, &mine).await.expect("a retry costs nothing").chat.id, made);
    let find = Resolve { handle: "the_caravan".to_owned() };
    assert_eq!(once(&world, 0, &curious, &find).await.expect_err("three a day").code, ErrorCode::RateLimited);
}

#[tokio::test]
async fn whoever_has_left_is_not_brought_back_by_strangers() {
    for kind in [ChatKind::Group, ChatKind::Channel] {
        let world = Plan::single().start().await;
        let [owner, left, removed, friend, reader] = world.people().await;
        let everybody = [&left, &removed, &friend, &reader];
        let create = CreateChat { kind, ..group_of(&everybody) };
        let chat_id = once(&world, 0, &owner, &create).await.expect("made").chat.id;
        for who in [&left, &friend] {
            once(&world, 0, who, &Leave { chat_id }).await.expect("gone");
            once(&world, 0, who, &Leave { chat_id }).await.expect("a retry ends in the same state");
        }
        let remove = |who: &Device| RemoveMember { chat_id, user_id: who.id(), reason: None };
        let add = |who: &Device| AddMembers { chat_id, user_ids: vec![who.id(), reader.id()] };
        // Taken out and put back in, for ever: the person themselves can end it.
        once(&world, 0, &owner, &remove(&removed)).await.expect("removed");
        once(&world, 0, &owner, &add(&removed)).await.expect("added");
        once(&world, 0, &owner, &remove(&removed)).await.expect("removed");
        once(&world, 0, &removed, &Leave { chat_id }).await.expect("closes the door");
        // Nor is a ban, which the owner lifts, the way round.
        once(&world, 0, &owner, &remove(&left)).await.expect("kept out");
        for who in [&left, &removed] {
            let error = once(&world, 0, &owner, &add(who)).await.map(drop).expect_err("has left");
            assert_eq!(error.code, ErrorCode::HasLeft, "{kind:?}: {error:?}");
        }
        once(&world, 0, &friend, &OpenDirect { user_id: owner.id() }).await.expect("they know each other");
        once(&world, 0, &owner, &add(&friend)).await.expect("by somebody whom they have answered");
        let nobody =
            once(&world, 0, &owner, &RemoveMember { chat_id, user_id: owner.id(), reason: None }).await.map(drop);
        assert!(nobody.expect_err("not so").message.contains("leave"), "it says which command does");
    }
}

#[tokio::test]
async fn many_strangers_together_reach_one_person_no_oftener_than_one() {
    const BOUND: usize = 5;
    let world = Plan::pair().guarded().flags(&["--stranger-chats-per-day", "5"]).start().await;
    let strangers: [Device; 12] = world.people().await;
    let [victim, innocent] = world.people().await;
    have_been_here_for_long(&world, &strangers.iter().collect::<Vec<_>>());
    for stranger in &strangers {
        finds(&world, stranger, &victim).await.expect("found");
        finds(&world, stranger, &innocent).await.expect("found");
    }
    // All at once, on two nodes, by every way.
    let tries = strangers.iter().enumerate().map(async |(n, stranger)| {
        let at = n % 2;
        match n % 3 {
            0 => once(&world, at, stranger, &OpenDirect { user_id: victim.id() }).await.map(drop),
            1 => once(&world, at, stranger, &group_of(&[&victim, &innocent])).await.map(drop),
            _ => {
                let chat_id = once(&world, at, stranger, &group_of(&[])).await.expect("of one's own").chat.id;
                let user_ids = vec![victim.id(), innocent.id()];
                once(&world, at, stranger, &AddMembers { chat_id, user_ids }).await.map(drop)
            }
        }
    });
    let tries = futures_util::future::join_all(tries).await;
    let refused: Vec<_> = tries.into_iter().filter_map(Result::err).collect();
    assert_eq!(strangers.len() - refused.len(), BOUND, "{refused:?}");
    for error in refused {
        assert_eq!(error.code, ErrorCode::ReachedTooOften, "{error:?}");
        // One place comes back in 4.8 hours.
        assert!((17_000_000..17_280_002).contains(&error.retry_after_ms.expect("says when")), "{error:?}");
    }
    let chats = async |who: &Device| {
        let mine = UserDifference { from: Version(0) };
        once(&world, 0, who, &mine).await.expect("answers").items.len()
    };
    assert_eq!(chats(&victim).await, BOUND, "nothing came of what was refused");

    // What one does oneself is not meant, nor those whom one has answered.
    for stranger in &strangers[..3] {
        finds(&world, &victim, stranger).await.expect("found");
        once(&world, 0, &victim, &OpenDirect { user_id: stranger.id() }).await.expect("one's own doing");
        once(&world, 1, stranger, &group_of(&[&victim])).await.expect("they have answered");
    }
}

fn have_been_here_for_long(world: &World, who: &[&Device]) {
    let ids: Vec<String> = who.iter().map(|it| it.id().to_string()).collect();
    let ids = ids.join(", ");
    world.database.sql(&format!("UPDATE users SET created_at = now() - interval '8 days' WHERE id IN ({ids})"));
}

/// Accounts that were made for it do not keep away those who have been here for long.
#[tokio::test]
async fn a_few_new_accounts_do_not_use_up_how_often_somebody_is_reached() {
    let world = Plan::single().guarded().flags(&["--stranger-chats-per-day", "10"]).start().await;
    let fresh: [Device; 4] = world.people().await;
    let old: [Device; 3] = world.people().await;
    let [victim] = world.people().await;
    have_been_here_for_long(&world, &old.iter().collect::<Vec<_>>());
    for who in fresh.iter().chain(&old) {
        finds(&world, who, &victim).await.expect("found");
    }
    let reach = async |who: &Device| {
        let mut reached = 0;
        for _ in 0..6 {
            match once(&world, 0, who, &group_of(&[&victim])).await {
                Ok(_) => reached += 1,
                Err(error) => assert_eq!(error.code, ErrorCode::ReachedTooOften, "{error:?}"),
            }
        }
        reached
    };
    let mut reached = Vec::new();
    for who in fresh.iter().chain(&old) {
        reached.push(reach(who).await);
    }
    // A fifth for each; of all the new ones a half; the rest is left for the others, and they have it to its end.
    assert_eq!(reached, [2, 2, 1, 0, 2, 2, 1]);
}

#[tokio::test]
async fn whoever_is_refused_has_paid_for_nothing() {
    let world = Plan::single().guarded().flags(&["--new-contacts-per-day", "3"]).start().await;
    let [owner, left, other, one_more] = world.people().await;
    for who in [&left, &other, &one_more] {
        finds(&world, &owner, who).await.expect("found");
    }
    let chat_id = once(&world, 0, &owner, &group_of(&[&left])).await.expect("the first contact").chat.id;
    once(&world, 0, &left, &Leave { chat_id }).await.expect("gone");
    let add = |who: &[&Device]| AddMembers { chat_id, user_ids: who.iter().map(|it| it.id()).collect() };
    for _ in 0..6 {
        let error = once(&world, 0, &owner, &add(&[&left, &other])).await.map(drop).expect_err("has left");
        assert_eq!(error.code, ErrorCode::HasLeft, "{error:?}");
    }
    once(&world, 0, &owner, &add(&[&other])).await.expect("the second contact");
    once(&world, 0, &owner, &add(&[&one_more])).await.expect("the third contact");
    let error = once(&world, 0, &owner, &group_of(&[&left])).await.map(drop).expect_err("three a day, and a bit");
    assert_eq!(error.code, ErrorCode::RateLimited);
}
