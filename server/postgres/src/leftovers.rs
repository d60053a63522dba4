//! What a killed run leaves behind: processes that are still ending, and files that would block the next start.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{EmbeddedPostgresError, socket};

/// A `chapar` that was just killed needs a moment to go.
const CLAIM_WITHIN: Duration = Duration::from_secs(3);
/// The death signal has asked an orphan to shut down already; one that never got it is asked here, then pressed.
const PRESS_AFTER: Duration = Duration::from_secs(15);
const QUIET_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// Takes the lock that only one `chapar` can hold; it is held until the file is dropped or the process ends.
pub(super) fn claim(data_dir: &Path) -> Result<File, EmbeddedPostgresError> {
    let begun = Instant::now();
    loop {
        if let Some(lock) = try_lock(&data_dir.join("chapar.lock"))? {
            return Ok(lock);
        }
        if begun.elapsed() > CLAIM_WITHIN {
            return Err(EmbeddedPostgresError::InUse(data_dir.to_owned()));
        }
        thread::sleep(POLL);
    }
}

/// Whether a `chapar` holds the lock of [`claim`] now.
pub(super) fn is_claimed(data_dir: &Path) -> Result<bool, EmbeddedPostgresError> {
    let lock = data_dir.join("chapar.lock");
    // Looking must not make anything: whoever looks may be another account than the one that will serve.
    Ok(lock.exists() && try_lock(&lock)?.is_none())
}

/// Waits until no process of an earlier cluster is left, and returns the lock that the next one's processes will share.
///
/// The lock belongs to the open file, which every process of the cluster inherits: it is free when the last of them has
/// ended, and a zombie holds none. On a file system where locks are not inherited (NFS) the working directories of
/// running processes say the same, as far as the system shows them to us. Requires [`claim`].
pub(super) fn wait_until_quiet(data_dir: &Path) -> Result<File, EmbeddedPostgresError> {
    let begun = Instant::now();
    let mut sent = None;
    loop {
        let lock = try_lock(&data_dir.join("postgres.lock"))?;
        let living = postgres_processes_in(data_dir);
        if let (Some(lock), true) = (lock, living.is_empty()) {
            return Ok(lock);
        }
        let patience = begun.elapsed();
        if patience > QUIET_WITHIN {
            return Err(EmbeddedPostgresError::StillRunning {
                data_dir: data_dir.to_owned(),
                seconds: QUIET_WITHIN.as_secs(),
                processes: say(&living),
            });
        }
        let signal = if patience > PRESS_AFTER { Signal::QUIT } else { Signal::INT };
        if sent != Some(signal)
            && let Some(postmaster) = orphaned_postmaster(&data_dir.join("pg"))
        {
            tracing::debug!(?signal, pid = postmaster.as_raw_nonzero().get(), "stopping an orphaned Postgres");
            // It may have ended meanwhile; then there is nothing to stop.
            let _ = kill_process(postmaster, signal);
            sent = Some(signal);
        }
        thread::sleep(POLL);
    }
}

/// Removes the files by which a former Postgres would keep the next one from starting: a zombie or a process with a
/// reused id looks alive to it. Requires [`wait_until_quiet`].
pub(super) fn remove(cluster: &Path, socket_dir: &Path) -> Result<(), EmbeddedPostgresError> {
    for stale in [cluster.join("postmaster.pid"), socket_dir.join(socket::FILE), socket_dir.join(socket::LOCK_FILE)] {
        match fs::remove_file(&stale) {
            Err(fault) if fault.kind() != ErrorKind::NotFound => {
                return Err(EmbeddedPostgresError::files("Removing the leftover", &stale)(fault));
            }
            _ => {}
        }
    }
    Ok(())
}

fn try_lock(path: &Path) -> Result<Option<File>, EmbeddedPostgresError> {
    let refuse = |fault| EmbeddedPostgresError::files("Locking", path)(fault);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(refuse)?;
    match file.try_lock() {
        Ok(()) => {
            // What an earlier initdb complained about.
            file.set_len(0).map_err(refuse)?;
            Ok(Some(file))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(fault)) => Err(refuse(fault)),
    }
}

fn postgres_processes_in(data_dir: &Path) -> Vec<u32> {
    let clusters = [data_dir.join("pg"), data_dir.join("pg.init")];
    let is_one = |process: &PathBuf| {
        fs::read_link(process.join("cwd"))
            .is_ok_and(|directory| clusters.iter().any(|cluster| directory.starts_with(cluster)))
            && fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "postgres")
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    processes.filter(is_one).filter_map(|process| process.file_name()?.to_str()?.parse().ok()).collect()
}

/// The process named by `postmaster.pid`, when its command line says that it serves this very cluster. A postmaster
/// keeps the command line it was started with, and everybody may read it.
fn orphaned_postmaster(cluster: &Path) -> Option<Pid> {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let wanted = cluster.as_os_str().as_encoded_bytes();
    let serves = command_line.split(|&byte| byte == 0).any(|argument| argument == wanted);
    if serves { Pid::from_raw(pid) } else { None }
}

fn say(processes: &[u32]) -> String {
    if processes.is_empty() {
        return "unknown".to_owned();
    }
    processes.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
