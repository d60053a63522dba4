//! The same load on a node with one database, and on one with a database for chats and another for people, in turn.

use chapar_protocol::ChatKind;
use clap::Args;

use super::{Error, chat};
use crate::{
    args::{Chat, Rate},
    report::{AuditReport, Report},
    rig::{self, Own, Plain},
    schedule::Mix,
};

/// See [`crate::args::Scenario::Databases`].
#[derive(Clone, Debug, Args)]
pub struct Databases {
    /// What a scenario needs that starts its own node.
    #[command(flatten)]
    pub own: Own,
    /// How many users, each with one connection; the group has all of them.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub users: u32,
    /// How often each is measured. The middle one counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub rounds: u32,
    /// How long each time, in seconds, after 2 that do not count.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
}

const LOADS: [(&str, ChatKind); 2] = [("direct chats", ChatKind::Direct), ("one group", ChatKind::Group)];

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &Databases) -> Result<Report, Error> {
    let mut all = Report::new(
        "databases",
        serde_json::json!({
            "users": args.users, "rounds": args.rounds, "seconds": args.seconds, "seed": args.own.seed,
        }),
    );
    let mut audit = AuditReport::default();
    // By load, then one database and two.
    let mut rates = [[const { Vec::new() }; 2], [const { Vec::new() }; 2]];
    for round in 1..=args.rounds {
        for (number, databases) in [rig::Databases::One, rig::Databases::Two].into_iter().enumerate() {
            let plain = Plain::start(&args.own, databases)?;
            for ((name, kind), rates) in LOADS.into_iter().zip(&mut rates) {
                let report = chat::run(&load(args, &plain, kind))?;
                eprintln!("round {round}, {databases:?}, {name}: {:.0} a second", report.acknowledged_per_second);
                rates[number].push(report.acknowledged_per_second);
                all.sent += report.sent;
                all.acknowledged += report.acknowledged;
                all.delivered += report.delivered;
                all.echoed += report.echoed;
                for (code, count) in report.errors {
                    *all.errors.entry(code).or_default() += count;
                }
                audit.add(report.audit.unwrap_or_default());
            }
        }
    }
    for ((name, _), [one, two]) in LOADS.into_iter().zip(&mut rates) {
        let (one, two) = (middle(one), middle(two));
        all.figure(&format!("{name}: messages a second, one database"), one);
        all.figure(&format!("{name}: messages a second, two databases"), two);
        all.figure(&format!("{name}: two databases, in % of one (85 are asked for)"), 100.0 * two / one);
    }
    all.audit = Some(audit);
    Ok(all)
}

/// As fast as acknowledged, as `script/bench` does it.
fn load(args: &Databases, plain: &Plain, kind: ChatKind) -> Chat {
    Chat {
        common: plain.common(&args.own),
        users: args.users,
        mix: Mix(vec![(kind, 100)]),
        group_size: args.users,
        rate: Rate::Max,
        in_flight: Some(4),
        seconds: args.seconds,
        warmup: 2,
        size: 200..=200,
    }
}

fn middle(of: &mut [f64]) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}
