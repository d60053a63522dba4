//! The main job: set up, serve, drain, stop.

mod stopping;
mod tasks;

use std::{
    error::Error,
    path::PathBuf,
    pin::pin,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use chapar_protocol::Epoch;
use chapar_signaling::sdp::{CandidatePolicy, address::Network};
use ipnet::IpNet;
use sqlx::postgres::PgConnectOptions;
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    app::{Answering, App},
    bus::Bus,
    call_report,
    calls::{CallRules, CallStore, Calls, Clock, MemoryCalls, Parts, RedisCalls, quality::CallQualities},
    commands,
    committer::{self, Committer},
    counters::Counters,
    embedded_postgres::EmbeddedPostgres,
    expiring,
    fanout::Fanout,
    file_uses,
    files::{self, Files},
    health::{DiskWatch, Health},
    http, jobs,
    joining::Joining,
    limits::Limits,
    listener::{self, Places},
    lists::Lists,
    metrics::Metrics,
    passwords::Passwords,
    polls,
    previews::{Networks, Previews},
    readers::{self, Readers},
    relays::Relays,
    resumes::Resumes,
    scheduled,
    settings::{RelayListen, Secret, Settings},
    shares,
    store::{self, Shares, Store},
    strangers::Strangers,
    threads, tls,
};

use stopping::{Stopped, drain, step};
use tasks::Tasks;

/// What ends the server with a sentence.
pub type Failure = Box<dyn Error + Send + Sync>;

const COMMITTER: &str = "the committer";
const RECORDER: &str = "the recorder of calls";
/// How long a database may take to answer at start-up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Parcels from other nodes that may wait here.
const BUS_QUEUE: usize = 16_384;
/// How often the epoch is read again.
const EPOCH_LOOK: Duration = Duration::from_secs(5);
/// How often the names and regions of the relays are read again, for the reports of calls.
const RELAYS_LOOK: Duration = Duration::from_secs(5);

/// The database that the settings name: one elsewhere, or the private one, which lives as long as what is returned.
///
/// # Errors
/// A sentence for the operator.
pub async fn open_store(settings: &Settings) -> Result<(Store, Option<EmbeddedPostgres>), Failure> {
    if let Some(options) = elsewhere(settings)? {
        return Ok((connect(options, settings).await?, None));
    }
    let private = EmbeddedPostgres::start(&settings.data_dir, settings.pg_bin.as_deref()).await?;
    Ok((connect(private.connect_options(), settings).await?, Some(private)))
}

/// The same for a command beside the node: where a node runs the private database now, that one is used.
///
/// # Errors
/// A sentence for the operator.
pub async fn join_store(settings: &Settings) -> Result<(Store, Option<EmbeddedPostgres>), Failure> {
    if elsewhere(settings)?.is_none()
        && let Some(options) = EmbeddedPostgres::attach(&settings.data_dir).await?
    {
        return Ok((connect(options, settings).await?, None));
    }
    open_store(settings).await
}

fn elsewhere(settings: &Settings) -> Result<Option<PgConnectOptions>, Failure> {
    settings.database_url.as_ref().map(|url| read_url("DATABASE_URL", url)).transpose()
}

fn read_url(name: &str, url: &Secret) -> Result<PgConnectOptions, Failure> {
    // What the parser says may repeat the URL, with its password.
    Ok(url.expose().parse().map_err(|_| {
        format!(
            "{name} cannot be read: it looks like postgres://user:password@host:5432/database, with special characters \
             of the password percent-encoded."
        )
    })?)
}

async fn connect(chats: PgConnectOptions, settings: &Settings) -> Result<Store, Failure> {
    let people = match &settings.people_database_url {
        Some(url) => read_url("PEOPLE_DATABASE_URL", url)?,
        None => chats.clone(),
    };
    let workers = u32::try_from(settings.commit_workers).unwrap_or(u32::MAX);
    let store =
        Store::connect(store::Places { chats, people }, Shares::of(settings.database_connections, workers), PATIENCE)
            .await
            .map_err(|error| format!("{error}. Is DATABASE_URL right, and Postgres running?"))?;
    store.migrate().await?;
    Ok(store)
}

/// How long a starting node waits for Redis to tell whether there are other nodes.
const JOIN_PATIENCE: Duration = Duration::from_secs(1);

/// Connections that `metrics-listen` takes at once.
const METRICS_CONNECTIONS: usize = 16;

/// Runs the node until a signal ends it.
///
/// # Errors
/// What keeps it from starting, or made it end: a sentence for the operator.
#[expect(clippy::too_many_lines, reason = "the order in which things begin and end, in one place")]
pub async fn run(settings: Settings) -> Result<(), Failure> {
    let began = Instant::now();
    // Bound first: a port that is taken is said before anything is set up.
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}. Choose another with --listen.", settings.listen))?;
    let tls = match (&settings.tls_cert, &settings.tls_key) {
        (Some(cert), Some(key)) => {
            Some(tls::acceptor(PathBuf::from(cert), PathBuf::from(key), settings.relay.listen != RelayListen::Off)?)
        }
        _ => None,
    };
    let for_metrics =
        match settings.metrics_listen {
            Some(address) => Some(TcpListener::bind(address).await.map_err(|error| {
                format!("cannot listen on {address}: {error}. Choose another with --metrics-listen.")
            })?),
            None => None,
        };
    let (store, mut private) = open_store(&settings).await?;

    let (relays, relay_tasks) = Relays::start(&settings, listener.local_addr()?, tls.as_ref()).await?;
    let (metrics, registry) = Metrics::new();
    let node = rand::random();
    let (bus_events, from_bus) = mpsc::channel(BUS_QUEUE);
    let mut bus = Bus::start(settings.redis_url.as_ref().map(Secret::expose), node, bus_events)?;
    let mut tasks = Tasks::default();
    for task in relay_tasks {
        tasks.watch("the watch over relays", task);
    }
    for task in bus.take_tasks() {
        tasks.watch("the bus", task);
    }
    let fanout = Fanout::new(bus, store.upkeep(), metrics.clone(), node);
    tasks.spawn("the upkeep", fanout.clone().run(from_bus));
    let disk = DiskWatch::default();
    let lists = Lists::new(store.clone(), fanout.clone());
    tasks.spawn("the follower of the feed", lists.clone().follow());
    tasks.spawn("the follower of uses of files", file_uses::follow(store.upkeep()));
    let counters = Arc::<Counters>::default();
    let parts = committer::Parts {
        counters: counters.clone(),
        chats: store.chats.clone(),
        lists: lists.clone(),
        fanout: fanout.clone(),
        metrics: metrics.clone(),
        disk: disk.clone(),
    };
    let (committer, workers) = Committer::start(settings.commit_workers, &parts);
    for worker in workers {
        tasks.spawn(COMMITTER, worker);
    }
    let parts = readers::Parts { store: store.clone(), fanout: fanout.clone(), counters: counters.clone() };
    let (readers, running) = Readers::start(&parts, lists.clone());
    for run in running {
        tasks.spawn("the way of readers", run);
    }
    let call_quality = CallQualities::new(store.upkeep(), metrics.clone());
    tasks.spawn("the writer of call quality", call_quality.clone().keep_writing());
    tasks.spawn("the summing up of calls", call_report::keep_summing_up(store.upkeep()));
    let committer = Arc::new(committer);
    let files =
        Files::open(&settings.files, &settings.data_dir, store.clone(), metrics.clone(), files::PREPARING).await?;
    tasks.spawn("the watch over uploads", files.clone().keep_sweeping());
    let others = files.jobs().into();
    let parts =
        jobs::Parts { others, store: store.upkeep(), committer: committer.clone(), lists, metrics: metrics.clone() };
    tasks.spawn("the runner of jobs", jobs::run(parts));
    let count = committer.clone();
    let counting = counters.run(move |chat| count.clone().count(chat), store.upkeep());
    tasks.spawn("the counters of channels", counting);
    tasks.spawn("the carrier of posts", threads::follow(store.upkeep(), committer.clone()));
    tasks.spawn("the closing of polls", polls::keep_closing(store.upkeep(), committer.clone()));
    tasks.spawn("the end of messages", expiring::keep_deleting(store.upkeep(), committer.clone()));
    let shared_calls = match &settings.redis_url {
        Some(url) => {
            let (calls, pipe) = RedisCalls::start(url.expose())?;
            tasks.watch("the way of calls to Redis", pipe);
            CallStore::Redis(calls)
        }
        None => CallStore::Memory(MemoryCalls::default()),
    };
    let (calls, [timers, recorder, keeper, reach]) = Calls::start(Parts {
        calls: shared_calls,
        store: store.clone(),
        committer: committer.clone(),
        fanout: fanout.clone(),
        relays: Some(relays.clone()),
        metrics: metrics.clone(),
        clock: Clock::default(),
        quality: call_quality.clone(),
        rules: call_rules(&settings, &relays),
    });
    let stop_timers = timers.abort_handle();
    tasks.watch("the timers of calls", timers);
    tasks.watch(RECORDER, recorder);
    tasks.watch("the keeper of unfinished calls", keeper);
    tasks.watch("the lookup of who may call", reach);
    let app = Arc::new(App {
        limits: Limits::new(settings.messages_per_second, settings.calls_per_minute),
        strangers: Strangers::new(settings.max_connections_per_address.max(100)),
        passwords: Passwords::new(settings.hash_concurrency, settings.hash_queue, metrics.hashing.clone()),
        resumes: Resumes::new(&store),
        joining: Joining::new(&store),
        accounts: shares::Shares::new(commands::OF_ACCOUNT),
        previews: settings.link_previews.then(|| Previews::new(preview_networks(&settings))),
        previewers: shares::Shares::new(1),
        previewed: shares::Shares::new(1),
        health: Health::new(disk),
        draining: AtomicBool::new(false),
        store,
        files,
        committer,
        readers,
        call_quality,
        calls,
        fanout,
        relays,
        metrics,
        settings,
        answering: Answering::default(),
    });
    let places = Places::new(
        app.settings.max_connections,
        app.settings.max_connections_per_address,
        app.settings.trusted_proxies.clone(),
    );
    tasks.spawn("the sender of scheduled messages", scheduled::run(app.clone()));
    // Until then another node may take itself for alone, and tell the clients of this one nothing.
    app.fanout.joined(JOIN_PATIENCE).await;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = listener.local_addr()?;
    let registry = Arc::new(registry);
    if let Some(listener) = for_metrics {
        let router = http::metrics(app.clone(), registry.clone());
        let places = Places::new(METRICS_CONNECTIONS, METRICS_CONNECTIONS, Vec::new());
        tracing::info!(address = %listener.local_addr()?, "metrics");
        tasks.spawn("the listener of metrics", listener::accept(listener, router, None, places, None));
    }
    let accepting =
        tokio::spawn(listener::accept(listener, http::router(app.clone(), registry), tls, places, app.relays.own()));
    let stop_accepting = accepting.abort_handle();
    tasks.watch("the listener", accepting);
    tasks.spawn("the housekeeping", keep_house(app.clone()));
    // Before anybody is told that the node is there: from then on it ends in order.
    let stopped = Stopped::listen()?;
    println!("chapar: listening on {scheme}://{address}");
    tracing::info!(%address, started_ms = began.elapsed().as_millis(), "ready");

    let fault = tokio::select! {
        stopped = until_stopped(stopped, &app.settings, &mut private) => stopped.err(),
        ended = tasks.first_to_end() => {
            tracing::error!("{ended}");
            // Nothing is saved by going slowly: others notice as they notice a node that was killed.
            if let Some(private) = private {
                private.stop().await;
            }
            return Err(ended.into());
        }
    };
    stop_accepting.abort();
    if fault.is_none() {
        drain(&app).await;
    }
    stop_timers.abort();
    step("closing the calls", app.calls.close()).await;
    tasks.wait_for(RECORDER, Duration::from_secs(5)).await;
    app.committer.close();
    tasks.wait_for(COMMITTER, Duration::from_secs(10)).await;
    app.fanout.goodbye().await;
    tasks.abort_all();
    step("writing the quality of calls", app.call_quality.write_all()).await;
    step("closing the database's connections", app.store.close()).await;
    if let Some(private) = private {
        private.stop().await;
    }
    fault.map_or(Ok(()), Err)
}

fn preview_networks(settings: &Settings) -> Networks {
    Networks { allowed: settings.link_preview_networks.clone(), ports: settings.link_preview_ports.clone() }
}

fn call_rules(settings: &Settings, relays: &Relays) -> CallRules {
    let network = |it: &IpNet| Network { address: it.addr(), prefix: it.prefix_len() };
    let candidates = CandidatePolicy {
        forbidden: settings.call_forbidden_networks.iter().map(network).collect(),
        allow_loopback: settings.call_loopback,
        relays: relays.places(),
        ..CandidatePolicy::default()
    };
    CallRules::new(settings.call_rating_percent, candidates)
}

/// Until a signal. A private Postgres that ends by itself is started again; meanwhile what is sent waits.
async fn until_stopped(
    mut stopped: Stopped,
    settings: &Settings,
    private: &mut Option<EmbeddedPostgres>,
) -> Result<(), Failure> {
    let mut stopped = pin!(stopped.signal());
    loop {
        let Some(postgres) = private else {
            stopped.await;
            return Ok(());
        };
        let reason = tokio::select! {
            () = &mut stopped => return Ok(()),
            reason = postgres.died() => reason,
        };
        tracing::error!(%reason, "starting it again");
        // Given up first: it holds the lock on the data directory.
        if let Some(dead) = private.take() {
            dead.stop().await;
        }
        *private = Some(EmbeddedPostgres::start(&settings.data_dir, settings.pg_bin.as_deref()).await?);
    }
}

async fn keep_house(app: Arc<App>) {
    let mut limits = tokio::time::interval(Duration::from_mins(1));
    let mut look = tokio::time::interval(EPOCH_LOOK);
    let mut relays = tokio::time::interval(RELAYS_LOOK);
    let mut epochs: Vec<Epoch> = Vec::new();
    loop {
        tokio::select! {
            _ = limits.tick() => {
                app.limits.forget_idle();
                app.strangers.forget_idle();
            }
            _ = relays.tick() => app.call_quality.know_relays(app.relays.list()),
            _ = look.tick() => match app.store.upkeep().epochs().await {
                Ok(now) => {
                    let before = std::mem::replace(&mut epochs, now);
                    let another = |it: &&Epoch| before.iter().any(|old| old.0 == it.0 && old.1 != it.1);
                    for Epoch(database, _) in epochs.iter().filter(another) {
                        tracing::warn!(database, "the epoch has changed: every client resumes");
                        app.fanout.begin_epoch(database);
                    }
                }
                Err(error) => tracing::warn!(%error, "the epoch cannot be read now"),
            },
        }
    }
}
