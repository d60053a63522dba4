//! Whoever follows the feed and dies anywhere sees every change at least once, and those of a chat in their order, in whatever order
//! they were committed.

use std::{collections::BTreeSet, time::Duration};

use chapar_protocol::{
    ChatId, UserId,
    command::{AddMembers, RemoveMember},
};
use chapar_server::store::{
    Store,
    chats::{feed::Cursor, readers::Reader},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;

use crate::support::{World, http, within, world::Plan};

/// A row of the feed, as the table has it.
#[derive(Deserialize)]
struct Row {
    xid: i64,
    id: i64,
    chats: Vec<i64>,
    froms: Vec<i64>,
    tos: Vec<i64>,
    people: Option<Vec<(i64, i64)>>,
}

fn feed(world: &World) -> Vec<Row> {
    let rows = world.database.sql(
        "SELECT coalesce(jsonb_agg(jsonb_build_object('xid', xid::text::bigint, 'id', id, 'chats', chats, 'froms', froms, 'tos', tos,
             'people', people) ORDER BY xid, id), '[]') FROM feed",
    );
    serde_json::from_str(&rows).expect("rows")
}

#[tokio::test(flavor = "multi_thread")]
async fn and_the_next_one_goes_on_where_it_was_certain() {
    let seed = std::env::var("CHAPAR_TEST_SEED").ok().map_or_else(rand::random, |seed| seed.parse().expect("a number"));
    println!("seed {seed}: replay with CHAPAR_TEST_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let world = Plan::pair().start().await;
    let [owner, one, other] = world.people().await;
    let mut chats = Vec::new();
    for _ in 0..3 {
        chats.push(world.group(&owner, &[&one, &other]).await);
    }
    let options: PgConnectOptions = world.database.url().parse().expect("an address");
    let store = Store::connect(options, 2, Duration::ZERO).await.expect("a store");

    let writing = async {
        for round in 0..40 {
            let (chat_id, user_id) = (chats[round % 3], if round % 2 == 0 { one.id() } else { other.id() });
            let node = world.at(round % 2);
            http::call(node, owner.token(), &RemoveMember { chat_id, user_id, reason: None }).await.expect("removed");
            let back = AddMembers { chat_id, user_ids: vec![user_id] };
            http::call(node, owner.token(), &back).await.expect("added");
        }
    };
    // Begun before others and committed after them: these come in late, before what is there already.
    let late = async {
        for _ in 0..5 {
            let (database, chat, user) = (&world.database, chats[0], one.id());
            let begun = format!(
                "BEGIN; INSERT INTO feed (chats, froms, tos, kinds, people)
                 VALUES ('{{}}', '{{}}', '{{}}', '{{}}', '[[{chat}, {user}]]'); SELECT pg_sleep(0.3); COMMIT"
            );
            tokio::task::block_in_place(|| database.sql(&begun));
        }
    };
    let mut pages: Vec<(Cursor, Cursor, BTreeSet<Reader>)> = Vec::new();
    let following = async {
        let (mut at, mut certain) = (Cursor::default(), Cursor::default());
        let mut idle = 0;
        // Until nothing has come for a while, after all is written.
        while idle < 40 {
            let page = store.chats.moved_since(at, rng.random_range(1..4)).await.expect("read");
            if page.upto == at {
                idle += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            idle = 0;
            pages.push((at, page.upto, page.who.into_iter().collect()));
            at = page.upto;
            match rng.random_range(0..3) {
                // It dies before it has said how far it came.
                0 => at = certain,
                1 => certain = at,
                _ => {}
            }
        }
    };
    within("the feed to be followed", async { tokio::join!(writing, late, following) }).await;

    let rows = feed(&world);
    assert!(rows.len() >= 80, "{}", rows.len());
    let people = |row: &Row| -> BTreeSet<Reader> {
        let pairs = row.people.iter().flatten();
        pairs.map(|&(chat, user)| Reader { chat: ChatId(chat), user: UserId(user) }).collect()
    };
    for row in &rows {
        let at = Cursor { xid: row.xid, id: row.id };
        let told = pages.iter().any(|(after, upto, who)| *after < at && at <= *upto && people(row).is_subset(who));
        assert!(told, "row {at:?} was passed over");
    }
    for chat in &chats {
        let mut version = None;
        for row in &rows {
            for place in (0..row.chats.len()).filter(|place| row.chats[*place] == chat.0) {
                assert!(
                    version.is_none_or(|it| it == row.froms[place]),
                    "chat {chat}: from {} after {version:?}",
                    row.froms[place]
                );
                version = Some(row.tos[place]);
            }
        }
    }
    store.close().await;
}
