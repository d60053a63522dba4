//! One channel with many readers.

use std::time::Duration;

use chapar_protocol::ChatKind;

use super::{Error, Run, drive};
use crate::{
    args,
    report::Report,
    schedule::{Mix, Picker},
    world,
};

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &args::Channel) -> Result<Report, Error> {
    let common = &args.common;
    let mix = Mix(vec![(ChatKind::Channel, 100)]);
    // User 0 owns the channel and posts; the others read.
    let chats = world::plan(args.readers + 1, &mix.kinds(), 1);
    let picker = Picker::new(&mix, &chats, common.seed);
    let mut run = Run::set_up(common, args.readers + 1, chats, args.size.clone(), 64)?;
    run.connect()?;
    let mut waits = single_posts(&mut run, args)?;
    let before = run.engine.shared.stats.delivered;
    let started_us = run.engine.now_us();
    let meters = drive(&mut run, common, picker, args.posts_per_second, args.in_flight, (0, args.seconds))?;
    let window_delivered = run.engine.shared.stats.window_delivered;
    let mut report = Report::new(
        "channel",
        serde_json::json!({
            "urls": common.nodes.iter().map(|it| it.host.as_str()).collect::<Vec<_>>(),
            "readers": args.readers,
            "single_posts": args.single_posts,
            "posts_per_second": format!("{:?}", args.posts_per_second),
            "in_flight": args.in_flight,
            "seconds": args.seconds,
            "size": [args.size.start(), args.size.end()],
            "seed": common.seed,
        }),
    );
    report.window_seconds = Duration::from_secs(args.seconds).as_secs_f64();
    report.meters(&meters, "delivery", window_delivered);
    waits.sort_unstable();
    if let [first, .., last] | [first @ last] = waits.as_slice() {
        let middle = waits[waits.len() / 2];
        let millis = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1000.0;
        report.figure("one post until the last reader has it, best, ms", millis(*first));
        report.figure("one post until the last reader has it, median, ms", millis(middle));
        report.figure("one post until the last reader has it, worst, ms", millis(*last));
    }
    // Everything that was posted, up to the last reader: also what was still on its way when posting stopped.
    let drain = Duration::from_secs(common.drain_seconds);
    run.engine.until(drain, |engine| engine.quiescent())?;
    let stats = &run.engine.shared.stats;
    let span = Duration::from_micros(stats.last_delivery_us.saturating_sub(started_us)).as_secs_f64();
    if span > 0.0 {
        let delivered = u32::try_from(stats.delivered - before).unwrap_or(u32::MAX);
        report.figure("sustained deliveries a second, to the last reader", f64::from(delivered) / span);
    }
    run.finish(report)
}

/// Posts one at a time and waits for all readers. Returns for each how long the last one waited, in microseconds.
fn single_posts(run: &mut Run, args: &args::Channel) -> Result<Vec<u64>, Error> {
    let mut waits = Vec::new();
    for number in 0..args.single_posts {
        run.bar.set_message(format!("single post {} of {}", number + 1, args.single_posts));
        let engine = &mut run.engine;
        let expected = engine.shared.stats.delivered + u64::from(args.readers);
        let at_us = engine.now_us();
        engine.send(0, 0, at_us);
        let limit = Duration::from_secs(args.common.drain_seconds);
        if engine.until(limit, |engine| engine.shared.stats.delivered >= expected)? {
            waits.push(engine.shared.stats.last_delivery_us - at_us);
        }
        // A pause, so that the next one meets a quiet server.
        engine.until(Duration::from_millis(200), |_| false)?;
    }
    Ok(waits)
}
