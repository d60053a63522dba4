//! Every statement of the store reads about as many rows as it returns: against a channel of 1,000,000 members, a person in
//! 2,000 chats, and 1,000,000 messages, or as many as `CHAPAR_PLANS_MESSAGES` says (`script/bench-plans`: 10,000,000).
//!
//! The store's own functions run, seven times so that plans kept for the session are among them, and `auto_explain` tells
//! what Postgres did, also within functions. A statement in the sources that did not run is a failure as well.
#![expect(unreachable_pub, reason = "the harness is a module of the tests")]

#[path = "../support/harness.rs"]
mod support;

mod exercise;
mod files;
mod fill;
mod polls;
mod statements;
mod threads;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use chapar_server::store::Store;
use sqlx::postgres::PgConnectOptions;

use fill::Size;
use statements::Run;
use support::postgres::Cluster;

/// Statements that may read more than ten times what they return, and why. Each names a part of its statement.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "FROM budgets WHERE user_id = ANY ($1) AND kind = $2",
        "looks at the budgets of up to 200 people, and tells of one",
    ),
    (
        "peer_id <> user_id ORDER BY chat_id",
        "passes over somebody's groups and channels, when who may write to them has changed",
    ),
    ("DELETE FROM admin_log", "there are some hundred here, on a few pages: whether by the index or not costs alike"),
    ("invite_uses k", "some hundred rows, of which there are no statistics yet: read whole"),
    ("invites k", "the same"),
    ("UPDATE feed SET xid", "after a restore everything is followed again"),
    ("DELETE FROM feed_rest", "looks through what came before its day had a place: nearly nothing"),
    ("SELECT (SELECT count(*) FROM users)", "what operators ask counts everything"),
    ("SELECT count(*), coalesce(sum(seq), 0)::bigint", "what operators ask counts everything"),
    ("ORDER BY m.version LIMIT 401 ) k", "counts at most 401 rows to find where a page ends"),
    ("ORDER BY r.version LIMIT 501 ) k", "counts at most 501 rows to find where a page ends"),
    ("ORDER BY m.user_id LIMIT in_members", "counts at most 200 members to know their bytes"),
    (
        "WHERE NOT EXISTS (SELECT 1 FROM devices d",
        "looks each of the connected devices up, and finds those that are gone",
    ),
    ("SELECT id, last_seen_at FROM users", "looks up to 200 users up, some of whom were never online"),
    ("(value IS NOT NULL OR $2 > 0) ORDER BY version", "passes over at most 2,500 items that were taken back"),
    ("k.kind = i.kind AND k.value IS NOT NULL", "counts at most 5,000 items of a kind when there is a new one"),
    ("call_sums(o.slot", "sums up the calls of half hours that are not summed up yet"),
    ("FROM call_sums($1", "sums up the calls of one half hour"),
    ("mine AS MATERIALIZED", "the chats of the asking person are read once, to see who shares one"),
    ("AND d.last_seen_at > d.created_at", "looks up to 200 users and their devices up, some of whom were never online"),
    (
        "d.high_user_id = greatest(i.usr, i.other) LIMIT 1 ) d CROSS JOIN LATERAL",
        "looks up to 200 named people up, and tells who is seen",
    ),
    (
        "SELECT slot FROM call_slots WHERE rolled_at IS NULL",
        "half hours that wait to be summed up, also those not due yet",
    ),
];

fn is_excepted(statement: &str) -> bool {
    EXCEPTIONS.iter().any(|(part, _)| statement.contains(part))
}

#[tokio::test]
async fn every_statement_reads_about_what_it_returns() {
    let messages = std::env::var("CHAPAR_PLANS_MESSAGES").map_or(1_000_000, |it| it.parse().expect("a number"));
    let size = Size { messages, reactions: messages / 1000, calls: messages / 20 };
    let began = Instant::now();
    let cluster = Cluster::start();
    let database = cluster.database();
    let options: PgConnectOptions = database.url().parse().expect("an address");
    let plain = Store::connect(options.clone(), 2, Duration::ZERO).await.expect("a store");
    plain.migrate().await.expect("the schema");
    plain.close().await;
    fill::fill(&database, size);
    let bytes = database.sql("SELECT pg_size_pretty(pg_database_size(current_database()))");
    println!("filled with {messages} messages in {:?}: {bytes}", began.elapsed());

    let explained = options.options([
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_analyze", "on"),
        ("auto_explain.log_timing", "off"),
        ("auto_explain.log_nested_statements", "on"),
        ("auto_explain.log_format", "json"),
    ]);
    for (pass, statistics) in [(0, true), (1, false)] {
        if !statistics {
            // As after a load that nobody analysed: the planner knows nothing.
            database.sql("DELETE FROM pg_statistic");
        }
        let store = Store::connect(explained.clone(), 4, Duration::ZERO).await.expect("a store").upkeep();
        for round in 0..7 {
            // One that no build can read, to be thrown away.
            database.sql(
                "INSERT INTO unfinished_calls (call_id, node, record, seen_at) VALUES (gen_random_uuid(), 7, '{}', now())",
            );
            database.sql(
                "INSERT INTO handles (handle, chat_id, confirmed, claimed_at)
                 VALUES ('stale_' || left(md5(random()::text), 12), 999424, false, now() - interval '3 hours')",
            );
            exercise::everything(&store, size, 7 * pass + round).await;
        }
        exercise::functions(&store, &explained).await;
        store.close().await;
    }
    let log = cluster.log();
    println!("all statements ran after {:?}; the log has {} bytes", began.elapsed(), log.len());
    let runs = statements::runs(&log);
    assert!(runs.len() > 500, "{} runs", runs.len());

    let mut problems = Vec::new();
    let known = statements::in_sources();
    let run: BTreeSet<&str> = runs.iter().map(|it| it.statement.as_str()).collect();
    for (source, file) in &known {
        if !run.iter().any(|run| statements::is_same(source, run)) {
            problems.push(format!("{file}: was never run, add it to tests/plans/exercise.rs: {source}"));
        }
    }
    let mut worst: BTreeMap<&str, &Run> = BTreeMap::new();
    for run in &runs {
        let place = worst.entry(&run.statement).or_insert(run);
        if run.read - 10.0 * run.returned > place.read - 10.0 * place.returned {
            *place = run;
        }
    }
    for (statement, run) in &worst {
        let most = 10.0 * run.returned + 100.0;
        println!("{:>10} read {:>7} returned: {statement:.150}", run.read, run.returned);
        if run.read > most && !is_excepted(statement) {
            let how = serde_json::to_string_pretty(&run.plan).expect("JSON");
            problems.push(format!("reads {} rows to return {}: {statement}\n{how}", run.read, run.returned));
        }
    }
    println!("{} statements, {} runs, {:?}", worst.len(), runs.len(), began.elapsed());
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}
