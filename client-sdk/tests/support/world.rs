//! A real server in a directory of its own, and a network that can be cut.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use chapar_client::{Client, ClientEvent, Events};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// `chapar` with its embedded Postgres. Ends with the value.
pub(crate) struct Server {
    process: Child,
    /// Where it listens, as a URL.
    pub(crate) url: String,
    directory: tempfile::TempDir,
}

/// Where cargo puts the programs that belong to this build.
pub(crate) fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("target/PROFILE");
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build -p chapar-server -p chapar-client --examples --bins` first",
        path.display()
    );
    path
}

impl Server {
    /// Without a bound on how fast somebody writes.
    pub(crate) fn start() -> Self {
        Self::start_with(&["--messages-per-second", "0"])
    }

    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (process, url) = spawn(directory.path(), "127.0.0.1:0", settings);
        Self { process, url, directory }
    }

    /// Ends the process with a signal, by its name.
    pub(crate) fn stop(&mut self, signal: &str) {
        let killed = Command::new("kill").args(["-s", signal]).arg(self.process.id().to_string()).status();
        assert!(killed.expect("kill runs").success());
        self.process.wait().expect("it ends");
    }

    /// Starts again with the same data on the same port.
    pub(crate) fn start_again(&mut self, settings: &[&str]) {
        let address = self.address().to_string();
        (self.process, self.url) = spawn(self.directory.path(), &address, settings);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let (_, address) = self.url.split_once("://").expect("a URL");
        address.parse().expect("an address")
    }
}

fn spawn(directory: &Path, listen: &str, settings: &[&str]) -> (Child, String) {
    let program = std::env::var_os("CHAPAR_BIN").map_or_else(|| built("chapar"), PathBuf::from);
    let mut process = Command::new(program)
        .args(["--listen", listen, "--data-dir"])
        .arg(directory.join("data"))
        // People of a test name each other by id.
        .args(["--lookups-per-day", "0", "--new-contacts-per-day", "0", "--stranger-chats-per-day", "0"])
        .args(settings)
        .env_remove("DATABASE_URL")
        .env_remove("REDIS_URL")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chapar starts");
    let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    let url = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("listening on ").map(|(_, url)| url.trim().to_owned()))
        .expect("chapar says where it listens");
    // Or it would stop when the pipe is full.
    std::thread::spawn(move || lines.for_each(drop));
    (process, url)
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, so that it stops its Postgres too.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// A way to the server that can be cut.
pub(crate) struct Wire {
    pub(crate) url: String,
    up: watch::Sender<bool>,
}

impl Wire {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (up, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut state = state.clone();
                if !*state.borrow_and_update() {
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|up| !up) => {}
                    }
                });
            }
        });
        Self { url, up }
    }

    pub(crate) fn cut(&self) {
        self.up.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.up.send_replace(true);
    }
}

/// A new account.
pub(crate) async fn person(url: &str, handle: &str) -> Client {
    let client = Client::builder(url).register(handle, "a long password", None).await.expect("registered");
    client.online().await.expect("online");
    client
}

/// Waits until something holds, looking again after each event, and now and then: not all that changes is told.
pub(crate) async fn until(events: &mut Events, what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            let next = tokio::time::timeout(Duration::from_millis(200), events.next()).await;
            assert!(!matches!(next, Ok(None)), "the client is gone");
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never: {what}");
}

/// Waits for an event.
pub(crate) async fn event(
    events: &mut Events,
    what: &str,
    mut wanted: impl FnMut(&ClientEvent) -> bool,
) -> ClientEvent {
    let wait = async {
        loop {
            let event = events.next().await.expect("the client is there");
            if wanted(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// The texts of a chat as a client holds it.
pub(crate) fn texts(client: &Client, chat_id: chapar_client::protocol::ChatId) -> Vec<String> {
    let text = |view: chapar_client::view::MessageView| match view.message.body {
        chapar_client::protocol::Body::Text(text) => Some(text.text),
        _ => None,
    };
    client.messages(chat_id).into_iter().filter_map(text).collect()
}
