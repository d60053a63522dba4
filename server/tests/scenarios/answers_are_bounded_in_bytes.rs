//! However long the messages are and however many the chats: no answer is longer than 256 KiB, and whoever asks on has it all.

use std::{collections::BTreeSet, time::Duration};

use chapar_protocol::{
    ChatDelta, ChatId, ChatRow, ChatSync, ErrorCode, Event, Item, Seq, Version,
    command::{AddMembers, Difference, Hello, History, React, Send, UserDifference},
    frame::ServerFrame,
    limit,
    message::{Entity, EntityKind, NewBody, Text},
};
use futures_util::future::join_all;
use serde::Serialize;
use uuid::Uuid;

use crate::support::{Device, RawSocket, World, audit::all_equal, http, world::Plan};

/// Nearly the longest body: links of 2,000 bytes.
fn fat() -> NewBody {
    let link = |offset| Entity {
        offset,
        length: 1,
        kind: EntityKind::Link { url: format!("https://example.com/{}", "x".repeat(1_980)) },
    };
    NewBody::Text(Text { text: "x".repeat(20), entities: (0..14).map(link).collect() })
}

async fn write_fat(world: &World, writer: &Device, chat_id: ChatId, count: usize) {
    for _ in 0..count {
        let send = Send::new(chat_id, Uuid::new_v4(), fat());
        http::call(world.at(0), writer.token(), &send).await.expect("sent");
    }
}

fn bounded<T: Serialize>(answer: T) -> T {
    let bytes = serde_json::to_vec(&answer).expect("JSON").len();
    assert!(bytes <= limit::ANSWER_BYTES, "{bytes} bytes");
    answer
}

#[tokio::test]
async fn pages_of_history() {
    let world = Plan::single().start().await;
    let [writer, reader] = world.people().await;
    let chat_id = world.group(&writer, &[&reader]).await;
    write_fat(&world, &writer, chat_id, 40).await;
    let page = async |seq: i64, before: u32, after: u32| {
        let history = History { chat_id, seq: Seq(seq), before, after };
        let page = bounded(http::call(world.at(0), reader.token(), &history).await.expect("a page"));
        let seqs: Vec<i64> = page.messages.iter().map(|it| it.seq.0).collect();
        assert!(seqs.windows(2).all(|two| two[0] + 1 == two[1]), "a hole: {seqs:?}");
        (seqs, page.last_seq.0)
    };
    let (mut forwards, mut pages) = (Vec::new(), 0);
    loop {
        let (seqs, last) = page(forwards.last().map_or(1, |it| it + 1), 0, 200).await;
        forwards.extend(seqs);
        pages += 1;
        if forwards.last() == Some(&last) {
            break;
        }
    }
    assert_eq!(forwards, (1..=41).collect::<Vec<_>>());
    assert!(pages > 3, "{pages}: these messages should not fit");
    let mut backwards: Vec<i64> = Vec::new();
    while backwards.first() != Some(&1) {
        let (mut seqs, _) = page(backwards.first().copied().unwrap_or(1_000), 200, 0).await;
        assert!(!seqs.is_empty());
        seqs.append(&mut backwards);
        backwards = seqs;
    }
    assert_eq!(backwards, forwards);
    let (around, _) = page(20, 100, 100).await;
    assert!(around.contains(&19) && around.contains(&20), "both sides of the place: {around:?}");
}

#[tokio::test]
async fn hello_and_the_differences_after_it() {
    let world = Plan::single().start().await;
    let [writer, away] = world.people().await;
    let mut groups = Vec::new();
    for _ in 0..12 {
        groups.push(world.group(&writer, &[&away]).await);
    }
    away.connect(world.at(0)).await;
    away.cut().await;
    for group in &groups {
        write_fat(&world, &writer, *group, 12).await;
    }
    let sync = bounded(away.connect(world.at(0)).await).sync;
    assert!(!sync.chats.is_empty(), "what fits is there");
    let brought = sync.chats.iter().map(ChatSync::chat_id);
    let told: BTreeSet<ChatId> = brought.chain(sync.behind.iter().copied()).collect();
    assert_eq!(told, groups.iter().copied().collect(), "each is brought or named");
    // From nothing, too.
    let [stranger] = world.people().await;
    for group in &groups {
        let add = AddMembers { chat_id: *group, user_ids: vec![stranger.id()] };
        http::call(world.at(0), writer.token(), &add).await.expect("added");
    }
    bounded(stranger.connect(world.at(0)).await);
    // All of them in one request, of which some must wait; one that nobody is in; and too many.
    let mut missing: Vec<(ChatId, Version)> = groups.iter().map(|group| (*group, Version(1))).collect();
    let mut brought = BTreeSet::new();
    let nowhere = ChatId(1 << 40);
    let mut rounds = 0;
    while !missing.is_empty() {
        let chats = missing.iter().copied().chain([(nowhere, Version(0))]).collect();
        let answer = http::call(world.at(0), stranger.token(), &Difference { chats }).await.expect("the differences");
        let answer = bounded(answer);
        assert_eq!(answer.gone, [nowhere]);
        assert!(!answer.chats.is_empty(), "a step forward");
        assert_eq!(answer.chats.len() + answer.behind.len(), missing.len());
        assert!(answer.chats.iter().all(|it| brought.insert(it.chat_id())), "none twice");
        missing.retain(|it| answer.behind.contains(&it.0));
        rounds += 1;
    }
    assert_eq!(brought, groups.iter().copied().collect());
    assert!(rounds > 1, "they do not fit into one");
    let chats = (1..=101).map(|id| (ChatId(id), Version(0))).collect();
    let refused = http::call(world.at(0), stranger.token(), &Difference { chats }).await.expect_err("too many");
    assert_eq!(refused.code, ErrorCode::TooLarge);
    for group in &groups {
        let version = world.database.sql(&format!("SELECT version FROM chats WHERE id = {group}"));
        let version = Version(version.parse().expect("a number"));
        away.reaches(*group, version).await;
        stranger.reaches(*group, version).await;
        all_equal(world.at(0), *group, &[away.clone(), stranger.clone()]).await;
    }
}

#[tokio::test]
async fn a_difference_never_ends_within_a_version() {
    let world = Plan::single().start().await;
    let people = world.accounts(900).await;
    let owner = Device::new(people[0].clone());
    let chat_id = world.group(&owner, &[]).await;
    let ids: Vec<_> = people.iter().skip(1).map(|it| it.user.id).collect();
    for some in ids.chunks(200) {
        let add = AddMembers { chat_id, user_ids: some.to_vec() };
        http::call(world.at(0), owner.token(), &add).await.expect("added");
    }
    write_fat(&world, &owner, chat_id, 10).await;
    for one in &people {
        let react = React { chat_id, seq: Seq(1), emoji: Some("🌷".into()) };
        http::call(world.at(0), &one.token, &react).await.expect("reacted");
    }
    let rows = |what: &str, from: Version, to: Version| {
        let (from, to) = (from.0, to.0);
        let where_ = format!("chat_id = {chat_id} AND version > {from} AND version <= {to}");
        world.database.sql(&format!("SELECT count(*) FROM {what} WHERE {where_}"))
    };
    let whole = |delta: &ChatDelta| {
        assert!(delta.version > delta.from, "a step forward");
        let count = |of: fn(&ChatRow) -> bool| delta.rows.iter().filter(|row| of(row)).count().to_string();
        assert_eq!(count(|row| row.member().is_some()), rows("members", delta.from, delta.version));
        assert_eq!(count(|row| row.message().is_some()), rows("messages", delta.from, delta.version));
    };
    // As a member.
    let (mut from, mut pages) = (Version(1), 0);
    loop {
        let ask = Difference { chats: vec![(chat_id, from)] };
        let answer = http::call(world.at(0), owner.token(), &ask).await.expect("the difference");
        let [ChatSync::Delta { delta, more }] = &bounded(answer).chats[..] else { panic!("no delta") };
        let more = *more;
        whole(delta);
        from = delta.version;
        pages += 1;
        if !more {
            break;
        }
    }
    assert!(pages > 3, "{pages}");
    // As a node that fills a gap: with the reactions of all.
    let options: sqlx::postgres::PgConnectOptions = world.database.url().parse().expect("an address");
    let store = chapar_server::store::Store::connect(options, 2, std::time::Duration::ZERO).await.expect("a store");
    let (mut at, mut pages) = (Version(0), 0);
    while let Some(change) = store.chats.chat_changes(chat_id, at).await.expect("the changes") {
        let delta = change.delta;
        whole(&delta);
        let reactions = delta.rows.iter().filter_map(ChatRow::reaction).count();
        assert_eq!(reactions.to_string(), rows("reactions", delta.from, delta.version));
        at = bounded(delta).version;
        pages += 1;
    }
    assert_eq!(at, from);
    assert!(pages > 4, "{pages}");
}

#[tokio::test]
async fn somebody_in_thousands_of_chats() {
    let world = Plan::single().start().await;
    let [person, other] = world.people().await;
    let first = world.direct(&person, &other).await;
    let (me, them) = (person.id(), other.id());
    world.database.sql(&format!(
        "WITH made AS (
             INSERT INTO chats (id, kind, title, rights, created_at, changed_at, seq, version, info_version)
             SELECT people.with_slot(1000000 + n), 1, 'group ' || n, 35, now(), now(), 0, 1, 1 FROM generate_series(1, 5000) n RETURNING id
         ), members AS (
             INSERT INTO members (chat_id, user_id, role, turn, version)
             SELECT id, u, 2, 1, 1 FROM made, unnest(ARRAY[{me}, {them}]) u
         )
         INSERT INTO user_chats (user_id, chat_id, kind, role, turn, version)
         SELECT {me}, id, 1, 2, 1, 100 + row_number() OVER (ORDER BY id) FROM made;
         UPDATE users SET version = 5100 WHERE id = {me}"
    ));
    let mut socket = RawSocket::connect(world.at(0)).await;
    let welcome = socket.call(1, &Hello { token: person.token().to_owned(), resume: None }).await.expect("greeted");
    let own = bounded(welcome).sync.user;
    assert!(own.more && own.version < Version(5100), "they should not fit");
    let (mut from, mut chats) = (Version(0), BTreeSet::new());
    loop {
        let ask = UserDifference { from };
        let delta = bounded(http::call(world.at(0), person.token(), &ask).await.expect("own things"));
        chats.extend(delta.items.iter().filter_map(Item::chat).map(|it| it.chat_id));
        from = delta.version;
        if !delta.more {
            break;
        }
    }
    assert_eq!((from, chats.len()), (Version(5100), 5001));
    assert!(chats.contains(&first));
}

#[tokio::test]
async fn what_is_told_as_it_happens() {
    const WRITERS: u32 = 30;
    const EACH: usize = 8;
    let world = Plan::pair().start().await;
    let writers: Vec<Device> = world.accounts(WRITERS).await.into_iter().map(Device::new).collect();
    let [near, far] = world.people().await;
    let members: Vec<&Device> = writers[1..].iter().chain([&near, &far]).collect();
    let chat_id = world.group(&writers[0], &members).await;
    let mut readers = Vec::new();
    for (node, reader) in [&near, &far].into_iter().enumerate() {
        let mut socket = RawSocket::connect(world.at(node)).await;
        let hello = Hello { token: reader.token().to_owned(), resume: None };
        socket.call(1, &hello).await.expect("welcome");
        readers.push(socket);
    }
    // So that all messages wait for the same lock, and are stored together.
    let holder = world.database.meanwhile(&format!("SELECT id FROM chats WHERE id = {chat_id} FOR UPDATE"));
    let sends = writers.iter().map(async |writer| {
        writer.connect(world.at(0)).await;
        let send = || Send::new(chat_id, Uuid::new_v4(), fat());
        let sends: Vec<Send> = std::iter::repeat_with(send).take(EACH).collect();
        join_all(sends.iter().map(|it| writer.call(it))).await.into_iter().flatten().count()
    });
    let release = async {
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        while world.database.sql(waits) == "0" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.database.end_meanwhile();
    };
    let read = readers.iter_mut().map(async |socket| {
        let (mut seen, mut most, mut at) = (0, 0, None);
        while seen < WRITERS as usize * EACH {
            let text = socket.next().await.unwrap_or_else(|end| panic!("closed with {end:?} after {seen} messages"));
            assert!(text.len() <= limit::ANSWER_BYTES, "{} bytes", text.len());
            if let Ok(ServerFrame::Event(event)) = ServerFrame::parse(&text)
                && let Event::Delta(delta) = *event
            {
                assert!(at.is_none_or(|at| at == delta.from), "{at:?}, then {:?}", delta.from);
                at = Some(delta.version);
                let messages = delta.rows.iter().filter_map(ChatRow::message).count();
                seen += messages;
                most = most.max(messages);
            }
        }
        most
    });
    let (sent, (), most) = tokio::join!(join_all(sends), release, join_all(read));
    drop(holder);
    assert_eq!(sent.iter().sum::<usize>(), WRITERS as usize * EACH, "all are stored");
    assert!(most.iter().all(|most| *most > 4), "stored together, so told together: {most:?}");
}

/// The rows behind the last ones of a page may not be read: the page must not claim them.
#[tokio::test]
async fn a_page_ends_with_messages_that_share_a_version() {
    let world = Plan::single().start().await;
    let [writer, reader] = world.people().await;
    let chat_id = world.group(&writer, &[&reader]).await;
    write_fat(&world, &writer, chat_id, 5).await;
    let sql = |sql: String| world.database.sql(&sql).trim().to_owned();
    sql(format!(
        "UPDATE messages SET version = CASE seq WHEN 1 THEN 99 WHEN 2 THEN 100 WHEN 3 THEN 100 ELSE 98 + seq END WHERE chat_id = {chat_id}"
    ));
    let page = |from: i64| {
        sql(format!(
            "SELECT string_agg(coalesce(seq::text, 'upto ' || version), ', ' ORDER BY seq NULLS LAST)
             FROM changed_messages(ARRAY[{chat_id}]::bigint[], ARRAY[{from}]::bigint[], ARRAY[1000]::bigint[], NULL, 2, 1000000, 1000000)"
        ))
    };
    assert_eq!(page(0), "1, 2, 3, upto 100");
    assert_eq!(page(100), "4, 5, upto 103");
    assert_eq!(page(103), "6, upto 1000");
}
