//! Every setting of the server: its name, default and meaning in one table, its value from the command line, the
//! environment or a file.
//!
//! A flag beats the environment, the environment beats the file, the file beats the default. Problems are collected and
//! told all at once, each naming the setting and the place where its value came from.
#![forbid(unsafe_code)]

mod files;
mod flags;
mod parse;
mod problem;
mod relay;
mod secret;
mod sources;
mod table;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use ipnet::IpNet;

pub use files::{Bucket, FileSettings, ScannerAddress};
pub use flags::Flags;
pub use problem::{Problem, Problems};
pub use relay::{RelayListen, RelaySettings};
pub use secret::Secret;
pub use sources::{Given, Layers, Source};
pub use table::{SETTINGS, Setting};

use chapar_postgres as embedded_postgres;
use chapar_store::Shares;

/// What remains of the private Postgres's connections for its superuser, maintenance and `psql`.
const RESERVED_CONNECTIONS: u32 = 10;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The effective settings. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where HTTP and WebSocket are served.
    pub listen: SocketAddr,
    /// Where the private Postgres and everything else that must be kept lies.
    pub data_dir: PathBuf,
    /// A Postgres server; without it a private one runs in `data_dir`.
    pub database_url: Option<Secret>,
    /// The database of what belongs to people, when it is another.
    pub people_database_url: Option<Secret>,
    /// Redis, for more than one node; without it the bus is in the process. Cluster and Sentinel have schemes of their
    /// own, see [`SETTINGS`].
    pub redis_url: Option<Secret>,
    /// The directory of `initdb` and `postgres`; without it they are looked for.
    pub pg_bin: Option<PathBuf>,
    /// Size of the pool, at least 1.
    pub database_connections: u32,
    /// The address that people type, without a slash at its end.
    pub public_url: Option<String>,
    /// Origins whose pages may connect, besides our own. `*` is every origin.
    pub allowed_origins: Vec<String>,
    /// Proxies whose word on a client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// PEM certificate chain; with `tls_key`, or neither.
    pub tls_cert: Option<PathBuf>,
    /// PEM private key.
    pub tls_key: Option<PathBuf>,
    /// Opens the administrator's HTTP routes; without it they are closed. At least 16 characters.
    pub admin_token: Option<Secret>,
    /// Where `/metrics` is open to whoever can reach it; without it they need the operator's token.
    pub metrics_listen: Option<SocketAddr>,
    /// Whether anybody may make an account.
    pub registration: bool,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// What is logged, in the syntax of `tracing-subscriber`'s `EnvFilter`.
    pub log_level: String,
    /// Connections on this node, all addresses together.
    pub max_connections: usize,
    /// Connections from one address. Mobile carriers put thousands of people behind one.
    pub max_connections_per_address: usize,
    /// After so many seconds of silence a client is pinged, after twice as many it is let go.
    pub heartbeat_seconds: u32,
    /// Seconds that a stopping node gives its clients to leave.
    pub drain_seconds: u64,
    /// Milliseconds over which clients spread their return to other nodes.
    pub reconnect_spread_ms: u64,
    /// Passwords hashed at the same time (19 MiB each).
    pub hash_concurrency: usize,
    /// Passwords that may wait for that; further ones are refused with a time to come back.
    pub hash_queue: usize,
    /// Messages that one user may send in a second, sustained; bursts of four times that. 0 is no bound.
    pub messages_per_second: u32,
    /// People who have not answered yet that one user may reach in a day: direct chats opened, people added. Somebody in a
    /// shared group counts a quarter. 0 is no bound.
    pub new_contacts_per_day: u32,
    /// Chats into which people whom they have not answered may put one user in a day, all of them together. 0 is no bound.
    pub stranger_chats_per_day: u32,
    /// Handles that one user may look up in a day. 0 is no bound, and everybody can be named by id.
    pub lookups_per_day: u32,
    /// Transactions that store messages at the same time. Chats are spread over them.
    pub commit_workers: usize,
    /// Calls that one user may begin in a minute, half of them to the same person. 0 is no bound.
    pub calls_per_minute: u32,
    /// Of how many calls in a hundred the two people are asked how it was, 0 to 100.
    pub call_rating_percent: u32,
    /// Whether candidates on loopback pass: for calls on one machine.
    pub call_loopback: bool,
    /// The operator's own networks: no candidate may name them.
    pub call_forbidden_networks: Vec<IpNet>,
    /// Threads of the runtime; without it one per core.
    pub worker_threads: Option<usize>,
    /// What concerns relays.
    pub relay: RelaySettings,
    /// What concerns files.
    pub files: FileSettings,
    /// Whether the node looks what stands behind links, for those who send them.
    pub link_previews: bool,
    /// Networks beside the open Internet where it may look.
    pub link_preview_networks: Vec<IpNet>,
    /// Ports at which it may look.
    pub link_preview_ports: Vec<u16>,

    sources: BTreeMap<&'static str, Source>,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            data_dir: PathBuf::from("./data"),
            database_url: None,
            people_database_url: None,
            redis_url: None,
            pg_bin: None,
            database_connections: 24,
            public_url: None,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            tls_cert: None,
            tls_key: None,
            admin_token: None,
            metrics_listen: None,
            registration: true,
            log_format: LogFormat::Text,
            log_level: "info".to_owned(),
            max_connections: 20_000,
            max_connections_per_address: 1000,
            heartbeat_seconds: 30,
            drain_seconds: 10,
            reconnect_spread_ms: 5000,
            hash_concurrency: (cores / 2).max(1),
            hash_queue: 64,
            messages_per_second: 30,
            new_contacts_per_day: 200,
            stranger_chats_per_day: 50,
            lookups_per_day: 1000,
            commit_workers: 2,
            calls_per_minute: 20,
            call_rating_percent: 10,
            call_loopback: false,
            call_forbidden_networks: Vec::new(),
            worker_threads: None,
            relay: RelaySettings::default(),
            files: FileSettings::default(),
            link_previews: false,
            link_preview_networks: Vec::new(),
            link_preview_ports: vec![80, 443],
            sources: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Reads the file that the flags name, if any, and checks everything: what `chapar` calls at start-up.
    ///
    /// # Errors
    /// All problems at once.
    pub fn load(flags: &Flags) -> Result<Self, Problems> {
        let settings = Self::check(&flags.layers())?;
        let unreadable: Vec<Problem> = settings.unreadable_files();
        if unreadable.is_empty() { Ok(settings) } else { Err(Problems(unreadable)) }
    }

    /// Merges the layers and checks every value and what values demand of each other. Touches no file.
    ///
    /// # Errors
    /// All problems at once, each a sentence that names the setting and where it came from.
    pub fn check(layers: &Layers) -> Result<Self, Problems> {
        let mut from = parse::Reader::new(layers);
        let mut settings = Self::default();
        from.put("listen", &mut settings.listen, parse::socket_address);
        from.put("data-dir", &mut settings.data_dir, parse::path);
        from.put("database-url", &mut settings.database_url, parse::some(parse::database_url));
        from.put("people-database-url", &mut settings.people_database_url, parse::some(parse::database_url));
        from.put("redis-url", &mut settings.redis_url, parse::some(parse::redis_url));
        from.put("pg-bin", &mut settings.pg_bin, parse::some(parse::path));
        from.put("database-connections", &mut settings.database_connections, parse::number(1, 10_000));
        from.put("public-url", &mut settings.public_url, parse::some(parse::public_url));
        from.put("allowed-origins", &mut settings.allowed_origins, parse::list(parse::origin));
        from.put("trusted-proxies", &mut settings.trusted_proxies, parse::list(parse::network));
        from.put("tls-cert", &mut settings.tls_cert, parse::some(parse::path));
        from.put("tls-key", &mut settings.tls_key, parse::some(parse::path));
        from.put("admin-token", &mut settings.admin_token, parse::some(parse::admin_token));
        from.put("metrics-listen", &mut settings.metrics_listen, parse::some(parse::socket_address));
        from.put("registration", &mut settings.registration, parse::truth);
        from.put("log-format", &mut settings.log_format, parse::log_format);
        from.put("log-level", &mut settings.log_level, parse::log_level);
        from.put("max-connections", &mut settings.max_connections, parse::number(1, 10_000_000));
        let per_address = &mut settings.max_connections_per_address;
        from.put("max-connections-per-address", per_address, parse::number(1, 10_000_000));
        from.put("heartbeat-seconds", &mut settings.heartbeat_seconds, parse::number(1, 300));
        from.put("drain-seconds", &mut settings.drain_seconds, parse::number(0, 3600));
        from.put("reconnect-spread-ms", &mut settings.reconnect_spread_ms, parse::number(0, 600_000));
        from.put("hash-concurrency", &mut settings.hash_concurrency, parse::number(1, 1024));
        from.put("hash-queue", &mut settings.hash_queue, parse::number(0, 100_000));
        from.put("messages-per-second", &mut settings.messages_per_second, parse::number(0, 1_000_000));
        from.put("new-contacts-per-day", &mut settings.new_contacts_per_day, parse::number(0, 1_000_000));
        from.put("stranger-chats-per-day", &mut settings.stranger_chats_per_day, parse::number(0, 1_000_000));
        from.put("lookups-per-day", &mut settings.lookups_per_day, parse::number(0, 1_000_000));
        from.put("commit-workers", &mut settings.commit_workers, parse::number(1, 64));
        from.put("calls-per-minute", &mut settings.calls_per_minute, parse::number(0, 1_000_000));
        from.put("call-rating-percent", &mut settings.call_rating_percent, parse::number(0, 100));
        from.put("call-loopback", &mut settings.call_loopback, parse::truth);
        let networks = &mut settings.call_forbidden_networks;
        from.put("call-forbidden-networks", networks, parse::list(parse::network));
        from.put("worker-threads", &mut settings.worker_threads, parse::some(parse::number(1, 1024)));
        settings.relay.read(&mut from);
        settings.files.read(&mut from);
        from.put("link-previews", &mut settings.link_previews, parse::truth);
        from.put("link-preview-networks", &mut settings.link_preview_networks, parse::list(parse::network));
        from.put(
            "link-preview-ports",
            &mut settings.link_preview_ports,
            parse::list(|it| parse::number(1, 65_535)(it)),
        );
        let (sources, mut problems) = from.finish();
        settings.sources = sources;
        problems.extend(settings.contradictions());
        if problems.is_empty() { Ok(settings) } else { Err(Problems(problems)) }
    }

    /// After how much silence a client is pinged; after twice that it is let go.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_secs(self.heartbeat_seconds.into())
    }

    /// Where a setting's value came from. `name` is the flag's name without its dashes.
    pub fn source(&self, name: &str) -> Source {
        self.sources.get(name).cloned().unwrap_or(Source::Default)
    }

    /// Every setting with its value for people to read and where it came from, in the order of [`SETTINGS`]. Secrets
    /// are hidden.
    pub fn effective(&self) -> Vec<(&'static str, String, Source)> {
        SETTINGS.iter().map(|setting| (setting.name, self.shown(setting.name), self.source(setting.name))).collect()
    }

    fn contradictions(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => {
                problems.push(self.problem("tls-cert", "is set, but tls-key is not: set both or neither"));
            }
            (None, Some(_)) => {
                problems.push(self.problem("tls-key", "is set, but tls-cert is not: set both or neither"));
            }
            _ => {}
        }
        let s3 = &self.files;
        if s3.s3_access_key.is_some() != s3.s3_secret_key.is_some() {
            let name = if s3.s3_access_key.is_some() { "s3-access-key" } else { "s3-secret-key" };
            problems.push(self.problem(name, "is one of s3-access-key and s3-secret-key: set both or neither"));
        }
        let least = Shares::least(u32::try_from(self.commit_workers).unwrap_or(u32::MAX / 2));
        if self.database_connections < least {
            let what = format!("is too few: with {} commit-workers at least {least}", self.commit_workers);
            problems.push(self.problem("database-connections", &what));
        }
        let most = embedded_postgres::MAX_CONNECTIONS - RESERVED_CONNECTIONS;
        if self.database_url.is_none() && self.database_connections > most {
            let what = format!("is more than the private Postgres takes ({most}): lower it, or set database-url");
            problems.push(self.problem("database-connections", &what));
        }
        problems
    }

    fn unreadable_files(&self) -> Vec<Problem> {
        let files = [("tls-cert", &self.tls_cert), ("tls-key", &self.tls_key)];
        let files = files.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)));
        files
            .filter_map(|(name, path)| {
                let fault = std::fs::File::open(path).err()?;
                Some(self.problem(name, &format!("names {}, which cannot be read: {fault}", path.display())))
            })
            .collect()
    }

    fn problem(&self, name: &'static str, what: &str) -> Problem {
        Problem::new(name, &self.source(name), what)
    }

    fn shown(&self, name: &str) -> String {
        fn or_none<T: ToString>(value: Option<T>, without: &str) -> String {
            value.map_or_else(|| format!("({without})"), |value| value.to_string())
        }
        fn joined<T: ToString>(values: &[T], without: &str) -> String {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            if values.is_empty() { format!("({without})") } else { values.join(",") }
        }
        match name {
            "listen" => self.listen.to_string(),
            "data-dir" => self.data_dir.display().to_string(),
            "people-database-url" => {
                or_none(self.people_database_url.as_ref().map(Secret::without_password), "the same as database-url")
            }
            "database-url" => or_none(self.database_url.as_ref().map(Secret::without_password), "a private Postgres"),
            "redis-url" => or_none(self.redis_url.as_ref().map(Secret::without_password), "one node, no Redis"),
            "pg-bin" => or_none(self.pg_bin.as_ref().map(|path| path.display()), "looked for"),
            "database-connections" => self.database_connections.to_string(),
            "public-url" => or_none(self.public_url.as_ref(), "from each request"),
            "allowed-origins" => joined(&self.allowed_origins, "the same origin only"),
            "trusted-proxies" => joined(&self.trusted_proxies, "none"),
            "tls-cert" => or_none(self.tls_cert.as_ref().map(|path| path.display()), "no TLS"),
            "tls-key" => or_none(self.tls_key.as_ref().map(|path| path.display()), "no TLS"),
            "admin-token" => or_none(self.admin_token.as_ref().map(|_| "(hidden)"), "no administrator over HTTP"),
            "metrics-listen" => or_none(self.metrics_listen, "with the operator's token only"),
            "registration" => self.registration.to_string(),
            "log-format" => format!("{:?}", self.log_format).to_lowercase(),
            "log-level" => self.log_level.clone(),
            "max-connections" => self.max_connections.to_string(),
            "max-connections-per-address" => self.max_connections_per_address.to_string(),
            "heartbeat-seconds" => self.heartbeat_seconds.to_string(),
            "drain-seconds" => self.drain_seconds.to_string(),
            "reconnect-spread-ms" => self.reconnect_spread_ms.to_string(),
            "hash-concurrency" => self.hash_concurrency.to_string(),
            "hash-queue" => self.hash_queue.to_string(),
            "messages-per-second" => self.messages_per_second.to_string(),
            "new-contacts-per-day" => self.new_contacts_per_day.to_string(),
            "stranger-chats-per-day" => self.stranger_chats_per_day.to_string(),
            "lookups-per-day" => self.lookups_per_day.to_string(),
            "commit-workers" => self.commit_workers.to_string(),
            "calls-per-minute" => self.calls_per_minute.to_string(),
            "call-rating-percent" => self.call_rating_percent.to_string(),
            "call-loopback" => self.call_loopback.to_string(),
            "call-forbidden-networks" => joined(&self.call_forbidden_networks, "none"),
            "worker-threads" => or_none(self.worker_threads, "one per core"),
            "link-previews" => self.link_previews.to_string(),
            "link-preview-networks" => joined(&self.link_preview_networks, "none"),
            "link-preview-ports" => joined(&self.link_preview_ports, "none"),
            other => match self.relay.shown(other).or_else(|| self.files.shown(other)) {
                Some(shown) => shown,
                None => unreachable!("{other} stands in the table of settings but is not shown"),
            },
        }
    }
}

#[cfg(test)]
mod tests;
