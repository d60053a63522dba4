//! Whoever is killed with SIGKILL, every row that was acknowledged is there after the next start.
//!
//! The supervisor must be a process of its own to be killed, so this test binary starts itself again: the "test"
//! `a_process_that_supervises` does its work when the variable is set, and nothing otherwise.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use chapar_server::embedded_postgres::EmbeddedPostgres;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::PgPoolOptions;

const DATA_DIR: &str = "CHAPAR_TEST_SUPERVISED_DATA_DIR";
/// An account without rights that every Linux has.
const NOBODY: u32 = 65534;
const WRITERS: i32 = 8;
/// Acknowledged rows before each kill.
const ROWS_PER_ROUND: usize = 150;

/// Who dies in a round.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Supervisor,
    Postmaster,
    Everything,
}

const ROUNDS: [Victim; 7] = [
    Victim::Supervisor,
    Victim::Everything,
    Victim::Postmaster,
    Victim::Everything,
    Victim::Supervisor,
    Victim::Everything,
    Victim::Postmaster,
];

#[test]
fn run_by_whoever_runs_the_tests() {
    let scratch = tempfile::tempdir().expect("a directory");
    if is_root() {
        // So that the account `postgres` reaches it.
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o711)).expect("permissions");
    }
    survives(&scratch.path().join("data"), &|| Command::new(this_program()));
}

#[test]
fn run_by_root_where_only_root_can_reach_the_data() {
    if !is_root() {
        println!("not run: this needs root");
        return;
    }
    if !Command::new("unshare").args(["--user", "true"]).status().is_ok_and(|status| status.success()) {
        println!("not run: this machine forbids user namespaces");
        return;
    }
    let scratch = tempfile::tempdir().expect("a directory with mode 0700");
    survives(&scratch.path().join("data"), &|| Command::new(this_program()));
}

#[test]
fn run_by_an_ordinary_user() {
    if !is_root() {
        println!("covered by run_by_whoever_runs_the_tests: that is an ordinary user already");
        return;
    }
    let (scratch, program) = ordinary_users_copy();
    survives(&scratch.path().join("data"), &|| as_an_ordinary_user(&program));
}

/// Without `setpriv` nobody tells Postgres that its supervisor has died: the next start has to stop the orphan.
#[test]
fn run_by_an_ordinary_user_where_setpriv_is_missing() {
    let without_path = |mut command: Command, program: &Path| {
        command.arg("PATH=/nonexistent").arg(program);
        command
    };
    if is_root() {
        let (scratch, program) = ordinary_users_copy();
        let data_dir = scratch.path().join("data");
        survives(&data_dir, &|| without_path(as_an_ordinary_user(Path::new("env")), &program));
    } else {
        let scratch = tempfile::tempdir().expect("a directory");
        survives(&scratch.path().join("data"), &|| without_path(Command::new("env"), &this_program()));
    }
}

/// Half a cluster is never taken for a whole one, wherever the cold start is cut off.
#[test]
fn killed_while_the_cluster_is_being_made() {
    for milliseconds in [20, 60, 120, 200, 300, 450, 600, 800] {
        let scratch = tempfile::tempdir().expect("a directory");
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o711)).expect("permissions");
        let data_dir = scratch.path().join("data");
        let mut first = Supervisor::spawn(&data_dir, Command::new(this_program()));
        std::thread::sleep(Duration::from_millis(milliseconds));
        let supervisor = Pid::from_child(&first.process).as_raw_nonzero().get();
        let (initdb, cluster) = (data_dir.join("pg.init").exists(), data_dir.join("pg").exists());
        println!("killing after {milliseconds} ms: pg.init {initdb}, pg {cluster}");
        let children = children_of(supervisor);
        kill_nine(supervisor);
        // The smaller half of the rounds leaves the children to their death signal.
        if milliseconds > 120 {
            children.iter().flat_map(|child| children_of(*child)).for_each(kill_nine);
            children.into_iter().for_each(kill_nine);
        }
        first.process.wait().expect("the supervisor ends");

        let mut second = Supervisor::start(&data_dir, Command::new(this_program()));
        second.rows_found();
        second.next("row ");
        assert!(!data_dir.join("pg.init").exists());
        second.kill(Victim::Everything);
        leave_nobody_behind(&data_dir);
    }
}

/// The checkout may lie where an ordinary user cannot go.
fn ordinary_users_copy() -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().expect("a directory");
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    chown(scratch.path(), Some(NOBODY), Some(NOBODY)).expect("an owner");
    let program = scratch.path().join("supervisor");
    fs::copy(this_program(), &program).expect("a copy of this program");
    (scratch, program)
}

fn as_an_ordinary_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]);
    command.arg("--").arg(program);
    command
}

fn survives(data_dir: &Path, program: &dyn Fn() -> Command) {
    let mut acknowledged: HashSet<String> = HashSet::new();
    for (round, victim) in ROUNDS.iter().enumerate() {
        let begun = Instant::now();
        let mut supervisor = Supervisor::start(data_dir, program());
        let present = supervisor.rows_found();
        println!("round {round}: {} rows after {:?}, then killing {victim:?}", present.len(), begun.elapsed());
        let lost: Vec<&String> = acknowledged.difference(&present).take(5).collect();
        assert!(lost.is_empty(), "round {round} lost acknowledged rows, among them {lost:?}");

        for _ in 0..ROWS_PER_ROUND {
            acknowledged.insert(supervisor.next("row "));
        }
        supervisor.kill(*victim);
        acknowledged.extend(supervisor.rest("row "));
    }
    let mut supervisor = Supervisor::start(data_dir, program());
    let present = supervisor.rows_found();
    assert_eq!(acknowledged.difference(&present).count(), 0, "the last round lost acknowledged rows");
    println!("{} acknowledged rows, {} found", acknowledged.len(), present.len());
    supervisor.kill(Victim::Everything);
    leave_nobody_behind(data_dir);
}

/// After the last kill no start follows that would end the backends born between the look and the kill.
fn leave_nobody_behind(data_dir: &Path) {
    for _ in 0..50 {
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        let left: Vec<i32> = processes
            .filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(data_dir)))
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        if left.is_empty() {
            return;
        }
        left.into_iter().for_each(kill_nine);
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Supervisor {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    postmaster: i32,
}

impl Supervisor {
    fn start(data_dir: &Path, program: Command) -> Self {
        let mut this = Self::spawn(data_dir, program);
        this.postmaster = this.next("postmaster ").parse().expect("a process id");
        this
    }

    fn spawn(data_dir: &Path, mut program: Command) -> Self {
        let mut process = program
            .args(["--exact", "a_process_that_supervises", "--nocapture"])
            .env(DATA_DIR, data_dir)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a supervisor");
        let lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        Self { process, lines, postmaster: 0 }
    }

    fn rows_found(&mut self) -> HashSet<String> {
        let count: usize = self.next("count ").parse().expect("a number");
        (0..count).map(|_| self.next("found ")).collect()
    }

    fn next(&mut self, prefix: &str) -> String {
        loop {
            let line = self.lines.next().expect("the supervisor ended before its time").expect("a line");
            // The first line shares its place with what the test runner prints.
            if let Some((_, rest)) = line.split_once(prefix) {
                return rest.to_owned();
            }
        }
    }

    fn rest(&mut self, prefix: &str) -> Vec<String> {
        let lines = self.lines.by_ref().map_while(Result::ok);
        // A line cut short by the kill was never read as an acknowledgement by anybody: all have the same length.
        lines.filter_map(|line| line.strip_prefix(prefix).filter(|row| row.len() == 16).map(str::to_owned)).collect()
    }

    fn kill(&mut self, victim: Victim) {
        let supervisor = Pid::from_child(&self.process).as_raw_nonzero().get();
        match victim {
            Victim::Supervisor => kill_nine(supervisor),
            Victim::Postmaster => {
                kill_nine(self.postmaster);
                let said = self.next("died ");
                assert!(said.contains("The private Postgres has ended with signal: 9"), "{said}");
            }
            Victim::Everything => {
                let backends = children_of(self.postmaster);
                kill_nine(supervisor);
                kill_nine(self.postmaster);
                backends.into_iter().for_each(kill_nine);
            }
        }
        // Only the supervisor is waited for: the next start has to cope with the rest by itself.
        self.process.wait().expect("the supervisor ends");
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_process_that_supervises() {
    let Some(data_dir) = std::env::var_os(DATA_DIR) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(supervise(Path::new(&data_dir)));
}

async fn supervise(data_dir: &Path) {
    let pg_bin = std::env::var_os("CHAPAR_PG_BIN").map(PathBuf::from);
    let begun = Instant::now();
    let mut postgres = EmbeddedPostgres::start(data_dir, pg_bin.as_deref()).await.expect("Postgres starts");
    eprintln!("ready after {:?}", begun.elapsed());
    say(&format!("postmaster {}", postgres.process_id().expect("it runs")));
    let pool = PgPoolOptions::new()
        .max_connections(WRITERS.unsigned_abs())
        .acquire_timeout(Duration::from_mins(1))
        .connect_with(postgres.connect_options())
        .await
        .expect("a pool");
    sqlx::query("CREATE TABLE IF NOT EXISTS rows (id text PRIMARY KEY)").execute(&pool).await.expect("a table");
    let found: Vec<String> = sqlx::query_scalar("SELECT id FROM rows").fetch_all(&pool).await.expect("the rows");
    say(&format!("count {}", found.len()));
    for id in &found {
        say(&format!("found {id}"));
    }
    let round = std::process::id();
    for writer in 0..WRITERS {
        let pool = pool.clone();
        tokio::spawn(async move {
            for number in 0_u32.. {
                let id = format!("{round:07}-{writer}-{number:06}");
                match sqlx::query("INSERT INTO rows VALUES ($1)").bind(&id).execute(&pool).await {
                    Ok(_) => say(&format!("row {id}")),
                    Err(_) => return,
                }
            }
        });
    }
    let reason = postgres.died().await;
    say(&format!("died {reason}"));
}

/// One whole line, or none.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody listens any more when the test has failed already.
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}

fn children_of(parent: i32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    processes
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // pid (name) state parent …; a name may hold spaces and brackets.
            let found: i32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
            (found == parent).then_some(pid)
        })
        .collect()
}

fn kill_nine(pid: i32) {
    // It may have ended by itself a moment ago.
    let _ = kill_process(Pid::from_raw(pid).expect("a process id"), Signal::KILL);
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn this_program() -> PathBuf {
    std::env::current_exe().expect("the path of this test")
}
