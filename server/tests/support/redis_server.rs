//! A real `redis-server` of one test.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use super::{
    PATIENCE,
    process::{Process, Signal},
};

pub struct RedisServer {
    port: u16,
    log: PathBuf,
    server: Process,
}

impl RedisServer {
    pub fn start(directory: &std::path::Path) -> Self {
        let port = free_port();
        let log = directory.join("redis.log");
        let server = spawn(port, &log);
        let mut redis = Self { port, log, server };
        redis.wait();
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// SIGKILL. The port stays this server's own.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again, empty, on the same port.
    pub fn restart(&mut self) {
        self.server.kill();
        self.server = spawn(self.port, &self.log);
        self.wait();
    }

    pub fn signal(&self, signal: Signal) {
        self.server.signal(signal);
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let running = self.server.ended().is_none() && Instant::now() < deadline;
            assert!(running, "redis-server does not start:\n{}", self.server.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn spawn(port: u16, log: &std::path::Path) -> Process {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(port.to_string());
    Process::start(command, log)
}

/// A port below the range that the kernel gives to outgoing connections, so that a restart finds it free again.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 9000).expect("fits");
    for _ in 0..9000 {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 9000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}
