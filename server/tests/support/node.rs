//! A `chapar` node as a child process.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use super::{
    PATIENCE,
    process::{Process, Signal},
};

/// The secret of the admin routes in all tests.
pub const ADMIN_TOKEN: &str = "tests-know-this-admin-secret";

/// How a node is started.
#[derive(Clone, Default)]
pub struct NodeOptions {
    pub database_url: Option<String>,
    pub redis_url: Option<String>,
    /// Further flags.
    pub flags: Vec<String>,
}

pub struct Node {
    pub address: SocketAddr,
    directory: PathBuf,
    options: NodeOptions,
    process: Process,
    log: PathBuf,
}

/// The binary with nothing inherited from the environment that could change what it does.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chapar"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let meant = text.starts_with("PG") || text.starts_with("CHAPAR_") && text != "CHAPAR_PG_BIN";
        if meant || ["DATABASE_URL", "REDIS_URL", "RUST_LOG"].contains(&text.as_ref()) {
            command.env_remove(name);
        }
    }
    command
}

impl Node {
    /// Starts a node and waits until it says where it listens.
    pub fn start(directory: &Path, options: NodeOptions) -> Self {
        std::fs::create_dir_all(directory).expect("directory");
        let log = directory.join("node.log");
        let (process, address) = spawn(directory, &options, &log);
        Self { address, directory: directory.to_owned(), options, process, log }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again with the same settings. It may get another port.
    pub fn restart(&mut self) {
        self.process.kill();
        (self.process, self.address) = spawn(&self.directory, &self.options, &self.log);
    }

    pub fn options(&self) -> &NodeOptions {
        &self.options
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Its memory in the machine now, in bytes.
    pub fn memory(&self) -> u64 {
        self.process.memory()
    }

    /// Waits until it has ended by itself.
    pub async fn end(&mut self, within: Duration) -> Option<ExitStatus> {
        self.process.end(within).await
    }

    /// All that it has said since its first start.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.process.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("--- end of the log of the node at {}:", self.address);
            for line in tail.iter().rev() {
                eprintln!("{line}");
            }
        }
    }
}

fn spawn(directory: &Path, options: &NodeOptions, log: &Path) -> (Process, SocketAddr) {
    let before = std::fs::metadata(log).map_or(0, |metadata| metadata.len());
    let before = usize::try_from(before).expect("fits");
    let mut command = binary();
    command.arg("--data-dir").arg(directory.join("data"));
    command.args(["--listen", "127.0.0.1:0", "--admin-token", ADMIN_TOKEN]);
    for (flag, value) in [("--database-url", &options.database_url), ("--redis-url", &options.redis_url)] {
        if let Some(value) = value {
            command.args([flag, value]);
        }
    }
    command.args(&options.flags);
    let mut process = Process::start(command, log);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = process.log();
        let said = text.get(before..).and_then(|text| text.split_once("chapar: listening on http://"));
        if let Some((address, _)) = said.and_then(|(_, rest)| rest.split_once('\n')) {
            return (process, address.trim().trim_end_matches('/').parse().expect("an address"));
        }
        let running = process.ended().is_none() && Instant::now() < deadline;
        assert!(running, "chapar does not start ({:?}):\n{text}", process.ended());
        std::thread::sleep(Duration::from_millis(5));
    }
}
