//! The command line.

use std::{ops::RangeInclusive, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{http::Node, schedule::Mix};

/// Loads a Chapar server as users would, measures it, and proves afterwards that nothing was lost.
///
/// Makes its own users and chats over the admin API, so it needs the server's admin token. Exits with 1 when the audit
/// finds a violation, with 2 when the run could not be made.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  chapar-loadtest chat --admin-token \"$CHAPAR_ADMIN_TOKEN\" --mix direct --rate 15000 --seconds 20"
)]
pub struct Cli {
    /// Which load.
    #[command(subcommand)]
    pub scenario: Scenario,
}

/// The named loads.
#[derive(Debug, Subcommand)]
pub enum Scenario {
    /// People who write to each other in direct chats, groups and channels.
    Chat(Chat),
    /// People who call each other: complete set-ups, from the invite to the line in the chat.
    Calls(Calls),
    /// One channel with many readers: how long until the last one has a post, and how many deliveries a second.
    Channel(Channel),
    /// Connections that do nothing: what one costs the server in memory.
    Idle(Idle),
    /// People who join a channel that a million are in, and leave it, while it posts: how many a second, and what its readers notice.
    Joins(crate::scenario::joins::Joins),
    /// People who react to one post: whether all is stored, how often the counts are told, and what its readers notice.
    Reactions(crate::scenario::reactions::Reactions),
    /// People who vote in one poll of a group: whether each vote is stored and counted once, and what members notice; and how fast the same
    /// people write.
    Polls(crate::scenario::polls::Polls),
    /// People who see the posts of a channel: whether each view is counted once, and what its readers notice.
    Views(crate::scenario::views::Views),
    /// Messages that were scheduled for the same second, while their node is killed: how long until the last has left, and whether each has once.
    Scheduled(crate::scenario::scheduled::Scheduled),
    /// Somebody in 2,000 chats who comes back: how long until they have what was written in 20 of them, and what that costs.
    Hello(crate::scenario::hello::HelloArgs),
    /// All connections break at once: how long until the last one has come back and has everything.
    Storm(crate::scenario::storm::Storm),
    /// A large file over a line that is cut again and again, and many at once: goodput against a plain PUT, and the server's memory.
    Upload(crate::scenario::upload::UploadArgs),
    /// A thousand photos come in at once and are made ready: what people who chat meanwhile notice.
    Photos(crate::scenario::photos::PhotosArgs),
    /// The same load on one database, and on one for chats and one for people, in turn.
    Databases(crate::scenario::databases::Databases),
    /// Nodes, Postgres and Redis of its own, frozen, killed and cut in the middle of traffic; nothing may be lost.
    Faults(crate::faults::FaultsArgs),
    /// A node of its own, in which innocent people chat while attackers do their worst: what the innocent notice of it.
    Abuse(crate::abuse::AbuseArgs),
    /// A bad network before a server, for any client: a TCP proxy that loses, delays, throttles and cuts.
    Network(crate::network::NetworkArgs),
    /// The attackers of `abuse`, which starts them.
    #[command(hide = true)]
    Attack(crate::abuse::attack::AttackArgs),
    /// The control of `abuse`, which starts it.
    #[command(hide = true)]
    Burn(crate::abuse::burn::BurnArgs),
    /// Calls with sound: how long until both people hear each other.
    #[cfg(feature = "calls")]
    CallSetup(crate::media::CallSetup),
    /// Calls with sound: how long nothing is heard after one person's network has changed.
    #[cfg(feature = "calls")]
    CallSwitch(crate::media::CallSwitch),
    /// Calls with sound: speech over a bad network, with all repair and without, recorded.
    #[cfg(feature = "calls")]
    CallSpeech(crate::media::CallSpeech),
}

/// What every load needs.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// A node of the server, http://HOST:PORT; repeat it for several, users are dealt to them in turn.
    #[arg(long = "url", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub nodes: Vec<Node>,
    /// The server's admin token.
    #[arg(long, env = "CHAPAR_ADMIN_TOKEN", hide_env_values = true, value_name = "SECRET")]
    pub admin_token: String,
    /// Decides who sends when, where to and what; the same seed makes the same load.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Process of the server, for CPU and memory; repeatable. Without it, who listens on the port of a --url on this machine.
    #[arg(long = "server-pid", value_name = "PID")]
    pub server_pids: Vec<u32>,
    /// A process that works for the server, with its children; repeatable, for example `postgres=4711`.
    #[arg(long = "also-pid", value_name = "[NAME=]PID", value_parser = named_pid)]
    pub also: Vec<(String, u32)>,
    /// Write parameters and figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// How long to wait at the end for answers and readers that are behind, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub drain_seconds: u64,
}

/// See [`Scenario::Chat`].
#[derive(Clone, Debug, Args)]
pub struct Chat {
    /// What every load needs.
    #[command(flatten)]
    pub common: Common,
    /// How many users, each with one connection.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..))]
    pub users: u32,
    /// Shares of direct, group and channel in the messages, such as `group` or `direct:70,group:20,channel:10`.
    #[arg(long, default_value = "direct")]
    pub mix: Mix,
    /// Members of a group, who all write. At most 1000.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub group_size: u32,
    /// Messages a second in all: due at fixed times whatever the server does (open loop). `max`: everybody keeps --in-flight under way (closed loop).
    #[arg(long, default_value = "1000", value_parser = rate)]
    pub rate: Rate,
    /// With `--rate max`: messages under way per user. Otherwise: the most that may be. At most 64.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub in_flight: Option<u8>,
    /// How long to measure, after the warm-up.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Seconds that do not count at the beginning.
    #[arg(long, default_value_t = 3)]
    pub warmup: u64,
    /// Bytes of text in a message, or a range such as `20-400`. At most 4096.
    #[arg(long, default_value = "200", value_parser = size)]
    pub size: RangeInclusive<usize>,
}

/// See [`Scenario::Calls`].
#[derive(Clone, Debug, Args)]
pub struct Calls {
    /// What every load needs.
    #[command(flatten)]
    pub common: Common,
    /// How many pairs of people; the two of a pair are on different nodes if there are several.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub pairs: u32,
    /// Calls begun a second, at fixed times whatever the server does: a number, `busy-hour` (375: 15 % of 9 million calls a day within an hour) or `max`, as fast as calls end.
    #[arg(long, default_value = "busy-hour", value_parser = call_rate)]
    pub rate: CallRate,
    /// With `--rate max`: calls at once, at most one a pair.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub in_flight: Option<u32>,
    /// Of 100 calls, those that the caller gives up while it rings: they count as missed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub cancel_percent: u8,
    /// How long to measure, after the warm-up.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Seconds that do not count at the beginning.
    #[arg(long, default_value_t = 3)]
    pub warmup: u64,
}

/// How fast calls begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallRate {
    /// So many a second.
    PerSecond(u64),
    /// As fast as calls end.
    Max,
}

/// The busy hour of an Arbaeen day with 9 million calls, 15 % of them within that hour.
const BUSY_HOUR: u64 = 9_000_000 * 15 / 100 / 3600;

fn call_rate(text: &str) -> Result<CallRate, String> {
    if text == "busy-hour" {
        return Ok(CallRate::PerSecond(BUSY_HOUR));
    }
    match rate(text) {
        Ok(Rate::Max) => Ok(CallRate::Max),
        Ok(Rate::PerSecond(number)) => Ok(CallRate::PerSecond(number)),
        Err(_) => Err("a whole number from 1, `busy-hour` or `max`".into()),
    }
}

/// See [`Scenario::Channel`].
#[derive(Clone, Debug, Args)]
pub struct Channel {
    /// What every load needs.
    #[command(flatten)]
    pub common: Common,
    /// How many connected readers.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub readers: u32,
    /// Single posts, each sent when everybody has the one before, to see how long the last reader waits.
    #[arg(long, default_value_t = 10)]
    pub single_posts: u32,
    /// Posts a second after that, at fixed times, or `max`: --in-flight under way.
    #[arg(long, default_value = "40", value_parser = rate)]
    pub posts_per_second: Rate,
    /// With `max`: posts under way.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub in_flight: Option<u8>,
    /// How long to post, in seconds.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Bytes of text in a post, or a range.
    #[arg(long, default_value = "200", value_parser = size)]
    pub size: RangeInclusive<usize>,
}

/// See [`Scenario::Idle`].
#[derive(Clone, Debug, Args)]
pub struct Idle {
    /// What every load needs.
    #[command(flatten)]
    pub common: Common,
    /// How many connections, each of a user of its own.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// In how many chats each of them is: groups of 20.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=2000))]
    pub chats: u32,
    /// Further connections that are made before memory is read for the first time, so that what a server holds once is not counted.
    #[arg(long, default_value_t = 500)]
    pub warmup: u32,
    /// How long to hold them before memory is read, in seconds.
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub hold: u64,
}

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Messages a second.
    PerSecond(u64),
    /// As fast as the answers come.
    Max,
}

pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    match text {
        "max" => Ok(Rate::Max),
        _ => match text.parse() {
            Ok(0) | Err(_) => Err("a whole number from 1, or `max`".into()),
            Ok(number) => Ok(Rate::PerSecond(number)),
        },
    }
}

fn size(text: &str) -> Result<RangeInclusive<usize>, String> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let bytes = |text: &str| text.parse().ok().filter(|it| (1..=4096).contains(it));
    match (bytes(low), bytes(high)) {
        (Some(low), Some(high)) if low <= high => Ok(low..=high),
        _ => Err("1 to 4096, or a range such as 20-400".into()),
    }
}

fn named_pid(text: &str) -> Result<(String, u32), String> {
    let (name, pid) = text.split_once('=').unwrap_or(("", text));
    let pid = pid.parse().map_err(|_| format!("`{pid}` is not a process id"))?;
    Ok((if name.is_empty() { format!("process {pid}") } else { name.to_owned() }, pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn rates_sizes_and_processes_are_read() {
        assert_eq!((rate("max"), rate("5")), (Ok(Rate::Max), Ok(Rate::PerSecond(5))));
        assert!(rate("0").is_err() && size("9-3").is_err() && size("5000").is_err());
        assert_eq!(call_rate("busy-hour"), Ok(CallRate::PerSecond(375)));
        assert!(call_rate("season").is_err());
        assert_eq!(size("20-400"), Ok(20..=400));
        assert_eq!(named_pid("redis=7"), Ok(("redis".into(), 7)));
    }
}
