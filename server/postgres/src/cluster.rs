//! Making the cluster and the command line that serves it.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::Account;
use super::{Binaries, EmbeddedPostgresError, MAX_CONNECTIONS, USER, socket};

/// Makes the data directory and returns its absolute path without links.
pub(super) fn make_data_dir(data_dir: &Path) -> Result<PathBuf, EmbeddedPostgresError> {
    let refuse = EmbeddedPostgresError::files("Making the data directory", data_dir);
    // As root another account must be able to pass through to its cluster, but not to look around.
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    let make = || {
        if let Some(parent) = data_dir.parent() {
            fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(mode).create(data_dir) {
            Err(fault) if fault.kind() != ErrorKind::AlreadyExists => Err(fault),
            _ => data_dir.canonicalize(),
        }
    };
    make().map_err(refuse)
}

/// The major version of an existing cluster, with its path; `None` where there is none yet.
pub(super) fn version(cluster: &Path) -> Result<Option<(u32, &Path)>, EmbeddedPostgresError> {
    if !cluster.exists() {
        return Ok(None);
    }
    let not_a_cluster = |source| EmbeddedPostgresError::NoCluster { cluster: cluster.to_owned(), source };
    let text = fs::read_to_string(cluster.join("PG_VERSION")).map_err(not_a_cluster)?;
    let major = text.trim().parse().map_err(|_| not_a_cluster(ErrorKind::InvalidData.into()))?;
    Ok(Some((major, cluster)))
}

/// Runs initdb in `pg.init` and renames it to `pg`, so that a cluster is either whole or not there.
///
/// `everyones` is the lock that the cluster's processes share; initdb's own children inherit its standard error, so
/// that is where the lock goes, and initdb's complaints land in the lock file.
pub(super) fn create(
    data_dir: &Path,
    binaries: &Binaries,
    account: &Account,
    everyones: &File,
) -> Result<(), EmbeddedPostgresError> {
    let unfinished = data_dir.join("pg.init");
    let refuse = |fault| EmbeddedPostgresError::files("Making the cluster's directory", &unfinished)(fault);
    match fs::remove_dir_all(&unfinished) {
        Err(fault) if fault.kind() != ErrorKind::NotFound => return Err(refuse(fault)),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&unfinished).map_err(refuse)?;
    if let Some((uid, gid)) = account.owner() {
        std::os::unix::fs::chown(&unfinished, Some(uid), Some(gid)).map_err(refuse)?;
    }

    let mut initdb = account.command(&binaries.initdb);
    initdb.current_dir("/").process_group(0).arg("-D").arg(&unfinished).args(["-U", USER, "-E", "UTF8"]);
    // Plain `C` would not fold the case of letters beyond ASCII.
    initdb.args(["--auth=trust", "--data-checksums", "--no-instructions", "--locale=C.UTF-8"]);
    if binaries.major >= 17 {
        initdb.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
    }
    let complaints = everyones.try_clone().map_err(refuse)?;
    let status = initdb
        .stderr(complaints)
        .status()
        .map_err(|source| EmbeddedPostgresError::Spawn { program: binaries.initdb.clone(), source })?;
    if !status.success() {
        return Err(EmbeddedPostgresError::Initdb {
            data_dir: data_dir.to_owned(),
            how: status.to_string(),
            output: read_complaints(everyones),
        });
    }
    fs::rename(&unfinished, data_dir.join("pg")).map_err(refuse)?;
    File::open(data_dir).and_then(|directory| directory.sync_all()).map_err(refuse)
}

/// The command that serves the cluster; `everyones` becomes the standard input that all its processes inherit.
pub(super) fn server_command(
    cluster: &Path,
    socket_dir: &Path,
    binaries: &Binaries,
    account: &Account,
    everyones: File,
) -> Command {
    let mut command = account.command(&binaries.postgres);
    // An own process group: ^C reaches chapar first, and Postgres is stopped in order.
    command.current_dir("/").process_group(0).stdin(everyones).stderr(Stdio::piped());
    command.arg("-D").arg(cluster).arg("-k").arg(socket_dir);
    let mut settings = vec![
        format!("port={}", socket::PORT),
        format!("max_connections={MAX_CONNECTIONS}"),
        "listen_addresses=".to_owned(),
    ];
    settings.extend(SERVER_SETTINGS.map(str::to_owned));
    if binaries.major >= 18 {
        settings.push("io_method=sync".to_owned());
    }
    for setting in settings {
        command.args(["-c", &setting]);
    }
    command
}

/// Whether the postmaster `process_id` has written that it takes connections: the eighth line of `postmaster.pid`, as
/// `pg_ctl` reads it. Cheaper than trying to connect, and Postgres logs no refused attempts.
pub(super) fn says_ready(cluster: &Path, process_id: Option<u32>) -> bool {
    let Ok(text) = fs::read_to_string(cluster.join("postmaster.pid")) else {
        return false;
    };
    let mut lines = text.lines().map(str::trim);
    let writer = lines.next().and_then(|line| line.parse().ok());
    writer.is_some() && writer == process_id && lines.nth(6) == Some("ready")
}

/// Durability first (`fsync`, `synchronous_commit`, `full_page_writes`), whatever a hand-edited `postgresql.conf` says.
/// Nothing that people wrote may reach the log: failed statements, their parameters and the details of errors stay out,
/// and the errors themselves are reported by `chapar`, which gets them as answers.
const SERVER_SETTINGS: [&str; 17] = [
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "unix_socket_permissions=0700",
    "shared_buffers=64MB",
    "wal_level=minimal",
    "max_wal_senders=0",
    "jit=off",
    "ssl=off",
    "logging_collector=off",
    "log_destination=stderr",
    "log_line_prefix=",
    "log_checkpoints=off",
    "log_statement=none",
    "log_min_messages=log",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
];

fn read_complaints(mut from: &File) -> String {
    let mut text = Vec::new();
    // Reading what explains a failure must not hide that failure.
    let _ = from.seek(SeekFrom::Start(0)).and_then(|_| from.take(4096).read_to_end(&mut text));
    String::from_utf8_lossy(&text).trim().to_owned()
}
