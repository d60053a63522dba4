//! The command line of the load test.
#![forbid(unsafe_code)]

use std::{path::Path, process::ExitCode};

use chapar_loadtest::{
    args::{Cli, Scenario},
    report::Report,
    scenario,
};
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (outcome, json) = match &cli.scenario {
        Scenario::Chat(args) => (scenario::chat::run(args), &args.common.json),
        Scenario::Calls(args) => (scenario::calls::run(args), &args.common.json),
        Scenario::Channel(args) => (scenario::channel::run(args), &args.common.json),
        Scenario::Idle(args) => (scenario::idle::run(args), &args.common.json),
    };
    let report = match outcome {
        Ok(report) => report,
        Err(error) => {
            eprintln!("chapar-loadtest: {error}");
            return ExitCode::from(2);
        }
    };
    print!("{}", report.tables());
    if let Some(path) = json
        && let Err(error) = write_json(path, &report)
    {
        eprintln!("chapar-loadtest: {}: {error}", path.display());
        return ExitCode::from(2);
    }
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write_json(path: &Path, report: &Report) -> std::io::Result<()> {
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    std::fs::write(path, json)
}
