//! Connections that do nothing.

use std::time::Duration;

use super::{Error, Run};
use crate::{
    args,
    report::{Meters, Report},
};

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &args::Idle) -> Result<Report, Error> {
    let common = &args.common;
    let mut run = Run::set_up(common, args.connections, Vec::new(), 1..=1, 1)?;
    // Making the users has its own garbage; it should not count for the connections.
    std::thread::sleep(Duration::from_secs(2));
    let before = Meters::start(common);
    run.connect()?;
    let connected_us = run.engine.now_us();
    let mut hold = Meters::start(common);
    run.bar.set_message("holding the connections");
    run.engine.until(Duration::from_secs(args.hold), |_| false)?;
    hold.stop();
    let mut report = Report::new(
        "idle",
        serde_json::json!({
            "urls": common.nodes.iter().map(|it| it.host.as_str()).collect::<Vec<_>>(),
            "connections": args.connections,
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
    run.finish(report)
}
