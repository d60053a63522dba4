//! Parts of a Chapar that a scenario starts, owns, freezes, kills and cuts: a private Postgres, a Redis, nodes.
//!
//! Everything listens on loopback and lies in one temporary directory. Processes are signalled by their ids only, and end with
//! this value; where `setpriv` is there, also when this process is killed.

mod node;
mod plain;
mod postgres;
mod process;
mod redis_server;
mod wire;

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub(crate) use node::{NodeProcess, ready};
pub(crate) use plain::{Databases, Own, Plain};
pub(crate) use postgres::Postgres;
pub(crate) use process::{Signal, command, send as send_signal};
pub(crate) use redis_server::Redis;
pub(crate) use wire::{Target, Wire, WireState};

use crate::message::Random;

/// How long a part may take to answer after its start.
const START: Duration = Duration::from_mins(1);

/// The admin token of the nodes that a rig starts. They serve loopback only, and for as long as the run takes.
pub(crate) const ADMIN_TOKEN: &str = "a-token-of-the-load-test";

/// A temporary directory that goes with its value.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let path = std::env::temp_dir().join(format!("chapar-rig-{}-{}", std::process::id(), since.as_micros()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// All parts. Fields end in their order: nodes before what they need.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) nodes: Vec<NodeProcess>,
    /// Between the nodes and Redis.
    pub(crate) redis_wire: Option<Wire>,
    /// Between the nodes and Postgres.
    pub(crate) database_wire: Wire,
    pub(crate) redis: Option<Redis>,
    pub(crate) postgres: Postgres,
    _scratch: Scratch,
}

/// What to start.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// The server's program.
    pub(crate) server: &'a Path,
    /// How many nodes.
    pub(crate) nodes: usize,
    /// Whether there is a Redis.
    pub(crate) redis: bool,
    /// Further settings of every node, as flags.
    pub(crate) settings: &'a [&'a str],
    /// Chooses the ports.
    pub(crate) seed: u64,
}

impl Rig {
    pub(crate) fn start(parts: &Parts<'_>) -> io::Result<Self> {
        let scratch = Scratch::new()?;
        let mut free = Ports::new(parts.seed);
        let postgres = Postgres::start(scratch.path(), &[])?;
        let database_wire = Wire::open(Target::Unix(postgres.socket()))?;
        let mut settings: Vec<String> = parts.settings.iter().map(ToString::to_string).collect();
        settings.push("--database-url".into());
        settings.push(format!("postgres://chapar@{}/postgres?sslmode=disable", database_wire.address));
        let (mut redis, mut redis_wire) = (None, None);
        if parts.redis {
            let it = Redis::start(scratch.path(), free.take())?;
            let wire = Wire::open(Target::Tcp(it.address))?;
            settings.push("--redis-url".into());
            settings.push(format!("redis://{}", wire.address));
            (redis, redis_wire) = (Some(it), Some(wire));
        }
        let mut nodes = Vec::new();
        for number in 0..parts.nodes {
            let directory = scratch.path().join(format!("node-{number}"));
            nodes.push(NodeProcess::start(parts.server, directory, &mut free, &settings)?);
        }
        Ok(Self { nodes, redis_wire, database_wire, redis, postgres, _scratch: scratch })
    }
}

/// The server's program beside this one, unless another is named.
pub(crate) fn server_binary(named: Option<&Path>) -> io::Result<PathBuf> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()?.with_file_name("chapar"),
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(io::Error::other(format!(
        "{} is not there: build chapar-server, or name it with --server-binary",
        path.display()
    )))
}

/// Settings that lift the bounds on single people and addresses: here one machine plays everybody. A tenth of the connections of an address may be
/// without a `hello`, and in a storm all are.
pub(crate) const NO_BUDGETS: &[(&str, &str)] = &[
    ("--messages-per-second", "0"),
    ("--max-connections-per-address", "200000"),
    ("--new-contacts-per-day", "0"),
    ("--stranger-chats-per-day", "0"),
    ("--lookups-per-day", "0"),
    ("--upload-quota", "0"),
];

/// Those of the settings that this server knows, as flags: an older one runs too.
pub(crate) fn known_settings(server: &Path, wanted: &[(&str, &str)]) -> Vec<String> {
    let help = std::process::Command::new(server).arg("--help").output();
    let help = help.map(|it| String::from_utf8_lossy(&it.stdout).into_owned()).unwrap_or_default();
    let known = wanted.iter().filter(|(flag, _)| help.split_whitespace().any(|word| word == *flag));
    known.flat_map(|(flag, value)| [(*flag).to_owned(), (*value).to_owned()]).collect()
}

/// Free ports below 32768, outside the range from which the kernel takes the ports of outgoing connections: a restarted part
/// finds its port free again.
#[derive(Debug)]
pub(crate) struct Ports(Random);

impl Ports {
    fn new(seed: u64) -> Self {
        Self(Random::new(seed ^ u64::from(std::process::id())))
    }

    fn take(&mut self) -> SocketAddr {
        loop {
            let port = 18_000 + u16::try_from(self.0.below(14_000)).unwrap_or(0);
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            if TcpListener::bind(address).is_ok() {
                return address;
            }
        }
    }
}

/// Asks again and again until it is so.
fn wait_for(what: &str, log: &Path, mut so: impl FnMut() -> bool) -> io::Result<()> {
    let deadline = Instant::now() + START;
    while !so() {
        if Instant::now() > deadline {
            let log = fs::read_to_string(log).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(10).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            return Err(io::Error::other(format!(
                "{what} does not answer after {} s:\n{}",
                START.as_secs(),
                tail.join("\n")
            )));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
