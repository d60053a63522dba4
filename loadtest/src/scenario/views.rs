//! Many people see the posts of a channel, one post each in turn, while it posts more.

use std::time::{Duration, Instant};

use chapar_protocol::{
    Seq,
    command::{History, MarkRead, Send},
    message::NewBody,
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

/// See [`crate::args::Scenario::Views`].
#[derive(Clone, Debug, Args)]
pub struct Views {
    /// What a scenario needs that starts its own node.
    #[command(flatten)]
    pub own: Own,
    /// Connected people who read in turn.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    pub people: u32,
    /// Views a second in all, each due at its time whatever the server does.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: u64,
    /// How long, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// What the channel posts meanwhile, a second.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub posts_per_second: u64,
}

/// How long until all that was seen is counted.
const COUNTED: Duration = Duration::from_mins(2);

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &Views) -> Result<Report, Error> {
    let mut stage = Broadcast::set_up(&args.own, args.people, args.posts_per_second)?;
    stage.run.bar.set_message("filling the channel");
    stage.add(1..1 + args.people)?;
    let chat_id = stage.chat_id;
    let people = u64::from(args.people);
    let count = args.rate * args.seconds;
    let mut random = Random::new(args.own.seed ^ 0x51E7);
    // Everybody sees the first post, then everybody the second: a view never passes two.
    let mut posts: Vec<Seq> = Vec::new();
    for number in 0..count.div_ceil(people) {
        let send = Send::new(chat_id, uuid(&mut random), NewBody::text(format!("post {number}")));
        posts.push(api(&stage.common).call(&stage.run.world.users[0].token, &send)?.seq);
    }
    stage.run.connect()?;
    stage.quiet(Duration::from_secs(2))?;
    let quiet = stage.quiet(Duration::from_secs(3))?;

    let post = |number: u64| posts[usize::try_from(number / people).unwrap_or(0)];
    stage.run.bar.set_message("reading");
    let mut meters = Meters::start(&stage.common);
    // By how many each post must be seen in the end: whoever was granted a later one has seen it too.
    let mut granted = vec![None; args.people as usize];
    let wave = stage.wave(
        count,
        Rate::PerSecond(args.rate),
        0,
        |number| MarkRead { chat_id, seq: post(number) },
        |number| {
            let last = &mut granted[usize::try_from(number % people).unwrap_or(0)];
            *last = (*last).max(Some(post(number)));
        },
    )?;
    meters.stop();
    let ended = Instant::now();
    let seen: Vec<u64> =
        posts.iter().map(|it| granted.iter().filter(|last| **last >= Some(*it)).count() as u64).collect();
    let views = audit(&mut stage, &posts, &seen)?;
    let counted = ended.elapsed();

    let mut report = Report::new(
        "views",
        serde_json::json!({
            "people": args.people, "rate": args.rate, "seconds": args.seconds,
            "posts_per_second": args.posts_per_second, "seed": args.own.seed,
        }),
    );
    report.window_seconds = wave.seconds;
    report.meters(&meters, "view", wave.done);
    report.figure("views a second, due", float(args.rate));
    report.figure("views a second, taken", float(wave.done) / wave.seconds);
    report.figure("views that are told in the end", float(views));
    report.figure("seconds from the last view until all were told", counted.as_secs_f64());
    report.phases.push(("posts → readers, quiet".into(), quiet));
    report.phases.push(("posts → readers, views".into(), Percentiles::from(&wave.posts)));
    report.phases.push(("view due → taken".into(), Percentiles::from(&wave.latencies)));
    let summary = format!("{} views of {count} were taken, counted on {} posts: ", wave.done, posts.len());
    Ok(stage.finish(report, summary))
}

/// Reads the posts until they tell by how many they were seen: never by more, and at last by all but a sixty-fourth, since a view that is
/// no news is not told. Returns how many views they tell in all.
fn audit(stage: &mut Broadcast, posts: &[Seq], seen: &[u64]) -> Result<u64, Error> {
    stage.run.bar.set_message("waiting until all is counted");
    let until = Instant::now() + COUNTED;
    loop {
        let (mut api, mut all, mut missing) = (api(&stage.common), 0, Vec::new());
        for (seq, seen) in posts.iter().zip(seen) {
            let question = History { chat_id: stage.chat_id, seq: *seq, before: 0, after: 1 };
            let page = api.call(&stage.run.world.users[0].token, &question)?;
            let told = page.messages.first().map_or(0, |it| u64::from(it.views));
            all += told;
            if told > *seen {
                stage.violation("a view that was counted twice", &format!("{told} of post {}, not {seen}", seq.0));
                return Ok(all);
            }
            if told + seen / 64 < *seen {
                missing.push((seq.0, told, *seen));
            }
        }
        if missing.is_empty() {
            return Ok(all);
        }
        if Instant::now() > until {
            stage.violation("views that are not counted", &format!("(post, told, seen): {missing:?}"));
            return Ok(all);
        }
        stage.quiet(Duration::from_millis(200))?;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}
