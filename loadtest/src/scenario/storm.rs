//! Everybody's connection breaks at once, something is written, and all come back: how long until the last one has everything.

use std::{
    io,
    time::{Duration, Instant},
};

use chapar_protocol::{ChatId, command::Send, message::NewBody};
use clap::Args;

use super::{Error, PATIENCE, Run};
use crate::{
    cursor::Cursor,
    http::Api,
    report::{Meters, Report},
    rig::{Databases, Own, Plain},
    session::Session,
    world,
};

/// See [`crate::args::Scenario::Storm`].
#[derive(Clone, Debug, Args)]
pub struct Storm {
    /// What a scenario needs that starts its own node.
    #[command(flatten)]
    pub own: Own,
    /// How many connections, each of a user of its own.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=18_000))]
    pub connections: u32,
    /// In how many groups each of them is.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub chats: u32,
    /// Members of a group. The larger, the fewer are to be made, and the longer is what everybody is told at first.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..=200))]
    pub members: u32,
    /// Messages in each group that everybody misses.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=50))]
    pub missed: u32,
    /// The node is killed and started anew, too, before they come back.
    #[arg(long)]
    pub restart: bool,
    /// How often.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub rounds: u32,
    /// The longest wait for the last one, in seconds.
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    pub patience: u64,
}

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &Storm) -> Result<Report, Error> {
    let mut plain = Plain::start(&args.own, Databases::One)?;
    let common = plain.common(&args.own);
    let chats = world::circles(args.connections, args.chats, args.members);
    let mut run = Run::set_up(&common, args.connections, chats, 200..=200, 1)?;
    run.connect()?;
    // Those who were cut all come at once: nothing here holds them back but their own back-off.
    run.engine.opening_at_once = usize::MAX;
    let mut shares = Shares::default();
    let mut report = Report::new(
        "storm",
        serde_json::json!({
            "connections": args.connections, "chats": args.chats, "members": args.members, "missed": args.missed,
            "restart": args.restart, "rounds": args.rounds, "seed": args.own.seed,
        }),
    );
    let mut meters = None;
    for round in 1..=args.rounds {
        run.bar.set_message(format!("storm {round} of {}", args.rounds));
        run.engine.until(Duration::from_secs(2), |_| false)?;
        run.engine.cut_all();
        miss(&mut run, args.missed)?;
        let cut = Instant::now();
        if args.restart {
            plain.node.kill();
            plain.node.up()?;
            shares.restart = shares.restart.max(cut.elapsed().as_secs_f64());
        }
        let common = plain.common(&args.own);
        let mut reading = Meters::start(&common);
        let lost: u64 = run.engine.shared.stats.lost.values().sum();
        run.engine.come_back();
        shares.wait(&mut run, cut, Duration::from_secs(args.patience))?;
        shares.again += run.engine.shared.stats.lost.values().sum::<u64>() - lost;
        reading.stop();
        meters = Some(reading);
    }
    report.window_seconds = shares.all.iter().sum();
    if let Some(meters) = &meters {
        report.meters(meters, "connection of the last round", u64::from(args.connections));
    }
    let worst = |of: &[f64]| of.iter().copied().fold(0.0, f64::max);
    report.figure("seconds until half are caught up, worst round", worst(&shares.half));
    report.figure("seconds until 99 % are caught up, worst round", worst(&shares.most));
    report.figure("seconds until all are caught up, worst round (10 are asked for)", worst(&shares.all));
    report.figure(
        "seconds until all are caught up, best round",
        shares.all.iter().copied().fold(f64::INFINITY, f64::min),
    );
    report.figure(
        "connections that were lost again meanwhile",
        f64::from(u32::try_from(shares.again).unwrap_or(u32::MAX)),
    );
    if args.restart {
        report.figure("seconds of these for the node to start", shares.restart);
    }
    run.finish(report)
}

/// When how many were caught up, in each round.
#[derive(Default)]
struct Shares {
    half: Vec<f64>,
    most: Vec<f64>,
    all: Vec<f64>,
    restart: f64,
    again: u64,
}

impl Shares {
    fn wait(&mut self, run: &mut Run, since: Instant, patience: Duration) -> Result<(), Error> {
        let all = run.world.users.len();
        let (mut half, mut most) = (None, None);
        let done = run.engine.until(patience, |engine| {
            let chats = &engine.shared.ledger.chats;
            let has = |it: &Cursor| it.version >= chats[it.chat as usize].top_version;
            let caught_up = |it: &&Session| it.settled() && it.cursors.iter().all(has);
            let count = engine.sessions().filter(caught_up).count();
            let now = since.elapsed().as_secs_f64();
            if count * 2 >= all {
                half.get_or_insert(now);
            }
            if count * 100 >= all * 99 {
                most.get_or_insert(now);
            }
            count == all || engine.dead().is_some()
        })?;
        let now = since.elapsed().as_secs_f64();
        if let Some((count, why)) = run.engine.dead() {
            return Err(io::Error::other(format!("{count} cannot come back: {why}")).into());
        }
        if !done {
            let seconds = patience.as_secs();
            run.engine.shared.ledger.violations.add("not all caught up", || format!("within {seconds} s"));
        }
        self.half.push(half.unwrap_or(now));
        self.most.push(most.unwrap_or(now));
        self.all.push(now);
        Ok(())
    }
}

/// Messages that nobody hears now: each group's members write in turn, over HTTP. They are in the ledger like all others.
fn miss(run: &mut Run, count: u32) -> Result<(), Error> {
    let mut api = Api::new(run.nodes[0].clone(), PATIENCE);
    for turn in 0..count {
        for chat in 0..run.world.chats.len() {
            let writers = &run.world.chats[chat].writers;
            let user = writers[turn as usize % writers.len()];
            let ledger = &mut run.engine.shared.ledger;
            let ident = ledger.send(user, u32::try_from(chat).unwrap_or(u32::MAX), 0);
            let mut text = Vec::new();
            ledger.maker.text(ident, &mut text);
            let body = NewBody::text(String::from_utf8_lossy(&text));
            let (chat_id, client_id) = (ChatId(ledger.chats[chat].id), ledger.maker.client_id(ident));
            let question = Send::new(chat_id, client_id, body);
            let sent = api.call(&run.world.users[user as usize].token, &question)?;
            run.engine.shared.ledger.acknowledged(ident, sent.seq.0, sent.version.0);
            run.engine.shared.stats.acknowledged += 1;
        }
    }
    Ok(())
}
