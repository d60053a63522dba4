//! The program `chapar` itself, in a process of its own, on its embedded default in a temporary directory.

#![allow(dead_code, reason = "each test file uses another part")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// Long enough for initdb on a busy machine.
const STARTS_WITHIN: Duration = Duration::from_mins(1);

/// A directory that the account of Postgres can pass through, and what lies in it.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).expect("permissions");
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A command that has nothing of this process's settings.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chapar"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let ours = name.starts_with("CHAPAR_") && name != "CHAPAR_PG_BIN";
            if ours || name == "DATABASE_URL" || name == "REDIS_URL" {
                command.env_remove(&*name);
            }
        }
        command.current_dir(self.directory.path()).env("CHAPAR_DATA_DIR", self.path("data"));
        command
    }

    /// Runs a command to its end, with something to read.
    pub(crate) fn run(&self, arguments: &[&str], stdin: &str) -> Ended {
        let mut command = self.command();
        command.args(arguments);
        run(command, stdin)
    }

    /// Starts a node on a free port.
    pub(crate) fn start(&self, arguments: &[&str]) -> Node {
        Node::start(self.command().args(["--listen", "127.0.0.1:0"]).args(arguments))
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

impl Ended {
    /// What it wrote, where it succeeded.
    #[track_caller]
    pub(crate) fn good(self) -> String {
        assert!(self.status.success(), "{self:?}");
        self.out
    }

    /// The last line of what it complained about, where it failed with exit code 1.
    #[track_caller]
    pub(crate) fn bad(self) -> String {
        assert_eq!((self.status.code(), self.out.as_str()), (Some(1), ""), "{self:?}");
        self.err.lines().last().unwrap_or_default().to_owned()
    }
}

/// Runs any command to its end.
pub(crate) fn run(mut command: Command, stdin: &str) -> Ended {
    let began = Instant::now();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    // One that reads nothing may be gone already.
    let _ = child.stdin.take().expect("piped").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { status: output.status, out: text(output.stdout), err: text(output.stderr), took: began.elapsed() }
}

/// A node that accepts connections.
pub(crate) struct Node {
    child: Child,
    url: String,
    log: Arc<Mutex<String>>,
}

impl Node {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("chapar runs");
        let (say, hear) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().expect("piped"));
        // Read to the end, so that the node never waits for a reader.
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some(url) = line.strip_prefix("chapar: listening on ") {
                    let _ = say.send(url.to_owned());
                }
            }
        });
        let err = BufReader::new(child.stderr.take().expect("piped"));
        let log = Arc::new(Mutex::new(String::new()));
        let kept = log.clone();
        let reader = thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                let mut log = kept.lock().expect("nobody panics with it");
                log.push_str(&line);
                log.push('\n');
            }
        });
        let Ok(url) = hear.recv_timeout(STARTS_WITHIN) else {
            let _ = child.kill();
            let _ = child.wait();
            let _ = reader.join();
            panic!("chapar does not start: {}", log.lock().expect("nobody panics with it"));
        };
        Self { child, url, log }
    }

    /// `http://127.0.0.1:<port>`, or with `https`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:<port>`.
    pub(crate) fn address(&self) -> &str {
        self.url.rsplit('/').next().expect("a URL has a host")
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("nobody panics with it").clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("our own child");
    }

    /// SIGTERM, and waits until it has ended in order.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.child.wait().expect("our own child");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// Asks again and again until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, patience: Duration, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < patience, "still not after {patience:?}: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Whether nothing lies there, or nothing that is meant to stay.
pub(crate) fn is_unused(path: &Path) -> bool {
    fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none())
}
