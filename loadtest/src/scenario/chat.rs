//! People who write to each other.

use super::{Error, Run, drive};
use crate::{args, report::Report, schedule::Picker, world};

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &args::Chat) -> Result<Report, Error> {
    let common = &args.common;
    let chats = world::plan(args.users, &args.mix.kinds(), args.group_size);
    let picker = Picker::new(&args.mix, &chats, common.seed);
    let in_flight = usize::from(args.in_flight.unwrap_or(64));
    let mut run = Run::set_up(common, args.users, chats, args.size.clone(), in_flight)?;
    run.connect()?;
    let meters = drive(&mut run, common, picker, args.rate, args.in_flight, (args.warmup, args.seconds))?;
    let mut report = Report::new(
        "chat",
        serde_json::json!({
            "urls": common.nodes.iter().map(|it| it.host.as_str()).collect::<Vec<_>>(),
            "users": args.users,
            "mix": format!("{:?}", args.mix.0),
            "group_size": args.group_size,
            "rate": format!("{:?}", args.rate),
            "in_flight": args.in_flight,
            "seconds": args.seconds,
            "warmup": args.warmup,
            "size": [args.size.start(), args.size.end()],
            "seed": common.seed,
        }),
    );
    report.window_seconds = seconds(args.seconds);
    report.meters(&meters, "message", run.engine.shared.stats.window_acknowledged);
    run.finish(report)
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a run")]
fn seconds(whole: u64) -> f64 {
    whole as f64
}
