//! Accepts connections, bounded in number, with or without TLS, and serves HTTP on them until they become WebSockets.
//! Those that speak TURN are the relay's: a network that lets nothing through but the port of the web lets calls through.

mod first_bytes;

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Extension, Router, body::Body, http::Request};
use chapar_signaling::relay::{outputs::Transport, server::Relay};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use parking_lot::Mutex;
use rustix::net::sockopt;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use crate::{http::Peer, limits::network, relays::TURN};

use first_bytes::{Rewound, Speaks, look};

/// How long a client may take for its TLS handshake, and again for a request's head.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections without a request, and WebSockets without a `hello`, that one address may have at least.
const STRANGERS: usize = 100;
/// How long a client may leave its own bytes unacknowledged, or its window closed, before the kernel gives it up.
const SILENCE: Duration = Duration::from_mins(1);
/// Bytes that the kernel takes beyond those that the other end has room for. Little, so that a write goes on whenever a slow
/// reader has read some: the kernel's own buffer holds megabytes, and asks for more only when a third of it is free.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 32 * 1024;
/// After how much silence the kernel asks whether the other end is still there.
const KEEP_ALIVE: Duration = Duration::from_mins(1);
/// How long somebody for whom there is no place may take to read why, and how many are told so at once.
const REFUSAL: Duration = Duration::from_secs(1);
const REFUSALS: usize = 256;
/// What they read.
const FULL: &str = r#"{"code":"overloaded","message":"there is no room for another connection, here or from your address","action":"retry","retry_after_ms":5000}"#;

/// Who is connected, for the bounds.
pub struct Places {
    most: usize,
    most_per_address: usize,
    /// Their connections are those of many people: only the people behind them are counted by address.
    proxies: Vec<IpNet>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// Strangers so far; their numbers, from 1.
    strangers: u64,
    by_address: HashMap<IpAddr, Here>,
}

/// The connections of one address.
#[derive(Default)]
struct Here {
    all: usize,
    /// Those of them that have not said yet what they are here for, the oldest first, and how each is told to go.
    strangers: BTreeMap<u64, Arc<Notify>>,
}

/// One connection's place. It is free again when this is dropped.
pub struct Place {
    places: Arc<Places>,
    client: OnceLock<IpAddr>,
    /// Its number among the strangers; 0 when it is none.
    stranger: AtomicU64,
    leave: Arc<Notify>,
}

impl Places {
    /// At most `most` connections, and `most_per_address` from one address (IPv6: from one /64) that is no proxy.
    pub fn new(most: usize, most_per_address: usize, proxies: Vec<IpNet>) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, proxies, taken: Mutex::default() })
    }

    fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        {
            let mut taken = self.taken.lock();
            if taken.all >= self.most {
                return None;
            }
            taken.all += 1;
        }
        let place =
            Place { places: self.clone(), client: OnceLock::new(), stranger: AtomicU64::new(0), leave: Arc::default() };
        let is_proxy = self.proxies.iter().any(|network| network.contains(&peer.to_canonical()));
        (is_proxy || place.belongs_to(peer)).then_some(place)
    }
}

impl Place {
    /// Counts the place for a client's address: the first that is named. Returns whether that has room.
    pub fn belongs_to(&self, client: IpAddr) -> bool {
        if self.client.get().is_some() {
            return true;
        }
        let client = network(client);
        let mut taken = self.places.taken.lock();
        let here = taken.by_address.entry(client).or_default();
        if here.all >= self.places.most_per_address || self.client.set(client).is_err() {
            return false;
        }
        here.all += 1;
        true
    }

    /// Counts the place as a stranger's: of one who has asked for nothing yet, or has a WebSocket and no `hello`. An address has a tenth of its places for those, at least
    /// [`STRANGERS`]; beyond, the one that has waited longest gives way: whoever holds many of them keeps nobody else out.
    pub fn is_strange(&self) {
        let most = (self.places.most_per_address / 10).max(STRANGERS);
        let mut taken = self.places.taken.lock();
        let Taken { strangers, by_address, .. } = &mut *taken;
        let Some(here) = self.client.get().and_then(|client| by_address.get_mut(client)) else { return };
        if self.stranger.load(Ordering::Relaxed) != 0 {
            return;
        }
        while here.strangers.len() >= most
            && let Some((_, leave)) = here.strangers.pop_first()
        {
            leave.notify_one();
        }
        *strangers += 1;
        here.strangers.insert(*strangers, self.leave.clone());
        self.stranger.store(*strangers, Ordering::Relaxed);
    }

    /// Ends when the place is needed by somebody else.
    pub async fn is_needed(&self) {
        self.leave.notified().await;
    }

    /// A request has come, or the `hello`.
    pub fn is_known(&self) {
        if self.stranger.load(Ordering::Relaxed) == 0 {
            return;
        }
        let number = self.stranger.swap(0, Ordering::Relaxed);
        let mut taken = self.places.taken.lock();
        if let Some(here) = self.client.get().and_then(|client| taken.by_address.get_mut(client)) {
            here.strangers.remove(&number);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.is_known();
        let mut taken = self.places.taken.lock();
        taken.all -= 1;
        let Some(client) = self.client.get() else { return };
        if let Some(here) = taken.by_address.get_mut(client) {
            here.all -= 1;
            if here.all == 0 {
                taken.by_address.remove(client);
            }
        }
    }
}

/// Accepts until dropped. What speaks TURN is handed to `relay`; without one everything is HTTP.
pub async fn accept(
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    places: Arc<Places>,
    relay: Option<Arc<Relay>>,
) {
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: those who are connected go on.
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let Some(place) = places.take(peer.ip()) else {
            // Over TLS nothing can be said before a handshake, which is what there is no room for.
            if let (None, Ok(turn)) = (&tls, refusals.clone().try_acquire_owned()) {
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(REFUSAL, refuse(stream)).await;
                    drop(turn);
                });
            }
            continue;
        };
        let (router, tls, relay) = (router.clone(), tls.clone(), relay.clone());
        tokio::spawn(async move {
            if let Err(error) = set_limits(&stream) {
                tracing::debug!(%error, "a connection has ended already");
            }
            let place = Arc::new(place);
            place.is_strange();
            tokio::select! {
                () = begin(stream, peer, tls, router, &place, relay) => {}
                () = place.is_needed() => tracing::debug!("a connection that asked for nothing gave way"),
            }
        });
    }
}

/// A connection from its first byte until it ends, or becomes a WebSocket.
async fn begin(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    place: &Arc<Place>,
    relay: Option<Arc<Relay>>,
) {
    let Some(tls) = tls else { return share(stream, peer, Transport::Tcp, router, place, relay).await };
    match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
        Ok(Ok(stream)) => match (relay, stream.get_ref().1.alpn_protocol()) {
            (Some(relay), Some(protocol)) if TURN.contains(&protocol) => {
                place.is_known();
                relay.serve_stream(stream, peer, Transport::Tls).await;
            }
            (_, Some(_)) => serve(stream, peer.ip(), router, place).await,
            // Browsers' TURN names no protocol, and other clients' HTTP need not.
            (relay, None) => share(stream, peer, Transport::Tls, router, place, relay).await,
        },
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    let head = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: application/json\r\n\
        Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n";
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{FULL}", FULL.len()).as_bytes()).await?;
    stream.shutdown().await?;
    // What was asked is read, or closing would take the answer back.
    let mut asked = [0; 512];
    while stream.read(&mut asked).await? > 0 {}
    Ok(())
}

/// Lets the kernel end what is dead or does not read: a reader that takes nothing pins no memory for long, whatever layer
/// the bytes wait in.
fn set_limits(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEP_ALIVE)?;
    #[cfg(target_os = "linux")]
    {
        sockopt::set_tcp_user_timeout(stream, u32::try_from(SILENCE.as_millis()).unwrap_or(u32::MAX))?;
        SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    }
    Ok(())
}

/// HTTP or TURN, by the first bytes.
async fn share<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: SocketAddr,
    transport: Transport,
    router: Router,
    place: &Arc<Place>,
    relay: Option<Arc<Relay>>,
) {
    let Some(relay) = relay else { return serve(stream, peer.ip(), router, place).await };
    // Whoever says nothing is let go, as one who does not finish a request's head.
    let looked: Result<std::io::Result<(Speaks, Rewound<S>)>, _> = tokio::time::timeout(PATIENCE, look(stream)).await;
    match looked {
        Ok(Ok((Speaks::Http, stream))) => serve(stream, peer.ip(), router, place).await,
        Ok(Ok((Speaks::Stun, stream))) => {
            place.is_known();
            relay.serve_stream(stream, peer, transport).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended before it said anything"),
        Err(_) => tracing::debug!("a connection said nothing"),
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: IpAddr,
    router: Router,
    place: &Arc<Place>,
) {
    let router = router.layer(Extension(Peer(peer))).layer(Extension(place.clone()));
    let service = service_fn(move |request: Request<Incoming>| {
        place.is_known();
        router.clone().call(request.map(Body::new))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended badly");
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let places = Places::new(3, 2, Vec::new());
        let (a, b): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let first = places.take(a);
        let second = places.take(a);
        assert!(first.is_some() && second.is_some());
        assert!(places.take(a).is_none(), "two per address");
        let third = places.take(b);
        assert!(third.is_some());
        assert!(places.take([192, 0, 2, 3].into()).is_none(), "three in all");
        drop(second);
        assert!(places.take(a).is_some());
    }

    #[tokio::test]
    async fn the_stranger_who_has_waited_longest_gives_way() {
        let places = Places::new(1000, 1000, Vec::new());
        let client: IpAddr = [192, 0, 2, 1].into();
        let taken: Vec<Place> = (0..STRANGERS + 2).filter_map(|_| places.take(client)).collect();
        taken[..STRANGERS].iter().for_each(Place::is_strange);
        let must_go = |place: &Place| place.is_needed().now_or_never().is_some();
        assert!(!taken.iter().any(must_go), "there is room");
        taken[0].is_known();
        taken[0].is_known();
        taken[STRANGERS].is_strange();
        taken[STRANGERS].is_strange();
        assert!(!taken.iter().any(must_go), "one of them was no stranger any more");
        taken[STRANGERS + 1].is_strange();
        let gone: Vec<usize> = (0..taken.len()).filter(|&place| must_go(&taken[place])).collect();
        assert_eq!(gone, [1]);
        drop(taken);
        assert!(places.taken.lock().by_address.is_empty());
    }

    #[test]
    fn the_people_behind_a_proxy_are_counted_one_by_one() {
        let places = Places::new(100, 2, vec!["10.0.0.0/8".parse().expect("a network")]);
        let proxy: IpAddr = [10, 0, 0, 1].into();
        let client: IpAddr = [192, 0, 2, 1].into();
        let taken: Vec<Place> = (0..5).filter_map(|_| places.take(proxy)).collect();
        assert_eq!(taken.len(), 5, "a proxy's own address is not bounded");
        let let_in = taken.iter().filter(|place| place.belongs_to(client)).count();
        assert_eq!(let_in, 2);
        assert!(taken[4].belongs_to([192, 0, 2, 2].into()));
        assert!(taken[0].belongs_to(client), "asked twice it counts once");
        drop(taken);
        assert!(places.take(client).is_some());
    }
}
