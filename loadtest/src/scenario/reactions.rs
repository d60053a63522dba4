//! Many people react to one post of a channel, again and again, while it posts.

use std::time::Duration;

use chapar_protocol::{
    Seq,
    command::{History, React, Send},
};
use clap::Args;

use super::{
    Error,
    broadcast::{Broadcast, api, uuid},
};
use crate::{
    args::Rate,
    message::Random,
    report::{Meters, Report},
    rig::Own,
    stats::Percentiles,
};

/// See [`crate::args::Scenario::Reactions`].
#[derive(Clone, Debug, Args)]
pub struct Reactions {
    /// What a scenario needs that starts its own node.
    #[command(flatten)]
    pub own: Own,
    /// Connected people who react in turn.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    pub people: u32,
    /// Reactions a second in all, each due at its time whatever the server does.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: u64,
    /// How long, in seconds.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// What the channel posts meanwhile, a second.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub posts_per_second: u64,
}

/// In turn, so that each reaction changes something.
const EMOJI: [&str; 3] = ["👍", "🔥", "🎉"];
/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &Reactions) -> Result<Report, Error> {
    let mut stage = Broadcast::set_up(&args.own, args.people, args.posts_per_second)?;
    stage.run.bar.set_message("filling the channel");
    stage.add(1..1 + args.people)?;
    let chat_id = stage.chat_id;
    let client_id = uuid(&mut Random::new(args.own.seed ^ 0x0DD));
    let body = chapar_protocol::message::NewBody::text("react to this");
    let send = Send::new(chat_id, client_id, body);
    let seq = api(&stage.common).call(&stage.run.world.users[0].token, &send)?.seq;
    stage.watch().seq = Some(seq.0);
    stage.run.connect()?;
    stage.quiet(Duration::from_secs(2))?;
    let quiet = stage.quiet(Duration::from_secs(3))?;

    let people = u64::from(args.people);
    let emoji = |number: u64| EMOJI[usize::try_from(number / people).unwrap_or(0) % EMOJI.len()];
    // What everybody has last been granted, by number.
    let mut stands: Vec<Option<u64>> = vec![None; args.people as usize];
    stage.run.bar.set_message("reacting");
    let mut meters = Meters::start(&stage.common);
    let began_us = stage.run.engine.now_us();
    let react = |number| React { chat_id, seq, emoji: Some(emoji(number).to_owned()) };
    let count = args.rate * args.seconds;
    let wave = stage.wave(count, Rate::PerSecond(args.rate), 0, react, |number| {
        let stands = &mut stands[usize::try_from(number % people).unwrap_or(0)];
        *stands = (*stands).max(Some(number));
    })?;
    meters.stop();
    let ended_us = stage.run.engine.now_us();
    // The counts of the end are told a little later.
    stage.quiet(Duration::from_secs(3))?;
    let lost = audit(&mut stage, seq, &stands, emoji)?;

    let told: Vec<u64> = stage.watch().told.iter().map(|it| it.0).collect();
    let meanwhile = told.iter().filter(|it| (began_us..ended_us).contains(it)).count() as u64;
    let gaps: Vec<u64> = told.windows(2).map(|it| it[1] - it[0]).collect();
    // One may come late and the next in time: only all of them together show how often it was.
    let length = Duration::from_micros(ended_us - began_us);
    if meanwhile > length.as_secs() + 2 {
        let what = format!("{meanwhile} times in {:.1} s", length.as_secs_f64());
        stage.violation("counts were told more than once a second", &what);
    }
    let mut report = Report::new(
        "reactions",
        serde_json::json!({
            "people": args.people, "rate": args.rate, "seconds": args.seconds,
            "posts_per_second": args.posts_per_second, "seed": args.own.seed,
        }),
    );
    report.window_seconds = wave.seconds;
    report.meters(&meters, "reaction", wave.done);
    report.figure("reactions a second, due", float(args.rate));
    report.figure("reactions a second, stored", float(wave.done) / wave.seconds);
    report.figure("people whose last reaction is not stored", float(lost));
    report.figure("counts told while they reacted", float(meanwhile));
    report.figure("counts told, a second", float(meanwhile) / length.as_secs_f64());
    report.figure(
        "counts told: the shortest time between two, ms",
        float(gaps.iter().copied().min().unwrap_or(0) / 1000),
    );
    report.phases.push(("posts → readers, quiet".into(), quiet));
    report.phases.push(("posts → readers, reactions".into(), Percentiles::from(&wave.posts)));
    report.phases.push(("reaction due → stored".into(), Percentiles::from(&wave.latencies)));
    let summary =
        format!("{} reactions of {count} were granted, the last ones of {people} people read back: ", wave.done);
    Ok(stage.finish(report, summary))
}

/// Everybody reads their own reaction, and one the counts. Returns whose last one is not there.
fn audit(
    stage: &mut Broadcast,
    seq: Seq,
    stands: &[Option<u64>],
    emoji: impl Fn(u64) -> &'static str,
) -> Result<u64, Error> {
    stage.run.bar.set_message("reading back");
    let (mut api, mut lost) = (api(&stage.common), 0);
    let question = History { chat_id: stage.chat_id, seq, before: 0, after: 1 };
    let mut counts = std::collections::BTreeMap::<&str, u32>::new();
    for (user, stands) in (1..).zip(stands) {
        let page = api.call(&stage.run.world.users[user].token, &question)?;
        stage.run.engine.turn(Duration::ZERO)?;
        let own = page.reacted.first().and_then(|it| it.emoji.as_deref());
        let expected = stands.map(&emoji);
        if let Some(expected) = expected {
            *counts.entry(expected).or_default() += 1;
        }
        if own != expected {
            lost += 1;
            stage.violation("a reaction that is not stored", &format!("person {user}: {own:?}, not {expected:?}"));
        }
    }
    let page = api.call(&stage.run.world.users[0].token, &question)?;
    let told = page.messages.first().map(|it| it.reactions.clone()).unwrap_or_default();
    let same = told.len() == counts.len() && told.iter().all(|it| counts.get(it.emoji.as_str()) == Some(&it.count));
    if !same {
        stage.violation("counts that are wrong", &format!("{told:?}, not {counts:?}"));
    }
    Ok(lost)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}
