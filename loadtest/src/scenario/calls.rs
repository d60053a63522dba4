//! People who call each other: complete set-ups, from the invite to the line in the chat.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use chapar_protocol::ChatKind;
use indicatif::ProgressBar;

use super::{Error, PATIENCE, progress_bar};
use crate::{
    args::{self, CallRate},
    calls::{
        audit::{self, Findings},
        switchboard::Switchboard,
    },
    http::{Api, Node},
    process,
    report::{AuditReport, Meters, Report},
    schedule::OpenLoop,
    world::{self, World},
};

/// Connections over which the audit reads.
const READERS: usize = 8;

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &args::Calls) -> Result<Report, Error> {
    let common = &args.common;
    let users = args.pairs * 2;
    process::check_open_files(users)?;
    let bar = progress_bar();
    let mut api = Api::new(common.nodes[0].clone(), PATIENCE);
    let chats = world::plan(users, &[ChatKind::Direct], 2);
    let world = World::make(&mut api, &common.admin_token, users, chats, common.seed, |what| {
        bar.set_message(what.to_owned());
    })?;
    // Calls of their own for each run, as the users are.
    let first = world.users.first().map_or(0, |user| user.id.unsigned_abs());
    let mut board = Switchboard::new(common.nodes.clone(), &world.users, common.seed ^ first.rotate_left(32))?;
    connect(&mut board, &bar, world.users.len())?;
    let meters = drive(&mut board, args, &bar)?;

    bar.set_message("waiting for the last calls");
    let began = Instant::now();
    let limit = Duration::from_secs(common.drain_seconds);
    while board.pairs.iter().any(|pair| !pair.is_free()) && began.elapsed() < limit {
        board.turn(Duration::from_millis(5))?;
    }
    let drain = began.elapsed();
    // What comes late, such as a second line in a chat, is to be seen too.
    let quiet = Instant::now();
    while quiet.elapsed() < Duration::from_millis(500) {
        board.turn(Duration::from_millis(5))?;
    }

    let mut report = Report::new("calls", parameters(args));
    report.window_seconds = Duration::from_secs(args.seconds).as_secs_f64();
    report.drain_seconds = drain.as_secs_f64();
    let figures = &board.figures;
    report.meters(&meters, "set-up", figures.window_set_up);
    report.errors = figures.errors.clone();
    for why in &board.lost {
        *report.lost_connections.entry(why.clone()).or_default() += 1;
    }
    report.phases = figures.percentiles();
    report.figure("complete set-ups a second", float(figures.window_set_up) / report.window_seconds);
    report.figure("calls begun", float(figures.begun));
    report.figure("calls with their line in the chat on both sides", float(figures.complete));
    report.figure("calls given up on purpose", float(figures.cancelled));
    report.figure("calls that waited for a free pair", float(figures.waited));
    report.audit = Some(prove(&board, &world, &common.nodes, &bar)?);
    bar.finish_and_clear();
    Ok(report)
}

fn parameters(args: &args::Calls) -> serde_json::Value {
    serde_json::json!({
        "urls": args.common.nodes.iter().map(|it| it.host.as_str()).collect::<Vec<_>>(),
        "pairs": args.pairs,
        "rate": format!("{:?}", args.rate),
        "in_flight": args.in_flight,
        "cancel_percent": args.cancel_percent,
        "seconds": args.seconds,
        "warmup": args.warmup,
        "seed": args.common.seed,
    })
}

fn connect(board: &mut Switchboard, bar: &ProgressBar, all: usize) -> Result<(), Error> {
    let seconds = 60 + u64::try_from(all / 200).unwrap_or(0);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while board.connected() < all {
        if !board.lost.is_empty() || Instant::now() > deadline {
            let why = board.lost.first().cloned().unwrap_or_else(|| "time is over".to_owned());
            return Err(Error::Connect { settled: board.connected(), all, seconds, why });
        }
        board.open_some();
        bar.set_message(format!("connecting, {} to go", all - board.connected()));
        board.turn(Duration::from_millis(5))?;
    }
    Ok(())
}

/// Warm-up, then the window. Returns the meters of the window.
fn drive(board: &mut Switchboard, args: &args::Calls, bar: &ProgressBar) -> Result<Meters, Error> {
    let start_us = board.now_us() + 50_000;
    let window = (start_us + args.warmup * 1_000_000, start_us + (args.warmup + args.seconds) * 1_000_000);
    board.figures.window = window;
    let mut open = match args.rate {
        CallRate::PerSecond(rate) => Some(OpenLoop::new(start_us, window.1, rate)),
        CallRate::Max => None,
    };
    let at_once = usize::try_from(args.in_flight.unwrap_or(args.pairs).min(args.pairs)).unwrap_or(usize::MAX);
    let mut free: VecDeque<usize> = VecDeque::new();
    let mut due: VecDeque<u64> = VecDeque::new();
    let (mut meters, mut shown_us, mut shown) = (None, 0, 0);
    let mut number = 0_u64;
    loop {
        let now_us = board.now_us();
        if meters.is_none() && now_us >= window.0 {
            meters = Some(Meters::start(&args.common));
        }
        if now_us >= window.1 {
            break;
        }
        free.extend(board.free.drain(..));
        match &mut open {
            Some(open) => {
                while let Some(at_us) = open.take(now_us) {
                    board.figures.waited += u64::from(free.len() <= due.len());
                    due.push_back(at_us);
                }
            }
            None => {
                let busy = board.pairs.len() - free.len();
                due.extend(std::iter::repeat_n(now_us, at_once.saturating_sub(busy).min(free.len())));
            }
        }
        while !due.is_empty()
            && let Some(pair) = free.pop_front()
        {
            let at_us = due.pop_front().unwrap_or(now_us);
            number += 1;
            board.begin(pair, at_us, number * u64::from(args.cancel_percent) % 100 < u64::from(args.cancel_percent));
        }
        if now_us >= shown_us {
            let complete = board.figures.complete;
            let errors: u64 = board.figures.errors.values().sum();
            let (per_second, lost) = ((complete - shown) * 4, board.lost.len());
            bar.set_message(format!(
                "{per_second} calls/s, {} wait, {errors} errors, {lost} lost connections",
                due.len()
            ));
            (shown_us, shown) = (now_us + 250_000, complete);
        }
        board.turn(Duration::from_millis(1))?;
    }
    let mut meters = meters.unwrap_or_else(|| Meters::start(&args.common));
    meters.stop();
    Ok(meters)
}

/// Reads everything back over HTTP, a few pairs at a time, and compares.
fn prove(board: &Switchboard, world: &World, nodes: &[Node], bar: &ProgressBar) -> Result<AuditReport, Error> {
    bar.set_message("reading call logs and chats back");
    let started = Instant::now();
    let mut findings = Findings::default();
    for why in &board.lost {
        findings.add("lost connection", || why.clone());
    }
    for pair in &board.pairs {
        audit::seen(pair, &mut findings);
        if !pair.is_free() {
            findings.add("a call that did not end", || format!("{:?}", pair.users()));
        }
    }
    let read: Vec<Result<Findings, crate::http::Failure>> = std::thread::scope(|scope| {
        let reader = |offset: usize| {
            move || {
                let mut api = Api::new(nodes[offset % nodes.len()].clone(), PATIENCE);
                let mut findings = Findings::default();
                for (index, pair) in board.pairs.iter().enumerate().skip(offset).step_by(READERS) {
                    audit::kept(&mut api, world, index, pair, &mut findings)?;
                }
                Ok(findings)
            }
        };
        let readers: Vec<_> = (0..READERS).map(|offset| scope.spawn(reader(offset))).collect();
        readers.into_iter().filter_map(|reader| reader.join().ok()).collect()
    });
    for part in read {
        findings.merge(part?);
    }
    let Findings { calls, entries, notes, .. } = findings;
    Ok(AuditReport {
        summary: Some(format!(
            "audit: {calls} calls, {entries} lines of call logs and {notes} lines in chats read back: "
        )),
        chats: world.chats.len(),
        messages: notes,
        seconds: started.elapsed().as_secs_f64(),
        violations: findings.by_kind.values().sum(),
        by_kind: findings.by_kind.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
        first: findings.first,
        ..AuditReport::default()
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run")]
fn float(count: u64) -> f64 {
    count as f64
}
