//! Servers, relays and how media travels, for the tests of calls.

use std::{
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
};

use chapar_client::{calls::Call, protocol::call::PathKind};
use chapar_loadtest::media::CallsCommon;
use tokio::time::timeout;

use crate::world::{PATIENCE, Server, built};

pub(crate) const SECRET: &str = "a secret that relays and nodes share";

pub(crate) fn free_address() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    socket.local_addr().expect("bound")
}

pub(crate) fn server(extra: &[&str]) -> Server {
    let mut settings = vec!["--call-loopback", "true", "--calls-per-minute", "0"];
    settings.extend_from_slice(extra);
    Server::start_with(&settings)
}

pub(crate) fn common(server: &Server, relay: SocketAddr) -> CallsCommon {
    CallsCommon { url: server.url.clone(), relay, loss: 0.0, delay: 0, jitter: 0, seed: 1, pairs: 1, json: None }
}

pub(crate) async fn relay_of(call: &Call) -> (PathKind, Option<String>) {
    let mut stats = call.stats();
    let known = stats.wait_for(|it| it.as_ref().is_some_and(|it| it.path != PathKind::Unknown));
    let measured = timeout(PATIENCE, known).await.expect("measured").expect("alive");
    measured.as_ref().map(|it| (it.path, it.relay.clone())).unwrap_or_default()
}

/// `chapar-relay` as a process. Ends with the value.
pub(crate) struct Relay {
    pub(crate) process: Child,
    pub(crate) _directory: tempfile::TempDir,
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn relay(address: SocketAddr, first_port: u16) -> Relay {
    let (directory, host) = (tempfile::tempdir().expect("a directory"), address.ip().to_string());
    let secrets = directory.path().join("secrets");
    std::fs::write(&secrets, format!("{SECRET}\n")).expect("written");
    let (first, last) = (first_port.to_string(), (first_port + 200).to_string());
    let child = Command::new(built("chapar-relay"))
        .args(["--udp", &address.to_string(), "--tcp", &address.to_string(), "--address", &host])
        .args(["--first-port", &first, "--last-port", &last, "--open", "loopback", "--secrets"])
        .arg(&secrets)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Relay { process: child.expect("chapar-relay starts"), _directory: directory }
}
