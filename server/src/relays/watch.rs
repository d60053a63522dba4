//! Whether the relays that do not register themselves are there: each is asked for a STUN binding again and again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chapar_signaling::relay::directory::Entry;
use tokio::{
    net::{UdpSocket, lookup_host},
    task::AbortHandle,
    time::{sleep, timeout},
};

/// How often a relay is asked, and how long its answer may take.
const EVERY: Duration = Duration::from_millis(1500);
/// So many times in a row without an answer, and it is gone: within eight seconds.
const MOST_MISSED: u32 = 4;

/// One relay under watch. Dropping it ends that.
pub(super) struct Watched {
    entry: Entry,
    gone: Arc<AtomicBool>,
    task: Option<AbortHandle>,
}

impl Watched {
    /// Begins to ask. A relay without a `stun:` URL is taken to be there, and so is one that has never answered: a firewall
    /// may stand between it and this node, and not between it and the clients.
    pub(super) fn start(entry: Entry) -> Self {
        let gone = Arc::new(AtomicBool::new(false));
        let place = entry.stun.first().and_then(|url| url.strip_prefix("stun:")).map(with_port);
        let task = place.map(|place| tokio::spawn(watch(place, entry.name.clone(), gone.clone())).abort_handle());
        Self { entry, gone, task }
    }

    /// The relay, unless it has died.
    pub(super) fn entry(&self) -> Option<Entry> {
        (!self.gone.load(Ordering::Relaxed)).then(|| self.entry.clone())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn with_port(place: &str) -> String {
    let has_port = place.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    if has_port { place.to_owned() } else { format!("{place}:3478") }
}

async fn watch(place: String, name: String, gone: Arc<AtomicBool>) {
    let (mut missed, mut has_answered) = (0, false);
    loop {
        if answers(&place).await {
            if gone.swap(false, Ordering::Relaxed) || !has_answered {
                tracing::info!(name, "a relay answers");
            }
            (missed, has_answered) = (0, true);
            sleep(EVERY).await;
        } else {
            missed += 1;
            if has_answered && missed >= MOST_MISSED && !gone.swap(true, Ordering::Relaxed) {
                tracing::warn!(name, "a relay does not answer any more: it is not handed out");
            }
        }
    }
}

/// One binding request (RFC 8489 section 6); takes [`EVERY`] when nobody answers.
async fn answers(place: &str) -> bool {
    let asked = async {
        let at = lookup_host(place).await.ok()?.next()?;
        let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await.ok()?;
        socket.connect(at).await.ok()?;
        let mut request = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        request[8..].copy_from_slice(&rand::random::<[u8; 12]>());
        socket.send(&request).await.ok()?;
        let mut answer = [0; 512];
        loop {
            // An ICMP error comes at once, and is no answer.
            let length = socket.recv(&mut answer).await.ok()?;
            if length >= 20 && answer[4..20] == request[4..] {
                return Some(());
            }
        }
    };
    let began = tokio::time::Instant::now();
    let answered = matches!(timeout(EVERY, asked).await, Ok(Some(())));
    if !answered {
        tokio::time::sleep_until(began + EVERY).await;
    }
    answered
}
