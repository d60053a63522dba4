//! Why the private Postgres cannot run, each as a sentence that says what to do.

use std::io;
use std::path::PathBuf;

const WAYS_OUT: &str = "Three ways out: install Postgres 15 or later (on Debian and Ubuntu: `apt-get install \
    postgresql`), point CHAPAR_PG_BIN at the directory that holds `initdb` and `postgres`, or set DATABASE_URL to a \
    Postgres server of your own.";

/// Why the private Postgres could not be started, or ended.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedPostgresError {
    /// Neither `initdb` nor `postgres` was found in any usual place.
    #[error(
        "No Postgres was found: there is no `initdb` with a `postgres` beside it on PATH or in the usual directories. {WAYS_OUT}"
    )]
    NoBinaries,
    /// `CHAPAR_PG_BIN` names a directory without the programs.
    #[error("No Postgres was found in {directory}, where pg-bin (CHAPAR_PG_BIN) points: `initdb` and `postgres` must both be there and run. {WAYS_OUT}", directory = .0.display())]
    NoBinariesIn(PathBuf),
    /// Only versions before 15 were found.
    #[error("Postgres {found} was found, but Chapar needs 15 or later. {WAYS_OUT}")]
    TooOld {
        /// The newest major version found.
        found: u32,
    },
    /// The cluster was made by another major version than those installed.
    #[error("The cluster in {cluster} was made by Postgres {made_by}, but only version {found} was found. Install Postgres {made_by} again (or upgrade the cluster with `pg_upgrade`), point CHAPAR_PG_BIN at its programs, or set DATABASE_URL to a Postgres server of your own.", cluster = .cluster.display())]
    OtherVersion {
        /// The cluster's directory.
        cluster: PathBuf,
        /// Its major version.
        made_by: u32,
        /// The major versions found, joined by commas.
        found: String,
    },
    /// A directory `pg` is there that initdb did not finish.
    #[error("{cluster} exists but is no Postgres cluster (its file PG_VERSION cannot be read: {source}). Move it away, or choose another data-dir.", cluster = .cluster.display())]
    NoCluster {
        /// The directory.
        cluster: PathBuf,
        /// Why PG_VERSION was not read.
        source: io::Error,
    },
    /// Another `chapar` has the data directory.
    #[error("Another chapar is already running on {data_dir}. Stop it first, or give this one a data-dir of its own.", data_dir = .0.display())]
    InUse(PathBuf),
    /// A Postgres of an earlier run does not end.
    #[error("A Postgres of an earlier run still works on {data_dir} and did not stop within {seconds} s (process {processes}). Stop it by hand, then start again.", data_dir = .data_dir.display())]
    StillRunning {
        /// The data directory.
        data_dir: PathBuf,
        /// How long was waited.
        seconds: u64,
        /// The process ids that were seen; "unknown" where the system hides them.
        processes: String,
    },
    /// Root, and no account that Postgres could run under.
    #[error("Postgres refuses to run as root, and no other account can be used for {data_dir}: {tried}. Put data-dir where the account `postgres` can reach it (for example /var/lib/chapar), run chapar as an ordinary user, or set DATABASE_URL to a Postgres server of your own.", data_dir = .data_dir.display())]
    NoAccount {
        /// The data directory.
        data_dir: PathBuf,
        /// What was tried, and why it failed.
        tried: String,
    },
    /// An ordinary user on somebody else's cluster.
    #[error("The cluster in {cluster} belongs to user id {owner}, and chapar runs as user id {me}. Run it as that user or as root, or choose another data-dir.", cluster = .cluster.display())]
    ForeignCluster {
        /// The cluster's directory.
        cluster: PathBuf,
        /// Its owner.
        owner: u32,
        /// Ourselves.
        me: u32,
    },
    /// `initdb` failed.
    #[error("`initdb` could not make a cluster in {data_dir} ({how}): {output}", data_dir = .data_dir.display())]
    Initdb {
        /// The data directory.
        data_dir: PathBuf,
        /// Its exit status.
        how: String,
        /// What it said.
        output: String,
    },
    /// A program could not be run at all.
    #[error("{program} could not be run: {source}", program = .program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file system said no.
    #[error("{what} {path} failed: {source}", path = .path.display())]
    Files {
        /// What was being done, as the beginning of a sentence.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// No directory short enough for a Unix socket.
    #[error("The data directory's path is too long for a Unix socket (107 bytes), and {tried} cannot stand in: {why}. Choose a data-dir with a shorter path.", tried = .tried.display())]
    NoSocketDirectory {
        /// The directory that was tried instead.
        tried: PathBuf,
        /// Why it cannot be used.
        why: String,
    },
    /// It runs but does not become ready.
    #[error("The private Postgres was not ready within {seconds} s. Its disk may be full or very slow.")]
    NotReady {
        /// How long was waited.
        seconds: u64,
    },
    /// It is ready but refuses us.
    #[error("The private Postgres is up but refuses the connection: {0}")]
    Connect(#[source] sqlx::Error),
    /// It ended by itself.
    #[error("The private Postgres has ended {how}. Its last lines: {last_lines}")]
    Died {
        /// The exit status in words.
        how: String,
        /// The end of its log.
        last_lines: String,
    },
    /// A bug in this program.
    #[error("Starting the private Postgres failed by a fault of chapar: {0}")]
    Fault(String),
}

impl EmbeddedPostgresError {
    /// For `map_err`: a failure of the file system, with what was being done and to what.
    pub(super) fn files(what: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Files { what, path, source }
    }
}
