//! A time between two posts of whoever is no admin; removals with a reason, which the removed are told; and a log of what admins do.

use chapar_protocol::{
    AdminAction, AdminLogEntry, ChatId, ErrorCode, OwnItem, Right, Role, UserId,
    command::{
        AddMembers, Delete, GetAdminLog, GetBanned, PinMessage, RemoveMember, RestrictMember, SetInfo, SetRole,
        SetSlowMode, UnbanMember,
    },
};
use tokio::time::{Duration, Instant};

use crate::support::{Device, audit::knows_everything, device::message, world::Plan};

#[tokio::test]
async fn a_member_waits_between_two_posts_and_an_admin_does_not() {
    let world = Plan::pair().start().await;
    let [owner, quick, other] = world.people().await;
    let chat_id = world.group(&owner, &[&quick, &other]).await;
    for (device, node) in [(&owner, 0), (&quick, 1), (&other, 0)] {
        device.connect(world.at(node)).await;
    }
    let elsewhere = Device::new(quick.account().clone());
    elsewhere.connect(world.at(0)).await;
    quick.say(chat_id, "before").await;
    owner.must(SetSlowMode { chat_id, seconds: 3 }).await;
    quick
        .until("all hear it", |model| model.chats[&chat_id].info.as_ref().is_some_and(|it| it.slow_seconds == 3))
        .await;
    let first = message(chat_id, "first");
    quick.must(first.clone()).await;
    let posted = Instant::now();
    let early = quick.refused(message(chat_id, "too early")).await;
    assert_eq!(early.code, ErrorCode::SlowMode);
    let wait = early.retry_after_ms.expect("says when");
    assert!((1..=3000).contains(&wait), "{wait}");
    quick.must(first).await;
    other.say(chat_id, "each waits for their own").await;
    for _ in 0..3 {
        owner.say(chat_id, "an admin waits for nothing").await;
    }
    // Exactly one of many that come at once over both nodes, when the time is over.
    tokio::time::sleep(Duration::from_millis(wait.into())).await;
    assert!(posted.elapsed() >= Duration::from_millis(2500));
    let tries = (0..8).map(|n| {
        let (device, send) = ([&quick, &elsewhere][n % 2], message(chat_id, &format!("try {n}")));
        async move { device.call(&send).await }
    });
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 1, "{outcomes:?}");
    owner.must(SetSlowMode { chat_id, seconds: 0 }).await;
    quick.say(chat_id, "and").await;
    quick.say(chat_id, "free again").await;
    assert_eq!(owner.refused(SetSlowMode { chat_id, seconds: 86_401 }).await.code, ErrorCode::BadRequest);
    knows_everything(&other, world.at(1)).await;
}

#[tokio::test]
async fn a_reason_is_kept_shown_to_admins_and_told_to_whoever_was_removed() {
    let world = Plan::pair().start().await;
    let [owner, admin, rude] = world.people().await;
    let chat_id = world.group(&owner, &[&admin, &rude]).await;
    owner.connect(world.at(0)).await;
    admin.connect(world.at(1)).await;
    owner.must(SetRole { chat_id, user_id: admin.id(), role: Role::Admin }).await;
    let reason = Some("ناسزا گفت".to_owned());
    admin.must(RemoveMember { chat_id, user_id: rude.id(), reason: reason.clone() }).await;
    let banned = owner.must(GetBanned { chat_id, after: None }).await.members;
    let removal = banned[0].removal.clone().expect("how");
    assert_eq!((removal.by, removal.reason), (admin.id(), reason.clone()));
    // Was away, and learns it.
    rude.connect(world.at(1)).await;
    let told = |model: &crate::support::model::Model| match model.own.get(&("removed".to_owned(), chat_id.to_string()))
    {
        Some(OwnItem::Removed { value: Some(told), .. }) => Some(told.clone()),
        _ => None,
    };
    rude.until("it is told", |model| told(model).is_some()).await;
    let told = told(&rude.model()).expect("told");
    assert_eq!((told.title.as_str(), Some(told.reason)), ("کاروان", reason));
    // Another time, without one.
    owner.must(AddMembers { chat_id, user_ids: vec![rude.id()] }).await;
    owner.must(RemoveMember { chat_id, user_id: rude.id(), reason: None }).await;
    let banned = admin.must(GetBanned { chat_id, after: None }).await.members;
    let removal = banned[0].removal.clone().expect("how");
    assert_eq!((removal.by, removal.reason), (owner.id(), None));
    let long = RemoveMember { chat_id, user_id: rude.id(), reason: Some("x".repeat(256)) };
    assert_eq!(owner.refused(long).await.code, ErrorCode::TooLarge);
}

async fn log(of: &Device, chat_id: ChatId) -> Vec<AdminLogEntry> {
    let (mut entries, mut before) = (Vec::new(), None);
    loop {
        let page = of.must(GetAdminLog { chat_id, before }).await;
        before = page.entries.last().map(|it| it.id);
        entries.extend(page.entries);
        if !page.more {
            return entries;
        }
    }
}

#[tokio::test]
async fn who_did_what_to_whom_is_there_for_admins_page_by_page() {
    let world = Plan::pair().start().await;
    let [owner, admin, member] = world.people().await;
    let chat_id = world.group(&owner, &[&admin]).await;
    for (device, node) in [(&owner, 0), (&admin, 1), (&member, 1)] {
        device.connect(world.at(node)).await;
    }
    owner.must(SetRole { chat_id, user_id: admin.id(), role: Role::Admin }).await;
    admin.must(AddMembers { chat_id, user_ids: vec![member.id()] }).await;
    let seq = member.say(chat_id, "a message").await.seq;
    admin.must(PinMessage { chat_id, seq }).await;
    admin.must(Delete { chat_id, seq }).await;
    let own = admin.say(chat_id, "mine").await.seq;
    admin.must(Delete { chat_id, seq: own }).await;
    let denied = vec![Right::React];
    admin.must(RestrictMember { chat_id, user_id: member.id(), denied: denied.clone(), until: None }).await;
    let (title, description) = (Some("نام دیگر".to_owned()), None);
    admin.must(SetInfo { chat_id, title: title.clone(), description, photo: None }).await;
    owner.must(RemoveMember { chat_id, user_id: member.id(), reason: Some("spam".to_owned()) }).await;
    owner.must(UnbanMember { chat_id, user_id: member.id() }).await;
    let user_id = member.id();
    let expected: Vec<(UserId, AdminAction)> = vec![
        (owner.id(), AdminAction::Unbanned { user_id }),
        (owner.id(), AdminAction::Removed { user_id, reason: Some("spam".to_owned()) }),
        (admin.id(), AdminAction::Info { title, description: false, photo: false }),
        (admin.id(), AdminAction::Restricted { user_id, denied, until: None }),
        (admin.id(), AdminAction::Deleted { seq, user_id }),
        (admin.id(), AdminAction::Pinned { seq }),
        (admin.id(), AdminAction::Added { user_ids: vec![user_id] }),
        (owner.id(), AdminAction::Role { user_id: admin.id(), role: Role::Admin }),
    ];
    let got = log(&admin, chat_id).await;
    assert_eq!(got.iter().map(|it| (it.by, it.action.clone())).collect::<Vec<_>>(), expected);
    assert!(got.windows(2).all(|pair| pair[0].id > pair[1].id && pair[0].at >= pair[1].at));
    assert_eq!(member.refused(GetAdminLog { chat_id, before: None }).await.code, ErrorCode::ChatNotFound);
    owner.must(AddMembers { chat_id, user_ids: vec![user_id] }).await;
    assert_eq!(member.refused(GetAdminLog { chat_id, before: None }).await.code, ErrorCode::Forbidden);

    for seconds in 1..=240 {
        owner.must(SetSlowMode { chat_id, seconds }).await;
    }
    let all = log(&owner, chat_id).await;
    assert_eq!(all.len(), expected.len() + 241);
    assert_eq!(all[0].action, AdminAction::Slow { seconds: 240 });
    assert_eq!(all[239].action, AdminAction::Slow { seconds: 1 });
}
