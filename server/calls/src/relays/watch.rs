//! Whether the relays that do not register themselves are there: each is asked for a STUN binding again and again.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chapar_signaling::relay::directory::Entry;
use parking_lot::Mutex;
use tokio::{
    net::{UdpSocket, lookup_host},
    task::{AbortHandle, JoinHandle},
    time::{sleep, timeout},
};

/// How often a relay is asked, and how long its answer may take.
const EVERY: Duration = Duration::from_millis(1500);
/// So many times in a row without an answer, and it is gone: within eight seconds.
const MOST_MISSED: u32 = 4;

/// How often the names in its URLs are looked up again, and how soon after they could not be.
const LOOK_UP: [Duration; 2] = [Duration::from_mins(1), Duration::from_secs(2)];

/// One relay under watch. Dropping it ends that.
pub(super) struct Watched {
    entry: Entry,
    gone: Arc<AtomicBool>,
    /// From where it relays, as far as its URLs tell: it does not say so itself.
    relayed: Arc<Mutex<Vec<IpAddr>>>,
    tasks: Vec<AbortHandle>,
}

impl Watched {
    /// Begins to ask. A relay without a `stun:` URL is taken to be there, and so is one that has never answered: a firewall
    /// may stand between it and this node, and not between it and the clients.
    pub(super) fn start(entry: Entry, tasks: &mut Vec<JoinHandle<()>>) -> Self {
        let gone = Arc::new(AtomicBool::new(false));
        let place = entry.stun.first().and_then(|url| url.strip_prefix("stun:")).map(with_port);
        let mut own: Vec<JoinHandle<()>> = Vec::new();
        own.extend(place.map(|place| tokio::spawn(watch(place, entry.name.clone(), gone.clone()))));
        let hosts: BTreeSet<String> = entry.hosts().map(str::to_owned).collect();
        let (named, addresses) = hosts.into_iter().partition::<Vec<_>, _>(|host| host.parse::<IpAddr>().is_err());
        let addresses: Vec<IpAddr> = addresses.iter().filter_map(|host| host.parse().ok()).collect();
        let relayed = Arc::new(Mutex::new(addresses.clone()));
        if !named.is_empty() {
            own.push(tokio::spawn(look_up(named, addresses, relayed.clone())));
        }
        let handles = own.iter().map(JoinHandle::abort_handle).collect();
        tasks.extend(own);
        Self { entry, gone, relayed, tasks: handles }
    }

    /// The relay, unless it has died.
    pub(super) fn entry(&self) -> Option<Entry> {
        (!self.gone.load(Ordering::Relaxed))
            .then(|| Entry { relayed: self.relayed.lock().clone(), ..self.entry.clone() })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

fn with_port(place: &str) -> String {
    let has_port = place.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    if has_port { place.to_owned() } else { format!("{place}:3478") }
}

async fn look_up(named: Vec<String>, addresses: Vec<IpAddr>, relayed: Arc<Mutex<Vec<IpAddr>>>) {
    loop {
        let mut found = addresses.clone();
        let mut all = true;
        for host in &named {
            match lookup_host((host.as_str(), 0)).await {
                Ok(places) => found.extend(places.map(|at| at.ip())),
                Err(_) => all = false,
            }
        }
        found.sort_unstable();
        found.dedup();
        // What was known stays while a name cannot be looked up.
        if all || relayed.lock().len() < found.len() {
            *relayed.lock() = found;
        }
        sleep(LOOK_UP[usize::from(!all)]).await;
    }
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
