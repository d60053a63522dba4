//! A Redis that keeps nothing.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    process::{self, Process, Signal},
    wait_for,
};

#[derive(Debug)]
pub(crate) struct Redis {
    pub(crate) address: SocketAddr,
    directory: PathBuf,
    process: Option<Process>,
}

impl Redis {
    pub(crate) fn start(scratch: &Path, address: SocketAddr) -> io::Result<Self> {
        let mut it = Self { address, directory: scratch.to_owned(), process: None };
        it.up()?;
        Ok(it)
    }

    /// Starts it, again if it was killed, and waits until it answers.
    pub(crate) fn up(&mut self) -> io::Result<()> {
        let mut command = process::command("redis-server", None);
        command.args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port"]);
        command.arg(self.address.port().to_string()).arg("--dir").arg(&self.directory);
        let log = self.directory.join("redis.log");
        self.process = Some(Process::start(command, &log)?);
        wait_for("Redis", &log, || self.ask("PING").is_ok_and(|answer| answer.starts_with("+PONG")))
    }

    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        if let Some(process) = &mut self.process {
            process.signal(signal);
        }
    }

    /// Sends one command without arguments and returns the beginning of the answer.
    pub(crate) fn ask(&self, command: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let mut answer = [0; 256];
        let read = stream.read(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
    }
}
