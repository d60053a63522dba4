//! Each release starts on what the ones before have left, and clients that come back with the tokens and cursors of that time notice
//! nothing. For each release `tests/upgrade` holds its filled database and what its clients knew; `script/keep-database` makes them.
//!
//! A migration that was released must not change any more: the dumps hold the checksums, and a node does not start over others.

use std::path::{Path, PathBuf};

use chapar_protocol::{ChatId, Seq, Sync, account::SignedIn};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use crate::support::{Device, PATIENCE, World, audit, http, postgres::Cluster, world::Plan};

/// What clients knew.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Each with all that it had: the first was away in the end, the others had everything.
    devices: Vec<KeptDevice>,
    /// What was asked over HTTP, and answered: by which device, method, params, answer. Asked again it is answered so.
    asked: Vec<(usize, String, Value, Value)>,
    group: ChatId,
    /// A message of the second device there.
    own: Seq,
}

#[derive(Serialize, Deserialize)]
struct KeptDevice {
    account: SignedIn,
    sync: Sync,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade")
}

/// A command over HTTP, as JSON: what a client of that time sends does not follow the types of today.
async fn ask(world: &World, who: &Device, method: &str, params: &Value) -> Value {
    let path = format!("/api/v1/call/{method}");
    let answer = http::post(world.at(0), &path, Some(who.token()), params).await;
    answer.unwrap_or_else(|error| panic!("{method}: {error:?}"))
}

fn id(of: &Value, field: &str) -> i64 {
    of[field].as_i64().unwrap_or_else(|| panic!("no {field} in {of}"))
}

/// Connects as a client that has kept nothing, and takes what it is told.
async fn everything(world: &World, account: &SignedIn) -> KeptDevice {
    let device = Device::new(account.clone());
    let sync = device.connect(world.at(0)).await.sync;
    device.cut().await;
    KeptDevice { account: account.clone(), sync }
}

#[tokio::test(flavor = "multi_thread")]
async fn and_its_clients_notice_nothing() {
    let mut dumps: Vec<PathBuf> =
        std::fs::read_dir(folder()).expect("a folder").map(|it| it.expect("read").path()).collect();
    dumps.retain(|path| path.extension().is_some_and(|it| it == "sql"));
    assert!(!dumps.is_empty(), "there is a dump of each release");
    for dump in dumps {
        let read =
            |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let kept: Kept = serde_json::from_str(&read(&dump.with_extension("json"))).expect("what clients knew");
        upgraded(&read(&dump), &kept).await;
    }
}

async fn upgraded(dump: &str, kept: &Kept) {
    let mut world = Plan::default().start().await;
    world.database.restore(dump).await;
    // Another server counts its transactions from the start again.
    world.database.sql("UPDATE feed_cursors SET xid = '0', id = 0");
    world.join().await;
    let group = kept.group;

    // Whoever comes without cursors is told what it was told then.
    for it in &kept.devices[1..] {
        let now = everything(&world, &it.account).await.sync;
        let (now, then) = (serde_json::to_value(now).expect("JSON"), serde_json::to_value(&it.sync).expect("JSON"));
        assert_eq!(now, then, "user {}", it.account.user.id);
    }
    for (who, method, params, answer) in &kept.asked {
        let device = Device::new(kept.devices[*who].account.clone());
        // What was sent is there already.
        let now = ask(&world, &device, method, params).await;
        assert_eq!(&now, answer, "{method} {params}");
    }

    // Whoever comes with the cursors of then goes on from there.
    let mut devices = Vec::new();
    for (place, it) in kept.devices.iter().enumerate() {
        let device = Device::new(it.account.clone());
        device.model().welcome(it.sync.clone());
        assert!(device.model().resume().is_some(), "it had cursors");
        let sync = device.connect(world.at(0)).await.sync;
        assert_eq!(sync.epochs, it.sync.epochs);
        assert!(sync.reset.is_empty(), "{sync:?}");
        if place > 0 {
            assert!(
                sync.chats.is_empty() && sync.behind.is_empty() && sync.user.items.is_empty(),
                "nothing is new: {sync:?}"
            );
        }
        devices.push(device);
    }
    // Life goes on.
    let [away, owner, member, ..] = &devices[..] else { panic!("some people") };
    let last = owner.model().chats[&group].messages.keys().next_back().copied().expect("messages");
    let sent = owner.say(group, "we go on").await;
    assert_eq!(sent.seq.0, last.0 + 1);
    let edit = json!({ "chat_id": group, "seq": kept.own, "body": { "kind": "text", "text": "better, in the newer version" } });
    ask(&world, owner, "edit", &edit).await;
    ask(&world, member, "react", &json!({ "chat_id": group, "seq": kept.own, "emoji": "🌹" })).await;
    ask(&world, member, "mark_read", &json!({ "chat_id": group, "seq": sent.seq })).await;
    for device in [away, owner, member] {
        device.sees(group, "we go on").await;
    }
    for device in &devices {
        audit::knows_everything(device, world.at(0)).await;
        let model = device.model();
        assert_eq!((model.resets, &model.violations), (0, &Vec::new()));
    }
}

/// `script/keep-database` calls it, with the path to write to in `CHAPAR_KEEP_DATABASE`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes what the other one needs"]
#[expect(clippy::too_many_lines, reason = "everything that there is, one after the other")]
async fn keep_a_filled_database() {
    let path = PathBuf::from(std::env::var_os("CHAPAR_KEEP_DATABASE").expect("where to write it, without an ending"));
    let mut world = Plan::single().over_postgres(Cluster::start()).start().await;
    let (owner, away) = world.person_with_two_devices("dump_owner").await;
    let others = world.accounts(4).await;
    let [member, reader, stranger, banned] = [0, 1, 2, 3].map(|n| Device::new(others[n].clone()));
    let ids: Vec<i64> = others.iter().map(|it| it.user.id.0).collect();
    let new = || json!(Uuid::new_v4());
    let text = |text: &str| json!({ "kind": "text", "text": text });
    let send = |chat: i64, words: &str, reply: Value| {
        let mut send = json!({ "chat_id": chat, "client_id": new(), "body": text(words) });
        if reply.is_number() {
            send["reply_to"] = reply;
        }
        send
    };

    let direct = ask(&world, &owner, "open_direct", &json!({ "user_id": ids[0] })).await;
    let direct = id(&direct["chat"], "id");
    ask(&world, &member, "open_direct", &json!({ "user_id": owner.id() })).await;
    let create = json!({ "client_id": new(), "kind": "group", "title": "کاروان", "members": [ids[0], ids[1], ids[3]] });
    let group = id(&ask(&world, &owner, "create_chat", &create).await["chat"], "id");
    let create =
        json!({ "client_id": new(), "kind": "channel", "title": "News", "handle": "dump_news", "members": [] });
    let channel = id(&ask(&world, &owner, "create_chat", &create).await["chat"], "id");
    for who in [&member, &reader, &stranger] {
        ask(&world, who, "join", &json!({ "handle": "dump_news" })).await;
    }
    let mut said = Vec::new();
    for n in 0..12 {
        let who = [&owner, &member, &reader][n % 3];
        said.push(id(&ask(&world, who, "send", &send(group, &format!("message {n}, سلام"), Value::Null)).await, "seq"));
    }
    for n in 1..=3 {
        ask(&world, &owner, "send", &send(channel, &format!("post {n}"), Value::Null)).await;
        ask(&world, &member, "send", &send(direct, &format!("to you {n}"), Value::Null)).await;
    }
    ask(&world, &owner, "react", &json!({ "chat_id": direct, "seq": 1, "emoji": "👍" })).await;

    // From here on one device is away.
    let mut devices = vec![everything(&world, away.account()).await];
    ask(&world, &owner, "edit", &json!({ "chat_id": group, "seq": said[3], "body": text("edited") })).await;
    ask(&world, &reader, "delete", &json!({ "chat_id": group, "seq": said[2] })).await;
    ask(&world, &member, "react", &json!({ "chat_id": group, "seq": said[6], "emoji": "🌹" })).await;
    ask(&world, &owner, "react", &json!({ "chat_id": group, "seq": said[6], "emoji": "🌹" })).await;
    ask(&world, &reader, "react", &json!({ "chat_id": group, "seq": said[7], "emoji": "👍" })).await;
    ask(&world, &reader, "react", &json!({ "chat_id": group, "seq": said[7], "emoji": null })).await;
    ask(&world, &member, "send", &send(group, "an answer", json!(said[3]))).await;
    let restrict = json!({ "chat_id": group, "user_id": ids[1], "denied": ["react"] });
    ask(&world, &owner, "restrict_member", &restrict).await;
    ask(&world, &owner, "set_role", &json!({ "chat_id": group, "user_id": ids[0], "role": "admin" })).await;
    ask(&world, &owner, "remove_member", &json!({ "chat_id": group, "user_id": ids[3] })).await;
    for (who, chat, seq) in [(&owner, group, 9), (&member, group, 13), (&reader, channel, 3), (&owner, direct, 2)] {
        ask(&world, who, "mark_read", &json!({ "chat_id": chat, "seq": seq })).await;
    }
    ask(&world, &reader, "react", &json!({ "chat_id": channel, "seq": 2, "emoji": "👍" })).await;
    ask(&world, &stranger, "leave", &json!({ "chat_id": channel })).await;
    let request = id(&ask(&world, &stranger, "open_direct", &json!({ "user_id": owner.id() })).await["chat"], "id");
    ask(&world, &stranger, "send", &send(request, "hello, it is me", Value::Null)).await;
    let items = json!({ "items": [
        { "kind": "mute", "chat_id": channel, "value": {} },
        { "kind": "block", "user_id": ids[3], "value": {} },
        { "kind": "contact", "user_id": ids[0], "value": { "name": "Member" } },
        { "kind": "draft", "chat_id": group, "value": { "text": { "text": "not sent yet" } } },
    ] });
    ask(&world, &owner, "set_items", &items).await;
    let back = json!({ "items": [{ "kind": "mute", "chat_id": channel }] });
    ask(&world, &owner, "set_items", &back).await;
    ask(&world, &member, "report", &json!({ "user_id": ids[1], "reason": "spam", "note": "a test" })).await;
    let (from, to, call) = (ids[0], owner.id(), Uuid::new_v4());
    world.database.sql(&format!(
        "SELECT record_calls('[{{\"call_id\": \"{call}\", \"chat_id\": {direct}, \"caller_id\": {from}, \"callee_id\": {to},
             \"media\": \"voice\", \"relay_only\": false, \"invited_at\": \"2026-01-02T03:04:05Z\", \"ended_at\": \"2026-01-02T03:05:05Z\",
             \"reason\": \"missed\", \"generations\": 1, \"seconds\": 0, \"missed_by\": {to}}}]')"
    ));

    let deadline = Instant::now() + PATIENCE;
    while world.database.sql("SELECT count(*) FROM counts WHERE stale") != "0" {
        assert!(Instant::now() < deadline, "the channel does not tell its counters");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let all = [owner.account(), &others[0], &others[1], &others[2], &others[3]];
    for account in all {
        devices.push(everything(&world, account).await);
    }
    let mut asked = Vec::new();
    let questions = [
        (2, "send", send(group, "sent once", Value::Null)),
        (1, "history", json!({ "chat_id": group, "seq": 1, "before": 0, "after": 100 })),
        (2, "history", json!({ "chat_id": direct, "seq": 1, "before": 0, "after": 100 })),
        (3, "history", json!({ "chat_id": channel, "seq": 1, "before": 0, "after": 100 })),
        (1, "get_members", json!({ "chat_id": group })),
        (1, "get_banned", json!({ "chat_id": group })),
        (1, "get_calls", json!({ "limit": 10 })),
        (2, "get_users", json!({ "user_ids": [owner.id()] })),
    ];
    for (who, method, params) in questions {
        let device = Device::new(devices[who].account.clone());
        let answer = ask(&world, &device, method, &params).await;
        asked.push((who, method.to_owned(), params, answer));
    }
    // One more was sent.
    for it in &mut devices[1..] {
        *it = everything(&world, &it.account).await;
    }
    world.nodes.clear();
    drop((stranger, banned));
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path.with_extension("sql"), world.database.dump()).expect("written");
    let kept = Kept { devices, asked, group: ChatId(group), own: Seq(said[0]) };
    let kept = serde_json::to_string_pretty(&kept).expect("JSON");
    std::fs::write(path.with_extension("json"), kept + "\n").expect("written");
}
