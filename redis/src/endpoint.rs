//! Where Redis is: reading the URL, and asking who the masters are.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo,
    RedisError, RedisResult,
};

use crate::layout::{self, Layout};

/// A connection that is not there after this time is given up.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// A request that is not answered after this time means that the connection is dead.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A URL that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// The scheme is none of those that [`Endpoint::parse`] documents.
    #[error(
        "the scheme of a Redis URL is redis, rediss, redis+unix, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster"
    )]
    Scheme,
    /// A Sentinel URL ends with the name of the service: `redis+sentinel://host:26379/name`.
    #[error("a Sentinel URL names its service after the hosts: redis+sentinel://host:26379/name")]
    Service,
    /// Host, port, database or options cannot be read.
    #[error("the Redis URL cannot be read: {0}")]
    Url(#[from] RedisError),
}

/// Where to find Redis.
#[derive(Debug, Clone)]
pub struct Endpoint {
    kind: Kind,
    /// User, password and database of the Redis servers themselves.
    settings: RedisConnectionInfo,
}

#[derive(Debug, Clone)]
enum Kind {
    Single(ConnectionAddr),
    Sentinel { sentinels: Vec<ConnectionAddr>, service: String, settings: RedisConnectionInfo },
    Cluster { seeds: Vec<ConnectionAddr> },
}

impl Endpoint {
    /// Reads `redis[s]://…`, `redis+unix://…`, `redis[s]+sentinel://…/service[/db]` or `redis[s]+cluster://…`; the last two name several
    /// hosts with commas between them. Sentinels have credentials of their own in `?sentinel_username=…&sentinel_password=…`.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let (plain, kind) = match scheme.split_once('+') {
            None => (scheme, ""),
            Some((plain, kind)) => (plain, kind),
        };
        match (plain, kind) {
            ("redis" | "rediss", "") | ("redis", "unix") => {
                let info = url.into_connection_info()?;
                Ok(Self { kind: Kind::Single(info.addr().clone()), settings: resp3(info.redis_settings().clone()) })
            }
            ("redis" | "rediss", "cluster") => {
                let many = Many::parse(plain, rest, 6379)?;
                Ok(Self { kind: Kind::Cluster { seeds: many.addresses }, settings: many.settings })
            }
            ("redis" | "rediss", "sentinel") => {
                let mut many = Many::parse(plain, rest, 26379)?;
                let (service, database) = many.path.split_once('/').unwrap_or((many.path, "0"));
                if service.is_empty() {
                    return Err(UrlError::Service);
                }
                let info = format!("redis://host/{database}").into_connection_info()?;
                many.settings = many.settings.set_db(info.redis_settings().db());
                let kind = Kind::Sentinel {
                    sentinels: many.addresses,
                    service: service.to_owned(),
                    settings: many.sentinel_settings,
                };
                Ok(Self { kind, settings: many.settings })
            }
            _ => Err(UrlError::Scheme),
        }
    }

    /// Asks who the masters are now. A single Redis is not asked.
    ///
    /// `known` are masters of an earlier answer: in a cluster they can be asked when the seeds are gone.
    pub async fn discover(&self, known: &[ConnectionAddr]) -> RedisResult<Layout> {
        match &self.kind {
            Kind::Single(address) => Ok(Layout::single(address.clone())),
            Kind::Sentinel { sentinels, service, settings } => {
                first_answer(sentinels, |sentinel| async {
                    let mut connection =
                        connect(sentinel.clone(), settings.clone(), AsyncConnectionConfig::new()).await?;
                    let mut question = redis::cmd("SENTINEL");
                    question.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
                    let (host, port): (String, u16) = question.query_async(&mut connection).await?;
                    layout::at(sentinel, &host, port).map(Layout::single).ok_or_else(odd_reply)
                })
                .await
            }
            Kind::Cluster { seeds } => {
                let asked: Vec<_> = known.iter().chain(seeds).cloned().collect();
                first_answer(&asked, |seed| async {
                    let mut connection = self.connect(seed.clone(), AsyncConnectionConfig::new()).await?;
                    ask_slots(&mut connection, seed).await
                })
                .await
            }
        }
    }

    /// What a living connection to `address` says about the masters: `Ok(None)` when it has nothing to say against
    /// the present layout.
    pub async fn ask(
        &self,
        connection: &mut MultiplexedConnection,
        address: &ConnectionAddr,
    ) -> RedisResult<Option<Layout>> {
        match &self.kind {
            Kind::Single(_) => Ok(None),
            Kind::Sentinel { .. } => self.discover(&[]).await.map(Some),
            Kind::Cluster { .. } => ask_slots(connection, address).await.map(Some),
        }
    }

    /// Connects to one server, and with Sentinel makes sure that it is a master.
    pub async fn connect(
        &self,
        address: ConnectionAddr,
        config: AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let mut connection = connect(address, self.settings.clone(), config).await?;
        if matches!(self.kind, Kind::Sentinel { .. }) {
            self.check_role(&mut connection).await?;
        }
        Ok(connection)
    }

    /// Finds the master that holds a slot now, and connects to it.
    pub async fn connect_to(&self, slot: u16) -> RedisResult<MultiplexedConnection> {
        let layout = self.discover(&[]).await?;
        let master = layout.master_of(slot).cloned();
        let nobody = || RedisError::from((redis::ErrorKind::Io, "nobody owns the slot of the key"));
        self.connect(master.ok_or_else(nobody)?, AsyncConnectionConfig::new()).await
    }

    /// With Sentinel: an error when the server is no longer the master. What a replica is told stays on it.
    pub async fn check_role(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(connection).await?;
        match role.first() {
            Some(redis::Value::BulkString(role)) if role == b"master" => Ok(()),
            _ => Err(RedisError::from((redis::ErrorKind::Io, "this Redis is not the master"))),
        }
    }

    /// Whether Sentinels say who the master is.
    pub fn is_sentinel(&self) -> bool {
        matches!(self.kind, Kind::Sentinel { .. })
    }
}

/// `user:password@h1:p1,h2:p2/path?sentinel_username=…&sentinel_password=…`, taken apart.
struct Many<'a> {
    addresses: Vec<ConnectionAddr>,
    settings: RedisConnectionInfo,
    sentinel_settings: RedisConnectionInfo,
    path: &'a str,
}

impl<'a> Many<'a> {
    fn parse(scheme: &str, rest: &'a str, default_port: u16) -> Result<Self, UrlError> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (credentials, rest) = rest.rsplit_once('@').map_or(("", rest), |(credentials, rest)| (credentials, rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let option = |name: &str| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|pair| pair.0 == name)
                .map_or("", |pair| pair.1)
        };
        // The single-host form of each is read by the Redis crate, which also undoes the percent-encoding.
        let read = |host: &str, credentials: &str| format!("{scheme}://{credentials}@{host}").into_connection_info();
        let mut addresses = Vec::new();
        for host in hosts.split(',') {
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
            let host = if has_port { host.to_owned() } else { format!("{host}:{default_port}") };
            addresses.push(read(&host, "")?.addr().clone());
        }
        let sentinel = format!("{}:{}", option("sentinel_username"), option("sentinel_password"));
        let sentinel = if sentinel == ":" { "" } else { &sentinel };
        Ok(Self {
            addresses,
            settings: resp3(read("host", credentials)?.redis_settings().clone()),
            sentinel_settings: read("host", sentinel)?.redis_settings().clone(),
            path,
        })
    }
}

/// Pushed messages and replies share a connection only in RESP3.
fn resp3(settings: RedisConnectionInfo) -> RedisConnectionInfo {
    settings.set_protocol(ProtocolVersion::RESP3)
}

async fn connect(
    address: ConnectionAddr,
    settings: RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    // Small requests follow each other closely: each would wait for the acknowledgement of the one before (Nagle).
    let tcp = TcpSettings::default().set_nodelay(true);
    let info = address.into_connection_info()?.set_redis_settings(settings).set_tcp_settings(tcp);
    let config = config.set_connection_timeout(Some(CONNECT_WITHIN)).set_response_timeout(Some(ANSWER_WITHIN));
    Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await
}

async fn ask_slots(connection: &mut MultiplexedConnection, asked: &ConnectionAddr) -> RedisResult<Layout> {
    let reply: redis::Value = redis::cmd("CLUSTER").arg("SLOTS").query_async(connection).await?;
    Layout::of_cluster(&reply, asked).ok_or_else(odd_reply)
}

/// Asks all at once, so that a silent one costs no time, and takes the first that knows.
async fn first_answer<'a, F>(asked: &'a [ConnectionAddr], ask: impl Fn(&'a ConnectionAddr) -> F) -> RedisResult<Layout>
where
    F: Future<Output = RedisResult<Layout>>,
{
    let asking = asked.iter().map(|address| Box::pin(ask(address)));
    futures_util::future::select_ok(asking).await.map(|(layout, _)| layout)
}

fn odd_reply() -> RedisError {
    RedisError::from((redis::ErrorKind::UnexpectedReturnType, "a reply about the masters has another shape"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> ConnectionAddr {
        ConnectionAddr::Tcp(host.into(), port)
    }

    #[test]
    fn a_single_redis_is_read() {
        let endpoint = Endpoint::parse("redis://:secret@example:7/2").unwrap();
        assert!(matches!(endpoint.kind, Kind::Single(address) if address == tcp("example", 7)));
        assert_eq!((endpoint.settings.password(), endpoint.settings.db()), (Some("secret"), 2));
        assert!(Endpoint::parse("redis+unix:///run/redis.sock").is_ok());
        assert!(Endpoint::parse("rediss://example").is_ok());
    }

    #[test]
    fn a_cluster_is_read_with_its_credentials() {
        let endpoint = Endpoint::parse("redis+cluster://me:p%40ss@a:1,b,[::1]:3").unwrap();
        assert_eq!((endpoint.settings.username(), endpoint.settings.password()), (Some("me"), Some("p@ss")));
        let Kind::Cluster { seeds } = endpoint.kind else { panic!("a cluster") };
        assert_eq!(seeds, [tcp("a", 1), tcp("b", 6379), tcp("::1", 3)]);
    }

    #[test]
    fn a_sentinel_trio_is_read_with_both_passwords() {
        let url = "redis+sentinel://:inner@a,b:2/main/3?sentinel_password=outer";
        let endpoint = Endpoint::parse(url).unwrap();
        assert_eq!((endpoint.settings.password(), endpoint.settings.db()), (Some("inner"), 3));
        let Kind::Sentinel { sentinels, service, settings } = endpoint.kind else { panic!("sentinels") };
        assert_eq!((sentinels, service.as_str()), (vec![tcp("a", 26379), tcp("b", 2)], "main"));
        assert_eq!(settings.password(), Some("outer"));
    }

    #[test]
    fn what_is_no_redis_url_is_refused() {
        for url in [
            "",
            "redis",
            "http://a",
            "redis+magic://a",
            "redis://",
            "redis://a/x",
            "redis+cluster://",
            "redis+sentinel://a",
            "redis+sentinel://a/s/x",
            "redis+cluster://a:b",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
