//! The command line of the load test.
#![forbid(unsafe_code)]

use std::{path::Path, process::ExitCode};

#[cfg(feature = "calls")]
use chapar_loadtest::media;
use chapar_loadtest::{
    args::{Cli, Scenario},
    outcome::Outcome,
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
        Scenario::Joins(args) => (scenario::joins::run(args), &args.own.json),
        Scenario::Reactions(args) => (scenario::reactions::run(args), &args.own.json),
        Scenario::Polls(args) => (scenario::polls::run(args), &args.own.json),
        Scenario::Views(args) => (scenario::views::run(args), &args.own.json),
        Scenario::Scheduled(args) => (scenario::scheduled::run(args), &args.own.json),
        Scenario::Hello(args) => (scenario::hello::run(args), &args.own.json),
        Scenario::Storm(args) => (scenario::storm::run(args), &args.own.json),
        Scenario::Photos(args) => (scenario::photos::run(args), &args.own.json),
        Scenario::Upload(args) => (scenario::upload::run(args), &args.own.json),
        Scenario::Databases(args) => (scenario::databases::run(args), &args.own.json),
        Scenario::Faults(args) => return judged(chapar_loadtest::faults::run(args), args.json.as_deref()),
        Scenario::Abuse(args) => return judged(chapar_loadtest::abuse::run(args), args.json.as_deref()),
        Scenario::Burn(args) => {
            chapar_loadtest::abuse::burn::run(args);
            return ExitCode::SUCCESS;
        }
        Scenario::Network(args) => match chapar_loadtest::network::run(args) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("chapar-loadtest network: {error}");
                return ExitCode::from(2);
            }
        },
        Scenario::Attack(args) => match chapar_loadtest::abuse::attack::run(args) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("chapar-loadtest attack: {error}");
                return ExitCode::from(2);
            }
        },
        #[cfg(feature = "calls")]
        Scenario::CallSetup(args) => return told(media::run(media::setup::run(args)), args.common.json.as_deref()),
        #[cfg(feature = "calls")]
        Scenario::CallSwitch(args) => return told(media::run(media::switch::run(args)), args.common.json.as_deref()),
        #[cfg(feature = "calls")]
        Scenario::CallSpeech(args) => return told(media::run(media::speech::run(args)), args.common.json.as_deref()),
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

fn judged(outcome: Result<Outcome, scenario::Error>, json: Option<&Path>) -> ExitCode {
    let written = outcome.map_err(|error| error.to_string()).and_then(|outcome| {
        print!("{}", outcome.told());
        let written = json.map_or(Ok(()), |path| write_json(path, &outcome.json()));
        written.map(|()| outcome.passed()).map_err(|error| error.to_string())
    });
    match written {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chapar-loadtest: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(feature = "calls")]
fn told(outcome: Result<media::Figures, media::Error>, json: Option<&Path>) -> ExitCode {
    let written = match outcome {
        Ok(figures) => {
            println!("{}\n  with {}\n  {}", figures.scenario, figures.parameters, figures.figures);
            let written = json.map_or(Ok(()), |path| write_json(path, &figures));
            written.map(|()| figures.passed)
        }
        Err(error) => Err(std::io::Error::other(error)),
    };
    match written {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chapar-loadtest: {error}");
            ExitCode::from(2)
        }
    }
}

fn write_json(path: &Path, report: &impl serde::Serialize) -> std::io::Result<()> {
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    std::fs::write(path, json)
}
