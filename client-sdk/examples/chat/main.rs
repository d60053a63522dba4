//! A terminal chat: `cargo run --example chat -- --url http://127.0.0.1:8080 --handle sara --register`.
//!
//! Type to write, `/help` for the rest. Through a pipe it reads lines from stdin and prints plain lines.

mod app;
mod bidi;
mod show;
mod terminal;

use std::{error::Error, path::PathBuf, process::ExitCode};

use chapar_client::{Client, FileStore, Trust};
use clap::Parser;

/// Chats with people on a Chapar server.
#[derive(Parser)]
struct Args {
    /// The server: http, https, ws or wss.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Your handle.
    #[arg(long)]
    handle: String,
    /// Your password; asked for when absent.
    #[arg(long)]
    password: Option<String>,
    /// Make the account first.
    #[arg(long)]
    register: bool,
    /// The name that people see, with --register.
    #[arg(long)]
    name: Option<String>,
    /// A directory in which messages on their way, and what is known of the chats, survive this program.
    #[arg(long)]
    store: Option<PathBuf>,
    /// Trust only the certificates in this PEM file.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// The terminal puts right-to-left text in order itself (Konsole, mlterm, VTE).
    #[arg(long)]
    no_bidi: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match chat().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn chat() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let password = match args.password {
        Some(password) => password,
        None => terminal::password()?,
    };
    let mut builder = Client::builder(&args.url).device("terminal");
    if let Some(directory) = &args.store {
        builder = builder.store(FileStore::open(directory)?);
    }
    if let Some(file) = &args.ca {
        builder = builder.trust(Trust::Only(std::fs::read(file)?));
    }
    let client = if args.register {
        builder.register(&args.handle, &password, args.name.as_deref()).await?
    } else {
        builder.sign_in(&args.handle, &password).await?
    };
    app::run(client, bidi::Bidi { reorder: !args.no_bidi }).await?;
    Ok(())
}
