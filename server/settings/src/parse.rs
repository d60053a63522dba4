//! How the text of a setting becomes its value. A refusal goes on after "listen (from the flag --listen) ".

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use super::problem::Problem;
use super::sources::{Given, Layers, Source};
use super::table::SETTINGS;
use super::{LogFormat, Secret};

type Parsed<T> = Result<T, String>;

const SHORTEST_ADMIN_TOKEN: usize = 16;

/// Takes the values out of the layers one by one and collects what is wrong.
pub(super) struct Reader<'a> {
    effective: BTreeMap<&'static str, &'a Given>,
    sources: BTreeMap<&'static str, Source>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        let mut effective: BTreeMap<&'static str, &Given> = BTreeMap::new();
        for given in &layers.given {
            let best = effective.entry(given.name).or_insert(given);
            if given.source > best.source {
                *best = given;
            }
        }
        Self { effective, sources: BTreeMap::new(), problems: layers.problems.clone() }
    }

    /// Replaces `place` with what was given for `name`, if anything was.
    pub(super) fn put<T>(&mut self, name: &'static str, place: &mut T, parse: impl FnOnce(&str) -> Parsed<T>) {
        debug_assert!(SETTINGS.iter().any(|setting| setting.name == name), "{name} is not in the table");
        let Some(given) = self.effective.get(name) else { return };
        match parse(given.value.trim()) {
            Ok(value) => *place = value,
            Err(what) => self.problems.push(Problem::new(name, &given.source, &what)),
        }
        self.sources.insert(name, given.source.clone());
    }

    pub(super) fn finish(self) -> (BTreeMap<&'static str, Source>, Vec<Problem>) {
        (self.sources, self.problems)
    }
}

pub(super) fn some<T>(parse: impl FnOnce(&str) -> Parsed<T>) -> impl FnOnce(&str) -> Parsed<Option<T>> {
    |text| parse(text).map(Some)
}

pub(super) fn list<T>(parse: impl Fn(&str) -> Parsed<T>) -> impl FnOnce(&str) -> Parsed<Vec<T>> {
    move |text| text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(parse).collect()
}

pub(super) fn number<T: FromStr + PartialOrd + Display + Copy>(least: T, most: T) -> impl FnOnce(&str) -> Parsed<T> {
    move |text| {
        let fits = text.parse().ok().filter(|number| *number >= least && *number <= most);
        fits.ok_or_else(|| format!("must be a whole number from {least} to {most}, not {text:?}"))
    }
}

pub(super) fn truth(text: &str) -> Parsed<bool> {
    match text {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        other => Err(format!("must be true or false, not {other:?}")),
    }
}

pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn socket_address(text: &str) -> Parsed<SocketAddr> {
    text.parse().map_err(|_| {
        format!("must be an address and a port, like 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080, not {text:?}")
    })
}

pub(super) fn network(text: &str) -> Parsed<IpNet> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| address())
        .map_err(|_| format!("must hold addresses or networks, like 10.0.0.0/8 or ::1; {text:?} is neither"))
}

/// A scheme and a host, with a port or without: what a browser sends as `Origin`.
pub(super) fn origin(text: &str) -> Parsed<String> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let place = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match place {
        Some(place) if is_host(place) => Ok(text.to_ascii_lowercase()),
        _ => Err(format!("must hold origins like https://chat.example.org, without a path, or *; not {text:?}")),
    }
}

pub(super) fn public_url(text: &str) -> Parsed<String> {
    let refuse = || format!("must begin with https:// or http:// and name a host, not {text:?}");
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(refuse)?;
    let host = rest.split('/').next().unwrap_or_default();
    if is_host(host) && !rest.contains(['?', '#']) { Ok(text.trim_end_matches('/').to_owned()) } else { Err(refuse()) }
}

pub(super) fn database_url(text: &str) -> Parsed<Secret> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Secret::new(text));
    }
    // Not quoted: a password may stand in it.
    Err("must begin with postgres:// or postgresql://".to_owned())
}

/// `redis[s]://…`, `redis+unix://…`, `redis[s]+cluster://host:port,…`, `redis[s]+sentinel://host:port,…/service`.
pub(super) fn redis_url(text: &str) -> Parsed<Secret> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(
            "must be a URL that begins with redis://, rediss://, redis+cluster:// or redis+sentinel://".to_owned()
        );
    };
    // A password may hold a slash or a comma; addresses come after the last @.
    let addresses = rest.rsplit_once('@').map_or(rest, |(_, addresses)| addresses);
    let (hosts, inside) = addresses.split_once('/').unwrap_or((addresses, ""));
    let hosts: Vec<&str> = hosts.split(',').collect();
    let all_hosts = hosts.iter().all(|host| is_host(host));
    match scheme {
        "redis+unix" | "unix" if !rest.is_empty() => Ok(Secret::new(text)),
        "redis" | "rediss" if all_hosts && hosts.len() == 1 => Ok(Secret::new(text)),
        "redis" | "rediss" => Err(format!(
            "must name one host:port after {scheme}://; for several there are {scheme}+cluster:// and {scheme}+sentinel://"
        )),
        "redis+cluster" | "rediss+cluster" if all_hosts => Ok(Secret::new(text)),
        "redis+cluster" | "rediss+cluster" => {
            Err(format!("must name the cluster's nodes as {scheme}://host:port,host:port"))
        }
        "redis+sentinel" | "rediss+sentinel" if all_hosts && !inside.is_empty() => Ok(Secret::new(text)),
        "redis+sentinel" | "rediss+sentinel" => Err(format!(
            "must name the sentinels and the service they watch, as {scheme}://host:port,host:port/service"
        )),
        other => Err(format!(
            "has the unknown scheme {other:?}; known are redis, rediss, redis+unix, redis+cluster, rediss+cluster, \
             redis+sentinel and rediss+sentinel"
        )),
    }
}

pub(super) fn admin_token(text: &str) -> Parsed<Secret> {
    let length = text.chars().count();
    if length >= SHORTEST_ADMIN_TOKEN {
        return Ok(Secret::new(text));
    }
    Err(format!("must have at least {SHORTEST_ADMIN_TOKEN} characters, and has {length}"))
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("must be text or json, not {other:?}")),
    }
}

pub(super) fn log_level(text: &str) -> Parsed<String> {
    // EnvFilter takes a bare word for a part's name and logs all of it, so a misspelt level would pass.
    let is_level = |word: &str| matches!(word, "off" | "error" | "warn" | "info" | "debug" | "trace");
    let known = text.split(',').all(|part| part.contains(['=', '[']) || is_level(&part.trim().to_lowercase()));
    if known && EnvFilter::try_new(text).is_ok() {
        return Ok(text.to_owned());
    }
    Err(format!("must be error, warn, info, debug or trace, or levels by part like info,sqlx=warn; not {text:?}"))
}

/// A name or address, with a port or without.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let host_is_one = if let Some(inside) = host.strip_prefix('[') {
        inside.strip_suffix(']').is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
    } else {
        !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    host_is_one && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}
