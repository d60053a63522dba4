//! The postmaster as a child process, and the thread that lives as long as it does.
//!
//! The kernel sends the parent-death signal when the *thread* that spawned the child ends, so that thread must not be
//! one of a pool: it spawns, waits, and reports.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{self, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::sync::watch;

const KEPT_LINES: usize = 12;
const LONGEST_LINE: u64 = 4096;
/// Backends hold the log's pipe for a moment longer than the postmaster lives.
const LAST_LINES_WITHIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Child {
    /// `None` once it has been reaped: from then on its number may belong to anybody.
    pid: Arc<Mutex<Option<Pid>>>,
    ended: watch::Receiver<Option<Ended>>,
    /// From then on that it cuts its connections is no news.
    stopping: Arc<AtomicBool>,
}

/// How the postmaster ended, and what it said last.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) status: Option<ExitStatus>,
    pub(super) last_lines: String,
}

impl Child {
    /// Spawns `command`, whose standard error must be piped. `held` is dropped when the child has ended.
    pub(super) fn spawn(mut command: Command, held: File) -> io::Result<Self> {
        let (ended_is, ended) = watch::channel(None);
        let (spawned_is, spawned) = mpsc::channel();
        let pid = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&pid);
        let stopping = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&stopping);
        thread::Builder::new().name("postgres-parent".to_owned()).spawn(move || {
            let spawned = command.spawn();
            // The command holds our copy of the cluster's lock, which must live in the cluster alone.
            drop(command);
            let child = match spawned {
                Ok(child) => child,
                Err(fault) => {
                    // The receiver waits below.
                    let _ = spawned_is.send(Err(fault));
                    return;
                }
            };
            *shared.lock() = Some(Pid::from_child(&child));
            let _ = spawned_is.send(Ok(()));
            let end = attend(child, &shared, stops);
            drop(held);
            ended_is.send_replace(Some(end));
        })?;
        spawned.recv().map_err(io::Error::other)??;
        Ok(Self { pid, ended, stopping })
    }

    pub(super) fn process_id(&self) -> Option<u32> {
        self.pid.lock().map(|pid| pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// Asks it to stop, in the way that `signal` means to Postgres. Does nothing once it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(pid) = *self.pid.lock() {
            // It can only fail for a process that has ended.
            let _ = kill_process(pid, signal);
        }
    }

    /// Resolves when the child has ended, at once if it has already. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Ended {
        let lost = Ended { status: None, last_lines: String::new() };
        match self.ended.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone().unwrap_or(lost),
            Err(_) => lost,
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::INT);
    }
}

fn attend(mut child: process::Child, pid: &Mutex<Option<Pid>>, stops: Arc<AtomicBool>) -> Ended {
    let lines = Arc::new(Mutex::new(VecDeque::new()));
    let (read_is, read) = mpsc::channel::<()>();
    if let Some(log) = child.stderr.take() {
        let lines = Arc::clone(&lines);
        let reader = thread::Builder::new().name("postgres-log".to_owned());
        // Without a reader the pipe is closed and Postgres goes on without a log.
        let _ = reader.spawn(move || {
            forward(log, &lines, &stops);
            drop(read_is);
        });
    }
    // First wait without reaping, so that no signal can be on its way to a number that is free again.
    let _ = waitid(WaitId::Pid(Pid::from_child(&child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    let status = {
        let mut pid = pid.lock();
        *pid = None;
        child.wait().ok()
    };
    let _ = read.recv_timeout(LAST_LINES_WITHIN);
    let last_lines = lines.lock().iter().map(String::as_str).collect::<Vec<_>>().join(" | ");
    Ended { status, last_lines }
}

/// Passes Postgres's log on, and keeps its end.
fn forward(log: impl Read, lines: &Mutex<VecDeque<String>>, stops: &AtomicBool) {
    let mut log = BufReader::new(log);
    let mut line = Vec::new();
    while log.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        line.clear();
        if text.is_empty() {
            continue;
        }
        if text.starts_with("LOG:") || stops.load(Ordering::Relaxed) {
            tracing::debug!(target: "postgres", "{text}");
        } else {
            tracing::warn!(target: "postgres", "{text}");
        }
        let mut lines = lines.lock();
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(text);
    }
}
