//! The ways in and out of this machine: a socket of its own network, or a relay over UDP, TCP or TLS.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use chapar_protocol::call::{IceServer, PathKind};
use rustls::{ClientConfig, pki_types::ServerName};
use stun_types::TransportType;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    sync::mpsc,
    task::AbortHandle,
    time::timeout,
};
use turn_client_proto::{
    api::{TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    prelude::{DelayedTransmitBuild as _, TurnClientApi as _},
    stun::Instant as TurnInstant,
    types::TurnCredentials,
    udp::TurnClientUdp,
};

use super::{
    Routes, gateway,
    reflexive::Reflexive,
    url::{RelayUrl, Transport},
};

/// Datagrams and frames that wait to be taken or written. More than a second of a call.
const QUEUE: usize = 256;
/// The longest datagram that is read. Media stays below 1.3 KB.
const DATAGRAM: usize = 2_048;
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(8);
/// Peers of one allocation at most: the candidates of one other side.
const MAX_PEERS: usize = 64;
/// Answered requests that are remembered.
const MAX_ANSWERED: usize = 64;
/// What waits for a permission on the relay, for each peer.
const WAITING: usize = 8;

/// Names a leg.
pub(crate) type LegId = u32;

/// What comes in.
pub(crate) enum Inbound {
    /// A datagram or a frame.
    Packet { leg: LegId, from: SocketAddr, data: Vec<u8> },
    /// A leg is open, or will never be.
    Opened { leg: LegId, opened: io::Result<Opened> },
    /// A stream ended.
    Closed { leg: LegId },
    /// Where the relays' STUN part is reached, the nearest first.
    Reflectors(Vec<SocketAddr>),
}

/// An open way.
pub(crate) struct Opened {
    pub(crate) out: Out,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    _tasks: Tasks,
}

/// How to write.
pub(crate) enum Out {
    Datagrams(Arc<UdpSocket>),
    /// To a gateway, which sends it on.
    Gateway(Arc<UdpSocket>, SocketAddr),
    Stream(mpsc::Sender<Vec<u8>>),
}

/// Ends the tasks with the leg.
pub(crate) struct Tasks(Vec<AbortHandle>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Out {
    /// Sends, or drops what finds no room: media is made to lose packets, not to wait.
    pub(crate) fn send(&self, to: SocketAddr, data: &[u8]) {
        match self {
            Self::Datagrams(socket) => {
                let _ = socket.try_send_to(data, to);
            }
            Self::Gateway(socket, gateway) => {
                let _ = socket.try_send_to(&gateway::wrap(to, data), *gateway);
            }
            Self::Stream(writer) => {
                let mut frame = data.to_vec();
                // RFC 8656 section 12.5: on a stream the messages stand on four-byte boundaries.
                frame.resize(frame.len().next_multiple_of(4), 0);
                let _ = writer.try_send(frame);
            }
        }
    }
}

/// Opens a socket on one of the own addresses.
pub(crate) async fn host(
    leg: LegId,
    address: SocketAddr,
    routes: Routes,
    inbound: mpsc::Sender<Inbound>,
) -> io::Result<Opened> {
    let socket = Arc::new(UdpSocket::bind(SocketAddr::new(address.ip(), 0)).await?);
    datagrams(leg, &socket, address, routes, inbound)
}

/// Looks up where Binding requests go; [`Inbound::Reflectors`] tells it. Relays answer them at the address at which they
/// relay over UDP.
pub(crate) fn reflectors(urls: Vec<RelayUrl>, routes: Routes, inbound: mpsc::Sender<Inbound>) -> Tasks {
    let task = tokio::spawn(async move {
        let mut found = Vec::new();
        for url in urls.into_iter().filter(|url| url.transport == Transport::Udp) {
            let addresses = match routes.via {
                Some(via) => vec![via],
                None => timeout(CONNECT, tokio::net::lookup_host((url.host.as_str(), url.port)))
                    .await
                    .map_or_else(|_| Vec::new(), |found| found.map_or_else(|_| Vec::new(), Iterator::collect)),
            };
            for address in addresses {
                if !found.contains(&address) {
                    found.push(address);
                }
            }
        }
        let _ = inbound.send(Inbound::Reflectors(found)).await;
    });
    Tasks(vec![task.abort_handle()])
}

fn datagrams(
    leg: LegId,
    socket: &Arc<UdpSocket>,
    remote: SocketAddr,
    routes: Routes,
    inbound: mpsc::Sender<Inbound>,
) -> io::Result<Opened> {
    let local = socket.local_addr()?;
    let reader = Arc::clone(socket);
    let task = tokio::spawn(async move {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            // An error is an ICMP message about somebody else's packet: it says nothing about the next.
            let Ok((length, from)) = reader.recv_from(&mut buffer).await else {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            };
            let (from, data) = match routes.gateway {
                None => (from, &buffer[..length]),
                // Behind a gateway nobody else reaches this socket.
                Some(gateway) => match gateway::unwrap(&buffer[..length]).filter(|_| from == gateway) {
                    Some(unwrapped) => unwrapped,
                    None => continue,
                },
            };
            let packet = Inbound::Packet { leg, from, data: data.to_vec() };
            if let Err(mpsc::error::TrySendError::Closed(_)) = inbound.try_send(packet) {
                return;
            }
        }
    });
    let tasks = Tasks(vec![task.abort_handle()]);
    let out = match routes.gateway {
        None => Out::Datagrams(Arc::clone(socket)),
        Some(gateway) => Out::Gateway(Arc::clone(socket), gateway),
    };
    Ok(Opened { out, local, remote, _tasks: tasks })
}

/// Begins to open the way to a relay; [`Inbound::Opened`] tells how it went.
pub(crate) fn open(
    leg: LegId,
    url: RelayUrl,
    routes: Routes,
    tls: Arc<ClientConfig>,
    inbound: mpsc::Sender<Inbound>,
) -> Tasks {
    let task = tokio::spawn(async move {
        let connecting = connect(leg, &url, routes, tls, inbound.clone());
        let opened = timeout(CONNECT, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let _ = inbound.send(Inbound::Opened { leg, opened }).await;
    });
    Tasks(vec![task.abort_handle()])
}

async fn connect(
    leg: LegId,
    url: &RelayUrl,
    routes: Routes,
    tls: Arc<ClientConfig>,
    inbound: mpsc::Sender<Inbound>,
) -> io::Result<Opened> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    let remotes: Vec<SocketAddr> = match routes.via {
        Some(via) => vec![via],
        None => tokio::net::lookup_host((url.host.as_str(), url.port)).await?.collect(),
    };
    for remote in remotes {
        let opened = match url.transport {
            Transport::Udp => udp(leg, remote, routes, inbound.clone()).await,
            Transport::Tcp => match tcp(remote).await {
                Ok(stream) => Ok(stream_leg(leg, stream.local_addr()?, remote, stream, inbound.clone())),
                Err(error) => Err(error),
            },
            Transport::Tls => match tcp(remote).await {
                Ok(stream) => {
                    let local = stream.local_addr()?;
                    let name = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
                    let connector = tokio_rustls::TlsConnector::from(Arc::clone(&tls));
                    let stream = connector.connect(name, stream).await?;
                    Ok(stream_leg(leg, local, remote, stream, inbound.clone()))
                }
                Err(error) => Err(error),
            },
        };
        match opened {
            Ok(opened) => return Ok(opened),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn udp(leg: LegId, remote: SocketAddr, routes: Routes, inbound: mpsc::Sender<Inbound>) -> io::Result<Opened> {
    let local = super::own_address(remote)?;
    let socket = Arc::new(UdpSocket::bind(SocketAddr::new(local, 0)).await?);
    datagrams(leg, &socket, remote, routes, inbound)
}

async fn tcp(remote: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(remote).await?;
    // A packet of a call must not wait for the next one.
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn stream_leg(
    leg: LegId,
    local: SocketAddr,
    remote: SocketAddr,
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    inbound: mpsc::Sender<Inbound>,
) -> Opened {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (sender, mut frames) = mpsc::channel::<Vec<u8>>(QUEUE);
    let write = tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            if writer.write_all(&frame).await.is_err() || writer.flush().await.is_err() {
                return;
            }
        }
    });
    let read = tokio::spawn(async move {
        let mut buffer = Vec::with_capacity(DATAGRAM);
        loop {
            while let Some(length) = frame_length(&buffer) {
                let padded = length.next_multiple_of(4);
                if buffer.len() < padded {
                    break;
                }
                let data = buffer[..length].to_vec();
                buffer.drain(..padded);
                if inbound.send(Inbound::Packet { leg, from: remote, data }).await.is_err() {
                    return;
                }
            }
            if !matches!(reader.read_buf(&mut buffer).await, Ok(1..)) {
                let _ = inbound.send(Inbound::Closed { leg }).await;
                return;
            }
        }
    });
    let tasks = Tasks(vec![write.abort_handle(), read.abort_handle()]);
    Opened { out: Out::Stream(sender), local, remote, _tasks: tasks }
}

/// The length of the STUN message or ChannelData that begins there, without padding; both say it in bytes 3 and 4.
fn frame_length(buffer: &[u8]) -> Option<usize> {
    let header = buffer.first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    Some(if header[0] < 0x40 { length + 20 } else { length + 4 })
}

/// What a relay leg has to tell.
#[derive(Debug)]
pub(crate) enum RelayNews {
    /// It relays from this address.
    Allocated(SocketAddr),
    /// It is of no more use.
    Failed,
}

/// A way over a relay: the client side of TURN.
pub(crate) struct RelayLeg {
    pub(crate) name: String,
    /// Which of the servers, and where: to be tried again from another port.
    pub(crate) server: usize,
    pub(crate) url: RelayUrl,
    pub(crate) path: PathKind,
    pub(crate) relayed: Option<SocketAddr>,
    opened: Opened,
    client: TurnClientUdp,
    /// The origin of the client's clock.
    origin: Instant,
    /// The peers for whom a channel was asked: the client would bind a second one meanwhile, which relays refuse.
    expected: HashSet<SocketAddr>,
    /// The requests that were answered: the client takes the answer to a repeated request for one to its next.
    answered: VecDeque<[u8; 12]>,
    /// What waits until the relay permits a peer.
    waiting: HashMap<SocketAddr, VecDeque<Vec<u8>>>,
    failed: bool,
}

impl RelayLeg {
    pub(crate) fn new(server: usize, ice: &IceServer, url: RelayUrl, opened: Opened, now: Instant) -> Self {
        let transport = url.transport;
        let mut config = TurnConfig::new(TurnCredentials::new(&ice.username, &ice.credential));
        let ms = Duration::from_millis;
        // RFC 8489 asks for 500 ms where nothing is known of the round trip. Three lost packets would then be three
        // seconds; a request is 100 bytes, so it is repeated soon. A stream repeats by itself.
        match transport {
            Transport::Udp => config.set_request_retransmits(ms(120), ms(350), 24, ms(1_500)),
            Transport::Tcp | Transport::Tls => config.set_request_retransmits(ms(4_000), ms(8_000), 3, ms(4_000)),
        }
        let path = match transport {
            Transport::Udp => PathKind::RelayUdp,
            Transport::Tcp => PathKind::RelayTcp,
            Transport::Tls => PathKind::RelayTls,
        };
        // On every transport: the frames of a stream are taken apart here, so to TURN they are datagrams.
        let client = TurnClientUdp::allocate(opened.local, opened.remote, config);
        Self {
            name: ice.name.clone(),
            server,
            url,
            path,
            relayed: None,
            opened,
            client,
            origin: now,
            expected: HashSet::new(),
            answered: VecDeque::new(),
            waiting: HashMap::new(),
            failed: false,
        }
    }

    /// Sends what is due and says what is new, and when to come again.
    pub(crate) fn poll(&mut self, now: Instant) -> (Vec<RelayNews>, Option<Instant>) {
        let turn_now = self.at(now);
        let mut news = Vec::new();
        let wake = match self.client.poll(turn_now) {
            TurnPollRet::WaitUntil(at) => {
                let wait = at.checked_duration_since(turn_now).unwrap_or_default();
                // Never at once again: a wait of nothing would be a loop without an end.
                Some(now + wait.max(Duration::from_millis(1)))
            }
            TurnPollRet::Closed => {
                news.extend(self.fail());
                None
            }
            TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => None,
        };
        while let Some(transmit) = self.client.poll_transmit(turn_now) {
            self.opened.out.send(transmit.to, &transmit.data);
        }
        while let Some(event) = self.client.poll_event() {
            match event {
                TurnEvent::AllocationCreated(_, address) => {
                    self.relayed = Some(address);
                    news.push(RelayNews::Allocated(address));
                }
                TurnEvent::AllocationCreateFailed(_) => news.extend(self.fail()),
                TurnEvent::PermissionCreated(..) | TurnEvent::ChannelCreated(..) => self.flush(now),
                TurnEvent::PermissionCreateFailed(_, peer) => {
                    self.waiting.retain(|to, _| to.ip() != peer);
                    self.expected.retain(|to| to.ip() != peer);
                }
                // Asked for again with the next packet, as often as ICE checks that candidate.
                TurnEvent::ChannelCreateFailed(_, peer) => {
                    self.waiting.remove(&peer);
                    self.expected.remove(&peer);
                }
                TurnEvent::TcpConnected(_) | TurnEvent::TcpConnectFailed(_) => {}
            }
        }
        (news, wake)
    }

    /// Asks the relay for a channel to a peer, before there is anything to send.
    pub(crate) fn expect(&mut self, peer: SocketAddr, now: Instant) {
        let turn_now = self.at(now);
        if self.relayed.is_some() && !self.expected.contains(&peer) && self.expected.len() < MAX_PEERS {
            let asked = self.client.bind_channel(TransportType::Udp, peer, turn_now);
            if asked.is_ok() {
                self.expected.insert(peer);
            }
        }
    }

    /// Asks the relay to let an address through, whatever its port (RFC 8656 section 9): packets can go to and fro at once,
    /// as indications, until a channel is there.
    pub(crate) fn permit(&mut self, peer: IpAddr, now: Instant) {
        let turn_now = self.at(now);
        let _ = self.client.create_permission(TransportType::Udp, peer, turn_now);
    }

    /// Sends to a peer; what may not be sent yet waits, as far as there is room.
    pub(crate) fn send(&mut self, peer: SocketAddr, data: &[u8], now: Instant) {
        let turn_now = self.at(now);
        match self.client.send_to(TransportType::Udp, peer, data, turn_now) {
            Ok(Some(transmit)) => {
                let (to, bytes) = (transmit.to, transmit.data.build());
                self.opened.out.send(to, &bytes);
            }
            Ok(None) => {}
            Err(_) => {
                self.expect(peer, now);
                let queue = self.waiting.entry(peer).or_default();
                if queue.len() < WAITING {
                    queue.push_back(data.to_vec());
                }
            }
        }
    }

    /// Takes what came from the relay; returns what a peer sent.
    pub(crate) fn receive(&mut self, from: SocketAddr, data: Vec<u8>, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        if self.is_repeated_answer(&data) {
            return None;
        }
        let transmit = turn_client_proto::api::Transmit::new(data, TransportType::Udp, from, self.opened.local);
        let turn_now = self.at(now);
        match self.client.recv(transmit, turn_now) {
            TurnRecvRet::PeerData(peer_data) => Some((peer_data.peer, peer_data.data().to_vec())),
            TurnRecvRet::Handled | TurnRecvRet::Ignored(_) | TurnRecvRet::PeerIcmp { .. } => None,
        }
    }

    /// The relay may let go of it.
    pub(crate) fn release(&mut self, now: Instant) {
        let turn_now = self.at(now);
        if self.client.delete(turn_now).is_ok() {
            let _ = self.poll(now);
        }
    }

    /// The stream under it is gone.
    pub(crate) fn fail(&mut self) -> Option<RelayNews> {
        (!std::mem::replace(&mut self.failed, true)).then_some(RelayNews::Failed)
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.failed
    }

    /// Whether it is a STUN response to a request that was answered before (RFC 8489 section 5).
    fn is_repeated_answer(&mut self, data: &[u8]) -> bool {
        let Some((header, _)) = data.split_first_chunk::<20>() else { return false };
        let is_response = header[0] & 0xc1 == 0x01;
        let Ok(transaction) = <[u8; 12]>::try_from(&header[8..]) else { return false };
        if !is_response {
            return false;
        }
        if self.answered.contains(&transaction) {
            return true;
        }
        if self.answered.len() == MAX_ANSWERED {
            self.answered.pop_front();
        }
        self.answered.push_back(transaction);
        false
    }

    fn at(&self, now: Instant) -> TurnInstant {
        let nanos = now.saturating_duration_since(self.origin).as_nanos();
        TurnInstant::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    fn flush(&mut self, now: Instant) {
        for (peer, queue) in std::mem::take(&mut self.waiting) {
            for data in queue {
                self.send(peer, &data, now);
            }
        }
    }
}

/// A way of the own network.
pub(crate) struct HostLeg {
    pub(crate) opened: Opened,
    /// How it is seen from outside.
    pub(crate) reflexive: Reflexive,
}

impl HostLeg {
    /// Asks what is due; returns when to come again.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Instant> {
        let (requests, wake) = self.reflexive.poll(now);
        for (to, request) in requests {
            self.opened.out.send(to, &request);
        }
        wake
    }

    pub(crate) fn send(&self, to: SocketAddr, data: &[u8]) {
        self.opened.out.send(to, data);
    }
}
