//! One `chapar` process on a port that stays its own over restarts.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    ADMIN_TOKEN, Ports,
    process::{self, Process, Signal},
    wait_for,
};
use crate::http::Node;

#[derive(Debug)]
pub(crate) struct NodeProcess {
    pub(crate) address: SocketAddr,
    server: PathBuf,
    directory: PathBuf,
    settings: Vec<String>,
    process: Option<Process>,
}

impl NodeProcess {
    pub(super) fn start(server: &Path, directory: PathBuf, ports: &mut Ports, settings: &[String]) -> io::Result<Self> {
        fs::create_dir(&directory)?;
        let mut settings = settings.to_vec();
        settings.push("--relay".into());
        settings.push(ports.take().to_string());
        let mut it = Self { address: ports.take(), server: server.to_owned(), directory, settings, process: None };
        it.up()?;
        Ok(it)
    }

    /// Starts it, again if it was killed, and waits until it is ready.
    pub(crate) fn up(&mut self) -> io::Result<()> {
        let log = self.directory.with_extension("log");
        let mut command = process::command(&self.server, None);
        command.args(["--listen", &self.address.to_string(), "--data-dir"]).arg(&self.directory).args(&self.settings);
        command.env("CHAPAR_ADMIN_TOKEN", ADMIN_TOKEN);
        let mut process = Process::start(command, &log)?;
        let address = self.address;
        let mut ended = false;
        let up = wait_for("chapar", &log, || {
            ended = process.ended();
            ended || ready(address).is_some_and(|it| it.0 == 200)
        });
        self.process = Some(process);
        if ended {
            let log = fs::read_to_string(&log).unwrap_or_default();
            return Err(io::Error::other(format!("chapar ended at its start:\n{log}")));
        }
        up
    }

    /// Starts it anew without its first settings, which were for making the world.
    pub(crate) fn restart_without(&mut self, first: usize) -> io::Result<()> {
        self.kill();
        self.settings.drain(..first.min(self.settings.len()));
        self.up()
    }

    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        if let Some(process) = &mut self.process {
            process.signal(signal);
        }
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Whether it still runs.
    pub(crate) fn lives(&mut self) -> bool {
        self.process.as_mut().is_some_and(|it| !it.ended())
    }

    pub(crate) fn node(&self) -> Node {
        Node { host: self.address.to_string(), address: self.address }
    }

    /// The last lines of its log.
    pub(crate) fn log(&self, lines: usize) -> String {
        let log = fs::read_to_string(self.directory.with_extension("log")).unwrap_or_default();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// What `/readyz` says: status and first words. `None` when it says nothing within a second.
pub(crate) fn ready(address: SocketAddr) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // The time-out may strike after the answer: what came counts.
    let _ = stream.take(4096).read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n").map_or("", |it| it.1);
    Some((status, body.trim().chars().take(200).collect()))
}
