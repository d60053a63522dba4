//! `chapar`: the chat node. See `chapar --help` and `docs/OPERATIONS.md`.
#![forbid(unsafe_code)]

use std::{io, process::ExitCode};

use chapar_server::{
    admin,
    cli::{self, Cli, Command},
    serve::{self, Failure},
    settings::Settings,
    telemetry,
};
use clap::Parser;

/// What a node does is many small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.command() == Command::CheckConfig {
        return cli::check_config(&cli.settings, &mut io::stdout(), &mut io::stderr()).unwrap_or(ExitCode::FAILURE);
    }
    // Before anything is read or started: what it is asked for comes from a stranger.
    if cli.command() == Command::MediaWorker {
        return chapar_media::worker::main();
    }
    let settings = match Settings::load(&cli.settings) {
        Ok(settings) => settings,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    telemetry::start(&settings);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = settings.worker_threads {
        runtime.worker_threads(threads);
    }
    let outcome = match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(run(cli.command(), settings)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chapar: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command, settings: Settings) -> Result<(), Failure> {
    if command == Command::Serve {
        return serve::run(settings).await;
    }
    // Opening the store applies the migrations.
    let (store, private) = serve::join_store(&settings).await?;
    let outcome = match command {
        Command::Admin(command) => admin::run(&store, command).await,
        _ => Ok(()),
    };
    store.close().await;
    if let Some(private) = private {
        private.stop().await;
    }
    outcome
}
