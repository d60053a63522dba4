//! The embedded default: a private, real Postgres in the data directory, supervised by this process.
//!
//! ```text
//! <data>/chapar.lock     held (flock) by the one `chapar` that owns the directory
//! <data>/postgres.lock   held (flock, inherited as standard input) by every process of the cluster
//! <data>/pg              the cluster; <data>/pg.init while initdb is at work
//! <data>/run             the Unix socket, mode 0700; no TCP port is ever opened
//! ```
//!
//! The two locks make `kill -9` harmless: the first says that no other `chapar` is here, the second that the last
//! process of the former cluster has gone, whatever account or namespace it ran in. Only then are the files that a
//! killed Postgres leaves behind removed.
#![forbid(unsafe_code)]

mod account;
mod binaries;
mod child;
mod cluster;
mod error;
mod leftovers;
mod socket;

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use account::Account;
pub use binaries::{Binaries, OLDEST_MAJOR, find_binaries};
use child::{Child, Ended};
pub use error::EmbeddedPostgresError;
use rustix::process::Signal;

/// How many connections the private Postgres takes, its superuser's reserve included.
pub const MAX_CONNECTIONS: u32 = 60;

/// Crash recovery replays at most a gigabyte or so of log; on a slow disk that takes a while.
const READY_WITHIN: Duration = Duration::from_mins(2);
const FAST_SHUTDOWN_WITHIN: Duration = Duration::from_secs(30);
const IMMEDIATE_SHUTDOWN_WITHIN: Duration = Duration::from_secs(5);
/// A first start runs initdb before its Postgres can be reached.
const ATTACH_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
/// Seldom: each look takes the lock for a moment when it is free.
const ATTACH_POLL: Duration = Duration::from_millis(100);

const USER: &str = "chapar";
const DATABASE: &str = "chapar";

/// A running private Postgres. Dropping it asks Postgres to shut down without waiting for it; [`Self::stop`] waits.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    child: Child,
    cluster: PathBuf,
    socket_dir: PathBuf,
}

impl EmbeddedPostgres {
    /// Starts Postgres on the cluster in `data_dir`, making directory, cluster and database where they are missing, and
    /// returns when it answers queries.
    ///
    /// `pg_bin` is a directory that holds `initdb` and `postgres`; without it they are looked for (see
    /// [`find_binaries`]).
    ///
    /// # Errors
    /// Each error is a sentence that says what is missing and what to do. Nothing is left running after an error.
    pub async fn start(data_dir: &Path, pg_bin: Option<&Path>) -> Result<Self, EmbeddedPostgresError> {
        let (data_dir, pg_bin) = (data_dir.to_owned(), pg_bin.map(Path::to_owned));
        let mut this = tokio::task::spawn_blocking(move || launch(&data_dir, pg_bin.as_deref()))
            .await
            .map_err(|fault| EmbeddedPostgresError::Fault(fault.to_string()))??;
        tokio::time::timeout(READY_WITHIN, this.become_ready())
            .await
            .map_err(|_| EmbeddedPostgresError::NotReady { seconds: READY_WITHIN.as_secs() })??;
        Ok(this)
    }

    /// How to reach the Postgres that another `chapar` runs in `data_dir` now; `None` when no other one is there. One
    /// that is still starting is waited for, up to 30 s. It ends when that other `chapar` does.
    ///
    /// # Errors
    /// [`EmbeddedPostgresError::InUse`] when the other one holds the directory but its Postgres does not answer.
    pub async fn attach(data_dir: &Path) -> Result<Option<PgConnectOptions>, EmbeddedPostgresError> {
        let Ok(data_dir) = data_dir.canonicalize() else { return Ok(None) };
        let deadline = tokio::time::Instant::now() + ATTACH_WITHIN;
        while leftovers::is_claimed(&data_dir)? {
            if let Some(socket_dir) = socket::find_dir(&data_dir, &data_dir.join("pg")) {
                let options = connect_options(&socket_dir);
                if let Ok(connection) = options.connect().await {
                    let _ = connection.close().await;
                    return Ok(Some(options));
                }
            }
            if tokio::time::Instant::now() > deadline {
                return Err(EmbeddedPostgresError::InUse(data_dir));
            }
            tokio::time::sleep(ATTACH_POLL).await;
        }
        Ok(None)
    }

    /// How to connect: the Unix socket, without TLS or a password (the directory's mode is the guard).
    pub fn connect_options(&self) -> PgConnectOptions {
        connect_options(&self.socket_dir)
    }

    /// The directory of the Unix socket, for `psql -h`.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The process id of the postmaster; `None` once it has ended.
    pub fn process_id(&self) -> Option<u32> {
        self.child.process_id()
    }

    /// Resolves when Postgres ends without having been asked to, with the reason. Cancel-safe.
    pub async fn died(&mut self) -> EmbeddedPostgresError {
        died(self.child.ended().await)
    }

    /// Stops Postgres in order (SIGINT, the fast shutdown: transactions in flight are rolled back, then a checkpoint).
    /// After 30 s it is stopped at once instead (SIGQUIT; the next start replays the log), after 5 more killed.
    /// No acknowledged commit is lost by any of the three.
    pub async fn stop(mut self) {
        for (signal, patience) in [(Signal::INT, FAST_SHUTDOWN_WITHIN), (Signal::QUIT, IMMEDIATE_SHUTDOWN_WITHIN)] {
            self.child.signal(signal);
            if tokio::time::timeout(patience, self.child.ended()).await.is_ok() {
                socket::remove_if_elsewhere(&self.socket_dir);
                return;
            }
            tracing::warn!(?signal, seconds = patience.as_secs(), "Postgres has not stopped in time");
        }
        self.child.signal(Signal::KILL);
        self.child.ended().await;
    }

    async fn become_ready(&mut self) -> Result<(), EmbeddedPostgresError> {
        while !cluster::says_ready(&self.cluster, self.child.process_id()) {
            tokio::select! {
                ended = self.child.ended() => return Err(died(ended)),
                () = tokio::time::sleep(POLL) => {}
            }
        }
        self.answer().await.map_err(EmbeddedPostgresError::Connect)
    }

    /// Proves that it answers, and makes our database where an earlier start was killed before it could, or never was.
    async fn answer(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.connect_options().database("postgres").connect().await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            sqlx::raw_sql("CREATE DATABASE chapar").execute(&mut connection).await?;
        }
        connection.close().await
    }
}

/// Everything up to the running child; blocks for as long as initdb takes.
fn launch(data_dir: &Path, pg_bin: Option<&Path>) -> Result<EmbeddedPostgres, EmbeddedPostgresError> {
    let data_dir = cluster::make_data_dir(data_dir)?;
    let ours = leftovers::claim(&data_dir)?;
    let cluster = data_dir.join("pg");
    let binaries = find_binaries(pg_bin, cluster::version(&cluster)?)?;
    let account = Account::choose_for(&data_dir, &cluster, &binaries)?;

    let everyones = leftovers::wait_until_quiet(&data_dir)?;
    if !cluster.exists() {
        cluster::create(&data_dir, &binaries, &account, &everyones)?;
    }
    let socket_dir = socket::make_dir(&data_dir, &account)?;
    leftovers::remove(&cluster, &socket_dir)?;

    let command = cluster::server_command(&cluster, &socket_dir, &binaries, &account, everyones);
    let child = Child::spawn(command, ours)
        .map_err(|source| EmbeddedPostgresError::Spawn { program: binaries.postgres.clone(), source })?;
    tracing::debug!(version = binaries.major, account = %account, "the private Postgres is starting");
    Ok(EmbeddedPostgres { child, cluster, socket_dir })
}

fn connect_options(socket_dir: &Path) -> PgConnectOptions {
    // Every field that a PG* variable of our own environment could set is set here.
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(socket::PORT)
        .username(USER)
        .database(DATABASE)
        .ssl_mode(PgSslMode::Disable)
}

fn died(Ended { status, last_lines }: Ended) -> EmbeddedPostgresError {
    EmbeddedPostgresError::Died { how: describe(status), last_lines }
}

fn describe(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "for a reason that could not be read".to_owned(), |status| format!("with {status}"))
}
