//! One peer connection: ICE, DTLS, SRTP and RTP of str0m, TURN of turn-client-proto, and the sockets under them.
//!
//! A peer is a task. It owns no rule of the call: it is told when to offer, whose answer to take, when to open the
//! microphone, and tells what came of it.

mod crypto;
mod gateway;
mod leg;
mod media;
mod reflexive;
mod run;
#[cfg(test)]
mod tests;
mod url;

pub(crate) use url::RelayUrl;

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use chapar_protocol::call::{CandidateType, IceServer, PathKind};
use rustls::ClientConfig;
use tokio::{sync::mpsc, task::AbortHandle};

use super::audio::{AudioSink, AudioSource, controller::Plan, jitter::Counted};

/// Commands that wait. There are a handful in a call.
const COMMANDS: usize = 64;
/// Things that happened and were not taken yet.
const HAPPENED: usize = 256;

/// A SHA-256 fingerprint of a DTLS certificate.
pub(crate) type Fingerprint = [u8; 32];

/// How a peer connection is made.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Only relay candidates.
    pub(crate) relay_only: bool,
    /// Whom `turns:` trusts.
    pub(crate) tls: Arc<ClientConfig>,
    /// Where the way out of this machine is to be looked up, if no relay says it.
    pub(crate) toward: Option<SocketAddr>,
    /// A plan that does not change, in place of the controller's.
    pub(crate) fixed: Option<Plan>,
    /// By which way datagrams leave.
    pub(crate) routes: Routes,
}

/// By which way datagrams leave, where it is not the usual one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Routes {
    /// Where relays are reached, in place of their own addresses.
    pub(crate) via: Option<SocketAddr>,
    /// Takes every datagram, with the header of [`gateway`], and sends it on.
    pub(crate) gateway: Option<SocketAddr>,
}

/// What a peer is told.
pub(crate) enum Command {
    /// The relays. Gathering begins.
    Servers(Vec<IceServer>),
    /// There will be no relays: go on with what there is.
    NoServers,
    /// Offer, as soon as there is a candidate worth it.
    MakeOffer { generation: u32, restart: bool },
    /// Answer this, as soon as there is a candidate worth it.
    TakeOffer { generation: u32, sdp: String },
    /// The answer to the own offer.
    TakeAnswer { generation: u32, sdp: String },
    /// Candidates of the other side.
    Candidates(Vec<String>),
    /// The network may be another: new sockets, new allocations.
    Renew,
    /// Only relays from now on: the own addresses are let go of.
    Restrict,
    /// The person may be heard and hears.
    Open(Box<dyn AudioSource>, Box<dyn AudioSink>),
    /// The microphone.
    Mute(bool),
    /// Neither is heard.
    Hold(bool),
    /// It is over.
    Close,
}

/// What a peer tells.
#[derive(Debug)]
pub(crate) enum Happened {
    /// As asked.
    Offer { generation: u32, sdp: String },
    /// As asked.
    Answer { generation: u32, sdp: String },
    /// A candidate was found; `direct` for all but those of relays.
    Candidate { direct: bool, text: String },
    /// ICE and DTLS are through.
    Connected { own: Fingerprint, other: Fingerprint },
    /// Sound arrives, or has stopped for 2 s.
    Media { flows: bool },
    /// Nothing arrived for a while: the path may be dead.
    Stalled,
    /// Measured, once a second.
    Stats(Box<Measurement>),
    /// What was asked cannot be done.
    Refused { reason: String },
    /// No connection any more, and none to come by itself.
    Failed(String),
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurement {
    /// Round trip of the path.
    pub round_trip: Option<Duration>,
    /// Jitter of what arrives.
    pub jitter: Duration,
    /// The fraction of packets lost on the way here since the last measurement, before repair.
    pub loss_in: f32,
    /// The fraction lost on the way to the other side, as it says.
    pub loss_out: f32,
    /// Bits a second that arrive: RTP payloads.
    pub bit_rate_in: u32,
    /// Bits a second that leave: RTP payloads.
    pub bit_rate_out: u32,
    /// All bytes that were sent so far, headers of RTP and below left out.
    pub bytes_out: u64,
    /// How it is sent.
    pub plan: Option<Plan>,
    /// What was played, repaired and missed so far, in units of 20 ms.
    pub played: Counted,
    /// How long sound waits in the jitter buffer.
    pub buffered: Duration,
    /// How media travels.
    pub path: PathKind,
    /// The own end of the path.
    pub local: CandidateType,
    /// The other end.
    pub remote: CandidateType,
    /// The relay on this side, if there is one.
    pub relay: Option<String>,
    /// What arrives is RED.
    pub red_in: bool,
}

/// A running peer. Dropping it ends it.
pub(crate) struct Peer {
    commands: mpsc::Sender<Command>,
    pub(crate) happened: mpsc::Receiver<Happened>,
    task: Option<AbortHandle>,
}

impl Peer {
    /// Starts one.
    pub(crate) fn start(settings: Settings) -> Self {
        let (commands, orders) = mpsc::channel(COMMANDS);
        let (tell, happened) = mpsc::channel(HAPPENED);
        let task = tokio::spawn(run::run(settings, orders, tell));
        Self { commands, happened, task: Some(task.abort_handle()) }
    }

    /// Tells it something. A peer that takes no commands any more is about to say so.
    pub(crate) fn tell(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            tracing::debug!("a peer connection takes no commands");
        }
    }

    /// Lets go of relays and says goodbye, in the background.
    pub(crate) fn close(mut self) {
        self.tell(Command::Close);
        self.task = None;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// The own address on the way to another: what the routing table says. Nothing is sent.
pub(crate) fn own_address(toward: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match toward.ip() {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(toward)?;
    Ok(socket.local_addr()?.ip())
}
