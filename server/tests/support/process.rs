//! A child process that ends with its owner, and can be killed, frozen and asked to stop by its number.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use super::janitor;

/// How long a helper of the tests may run: `initdb` on a busy machine takes longest.
const HELPER: Duration = Duration::from_mins(2);

/// Runs a helper to its end, which comes in time: it blocks the thread, and with it the timers of the test.
///
/// # Errors
/// `TimedOut` for one that had to be killed.
pub fn output(command: &mut Command) -> io::Result<Output> {
    output_within(command, HELPER)
}

/// The same with another patience.
///
/// # Errors
/// `TimedOut` for one that had to be killed.
pub fn output_within(command: &mut Command, patience: Duration) -> io::Result<Output> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = Pid::from_child(&child);
    let (say, hear) = mpsc::channel();
    thread::spawn(move || say.send(child.wait_with_output()));
    hear.recv_timeout(patience).unwrap_or_else(|_| {
        // It has not been waited for, so the number is still its own.
        let _ = kill_process(pid, Signal::KILL);
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("{command:?} does not end")))
    })
}

pub struct Process {
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` with both its outputs appended to `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("log opens");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("log doubles"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        janitor::watch(child.id());
        Self { child, log: log.to_owned(), ended: None }
    }

    pub fn signal(&self, signal: Signal) {
        if self.ended.is_some() {
            return;
        }
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a pid is not zero");
        // ESRCH cannot be: the child is not reaped yet.
        kill_process(pid, signal).expect("own child can be signalled");
    }

    /// Its number, and those of its children, at this moment.
    pub fn family(&self) -> Vec<Pid> {
        let own = self.child.id();
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_child = |pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // After the name, which may hold anything: state, parent.
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
            *pid == own || parent == Some(own)
        };
        pids.filter(is_child).filter_map(|pid| Pid::from_raw(pid.cast_signed())).collect()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("own child can be waited for");
            if self.ended.is_some() {
                janitor::forget(self.child.id());
            }
        }
        self.ended
    }

    /// Waits until it has ended by itself.
    pub async fn end(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }

    /// SIGKILL, and waits until it is reaped.
    pub fn kill(&mut self) {
        if self.ended().is_some() {
            return;
        }
        self.signal(Signal::KILL);
        self.ended = Some(self.child.wait().expect("own child can be waited for"));
        janitor::forget(self.child.id());
    }

    /// Its memory in the machine now, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("our own child");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
        kilobytes * 1024
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
