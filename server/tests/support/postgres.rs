//! Real Postgres clusters: one that all tests share, each test with a database of its own, and private ones for tests
//! that kill them. Every setting that matters for durability is on.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    PATIENCE, janitor,
    process::{Process, Signal, output},
};

/// One cluster with its server process.
pub struct Cluster {
    directory: PathBuf,
    mounted: Option<PathBuf>,
    server: Mutex<Option<Process>>,
}

impl Cluster {
    /// The cluster that tests share. It ends with the test process.
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).clone()
    }

    /// A cluster of one's own.
    pub fn start() -> Arc<Self> {
        Self::start_in(tempfile::Builder::new().prefix("chapar-pg-").tempdir().expect("temp dir").keep(), None)
    }

    /// One on a disk of so many megabytes. `None` where this account may not mount one.
    pub fn start_on_small_disk(megabytes: u32) -> Option<Arc<Self>> {
        let directory = tempfile::Builder::new().prefix("chapar-pg-").tempdir().expect("temp dir").keep();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "none"]).arg(&directory);
        if !output(&mut mount).is_ok_and(|output| output.status.success()) {
            let _ = std::fs::remove_dir(&directory);
            return None;
        }
        Some(Self::start_in(directory.clone(), Some(directory)))
    }

    /// Leaves no byte of a small disk. Room is made again by [`Self::free`].
    pub fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.directory.join("filler")).expect("a file");
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![1; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    /// Takes away what [`Self::fill`] wrote.
    pub fn free(&self) {
        std::fs::remove_file(self.directory.join("filler")).expect("it was filled");
    }

    fn start_in(directory: PathBuf, mounted: Option<PathBuf>) -> Arc<Self> {
        janitor::remove_at_end(&directory);
        if let Some(owner) = other_owner() {
            std::os::unix::fs::chown(&directory, Some(owner), Some(owner)).expect("root may chown");
        }
        let data = directory.join("pg");
        let mut initdb = program("initdb");
        initdb.arg("-D").arg(&data).args(["-U", "chapar", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]);
        // Not synced to disk when made: only what the tests write later must be durable.
        check(output(initdb.args(["--no-instructions", "--no-sync"])), "initdb");
        let cluster = Self { directory, mounted, server: Mutex::new(None) };
        cluster.restart();
        Arc::new(cluster)
    }

    /// Starts the server, again if it was killed, and waits until it answers.
    pub fn restart(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut server = self.server.lock().expect("not poisoned");
        while Instant::now() < deadline {
            if server.as_mut().is_none_or(|process| process.ended().is_some()) {
                // Also a second time: backends of a killed postmaster may hold its shared memory a moment longer.
                *server = Some(self.spawn());
            }
            if self.psql("postgres", "SELECT 1").is_ok_and(|output| output.status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        panic!("Postgres does not start:\n{}", server.as_ref().map(Process::log).unwrap_or_default());
    }

    fn spawn(&self) -> Process {
        let mut postgres = program("postgres");
        postgres.arg("-D").arg(self.directory.join("pg")).arg("-k").arg(&self.directory);
        for setting in [
            "listen_addresses=",
            "max_connections=400",
            "shared_buffers=64MB",
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
            "jit=off",
        ] {
            postgres.args(["-c", setting]);
        }
        Process::start(postgres, &self.directory.join("log"))
    }

    /// Holds the server with all its backends, or lets it go on: the sockets stay open, nothing answers.
    pub fn freeze(&self, frozen: bool) {
        let server = self.server.lock().expect("not poisoned");
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        for pid in server.as_ref().expect("is running").family() {
            // One that has just ended needs no signal.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// SIGKILL to the postmaster. Its backends notice and end by themselves.
    pub fn kill(&self) {
        if let Some(server) = self.server.lock().expect("not poisoned").as_mut() {
            server.kill();
        }
    }

    /// Stops it in order and keeps a copy of its data as it is now. It is running again afterwards.
    pub fn back_up(&self) {
        self.stop();
        let mut copy = Command::new("cp");
        copy.arg("-a").args([self.directory.join("pg"), self.directory.join("backup")]);
        check(output(&mut copy), "cp");
        self.restart();
    }

    /// What a failover to a standby that lagged behind is: the server dies, what was written since the copy is lost, and
    /// the copy is promoted to a new timeline.
    pub fn fail_over_to_backup(&self) {
        self.kill();
        let data = self.directory.join("pg");
        std::fs::rename(&data, self.directory.join("lost")).expect("renamed");
        std::fs::rename(self.directory.join("backup"), &data).expect("renamed");
        std::fs::write(data.join("standby.signal"), "").expect("written");
        self.restart();
        check(self.psql("postgres", "SELECT pg_promote()"), "pg_promote");
    }

    fn stop(&self) {
        let mut server = self.server.lock().expect("not poisoned");
        let server = server.as_mut().expect("is running");
        server.signal(Signal::INT);
        let deadline = Instant::now() + PATIENCE;
        while server.ended().is_none() {
            assert!(Instant::now() < deadline, "Postgres does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the server has written into its log.
    pub fn log(&self) -> String {
        self.server.lock().expect("not poisoned").as_ref().map(Process::log).unwrap_or_default()
    }

    /// Makes an empty database.
    pub fn database(self: &Arc<Self>) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        check(self.psql("postgres", &format!("CREATE DATABASE {name}")), "CREATE DATABASE");
        Database { cluster: self.clone(), name }
    }

    fn psql(&self, database: &str, sql: &str) -> std::io::Result<Output> {
        let mut psql = clean(Command::new("psql"));
        // Both sides, as an operator would look at them.
        psql.env("PGOPTIONS", "-c search_path=chats,people,public");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "chapar", "-d", database, "-h"]);
        output(psql.arg(&self.directory).args(["-c", sql]))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
        if let Some(mounted) = &self.mounted {
            let _ = output(Command::new("umount").arg("-l").arg(mounted));
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A database of one test.
#[derive(Clone)]
pub struct Database {
    cluster: Arc<Cluster>,
    name: String,
}

impl Database {
    /// What `DATABASE_URL` takes.
    pub fn url(&self) -> String {
        let socket = self.cluster.directory.display().to_string().replace('/', "%2F");
        format!("postgres://chapar@{socket}/{}", self.name)
    }

    /// Runs SQL and returns what it printed: one line for each row, columns parted by `|`.
    pub fn sql(&self, sql: &str) -> String {
        let output = check(self.cluster.psql(&self.name, sql), sql);
        String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
    }

    /// Both sides as SQL, without what only `psql` understands.
    pub fn dump(&self) -> String {
        let mut dump = clean(Command::new(binaries().join("pg_dump")));
        dump.args([
            "--inserts",
            "--rows-per-insert=100",
            "--no-owner",
            "--no-privileges",
            "-n",
            "people",
            "-n",
            "chats",
        ]);
        dump.args(["-U", "chapar", "-h"]).arg(&self.cluster.directory).arg(&self.name);
        let dump = String::from_utf8(check(output(&mut dump), "pg_dump").stdout).expect("UTF-8");
        let lines = dump.lines().filter(|line| !line.starts_with(['\\', '-']) && !line.is_empty());
        lines.fold(String::new(), |all, line| all + line + "\n")
    }

    /// Runs what [`Self::dump`] has written.
    pub async fn restore(&self, dump: &str) {
        let options: sqlx::postgres::PgConnectOptions = self.url().parse().expect("an address");
        let mut connection = sqlx::ConnectOptions::connect(&options).await.expect("connected");
        sqlx::raw_sql(sqlx::AssertSqlSafe(dump)).execute(&mut connection).await.expect("restored");
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The process ids of the backends that serve this database now.
    pub fn backends(&self) -> Vec<i32> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                   AND backend_type = 'client backend' ORDER BY pid";
        self.sql(sql).lines().map(|line| line.parse().expect("a number")).collect()
    }

    /// Somebody else's transaction, which has done `sql` and stays open until [`Self::end_meanwhile`].
    pub fn meanwhile(&self, sql: &str) -> Process {
        let mut psql = clean(Command::new("psql"));
        psql.env("PGOPTIONS", "-c search_path=chats,people,public");
        psql.args(["-X", "-q", "-U", "chapar", "-d", &self.name, "-h"]).arg(&self.cluster.directory);
        psql.args(["-c", &format!("BEGIN; {sql}; SELECT pg_sleep(60)")]);
        let before = self.backends();
        let process = Process::start(psql, &self.cluster.directory.join("meanwhile"));
        let deadline = Instant::now() + PATIENCE;
        let asleep =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
        while self.sql(asleep) == "0" {
            assert!(Instant::now() < deadline, "it does not come so far; backends were {before:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        process
    }
}

impl Database {
    /// Ends what [`Self::meanwhile`] began: its backend would not notice that its client is gone.
    pub fn end_meanwhile(&self) {
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event = 'PgSleep'",
        );
    }
}

/// A stopped process of another's.
pub struct Frozen(i32);

impl Frozen {
    /// Stops a backend as a machine that hangs would. It goes on when this is dropped.
    pub fn backend(pid: i32) -> Self {
        signal(pid, Signal::STOP);
        Self(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.0, Signal::CONT);
    }
}

fn signal(pid: i32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid is not zero");
    // It may have ended by itself.
    let _ = rustix::process::kill_process(pid, signal);
}

/// Postgres refuses root: then it runs as `postgres`.
fn other_owner() -> Option<u32> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let output = check(output(Command::new("id").args(["-u", "postgres"])), "id -u postgres");
    Some(String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number"))
}

fn program(name: &str) -> Command {
    let path = binaries().join(name);
    match other_owner() {
        None => clean(Command::new(path)),
        Some(owner) => {
            let mut command = clean(Command::new("setpriv"));
            command.arg(format!("--reuid={owner}")).arg(format!("--regid={owner}")).arg("--clear-groups").arg(path);
            command
        }
    }
}

/// Where `initdb` and `postgres` are: named by `CHAPAR_PG_BIN`, or the newest of Debian's.
fn binaries() -> PathBuf {
    if let Some(directory) = std::env::var_os("CHAPAR_PG_BIN") {
        return directory.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    let newest = newest.expect("the tests need Postgres: install the package `postgresql` or set CHAPAR_PG_BIN");
    Path::new("/usr/lib/postgresql").join(newest.to_string()).join("bin")
}

fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.current_dir("/");
    command
}

fn check(output: std::io::Result<Output>, what: &str) -> Output {
    let output = output.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
