//! One connection to the Redis that holds the registry: a single server, the master that Sentinels name, or the master
//! of the registry's slot in a cluster (all its keys share one slot).

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo as _, RedisConnectionInfo, RedisError,
    RedisResult, aio::MultiplexedConnection,
};

const CONNECT_WITHIN: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How many servers of a cluster may point to another before it is given up: a slot moves once, not in circles.
const MOST_MOVES: usize = 4;

/// A URL that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// The scheme is none of those known.
    #[error("a Redis URL begins with redis, rediss, redis+unix, redis+sentinel or redis+cluster")]
    Scheme,
    /// A Sentinel URL ends with the name of its service.
    #[error("a Sentinel URL names its service after the hosts: redis+sentinel://host:26379/name")]
    Service,
    /// Host, port, database or credentials cannot be read.
    #[error("the Redis URL cannot be read: {0}")]
    Url(#[from] RedisError),
}

/// Where Redis is.
#[derive(Clone)]
pub(super) struct Place {
    kind: Kind,
    settings: RedisConnectionInfo,
}

#[derive(Clone)]
enum Kind {
    Single(ConnectionAddr),
    Sentinel { sentinels: Vec<ConnectionAddr>, service: String, settings: RedisConnectionInfo },
    Cluster(Vec<ConnectionAddr>),
}

impl Place {
    /// Reads `redis[s]://…`, `redis+unix://…`, `redis[s]+sentinel://…/service[/db]` or `redis[s]+cluster://…`.
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let (plain, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        match (plain, kind) {
            ("redis" | "rediss", "") | ("redis", "unix") => {
                let info = url.into_connection_info()?;
                Ok(Self { kind: Kind::Single(info.addr().clone()), settings: info.redis_settings().clone() })
            }
            ("redis" | "rediss", "cluster") => {
                let (credentials, hosts, _, _) = parts(rest);
                let kind = Kind::Cluster(addresses(plain, hosts, 6379)?);
                Ok(Self { kind, settings: settings(credentials, "0")? })
            }
            ("redis" | "rediss", "sentinel") => {
                let (credentials, hosts, path, query) = parts(rest);
                let (service, database) = path.split_once('/').unwrap_or((path, "0"));
                if service.is_empty() {
                    return Err(UrlError::Service);
                }
                let option = |name: &str| {
                    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                    pairs.clone().find(|pair| pair.0 == name).map_or("", |pair| pair.1)
                };
                let outer = format!("{}:{}", option("sentinel_username"), option("sentinel_password"));
                let kind = Kind::Sentinel {
                    sentinels: addresses(plain, hosts, 26379)?,
                    service: service.to_owned(),
                    settings: settings(if outer == ":" { "" } else { &outer }, "0")?,
                };
                Ok(Self { kind, settings: settings(credentials, database)? })
            }
            _ => Err(UrlError::Scheme),
        }
    }

    /// Connects to the server that holds `key` now.
    pub(super) async fn connect(&self, key: &str) -> RedisResult<MultiplexedConnection> {
        match &self.kind {
            Kind::Single(address) => connect(address, &self.settings).await,
            Kind::Sentinel { sentinels, service, settings } => {
                let mut last = no_answer();
                for sentinel in sentinels {
                    match self.through(sentinel, service, settings).await {
                        Ok(connection) => return Ok(connection),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Kind::Cluster(seeds) => {
                let mut last = no_answer();
                for seed in seeds {
                    match self.follow(seed.clone(), key).await {
                        Ok(connection) => return Ok(connection),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    async fn through(
        &self,
        sentinel: &ConnectionAddr,
        service: &str,
        settings: &RedisConnectionInfo,
    ) -> RedisResult<MultiplexedConnection> {
        let mut asked = connect(sentinel, settings).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
        let (host, port): (String, u16) = question.query_async(&mut asked).await?;
        let master = beside(sentinel, &host, port).ok_or_else(no_answer)?;
        let mut connection = connect(&master, &self.settings).await?;
        // What a replica is told stays on it.
        let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut connection).await?;
        match role.first() {
            Some(redis::Value::BulkString(role)) if role == b"master" => Ok(connection),
            _ => Err(RedisError::from((ErrorKind::Io, "this Redis is not the master"))),
        }
    }

    async fn follow(&self, mut address: ConnectionAddr, key: &str) -> RedisResult<MultiplexedConnection> {
        for _ in 0..MOST_MOVES {
            let mut connection = connect(&address, &self.settings).await?;
            // A write that does nothing: a read might be answered by a replica.
            let answer: RedisResult<()> = redis::cmd("DEL").arg(key).query_async(&mut connection).await;
            let Err(error) = answer else { return Ok(connection) };
            let Some((moved, _)) = error.redirect_node() else { return Err(error) };
            let (host, port) = moved.rsplit_once(':').ok_or_else(no_answer)?;
            address = port.parse().ok().and_then(|port| beside(&address, host, port)).ok_or_else(no_answer)?;
        }
        Err(no_answer())
    }
}

/// Credentials, hosts, path and query.
fn parts(rest: &str) -> (&str, &str, &str, &str) {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (credentials, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    (credentials, hosts, path, query)
}

/// The Redis crate reads each host, and undoes the percent-encoding of credentials.
fn addresses(scheme: &str, hosts: &str, port: u16) -> Result<Vec<ConnectionAddr>, UrlError> {
    let read = |host: &str| {
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let url = if has_port { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") };
        Ok(url.into_connection_info()?.addr().clone())
    };
    hosts.split(',').map(read).collect()
}

fn settings(credentials: &str, database: &str) -> Result<RedisConnectionInfo, UrlError> {
    Ok(format!("redis://{credentials}@host/{database}").into_connection_info()?.redis_settings().clone())
}

async fn connect(address: &ConnectionAddr, settings: &RedisConnectionInfo) -> RedisResult<MultiplexedConnection> {
    let info = address.clone().into_connection_info()?.set_redis_settings(settings.clone());
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(Some(ANSWER_WITHIN));
    Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await
}

/// The same way of connecting (plain or TLS) to another host and port; an empty host keeps the host.
fn beside(asked: &ConnectionAddr, host: &str, port: u16) -> Option<ConnectionAddr> {
    let named = |asked: &str| if host.is_empty() || host == "?" { asked.to_owned() } else { host.to_owned() };
    match asked {
        ConnectionAddr::Tcp(asked, _) => Some(ConnectionAddr::Tcp(named(asked), port)),
        ConnectionAddr::TcpTls { host: asked, insecure, tls_params, .. } => Some(ConnectionAddr::TcpTls {
            host: named(asked),
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        }),
        _ => None,
    }
}

fn no_answer() -> RedisError {
    RedisError::from((ErrorKind::Io, "nobody says where the registry is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_url_is_read() {
        for url in [
            "redis://:secret@example:7/2",
            "rediss://example",
            "redis+unix:///run/redis.sock",
            "redis+cluster://me:p%40ss@a:1,b,[::1]:3",
            "redis+sentinel://:inner@a,b:2/main/3?sentinel_password=outer",
        ] {
            assert!(Place::parse(url).is_ok(), "{url}");
        }
        let place = Place::parse("redis+sentinel://:inner@a,b:2/main/3?sentinel_password=outer").expect("reads");
        assert_eq!((place.settings.password(), place.settings.db()), (Some("inner"), 3));
        let Kind::Sentinel { sentinels, service, settings } = place.kind else { panic!("sentinels") };
        assert_eq!((sentinels.len(), service.as_str(), settings.password()), (2, "main", Some("outer")));
        for url in ["", "redis", "http://a", "redis+sentinel://a", "redis+cluster://a:b"] {
            assert!(Place::parse(url).is_err(), "{url}");
        }
    }
}
