//! The two relays: started, found to answer, asked how much processor time they have had, ended.

use std::{
    fs, io,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::client::{Client, REALM, SECRET};

/// A running relay. Dropping it ends it.
pub(crate) struct Relay {
    child: Child,
    /// Where clients ask.
    pub(crate) server: SocketAddr,
}

impl Relay {
    /// `chapar-relay`, with its bounds on one user and one address out of the way: the load is one user at one address.
    pub(crate) fn chapar(program: &str) -> io::Result<Self> {
        let server = SocketAddr::from(([127, 0, 0, 1], 34_780));
        let secrets = std::env::temp_dir().join(format!("relay-rate-{}", std::process::id()));
        fs::write(&secrets, SECRET)?;
        let listen = server.to_string();
        let mut command = Command::new(program);
        command.args(["--udp", &listen, "--tcp", &listen, "--address", "127.0.0.1", "--open", "loopback"]);
        command.args(["--user-quota", "100000", "--address-quota", "100000"]);
        command.args(["--bandwidth", "100000000000", "--challenges", "1000000"]);
        // Below the ports that the system gives to the load's own sockets.
        command.args(["--first-port", "12000", "--last-port", "21999", "--secrets"]).arg(&secrets);
        let started = Self::start(command, server);
        let _ = fs::remove_file(secrets);
        started
    }

    /// coturn, as it does when nothing else is said.
    pub(crate) fn coturn(program: &str) -> io::Result<Self> {
        let server = SocketAddr::from(([127, 0, 0, 1], 34_790));
        let mut command = Command::new(program);
        command.args(["-n", "--use-auth-secret", "--static-auth-secret", SECRET, "--realm", REALM]);
        command.args(["-L", "127.0.0.1", "-E", "127.0.0.1", "--listening-port", &server.port().to_string()]);
        command.args(["--min-port", "22000", "--max-port", "31999", "--allow-loopback-peers"]);
        command.args(["--no-cli", "--no-tls", "--no-dtls", "--no-stdout-log"]);
        command.args(["--log-file", "/dev/null", "--pidfile", "/dev/null"]);
        Self::start(command, server)
    }

    fn start(mut command: Command, server: SocketAddr) -> io::Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut relay = Self { child, server };
        for _ in 0..500 {
            if let Some(status) = relay.child.try_wait()? {
                return Err(io::Error::other(format!("{command:?} ended: {status}")));
            }
            if Client::new(server).is_ok() {
                return Ok(relay);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(io::Error::other(format!("{command:?} does not answer")))
    }

    /// Seconds of processor time that it has had.
    pub(crate) fn cpu(&self) -> io::Result<f64> {
        // schedstat has nanoseconds, where stat has ticks; one line per thread.
        let mut nanos = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanos += text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or_default();
        }
        Ok(nanos / 1e9)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
