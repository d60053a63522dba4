//! A call from a terminal: plays a WAV file to the other side and records what comes back.
//!
//! ```text
//! cargo run -p chapar-client --features calls --example call -- --handle reza --register --record heard-by-reza.wav
//! cargo run -p chapar-client --features calls --example call -- --handle sara --register --call @reza --play salam.wav
//! ```
//!
//! Without `--call` it waits for a call and accepts it, from whoever opens a chat with it: people who have not answered
//! cannot be called. `--relay-only` forbids direct paths.

use std::{
    collections::HashSet,
    error::Error,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use chapar_client::{
    Client, Trust,
    calls::{
        Call, CallOptions, Calls, CallsOptions, Emoji, View,
        audio::{
            AudioSink, AudioSource, Silence,
            wav::{WavSink, WavSource},
        },
    },
    protocol::{ChatKind, UserId, call::Standing},
};
use clap::Parser;

/// How long the other side may take to answer in the chat.
const PATIENCE: Duration = Duration::from_mins(1);

/// Calls somebody on a Chapar server, or waits for a call and accepts it.
#[derive(Parser)]
struct Args {
    /// The server: http, https, ws or wss.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Your handle.
    #[arg(long)]
    handle: String,
    /// Your password.
    #[arg(long, env = "CHAPAR_PASSWORD", default_value = "a long password")]
    password: String,
    /// Make the account first, unless it is there.
    #[arg(long)]
    register: bool,
    /// Whom to call: a handle.
    #[arg(long)]
    call: Option<String>,
    /// A WAV file to speak, again and again. Silence without.
    #[arg(long)]
    play: Option<PathBuf>,
    /// A WAV file to record what is heard.
    #[arg(long)]
    record: Option<PathBuf>,
    /// How long to talk.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Only over relays: neither side learns the other's address.
    #[arg(long)]
    relay_only: bool,
    /// Trust only the certificates in this PEM file.
    #[arg(long)]
    ca: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match talk(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("call: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn talk(args: Args) -> Result<(), Box<dyn Error>> {
    let client = connect(&args).await?;
    let (calls, mut incoming) =
        Calls::start(&client, CallsOptions { relay_only: args.relay_only, ..CallsOptions::default() }).await?;
    let source: Box<dyn AudioSource> = match &args.play {
        Some(path) => Box::new(WavSource::open(path)?.repeated()),
        None => Box::new(Silence),
    };
    let recording = args.record.as_ref().map(WavSink::create).transpose()?;
    let sink: Box<dyn AudioSink> = match &recording {
        Some(sink) => Box::new(sink.clone()),
        None => Box::new(Silence),
    };
    let options = CallOptions { relay_only: args.relay_only };
    let mut call = if let Some(handle) = &args.call {
        let handle = handle.trim_start_matches('@');
        let callee = client.resolve(handle).await?.user.ok_or_else(|| format!("nobody is called @{handle}"))?;
        client.open_direct(callee.id).await?;
        println!("calling @{handle}");
        wait_for_answer(&client, callee.id).await?;
        calls.call(callee.id, source, sink, options).await?
    } else {
        println!("waiting for a call to @{}", args.handle);
        let call = tokio::select! {
            call = incoming.next() => call.ok_or("the session ended")?,
            refused = answer_everybody(&client) => return Err(refused.into()),
        };
        println!("it rings; accepting");
        call.accept(source, sink, options);
        call
    };
    follow(&mut call, Duration::from_secs(args.seconds)).await;
    if let Some(recording) = recording {
        recording.finish()?;
    }
    client.close().await;
    Ok(())
}

/// Somebody can be called, and seen, once they have done something themselves in the chat.
async fn wait_for_answer(client: &Client, callee: UserId) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    while client.watch_presence(vec![callee]).await?.presences.is_empty() {
        if began.elapsed() > PATIENCE {
            return Err("they have not answered in the chat: nobody is called by a stranger".into());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

/// Opens the chat with everybody who has opened one, for as long as the session lasts.
async fn answer_everybody(client: &Client) -> chapar_client::Error {
    let mut events = client.events();
    let mut answered = HashSet::new();
    loop {
        for chat in client.chats().into_iter().filter(|chat| chat.info.kind == ChatKind::Direct) {
            if !answered.insert(chat.info.id) {
                continue;
            }
            let opened = async {
                for member in client.get_members(chat.info.id, None).await?.members {
                    client.open_direct(member.user_id).await?;
                }
                Ok(())
            };
            if let Err(error) = opened.await {
                return error;
            }
        }
        events.next().await;
    }
}

async fn connect(args: &Args) -> Result<Client, Box<dyn Error>> {
    let builder = || -> Result<_, Box<dyn Error>> {
        let mut builder = Client::builder(&args.url).device("call");
        if let Some(file) = &args.ca {
            builder = builder.trust(Trust::Only(std::fs::read(file)?));
        }
        Ok(builder)
    };
    let signed_in = builder()?.sign_in(&args.handle, &args.password).await;
    if signed_in.is_err() && args.register {
        return Ok(builder()?.register(&args.handle, &args.password, None).await?);
    }
    Ok(signed_in?)
}

/// Says what happens until the call is over; hangs up when the time is.
async fn follow(call: &mut Call, time: Duration) {
    if !call.until(|view| view.hears).await {
        println!("{}", ending(&call.view()));
        return;
    }
    println!("connected");
    let over = tokio::time::sleep(time);
    tokio::pin!(over);
    let mut stats = call.stats();
    let mut told = Emoji::Unknown;
    loop {
        tokio::select! {
            () = call.changed() => {}
            changed = stats.changed() => if changed.is_ok() && let Some(now) = stats.borrow_and_update().as_ref() {
                println!(
                    "{:?} round trip {} ms, loss {:.0} % here {:.0} % there, {} kbit/s in {} out",
                    now.path,
                    now.round_trip.unwrap_or_default().as_millis(),
                    now.loss_in * 100.0,
                    now.loss_out * 100.0,
                    now.bit_rate_in / 1000,
                    now.bit_rate_out / 1000,
                );
            },
            () = &mut over => call.hang_up(),
        }
        let view = call.view();
        if view.emoji != told {
            told = view.emoji;
            match told {
                Emoji::Shown(emoji) => println!("compare these by voice: {}", emoji.join(" ")),
                Emoji::Refused => println!("the other side broke its word: somebody may sit in the middle"),
                Emoji::Unknown => {}
            }
        }
        if view.over.is_some() {
            println!("{}", ending(&view));
            return;
        }
    }
}

fn ending(view: &View) -> String {
    match (&view.over, view.state.as_ref().map(|state| &state.standing)) {
        (Some(Some(reason)), _) => format!("over: {reason:?}"),
        (_, Some(Standing::Elsewhere)) => "another device of yours is in the call".to_owned(),
        _ => "over".to_owned(),
    }
}
