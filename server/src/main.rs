//! A stand-in until the server is there: `check-config`, and the private Postgres until ^C.

use std::io;
use std::process::ExitCode;

use chapar_server::cli::{self, Cli, Command};
use chapar_server::embedded_postgres::EmbeddedPostgres;
use chapar_server::settings::Settings;
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.command() == Command::CheckConfig {
        return cli::check_config(&cli.settings, &mut io::stdout(), &mut io::stderr()).unwrap_or(ExitCode::FAILURE);
    }
    let settings = match Settings::load(&cli.settings) {
        Ok(settings) => settings,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    match EmbeddedPostgres::start(&settings.data_dir, settings.pg_bin.as_deref()).await {
        Ok(mut postgres) => {
            println!("Postgres is ready in {}", postgres.socket_dir().display());
            tokio::select! {
                reason = postgres.died() => {
                    eprintln!("{reason}");
                    return ExitCode::FAILURE;
                }
                _ = tokio::signal::ctrl_c() => postgres.stop().await,
            }
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
