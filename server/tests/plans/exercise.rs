//! Calls everything that the store can do. What is new in the store is added here.

use chapar_protocol::{
    Body, ChatCursor, ChatId, ChatKind, DeviceId, Resume, Role, Seq, ServiceAction, Timestamp, UserId, Version,
    call::{CallId, CallMedia, EndReason},
    call_report::CallsBy,
    message::{NewBody, Text},
};
use chapar_server::store::{
    Store,
    accounts::Which,
    budgets::{BudgetKind, Charge, Toll},
    create::Created,
    send::{Locks, NewMessage, Outcome},
};
use chapar_signaling::{
    call::{CallLog, Record},
    satisfaction::Rating,
};
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use time::{Duration, OffsetDateTime, UtcOffset};
use uuid::Uuid;

use crate::fill::{CHANNEL, DIRECT, GROUP, OWNER, PERSON, SMALL, Size};

const ME: UserId = UserId(PERSON);
const THE_OWNER: UserId = UserId(OWNER);
const CHATS: [ChatId; 4] = [ChatId(CHANNEL), ChatId(GROUP), ChatId(DIRECT), ChatId(SMALL)];

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + std::time::Duration::from_secs(10)
}

fn text(text: &str) -> NewBody {
    NewBody::Text(Text { text: text.into(), entities: Vec::new() })
}

pub async fn everything(store: &Store, size: Size, round: i64) {
    accounts(store, round).await;
    reading(store, size).await;
    writing(store, size, round).await;
    calls(store).await;
    store.takes_changes().await.expect("answers");
    store.statistics().await.expect("counted");
    store.new_epoch().await.expect("a new epoch");
    store.epoch().await.expect("an epoch");
}

fn toll(strangers: &[UserId]) -> Toll {
    let cheap = |kind| Charge::quarters(kind, 1_000_000, 1);
    Toll { own: cheap(BudgetKind::Contacts), each: cheap(BudgetKind::Reached), strangers: strangers.to_vec() }
}

async fn accounts(store: &Store, round: i64) {
    let handle = format!("new_{}", Uuid::new_v4().simple());
    let new = store.create_user(&handle[..20], "New", Some("hash")).await.expect("made");
    assert!(store.create_user("u7", "Taken", None).await.is_err());
    store.credentials(&new.handle, &[7; 8]).await.expect("read").expect("there");
    store.set_password(new.id, "other hash").await.expect("set");
    let (device, _) = store.create_device(new.id, &[round.to_le_bytes()[0]; 32], "telephone").await.expect("made");
    store.caller(new.id, &[round.to_le_bytes()[0]; 32]).await.expect("known");
    assert_eq!(store.devices(new.id, None).await.expect("read").len(), 1);
    assert!(store.owns_device(new.id, device).await.expect("read"));
    store.seen(&[(new.id, device)]).await.expect("noted");
    store.know_network(new.id, &[7; 8]).await.expect("kept");
    let connected: Vec<_> = (1..=1000).map(|n| (UserId(n), DeviceId(n))).collect();
    assert_eq!(store.standing(&connected).await.expect("read").len(), 1000);
    store.revoke_devices(new.id, Which::AllBut(device)).await.expect("revoked");
    store.revoke_devices(new.id, Which::All).await.expect("revoked");
    store.went_offline(&[new.id]).await.expect("noted");
    let charge = Charge::quarters(BudgetKind::Lookups, 1, 8);
    store.spend(new.id, charge).await.expect("the first is let through");
    assert!(store.spend(new.id, charge).await.is_err(), "nothing is left");
    let free = Charge::quarters(BudgetKind::Contacts, 1_000_000, 1);
    store.find(ME, UserId(800_000 + round), free).await.expect("found");
    let some: Vec<_> = (5000..5200).map(UserId).collect();
    store.last_seen(&some).await.expect("read");
    store.set_name(new.id, "Newer").await.expect("set");
    assert_eq!(store.users(&some).await.expect("read").len(), 200);
    store.user_versions(&some).await.expect("read");
    let handles: Vec<_> = (0..20).map(|n| format!("bulk_{n}_{}", &handle[4..16])).collect();
    let token = |user: UserId| (user.to_string(), vec![7; 32]);
    store.create_users_in_bulk(&handles, token).await.expect("made");
}

async fn reading(store: &Store, size: Size) {
    assert_eq!(store.chat_ids(ME).await.expect("read").len(), 2002);
    let all = store.resume(ME, None).await.expect("read");
    let epoch = all.sync.epoch;
    // All known; then twenty changed; then all changed.
    for behind in [0, 20, 2002] {
        let chats = all
            .versions
            .iter()
            .enumerate()
            .map(|(n, (chat, version))| ChatCursor(*chat, Version(version.0 - i64::from(n < behind)), Seq(0)));
        let resume = Resume { epoch: epoch.clone(), user_version: all.user_version, chats: chats.collect() };
        let answer = store.resume(ME, Some(&resume)).await.expect("read").sync;
        assert!(!answer.reset);
        assert_eq!(answer.chats.len() + answer.behind.len(), behind);
    }
    let versions = store.chat_versions(&CHATS).await.expect("read");
    for (chat, version) in versions {
        for from in [Version(0), Version(version.0 - 1), Version(version.0 - 300), Version(version.0 - 1900)] {
            let from = from.max(Version(0));
            store.difference(ME, chat, from).await.expect("read");
            store.chat_changes(chat, from).await.expect("read");
        }
        store.chat_snapshot(ME, chat).await.expect("read");
        store.membership(chat, ME).await.expect("in it");
    }
    for seq in [1, 100, size.messages / 10 - 50, size.messages / 10] {
        for (before, after) in [(200, 0), (0, 200), (50, 50), (0, 1)] {
            store.history(ME, ChatId(CHANNEL), Seq(seq), before, after).await.expect("read");
            store.history(ME, ChatId(GROUP), Seq(seq), before, after).await.expect("read");
        }
    }
    for from in [0, 1000, 1990] {
        store.user_difference(ME, Version(from)).await.expect("read");
    }
    for after in [0, 500_000, 999_990] {
        store.members(ChatId(CHANNEL), ChatKind::Channel, UserId(after), 201).await.expect("read");
        store.members(ChatId(GROUP), ChatKind::Group, UserId(after), 201).await.expect("read");
    }
    for handle in ["u777777", "channel", "nobody"] {
        store.resolve(handle).await.expect("read");
        store.credentials(handle, &[7; 8]).await.expect("read");
    }
    let some: Vec<_> = (100..300).map(UserId).collect();
    store.known_among(ME, &some, false).await.expect("read");
    store.answered_among(ME, &some).await.expect("read");
    store.inside(ChatId(CHANNEL), &some).await.expect("read");
    store.entered(ME, &CHATS).await.expect("read");
}

async fn writing(store: &Store, size: Size, round: i64) {
    let id = Uuid::new_v4;
    let batch: Vec<_> = (0..200)
        .map(|n| match n % 4 {
            0 => NewMessage::new(ChatId(CHANNEL), THE_OWNER, id(), text("post"), None),
            1 => NewMessage::new(ChatId(GROUP), UserId(3 + n), id(), text("to the group"), Some(Seq(1))),
            2 => NewMessage::new(ChatId(DIRECT - n), ME, id(), text("to one"), None),
            _ => NewMessage::new(ChatId(SMALL - n % 100), ME, id(), text("to ten"), None),
        })
        .collect();
    let batch: Vec<&NewMessage> = batch.iter().collect();
    for (locks, again) in [(Locks::Skip, false), (Locks::Wait, true)] {
        let sent = store.send(&batch, locks, soon()).await.expect("stored");
        assert!(sent.iter().all(|it| matches!(it, Outcome::Stored(it) if it.existed == again)), "{sent:?}");
    }
    let one = NewMessage::new(ChatId(DIRECT), ME, id(), text("alone"), None);
    store.send(&[&one], Locks::Skip, soon()).await.expect("stored");

    for chat in CHATS {
        store.mark_read(ME, chat, Seq(10 + round)).await.expect("read");
    }
    // Changes, by those who may.
    let seq = Seq(size.messages / 10 - round);
    let mut tx = store.lock_chat(ChatId(CHANNEL), ME).await.expect("locked");
    let message = tx.message(seq).await.expect("there");
    assert!(tx.react(&message, Some("🌹")).await.expect("reacted"));
    tx.commit().await.expect("committed");
    let mut tx = store.lock_chat(ChatId(CHANNEL), THE_OWNER).await.expect("locked");
    tx.rewrite(seq, &Body::from(text("better"))).await.expect("rewritten");
    tx.role_of(UserId(77)).await.expect("read");
    tx.was_member(UserId(77)).await.expect("read");
    tx.is_banned().await.expect("read");
    tx.ban(UserId(78)).await.expect("banned");
    tx.lift_bans(&[UserId(78)]).await.expect("lifted");
    tx.set_roles(&[(UserId(1000 + round), Some(Role::Admin))]).await.expect("set");
    tx.commit().await.expect("committed");
    let mut tx = store.lock_chat(ChatId(CHANNEL), THE_OWNER).await.expect("locked");
    assert!(!tx.is_alone().await.expect("read"));
    tx.commit().await.expect("committed");
    let turn = store.turn_of_reader(ChatId(CHANNEL)).await.expect("nobody else comes");
    drop(store.begin_reader(ChatId(CHANNEL), UserId(950_000), &turn).await.expect("read"));
    // A reader of the channel comes and goes.
    let reader = UserId(900_000 + round);
    for role in [None, Some(Role::Member)] {
        let mut tx = store.lock_any_chat(ChatId(CHANNEL), reader).await.expect("locked");
        tx.set_roles(&[(reader, role)]).await.expect("set");
        tx.commit().await.expect("committed");
    }
    let mut tx = store.lock_chat(ChatId(GROUP), THE_OWNER).await.expect("locked");
    tx.member_count().await.expect("counted");
    let some: Vec<_> = (0..200).map(|n| UserId(2000 + 200 * round + n)).collect();
    let newcomers = tx.newcomers(&some).await.expect("exist").all;
    tx.pay(store, &toll(&newcomers)).await.expect("paid");
    let roles: Vec<_> = newcomers.iter().map(|user| (*user, Some(Role::Member))).collect();
    tx.set_roles(&roles).await.expect("set");
    tx.tell(ServiceAction::Added { user_ids: newcomers }).await.expect("told");
    tx.commit().await.expect("committed");
    let mut tx = store.lock_chat(ChatId(GROUP), THE_OWNER).await.expect("locked");
    let gone: Vec<_> = roles.iter().map(|(user, _)| (*user, None)).collect();
    tx.set_roles(&gone).await.expect("set");
    tx.commit().await.expect("committed");
    assert!(store.stay_out(ChatId(GROUP), roles[0].0).await.expect("noted"));

    let client_id = id();
    for handle in ["", "public_one"] {
        let handle = (!handle.is_empty()).then(|| format!("{handle}_{}", &id().simple().to_string()[..8]));
        let made = store.create_chat(ME, client_id, ChatKind::Group, "new", handle.as_deref()).await.expect("made");
        if let Created::New(mut tx) = made {
            tx.set_roles(&[(ME, Some(Role::Owner))]).await.expect("set");
            tx.set_roles(&[(ME, None)]).await.expect("set");
            tx.commit().await.expect("committed");
        }
    }
    let public = format!("public_{}", &id().simple().to_string()[..8]);
    drop(store.create_chat(ME, id(), ChatKind::Channel, "new", Some(&public)).await.expect("made"));
    store.reopen_direct(ME, UserId(700)).await.expect("there");
    store.open_direct(ME, UserId(701), &toll(&[])).await.expect("there");
    drop(store.open_direct(ME, UserId(600_000), &toll(&[UserId(600_000)])).await.expect("made"));
}

async fn calls(store: &Store) {
    let pairs: Vec<_> = (3..103).map(|n| (ME, UserId(n))).collect();
    store.reach(&pairs).await.expect("read");
    let now = OffsetDateTime::now_utc();
    let at: Timestamp = now.into();
    let call_id = CallId(Uuid::new_v4());
    let log = CallLog {
        call_id,
        chat_id: ChatId(DIRECT),
        caller: ME,
        callee: UserId(DIRECT),
        media: CallMedia::Voice,
        relay_only: false,
        invited_at: at,
        answered_at: None,
        connected_at: None,
        ended_at: at,
        reason: EndReason::Missed,
        by: None,
        generations: 1,
    };
    let record = Record { note: None, log, missed_by: Some(UserId(DIRECT)) };
    store.record_calls(std::slice::from_ref(&record)).await.expect("recorded");
    store.see_calls(UserId(DIRECT)).await.expect("seen");
    store.put_unfinished_calls(7, std::slice::from_ref(&record), at).await.expect("written");
    store.lone_node_lives(7, at).await.expect("written");
    store.left_calls(8, 10).await.expect("read");
    store.forget_lone_nodes(8).await.expect("forgotten");
    store.write_call_quality(&[]).await.expect("written");
    let stars = Rating::new(5).expect("1 to 5");
    assert!(store.rate_call(call_id, ME, stars, &[]).await.expect("rated"));
    let (mut before, mut pages) = (None, 0);
    while pages < 5 {
        let (calls, more) = store.calls(ME, before, 100).await.expect("read");
        assert!(more);
        before = calls.last().map(|it| it.call_id);
        pages += 1;
    }
    store.roll_up_calls().await.expect("summed up");
    for by in [CallsBy::Day, CallsBy::Relay] {
        store.call_report(by, now - Duration::hours(3), now, UtcOffset::UTC).await.expect("read");
    }
}

/// What the store cannot be brought to do from here.
pub async fn functions(store: &Store, options: &PgConnectOptions) {
    let mut connection = options.connect().await.expect("connected");
    // Half hours are summed up a while after they are closed.
    sqlx::query("UPDATE call_slots SET closed_at = now() - interval '1 minute'")
        .execute(&mut connection)
        .await
        .expect("closed");
    store.roll_up_calls().await.expect("summed up");
    let part =
        "[{\"call_id\": \"00000000-0000-4000-8000-000000000001\", \"user_id\": 1, \"part\": 1, \"covered_ms\": 1,
        \"reports\": 1, \"mos\": 4, \"poor_ms\": 0, \"round_trip\": 1, \"jitter\": 1, \"lost\": 0, \"lost_there\": 0,
        \"concealed\": 0, \"bits_in\": 1, \"bits_out\": 1, \"relayed_ms\": 0, \"path\": \"\", \"network\": \"\",
        \"local_end\": \"\", \"remote_end\": \"\", \"codec\": \"\", \"relay\": \"\", \"region\": \"\",
        \"reported_at\": \"2026-01-01T00:00:00Z\"}]";
    sqlx::query("SELECT write_call_quality($1::text::jsonb)")
        .bind(part)
        .execute(&mut connection)
        .await
        .expect("written");
}
