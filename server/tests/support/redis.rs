//! Real Redis servers for tests: one, a Sentinel trio with a master and a replica, or a small cluster. Each lives in a
//! temporary directory on free loopback ports, and is killed by its process id when it is dropped.

#![allow(dead_code, reason = "each test file uses another part")]

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// One `redis-server` (or Sentinel) process.
pub(crate) struct Redis {
    directory: TempDir,
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
}

impl Redis {
    /// Starts a server that keeps nothing, and waits until it answers.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a server with further options, such as `["--replicaof", "127.0.0.1 7000"]`.
    pub(crate) async fn with(options: &[&str]) -> Self {
        let mut redis = Self::down(options);
        redis.up().await;
        redis
    }

    /// A server that is not running yet, with its port chosen.
    pub(crate) fn down(options: &[&str]) -> Self {
        Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            port: free_port(),
            options: options.iter().map(ToString::to_string).collect(),
            child: None,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts the process (again, on the same port) and waits until it answers.
    pub(crate) async fn up(&mut self) {
        let log = File::create(self.directory.path().join("log")).expect("a log file");
        let mut command = Command::new("redis-server");
        if let Some(config) = self.config() {
            command.arg(config).arg("--sentinel");
        } else {
            command.args(["--save", "", "--appendonly", "no", "--enable-debug-command", "local"]);
            command.args(&self.options);
        }
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(self.directory.path());
        let child = command.stdout(log).stderr(Stdio::null()).spawn().expect("redis-server is installed");
        self.child = Some(child);
        wait_for("redis-server answers", async || self.try_ask::<String>(&["PING"]).await.is_ok()).await;
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Holds the process: its port still accepts, nothing answers.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a held process go on.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends one command over a connection of its own.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub(crate) async fn try_ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(self.url())?.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await
    }

    fn config(&self) -> Option<PathBuf> {
        let path = self.directory.path().join("sentinel.conf");
        path.exists().then_some(path)
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the process runs");
        kill_process(Pid::from_child(child), signal).expect("a signal to our own child");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A master, a replica, and three Sentinels that fail over within a second or two.
pub(crate) struct Sentinels {
    pub(crate) servers: [Redis; 2],
    pub(crate) sentinels: Vec<Redis>,
}

impl Sentinels {
    pub(crate) async fn start() -> Self {
        let master = Redis::start().await;
        let replica =
            Redis::with(&["--replicaof", &format!("127.0.0.1 {}", master.port), "--repl-diskless-sync-delay", "0"])
                .await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let mut sentinel = Redis::down(&[]);
            let port = master.port;
            let config = format!(
                "sentinel monitor main 127.0.0.1 {port} 2\nsentinel down-after-milliseconds main 700\nsentinel failover-timeout main 3000\n"
            );
            fs::write(sentinel.directory.path().join("sentinel.conf"), config).expect("a config file");
            sentinel.up().await;
            sentinels.push(sentinel);
        }
        let all = Self { servers: [master, replica], sentinels };
        wait_for("the Sentinels know each other and the replica", async || {
            for sentinel in &all.sentinels {
                let others: Vec<redis::Value> = sentinel.ask(&["SENTINEL", "SENTINELS", "main"]).await;
                let replicas: Vec<redis::Value> = sentinel.ask(&["SENTINEL", "REPLICAS", "main"]).await;
                if others.len() != 2 || replicas.len() != 1 {
                    return false;
                }
            }
            let info: String = all.servers[1].ask(&["INFO", "replication"]).await;
            info.contains("master_link_status:up")
        })
        .await;
        all
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/main", hosts.join(","))
    }
}

/// Three masters with a third of the slots each; optionally a replica for each.
pub(crate) struct Cluster {
    pub(crate) masters: Vec<Redis>,
    pub(crate) replicas: Vec<Redis>,
}

impl Cluster {
    pub(crate) async fn start(with_replicas: bool) -> Self {
        let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"];
        let mut masters = Vec::new();
        let mut replicas = Vec::new();
        for _ in 0..3 {
            masters.push(Redis::with(&options).await);
            if with_replicas {
                replicas.push(Redis::with(&options).await);
            }
        }
        let ranges = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for (index, (master, range)) in masters.iter().zip(ranges).enumerate() {
            let epoch = (index + 1).to_string();
            master.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
            master.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", range.0, range.1]).await;
        }
        for other in masters[1..].iter().chain(&replicas) {
            masters[0].ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string()]).await;
        }
        let all = Self { masters, replicas };
        for (replica, master) in all.replicas.iter().zip(&all.masters) {
            let id: String = master.ask(&["CLUSTER", "MYID"]).await;
            wait_for("the replica knows its master", async || {
                replica.try_ask::<()>(&["CLUSTER", "REPLICATE", &id]).await.is_ok()
            })
            .await;
        }
        wait_for("every node sees the whole cluster", async || {
            for node in all.masters.iter().chain(&all.replicas) {
                let info: String = node.ask(&["CLUSTER", "INFO"]).await;
                let known = format!("cluster_known_nodes:{}\r", all.masters.len() + all.replicas.len());
                if !info.contains("cluster_state:ok") || !info.contains(&known) {
                    return false;
                }
            }
            for replica in &all.replicas {
                let info: String = replica.ask(&["INFO", "replication"]).await;
                if !info.contains("master_link_status:up") {
                    return false;
                }
            }
            true
        })
        .await;
        all
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.masters.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }
}

/// Polls until something is so; panics with its name after 30 seconds.
pub(crate) async fn wait_for(what: &str, is_so: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A free port below 32768, outside the range from which the kernel takes the ports of outgoing connections, so that
/// none of those takes it between here and the start of the server; and with room for the cluster bus port, 10000 above.
fn free_port() -> u16 {
    loop {
        let port = rand::random_range(10_000..22_000);
        let is_free = |port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free(port) && is_free(port + 10_000) {
            return port;
        }
    }
}
