//! `chapar-relay`: the relay as a regional edge of its own. See `chapar-relay --help`.
#![forbid(unsafe_code)]

use std::{
    io::{self, IsTerminal},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chapar_signaling::credentials::{LEAST_SECRET, Secret};
use chapar_signaling::relay::{
    address::{Class, PeerPolicy},
    advert::{Advert, Wishes},
    certificate::{Certificate, LOOK},
    config::{CoreConfig, Limits, RelayedAddress},
    directory::is_name,
    rate::Rate,
    registry::{Part, Registry},
    secrets::Secrets,
    server::{Relay, RelayConfig},
    streams::StreamLimits,
};
use clap::Parser;
use ipnet::IpNet;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::rustls::ServerConfig;

/// STUN and TURN for Chapar's calls, over UDP, TCP and TLS.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Addresses for UDP; name each address of the machine that clients use.
    #[arg(long, env = "CHAPAR_RELAY_UDP", value_delimiter = ',', default_value = "0.0.0.0:3478")]
    udp: Vec<SocketAddr>,
    /// Addresses for TCP.
    #[arg(long, env = "CHAPAR_RELAY_TCP", value_delimiter = ',', default_value = "0.0.0.0:3478")]
    tcp: Vec<SocketAddr>,
    /// Addresses for TLS (5349, or 443).
    #[arg(long, env = "CHAPAR_RELAY_TLS", value_delimiter = ',', requires = "certificate")]
    tls: Vec<SocketAddr>,
    /// PEM file with the certificate chain. A renewed one is taken up within ten seconds, or at once on SIGHUP.
    #[arg(long, env = "CHAPAR_RELAY_CERTIFICATE", requires = "key")]
    certificate: Option<PathBuf>,
    /// PEM file with the private key.
    #[arg(long, env = "CHAPAR_RELAY_KEY")]
    key: Option<PathBuf>,
    /// Addresses to relay from, at most one per family; `bind/public` behind a one-to-one NAT.
    #[arg(long, env = "CHAPAR_RELAY_ADDRESS", value_delimiter = ',', required = true, value_parser = relayed)]
    address: Vec<RelayedAddress>,
    /// First relayed port.
    #[arg(long, env = "CHAPAR_RELAY_FIRST_PORT", default_value_t = 49_152)]
    first_port: u16,
    /// Last relayed port.
    #[arg(long, env = "CHAPAR_RELAY_LAST_PORT", default_value_t = 65_535)]
    last_port: u16,
    /// The realm, at most 24 bytes.
    #[arg(long, env = "CHAPAR_RELAY_REALM", default_value = "chapar")]
    realm: String,
    /// File with the secret of the TURN REST scheme, the one before it on a second line. With Redis it may be left out:
    /// then the relay takes the one that the nodes have made.
    #[arg(long, env = "CHAPAR_RELAY_SECRETS", required_unless_present = "redis_url")]
    secrets: Option<PathBuf>,
    /// Where the relay registers for the nodes to find it: redis://, redis+sentinel:// or redis+cluster://, as for
    /// `chapar`. A password is better put into the variable: everybody on the machine sees flags.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// Its name in the registry, in reports and metrics [default: the machine's].
    #[arg(long, env = "CHAPAR_RELAY_NAME", value_parser = name)]
    name: Option<String>,
    /// Where it stands, for people.
    #[arg(long, env = "CHAPAR_RELAY_REGION", default_value = "local")]
    region: String,
    /// The name or address at which clients reach it [default: the public relayed address]. The certificate's, for TLS.
    #[arg(long, env = "CHAPAR_RELAY_HOST")]
    host: Option<String>,
    /// Allocations at which it counts as full [default: its ports].
    #[arg(long, env = "CHAPAR_RELAY_CAPACITY")]
    capacity: Option<u64>,
    /// Threads; 0 takes one per core.
    #[arg(long, env = "CHAPAR_RELAY_SHARDS", default_value_t = 0)]
    shards: usize,
    /// Allocations of one user at one time.
    #[arg(long, env = "CHAPAR_RELAY_USER_QUOTA", default_value_t = 40)]
    user_quota: u32,
    /// Allocations from one address at one time.
    #[arg(long, env = "CHAPAR_RELAY_ADDRESS_QUOTA", default_value_t = 4_096)]
    address_quota: u32,
    /// Bytes a second of one user, both directions together.
    #[arg(long, env = "CHAPAR_RELAY_BANDWIDTH", default_value_t = 1_000_000)]
    bandwidth: u64,
    /// Replies a second to one address that has not proved who it is. A carrier's NAT has many people behind one.
    #[arg(long, env = "CHAPAR_RELAY_CHALLENGES", default_value_t = 200)]
    challenges: u64,
    /// Networks that are never relayed to: the operator's own.
    #[arg(long, env = "CHAPAR_RELAY_DENY", value_delimiter = ',')]
    deny: Vec<IpNet>,
    /// Networks that are relayed to whatever they are.
    #[arg(long, env = "CHAPAR_RELAY_ALLOW", value_delimiter = ',')]
    allow: Vec<IpNet>,
    /// Classes of addresses to open: loopback, private, carrier-nat and so on. For tests and closed networks.
    #[arg(long, env = "CHAPAR_RELAY_OPEN", value_delimiter = ',')]
    open: Vec<Class>,
    /// Where new clients are sent while this relay drains.
    #[arg(long, env = "CHAPAR_RELAY_ALTERNATE")]
    alternate: Option<SocketAddr>,
    /// How long running calls are waited for after SIGTERM, in seconds.
    #[arg(long, env = "CHAPAR_RELAY_DRAIN", default_value_t = 600)]
    drain: u64,
    /// Where Prometheus reads `/metrics`.
    #[arg(long, env = "CHAPAR_RELAY_METRICS")]
    metrics: Option<SocketAddr>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The codec logs every malformed packet as a warning, which would let strangers fill the log.
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info,stun_types=off,turn_types=off".to_owned());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    log.with_ansi(io::stderr().is_terminal()).init();
    let outcome =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().and_then(|runtime| runtime.block_on(run(cli)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chapar-relay: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // SIGHUP asks for a look at the certificate; a relay without one has nothing to do, and does not end.
    let _hangup = signal(SignalKind::hangup())?;
    let secrets = Arc::new(Secrets::new(match &cli.secrets {
        Some(path) => read_secrets(path)?,
        None => random_secret()?,
    }));
    let share_secret = cli.secrets.is_none().then(|| Arc::clone(&secrets));
    let (patience, metrics, redis) = (Duration::from_secs(cli.drain), cli.metrics, cli.redis_url.clone());
    let wishes = Wishes {
        name: cli.name.clone(),
        region: cli.region.clone(),
        host: cli.host.clone(),
        tls_host: cli.host.clone(),
        ..Wishes::default()
    };
    let capacity = cli.capacity.unwrap_or_else(|| u64::from(cli.last_port.saturating_sub(cli.first_port)) + 1);
    let (relayed, ports) = (cli.address.clone(), cli.first_port..=cli.last_port);
    let relay = Arc::new(Relay::start(config(cli)?, secrets).await?);
    let advert = Advert::new(&relay, (&relayed, &ports), capacity, &wishes);
    tracing::info!(name = advert.name(), udp = ?relay.udp, tcp = ?relay.tcp, tls = ?relay.tls, "relaying");
    if let Some(address) = metrics {
        let listener = TcpListener::bind(address).await?;
        tracing::info!(metrics = %listener.local_addr()?, "metrics");
        tokio::spawn(serve_metrics(listener, Arc::clone(&relay), advert.clone()));
    }
    let registry = match redis {
        Some(url) => Some(Registry::start(&url, part(&relay, advert, share_secret)).map_err(io::Error::other)?),
        None => None,
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // The nodes hear of it first, so that nobody is sent here to be refused.
    relay.announce_drain();
    if let Some(registry) = &registry {
        registry.renew().await;
    }
    relay.drain().await;
    let deadline = Instant::now() + patience;
    tracing::info!(allocations = relay.allocations(), "draining; a second signal ends at once");
    while relay.allocations() > 0 && Instant::now() < deadline {
        tokio::select! {
            () = sleep(Duration::from_millis(200)) => {}
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    if let Some(registry) = registry {
        registry.leave().await;
    }
    Ok(())
}

fn part(relay: &Arc<Relay>, advert: Advert, share_secret: Option<Arc<Secrets>>) -> Part {
    let told = Arc::clone(relay);
    let entry = Box::new(move || advert.now(&told));
    Part { relay: Some(Arc::clone(relay)), entry: Some(entry), share_secret, reads: false }
}

fn read_secrets(path: &Path) -> io::Result<Secret> {
    let text = std::fs::read_to_string(path).map_err(|error| about(path, &error))?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (current, previous, more) = (lines.next(), lines.next(), lines.next());
    let secret = current.and_then(|current| Secret::new(current, previous.map(Into::into)));
    match (secret, more) {
        (Some(secret), None) => Ok(secret),
        (_, Some(_)) => Err(about(path, &"holds more than two secrets")),
        (None, None) => Err(about(path, &format!("holds no secret of at least {LEAST_SECRET} characters"))),
    }
}

/// Until Redis says which one the nodes use.
fn random_secret() -> io::Result<Secret> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no randomness"))?;
    let text = URL_SAFE_NO_PAD.encode(bytes);
    Secret::new(text, None).ok_or_else(|| io::Error::other("no randomness"))
}

fn config(cli: Cli) -> io::Result<RelayConfig> {
    let mut nonce_key = [0; 32];
    SystemRandom::new().fill(&mut nonce_key).map_err(|_| io::Error::other("no randomness"))?;
    let ports = cli.first_port..=cli.last_port;
    let own = cli.address.iter().flat_map(|at| [(at.bind, ports.clone()), (at.public, ports.clone())]).collect();
    let tls_config = match (cli.certificate, cli.key) {
        (Some(certificate), Some(key)) => Some(tls(certificate, key)?),
        _ => None,
    };
    let limits = Limits {
        allocations_per_user: cli.user_quota,
        allocations_per_address: cli.address_quota,
        bandwidth: Rate::with_burst_seconds(cli.bandwidth, 2),
        challenges: Rate::with_burst_seconds(cli.challenges, 5),
        ..Limits::default()
    };
    Ok(RelayConfig {
        core: CoreConfig {
            realm: cli.realm,
            relayed: cli.address,
            ports,
            policy: PeerPolicy { open: cli.open, allow: cli.allow, deny: cli.deny, own },
            limits,
            nonce_key,
            alternate: cli.alternate,
        },
        udp: cli.udp,
        tcp: cli.tcp,
        tls: cli.tls,
        tls_config,
        shards: cli.shards,
        streams: StreamLimits::default(),
    })
}

fn tls(chain: PathBuf, key: PathBuf) -> io::Result<Arc<ServerConfig>> {
    // RFC 7443; a client that offers no protocol is served as well.
    let config =
        Certificate::watched(chain, key, LOOK).and_then(|it| it.config(&[b"stun.turn", b"stun.nat-discovery"]));
    config.map(Arc::new).map_err(io::Error::other)
}

fn relayed(text: &str) -> Result<RelayedAddress, String> {
    let parse = |text: &str| text.parse::<IpAddr>().map_err(|error| format!("{text}: {error}"));
    let (bind, public) = text.split_once('/').unwrap_or((text, text));
    Ok(RelayedAddress { bind: parse(bind)?, public: parse(public)? })
}

fn name(text: &str) -> Result<String, String> {
    if is_name(text) { Ok(text.to_owned()) } else { Err("1 to 64 letters, digits, dashes, dots, colons".to_owned()) }
}

fn about(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// As much HTTP as Prometheus needs.
async fn serve_metrics(listener: TcpListener, relay: Arc<Relay>, advert: Advert) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(timeout(Duration::from_secs(5), answer(stream, &relay, &advert)).await),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn answer(mut stream: TcpStream, relay: &Relay, advert: &Advert) -> io::Result<()> {
    let mut request = [0; 2_048];
    let mut length = 0;
    while length < request.len() && !request[..length].windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut request[length..]).await? {
            0 => return Ok(()),
            read => length += read,
        }
    }
    let (status, body) = if request.starts_with(b"GET /metrics ") {
        ("200 OK", relay.metrics(&advert.now(relay)) + "# EOF\n")
    } else {
        ("404 Not Found", String::new())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/openmetrics-text; version=1.0.0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
