//! A private Postgres on a Unix socket. Durability is as in production: `fsync` and `synchronous_commit` are on.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    process::{self, Process, Signal},
    wait_for,
};

#[derive(Debug)]
pub(crate) struct Postgres {
    directory: PathBuf,
    binaries: PathBuf,
    account: Option<u32>,
    /// Settings beside those that every one has.
    settings: Vec<String>,
    process: Option<Process>,
    /// Backends (and perhaps the postmaster) that are held now.
    frozen: Vec<u32>,
}

impl Postgres {
    pub(crate) fn start(scratch: &Path, settings: &[&str]) -> io::Result<Self> {
        let (binaries, account) = (binaries()?, account()?);
        let directory = scratch.join("postgres");
        fs::create_dir(&directory)?;
        if let Some(id) = account {
            std::os::unix::fs::chown(&directory, Some(id), Some(id))?;
        }
        let mut initdb = process::command(binaries.join("initdb"), account);
        initdb.current_dir("/").arg("-D").arg(directory.join("pg"));
        initdb.args([
            "-U",
            "chapar",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
            "--no-sync",
        ]);
        let output = initdb.output()?;
        if !output.status.success() {
            return Err(io::Error::other(format!("initdb: {}", String::from_utf8_lossy(&output.stderr))));
        }
        let settings = settings.iter().map(ToString::to_string).collect();
        let mut it = Self { directory, binaries, account, settings, process: None, frozen: Vec::new() };
        it.up()?;
        Ok(it)
    }

    /// Whether it may count statements: the library belongs to Debian's package, and to most others.
    pub(crate) fn can_count_statements() -> bool {
        binaries().is_ok_and(|it| it.join("../lib/pg_stat_statements.so").is_file())
    }

    /// Where a node finds it, over its socket.
    pub(crate) fn url(&self) -> String {
        format!("postgres://chapar@{}/postgres", self.directory.display().to_string().replace('/', "%2F"))
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join(".s.PGSQL.5432")
    }

    /// Starts it, again if it was killed, and waits until it answers.
    pub(crate) fn up(&mut self) -> io::Result<()> {
        let log = self.directory.with_extension("log");
        wait_for("Postgres", &log.clone(), || {
            // Also a second time: backends of a killed postmaster may hold its shared memory a moment longer.
            if self.process.as_mut().is_none_or(Process::ended) {
                self.process = self.spawn(&log).ok();
            }
            self.sql("SELECT 1").is_ok()
        })
    }

    fn spawn(&self, log: &Path) -> io::Result<Process> {
        let mut command = process::command(self.binaries.join("postgres"), self.account);
        command.current_dir("/").arg("-D").arg(self.directory.join("pg")).arg("-k").arg(&self.directory);
        for setting in ["listen_addresses=", "max_connections=200", "shared_buffers=128MB", "jit=off"] {
            command.args(["-c", setting]);
        }
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        Process::start(command, log)
    }

    /// SIGKILL to the postmaster. Its backends notice and end by themselves.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// The postmaster's process id.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// The processes that serve connections, without the one that answers this.
    pub(crate) fn backends(&self) -> io::Result<Vec<u32>> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        Ok(self.sql(sql)?.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }

    /// Holds these processes. [`Self::thaw`] lets them go on.
    pub(crate) fn freeze(&mut self, pids: Vec<u32>) {
        for pid in &pids {
            process::send(*pid, Signal::STOP);
        }
        self.frozen.extend(pids);
    }

    pub(crate) fn thaw(&mut self) {
        for pid in self.frozen.drain(..) {
            process::send(pid, Signal::CONT);
        }
    }

    /// Runs SQL over a connection of its own and returns what it printed.
    pub(crate) fn sql(&self, sql: &str) -> io::Result<String> {
        let output = self.psql().args(["-c", sql]).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// A `psql` on this server, to be given commands or fed.
    pub(crate) fn psql(&self) -> Command {
        let beside = self.binaries.join("psql");
        let mut psql = process::command(if beside.is_file() { beside } else { "psql".into() }, None);
        psql.env("PGOPTIONS", "-c search_path=chats,people,public");
        psql.args(["-X", "-q", "-A", "-t", "-U", "chapar", "-d", "postgres", "-h"]).arg(&self.directory);
        psql
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A held backend would outlive its postmaster.
        self.thaw();
        self.kill();
    }
}

/// Where `initdb` and `postgres` are: named by `CHAPAR_PG_BIN`, or the newest of Debian's, or those on `PATH`.
fn binaries() -> io::Result<PathBuf> {
    if let Some(directory) = std::env::var_os("CHAPAR_PG_BIN") {
        return Ok(directory.into());
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    if let Some(newest) = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max() {
        return Ok(Path::new("/usr/lib/postgresql").join(newest.to_string()).join("bin"));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(|directory| directory.join("initdb").is_file()).ok_or_else(|| {
        io::Error::other("no Postgres was found: install the package `postgresql`, or set CHAPAR_PG_BIN")
    })
}

/// Postgres refuses root: then it runs as `postgres`, or as `nobody`.
fn account() -> io::Result<Option<u32>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd")?;
    let id = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        line.split(':').nth(2)?.parse().ok()
    };
    Ok(Some(id("postgres").or_else(|| id("nobody")).unwrap_or(65_534)))
}
