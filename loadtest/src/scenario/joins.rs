//! People join a channel that a million are in, and leave it again, while it posts.

use std::time::Duration;

use chapar_protocol::command::{GetChat, Join, Leave};
use clap::Args;

use super::{
    Error,
    broadcast::{Broadcast, HANDLE, api},
};
use crate::{
    args::{Rate, rate},
    report::{Meters, Report},
    rig::Own,
    stats::{Percentiles, latencies},
};

/// See [`crate::args::Scenario::Joins`].
#[derive(Clone, Debug, Args)]
pub struct Joins {
    /// What a scenario needs that starts its own node.
    #[command(flatten)]
    pub own: Own,
    /// Members that the channel has before, put into the database by SQL.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub members: u32,
    /// Connected people, who all join, and then all leave, in each round.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    pub people: u32,
    /// How often.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Joins a second, each due at its time whatever the server does, or `max`: --in-flight under way.
    #[arg(long, default_value = "2000", value_parser = rate)]
    pub rate: Rate,
    /// With `max`, and for leaving: how many are under way.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
    pub in_flight: u64,
    /// What the channel posts meanwhile, a second.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub posts_per_second: u64,
}

/// By then all are told how many are in it.
const COUNTED: Duration = Duration::from_secs(10);

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &Joins) -> Result<Report, Error> {
    let mut stage = Broadcast::set_up(&args.own, args.people, args.posts_per_second)?;
    stage.run.bar.set_message("filling the channel");
    let before = Broadcast::FIRST;
    stage.plain.postgres.sql(&fill(stage.chat_id.0, args.members))?;
    stage.run.connect()?;
    // The first seconds find cold caches.
    stage.quiet(Duration::from_secs(2))?;
    let quiet = stage.quiet(Duration::from_secs(3))?;

    let mut meters = Meters::start(&stage.common);
    let (mut join, mut posts) = (latencies(), latencies());
    let (mut joined, mut joining, mut left, mut leaving) = (0, 0.0, 0, 0.0);
    let mut slowest = f64::INFINITY;
    let mut posts_leaving = latencies();
    for round in 1..=args.rounds {
        stage.run.bar.set_message(format!("round {round} of {}", args.rounds));
        let count = u64::from(args.people);
        let handle = || Join { handle: HANDLE.to_owned() };
        let wave = stage.wave(count, args.rate, args.in_flight, |_| handle(), |_| ())?;
        joined += wave.done;
        joining += wave.seconds;
        slowest = slowest.min(float(wave.done) / wave.seconds);
        let _ = join.add(&wave.latencies);
        let _ = posts.add(&wave.posts);
        let leave = Leave { chat_id: stage.chat_id };
        let wave = stage.wave(count, Rate::Max, args.in_flight, |_| leave.clone(), |_| ())?;
        left += wave.done;
        leaving += wave.seconds;
        let _ = posts_leaving.add(&wave.posts);
    }
    meters.stop();

    // Everybody is told how many are in it, a little later.
    let inside = before + u64::from(args.members) + joined - left;
    let mut told = 0;
    let patience = std::time::Instant::now() + COUNTED;
    while told != inside && std::time::Instant::now() < patience {
        stage.quiet(Duration::from_millis(200))?;
        told = members(&stage)?;
    }
    if told != inside {
        stage.violation("members", &format!("{told} are told to be in the channel, {inside} are"));
    }

    let mut report = Report::new(
        "joins",
        serde_json::json!({
            "members": args.members, "people": args.people, "rounds": args.rounds, "rate": format!("{:?}", args.rate),
            "in_flight": args.in_flight, "posts_per_second": args.posts_per_second, "seed": args.own.seed,
        }),
    );
    report.window_seconds = joining + leaving;
    report.meters(&meters, "join and leaving", joined);
    report.figure("joins a second (2,000 are asked for)", float(joined) / joining);
    report.figure("joins a second, the slowest round", slowest);
    report.figure("leaving: so many a second", float(left) / leaving.max(f64::MIN_POSITIVE));
    report.figure("members before", float(before + u64::from(args.members)));
    report.phases.push(("posts → readers, quiet".into(), quiet));
    report.phases.push(("posts → readers, joins (p99 < 100)".into(), Percentiles::from(&posts)));
    report.phases.push(("posts → readers, leaving".into(), Percentiles::from(&posts_leaving)));
    report.phases.push(("join due → answered".into(), Percentiles::from(&join)));
    let summary = format!("{joined} joins and {left} leavings were granted, {told} are told to be in the channel: ");
    Ok(stage.finish(report, summary))
}

/// How many are told to be in the channel.
fn members(stage: &Broadcast) -> Result<u64, Error> {
    let owner = &stage.run.world.users[0].token;
    let chat = api(&stage.common).call(owner, &GetChat { chat_id: stage.chat_id })?.chat;
    Ok(chat.member_count.map_or(0, u64::from))
}

/// Puts members into a channel who never come: their ids are beyond those of people.
fn fill(chat: i64, members: u32) -> String {
    format!(
        "SET synchronous_commit = off;
         CREATE TEMP TABLE fresh AS SELECT (n + 1000000000000) * 1024 AS id FROM generate_series(1, {members}) n;
         INSERT INTO chats.members (chat_id, user_id, role, turn) SELECT {chat}, id, 0, 1 FROM fresh;
         INSERT INTO people.user_chats (user_id, chat_id, kind, role, turn, version) SELECT id, {chat}, 2, 0, 1, 1 FROM fresh;
         UPDATE chats.counts SET members = members + {members}, stale = true WHERE chat_id = {chat};
         ANALYZE chats.members, people.user_chats;
         CHECKPOINT;"
    )
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}
