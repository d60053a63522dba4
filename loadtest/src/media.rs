//! Calls with real sound, measured as the two people hear them, through networks as bad as asked for.
//!
//! Each person has a client of the Rust SDK and, where the network is to be bad, a [`crate::impair::Proxy`] of their own
//! before the relay and another one before the server. The server must run with `--calls-per-minute 0 --lookups-per-day 0`, and relay to
//! loopback where relays are asked for: `script/bench-calls` starts one so.

#![expect(clippy::similar_names, reason = "caller and callee are the field's words")]

pub mod person;
pub mod setup;
pub mod speech;
pub mod switch;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::impair::Link;

/// How media may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Without a relay.
    Direct,
    /// Over the relay alone.
    Relay,
}

/// What every scenario of calls needs.
#[derive(Clone, Debug, Args)]
pub struct CallsCommon {
    /// The server, http://HOST:PORT.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The relay's UDP address, to put a bad network before it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3478")]
    pub relay: SocketAddr,
    /// The fraction of packets lost on each leg (person to relay), each direction: 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = fraction)]
    pub loss: f64,
    /// The delay of each leg, one way, in milliseconds; that of the connection to the server too.
    #[arg(long, default_value_t = 0)]
    pub delay: u64,
    /// Each packet takes the delay ± this, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub jitter: u64,
    /// Decides which packets are lost.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Pairs of people who call at the same time.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub pairs: u32,
    /// Write the figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// How long until people hear each other.
#[derive(Clone, Debug, Args)]
pub struct CallSetup {
    /// What every scenario of calls needs.
    #[command(flatten)]
    pub common: CallsCommon,
    /// How media may travel.
    #[arg(long, value_enum, default_value_t = Way::Relay)]
    pub way: Way,
    /// How many calls.
    #[arg(long, default_value_t = 100)]
    pub calls: u32,
}

/// How long nothing is heard after the network of one person has changed in mid-call.
#[derive(Clone, Debug, Args)]
pub struct CallSwitch {
    /// What every scenario of calls needs.
    #[command(flatten)]
    pub common: CallsCommon,
    /// How many calls, with one change in each.
    #[arg(long, default_value_t = 100)]
    pub calls: u32,
}

/// Carries speech over the relay, once with all repair and once without, and records what is heard.
#[derive(Clone, Debug, Args)]
pub struct CallSpeech {
    /// What every scenario of calls needs.
    #[command(flatten)]
    pub common: CallsCommon,
    /// A WAV file of speech.
    #[arg(long, value_name = "FILE")]
    pub speech: PathBuf,
    /// Where the recordings go: `on-N.wav` and `off-N.wav`, heard by the callee of pair N.
    #[arg(long, value_name = "DIRECTORY")]
    pub out: PathBuf,
    /// How long to talk, in seconds.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client.
    #[error("{0}")]
    Client(#[from] chapar_client::Error),
    /// A file or a socket.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A WAV file.
    #[error("{0}")]
    Wav(#[from] chapar_client::calls::audio::wav::WavError),
    /// Something that must happen did not.
    #[error("{0}")]
    Never(&'static str),
}

/// Figures by name, printed as lines and written as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Which scenario.
    pub scenario: &'static str,
    /// With what.
    pub parameters: serde_json::Value,
    /// What came of it.
    pub figures: serde_json::Value,
    /// Whether nothing failed.
    pub passed: bool,
}

impl CallsCommon {
    /// The network of each leg.
    pub fn link(&self) -> Link {
        Link::new(self.loss, self.delay, self.jitter)
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({
            "loss": self.loss, "delay_ms": self.delay, "jitter_ms": self.jitter, "seed": self.seed, "pairs": self.pairs,
        })
    }
}

/// Runs an async scenario on a runtime of its own.
///
/// # Errors
/// [`Error`].
pub fn run<F: Future<Output = Result<Figures, Error>>>(scenario: F) -> Result<Figures, Error> {
    // `RUST_LOG=chapar_client=debug` tells the steps of each call.
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(scenario)
}

/// Milliseconds at some percentiles of durations.
fn percentiles(times: &mut [Duration]) -> serde_json::Value {
    times.sort_unstable();
    let at = |per_mille: usize| {
        let place = (times.len() * per_mille).div_ceil(1_000).saturating_sub(1);
        times.get(place).map(Duration::as_millis).map(|ms| u64::try_from(ms).unwrap_or(u64::MAX))
    };
    serde_json::json!({
        "count": times.len(), "p50_ms": at(500), "p90_ms": at(900), "p95_ms": at(950), "p99_ms": at(990), "max_ms": at(1_000),
    })
}

fn fraction(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|it| (0.0..1.0).contains(it)).ok_or_else(|| "0 to 1, such as 0.1".to_owned())
}
