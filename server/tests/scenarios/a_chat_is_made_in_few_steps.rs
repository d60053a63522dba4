//! Somebody makes a group, or brings people into one: few statements, and no more commits than there are things to be kept.

use std::time::Instant;

use chapar_protocol::{
    ChatId, ChatKind, UserId,
    command::{AddMembers, CreateChat},
};
use uuid::Uuid;

use crate::support::{Device, World, http, postgres::Cluster, world::Plan};

/// What the test asks by itself, and the node every second or so.
const MEANWHILE: [&str; 6] =
    ["pg_snapshot_xmax", "FROM counts", "FROM feed", "feed_cursors", "FROM polls", "WITH due AS MATERIALIZED"];

/// What something has cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    statements: usize,
    /// Transactions that wrote.
    commits: u64,
}

fn create(members: Vec<UserId>) -> CreateChat {
    let title = "کاروان".to_owned();
    CreateChat { client_id: Uuid::new_v4(), kind: ChatKind::Group, title, handle: None, members }
}

/// The statements that Postgres was asked, since the log had so many bytes.
fn asked(cluster: &Cluster, since: usize) -> Vec<String> {
    let log = cluster.log();
    let lines = log.get(since..).unwrap_or_default().lines();
    let asked = lines.filter(|line| line.contains("LOG:  execute ") || line.contains("LOG:  statement: "));
    asked.filter(|line| !MEANWHILE.iter().any(|it| line.contains(it))).map(str::to_owned).collect()
}

/// The least that it costs: meanwhile the node looks after itself as well.
async fn cost<F: Future>(world: &World, mut act: impl FnMut(usize) -> F) -> Cost {
    let next = || -> u64 {
        world.database.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").parse().expect("a number")
    };
    let mut least: Option<(Cost, Vec<String>)> = None;
    for round in 0..8 {
        let (log, xid) = (world.database.cluster().log().len(), next());
        act(round).await;
        let (commits, asked) = (next() - xid, asked(world.database.cluster(), log));
        let cost = Cost { statements: asked.len(), commits };
        if least.as_ref().is_none_or(|it| cost < it.0) {
            least = Some((cost, asked));
        }
    }
    let (cost, asked) = least.expect("a few rounds");
    println!("{cost:?}");
    for it in asked {
        println!("    {it:.180}");
    }
    cost
}

async fn make(world: &World, by: &Device, members: Vec<UserId>) -> ChatId {
    http::call(world.at(0), by.token(), &create(members)).await.expect("made").chat.id
}

async fn add(world: &World, by: &Device, chat_id: ChatId, user_ids: Vec<UserId>) {
    http::call(world.at(0), by.token(), &AddMembers { chat_id, user_ids }).await.expect("added");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_makes_a_group_or_adds_people() {
    let world = Plan::single().guarded().own_postgres().flags(&["--lookups-per-day", "0"]).start().await;
    world.database.sql("ALTER SYSTEM SET log_statement = 'all'");
    world.database.sql("SELECT pg_reload_conf()");
    let owner = &world.people::<1>().await[0];
    let people: Vec<UserId> = world.accounts(200).await.iter().map(|it| it.user.id).collect();
    // Each time others: strangers are paid for.
    let some = |round: usize| people[10 * round..10 * round + 10].to_vec();
    let created = cost(&world, |round| make(&world, owner, some(round))).await;
    let chat = make(&world, owner, Vec::new()).await;
    let added = cost(&world, |round| add(&world, owner, chat, some(10 + round))).await;
    // Who asks, what is there under this client id, who they are to each other; what is paid and the id; the change; the lists; the answer.
    assert!(created <= Cost { statements: 18, commits: 3 }, "{created:?}");
    assert!(added <= Cost { statements: 12, commits: 3 }, "{added:?}");
}

/// `cargo test --release -p chapar-server --test scenarios how_fast -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn how_fast() {
    let world = Plan::single().own_postgres().start().await;
    let people = world.accounts(100).await;
    let mut made = 0;
    for part in 0..4 {
        let began = Instant::now();
        for n in 0..300 {
            let owner = &people[(7 * n + part) % people.len()];
            let members = (1..14).map(|k| people[(7 * n + part + k * (1 + n % 7)) % people.len()].user.id);
            let mut members: Vec<UserId> = members.filter(|it| *it != owner.user.id).collect();
            members.dedup();
            http::call(world.at(0), &owner.token, &create(members)).await.expect("made");
            made += 1;
        }
        let rate = 300.0 / began.elapsed().as_secs_f64();
        println!("{made} groups of 14 made, one after the other: {rate:.0}/s");
    }
}
