//! Connections that do nothing.

use std::time::{Duration, Instant};

use super::{Error, Run};
use crate::{
    args,
    report::{Meters, Report},
    world,
};

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &args::Idle) -> Result<Report, Error> {
    let common = &args.common;
    let set_up = |users| Run::set_up(common, users, world::circles(users, args.chats, 20), 1..=1, 1);
    // Those who come first pay for what the server makes once: pools, caches, code that was never run.
    let mut first = if args.warmup > 0 { Some(set_up(args.warmup)?) } else { None };
    let mut run = set_up(args.connections)?;
    if let Some(first) = &mut first {
        first.connect()?;
    }
    // Making the users and chats has its own garbage; it should not count for the connections.
    run.bar.set_message("waiting for the server to rest");
    let rest = Instant::now() + Duration::from_secs(3);
    while Instant::now() < rest {
        match &mut first {
            Some(first) => first.engine.turn(Duration::from_millis(20))?,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    let before = Meters::start(common);
    run.connect_beside(|| match &mut first {
        Some(first) => first.engine.turn(Duration::ZERO),
        None => Ok(()),
    })?;
    let connected_us = run.engine.now_us();
    let mut hold = Meters::start(common);
    run.bar.set_message("holding the connections");
    let until = Instant::now() + Duration::from_secs(args.hold);
    while Instant::now() < until {
        run.engine.turn(Duration::from_millis(10))?;
        if let Some(first) = &mut first {
            first.engine.turn(Duration::from_millis(10))?;
        }
    }
    hold.stop();
    let mut report = Report::new(
        "idle",
        serde_json::json!({
            "urls": common.nodes.iter().map(|it| it.host.as_str()).collect::<Vec<_>>(),
            "connections": args.connections,
            "chats": args.chats,
            "warmup": args.warmup,
            "hold": args.hold,
            "seed": common.seed,
        }),
    );
    report.window_seconds = Duration::from_secs(args.hold).as_secs_f64();
    report.meters(&hold, "connection", u64::from(args.connections));
    report.figure("seconds to connect all", Duration::from_micros(connected_us).as_secs_f64());
    let (first, last) = (before.server_rss_kib_at_start(), hold.server_rss_kib_at_end());
    if let (Some(first), Some(last)) = (first, last) {
        let kib = |kib: u64| f64::from(u32::try_from(kib).unwrap_or(u32::MAX));
        report.figure("server memory before, MiB", kib(first) / 1024.0);
        report.figure("server memory with all connected, MiB", kib(last) / 1024.0);
        report.figure(
            "KiB per idle authenticated connection",
            kib(last.saturating_sub(first)) / f64::from(args.connections),
        );
    }
    // Nobody wrote anything: there is nothing to be read back.
    Ok(run.close(report))
}
