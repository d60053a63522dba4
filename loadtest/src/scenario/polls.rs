//! Many people vote in one poll of a group, again and again, while somebody writes there; and, to compare, the same people write.

use std::time::Duration;

use chapar_protocol::{
    Body, ChatKind, Seq,
    command::{History, Send, Vote},
    message::NewBody,
    poll::{NewPoll, QuizKey},
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

/// See [`crate::args::Scenario::Polls`].
#[derive(Clone, Debug, Args)]
pub struct Polls {
    /// What a scenario needs that starts its own node.
    #[command(flatten)]
    pub own: Own,
    /// Connected people who vote in turn, all of them members of one group.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=900))]
    pub people: u32,
    /// Votes a second in all, each due at its time whatever the server does.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: u64,
    /// How long, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// What is written in the group meanwhile, a second.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub posts_per_second: u64,
    /// Messages, and votes, that are sent as fast as they are taken, to compare the two.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    pub compared: u64,
    /// How many of these are under way at a time.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
    pub in_flight: u64,
}

/// Options of the poll.
const OPTIONS: u8 = 5;

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &Polls) -> Result<Report, Error> {
    let mut stage = Broadcast::set_up_in(ChatKind::Group, &args.own, args.people, args.posts_per_second)?;
    stage.run.bar.set_message("filling the group");
    stage.add(1..1 + args.people)?;
    let chat_id = stage.chat_id;
    let mut random = Random::new(args.own.seed ^ 0x0DD);
    let options = (0..OPTIONS).map(|it| format!("option {it}")).collect();
    let (question, key) = ("which?".to_owned(), QuizKey::default());
    let poll = NewPoll { question, options, public: false, multiple: false, closes_at: None, key };
    let send = Send::new(chat_id, uuid(&mut random), NewBody::Poll(poll));
    let seq = api(&stage.common).call(&stage.run.world.users[0].token, &send)?.seq;
    stage.run.connect()?;
    let quiet = stage.quiet(Duration::from_secs(3))?;

    let people = u64::from(args.people);
    // In turn, so that each vote changes something.
    let option = |number: u64| u8::try_from((number / people + number) % u64::from(OPTIONS)).unwrap_or(0);
    let vote = |number| Vote { chat_id, seq, options: vec![option(number)] };
    // What everybody has last been granted, by number.
    let mut stands: Vec<Option<u64>> = vec![None; args.people as usize];
    stage.run.bar.set_message("voting");
    let mut meters = Meters::start(&stage.common);
    let count = args.rate * args.seconds;
    let wave = stage.wave(count, Rate::PerSecond(args.rate), 0, vote, |number| {
        let stands = &mut stands[usize::try_from(number % people).unwrap_or(0)];
        *stands = (*stands).max(Some(number));
    })?;
    meters.stop();
    stage.quiet(Duration::from_secs(1))?;
    let lost = audit(&mut stage, seq, &stands, option)?;

    // The same people, the same group, as fast as both are taken.
    stage.run.bar.set_message("voting and writing, to compare");
    let votes = stage.wave(args.compared, Rate::Max, args.in_flight, vote, drop)?;
    let mut ids = Random::new(args.own.seed ^ 0x5E9D);
    let write = |_| Send::new(chat_id, uuid(&mut ids), NewBody::text("as long as a vote is short"));
    let sends = stage.wave(args.compared, Rate::Max, args.in_flight, write, drop)?;

    let mut report = Report::new(
        "polls",
        serde_json::json!({
            "people": args.people, "rate": args.rate, "seconds": args.seconds,
            "posts_per_second": args.posts_per_second, "seed": args.own.seed,
        }),
    );
    report.window_seconds = wave.seconds;
    report.meters(&meters, "vote", wave.done);
    report.figure("votes a second, due", float(args.rate));
    report.figure("votes a second, stored", float(wave.done) / wave.seconds);
    report.figure("people whose last vote is not stored", float(lost));
    report.figure("votes a second, as fast as they are taken", float(votes.done) / votes.seconds);
    report.figure("messages a second, as fast as they are taken", float(sends.done) / sends.seconds);
    report.phases.push(("messages → members, quiet".into(), quiet));
    report.phases.push(("messages → members, votes".into(), Percentiles::from(&wave.posts)));
    report.phases.push(("vote due → stored".into(), Percentiles::from(&wave.latencies)));
    let summary = format!("{} votes of {count} were granted, the last ones of {people} people read back: ", wave.done);
    Ok(stage.finish(report, summary))
}

/// Everybody reads their own vote, and one the counts: each person counts once. Returns whose last one is not there.
fn audit(stage: &mut Broadcast, seq: Seq, stands: &[Option<u64>], option: impl Fn(u64) -> u8) -> Result<u64, Error> {
    stage.run.bar.set_message("reading back");
    let (mut api, mut lost) = (api(&stage.common), 0);
    let question = History { chat_id: stage.chat_id, seq, before: 0, after: 1 };
    let (mut counts, mut voters) = (vec![0_u32; usize::from(OPTIONS)], 0);
    for (user, stands) in (1..).zip(stands) {
        let page = api.call(&stage.run.world.users[user].token, &question)?;
        stage.run.engine.turn(Duration::ZERO)?;
        let own: Vec<u8> = page.voted.first().map(|it| it.options.clone()).unwrap_or_default();
        let expected: Vec<u8> = stands.map(&option).into_iter().collect();
        for place in &expected {
            counts[usize::from(*place)] += 1;
            voters += 1;
        }
        if own != expected {
            lost += 1;
            stage.violation("a vote that is not stored", &format!("person {user}: {own:?}, not {expected:?}"));
        }
    }
    let page = api.call(&stage.run.world.users[0].token, &question)?;
    let told = page.messages.first().and_then(|it| match &it.body {
        Body::Poll(poll) => Some((poll.options.iter().map(|it| it.votes).collect::<Vec<_>>(), poll.voters)),
        _ => None,
    });
    if told != Some((counts.clone(), voters)) {
        stage.violation("counts that are wrong", &format!("{told:?}, not {counts:?} by {voters}"));
    }
    Ok(lost)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}
