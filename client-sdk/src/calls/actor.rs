//! One call's task: feeds the core, asks the server, and holds the peer connection.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chapar_protocol::{
    ErrorCode, UserId,
    call::{CallAsk, CallId, CallMedia, CallSignal, CallState, IceServer},
    command::{AskCall, CallInvite, CallRelays},
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use rustls::ClientConfig;
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, sleep_until},
};

use super::{
    audio::{AudioSink, AudioSource, Frame, controller::Plan},
    core::{Core, Input, Output, View, Wish},
    peer::{Command, Happened, Measurement, Peer, Routes, Settings},
    relays::RoundTrips,
};
use crate::{Client, Error};

/// Asks under way at most; beyond them signs of life are left out.
const MAX_ASKS: usize = 64;
/// How often an ask that came too early for the call's state is tried again.
const TRIES: u32 = 6;
/// The server's credentials open an allocation for five minutes; a switch of networks needs them again.
const CREDENTIALS: Duration = Duration::from_mins(4);
/// Relays are asked for again after this.
const FETCH_AGAIN: Duration = Duration::from_secs(1);
/// The pause before that, times the number of the try.
const PAUSE: Duration = Duration::from_millis(150);

/// What the server tells of this call.
pub(crate) enum Told {
    State(Box<CallState>),
    Signal(CallSignal),
    /// Events may have been missed.
    Lagged,
}

/// What whoever holds the call wants.
pub(crate) enum Order {
    Wish(Wish),
    /// Microphone and speaker, before an accept or a taking over.
    Sound(Sound),
}

/// Microphone and speaker, shared between the peer connections that a call may need one after the other.
#[derive(Clone)]
pub(crate) struct Sound {
    source: Arc<Mutex<Box<dyn AudioSource>>>,
    sink: Arc<Mutex<Box<dyn AudioSink>>>,
}

impl Sound {
    pub(crate) fn new(source: Box<dyn AudioSource>, sink: Box<dyn AudioSink>) -> Self {
        Self { source: Arc::new(Mutex::new(source)), sink: Arc::new(Mutex::new(sink)) }
    }
}

struct Microphone(Sound);
struct Speaker(Sound);

impl AudioSource for Microphone {
    fn next(&mut self, frame: &mut Frame) {
        self.0.source.lock().unwrap_or_else(PoisonError::into_inner).next(frame);
    }
}

impl AudioSink for Speaker {
    fn play(&mut self, frame: &Frame) {
        self.0.sink.lock().unwrap_or_else(PoisonError::into_inner).play(frame);
    }
}

/// What a call needs to know from the beginning.
pub(crate) struct Begin {
    pub(crate) client: Client,
    pub(crate) call_id: CallId,
    pub(crate) me: UserId,
    /// Whom to call; `None` for a call that comes in.
    pub(crate) callee: Option<UserId>,
    pub(crate) relay_only: bool,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) toward: Option<SocketAddr>,
    pub(crate) fixed: Option<Plan>,
    pub(crate) routes: Routes,
    pub(crate) round_trips: RoundTrips,
    pub(crate) sound: Option<Sound>,
}

/// The ends that the call's handle does not hold.
pub(crate) struct Ends {
    pub(crate) told: mpsc::Receiver<Told>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) view: watch::Sender<View>,
    pub(crate) stats: watch::Sender<Option<Measurement>>,
    /// The first answer of the server to an invite.
    pub(crate) invited: Option<tokio::sync::oneshot::Sender<Result<(), Error>>>,
}

enum Done {
    Invited(Result<CallState, Error>),
    Asked { ask: CallAsk, tried: u32, outcome: Result<(), Error> },
    Servers(Result<Vec<IceServer>, Error>),
}

type Doing = Pin<Box<dyn Future<Output = Done> + Send>>;

struct Actor {
    begin: Begin,
    core: Core,
    peer: Option<Peer>,
    doing: FuturesUnordered<Doing>,
    servers: Option<Vec<IceServer>>,
    fetched_at: Option<Instant>,
    fetches: u32,
    /// The invite is on its way.
    invited: bool,
    ends: Ends,
}

/// Runs until the call is over on this device.
pub(crate) async fn run(begin: Begin, ends: Ends) {
    let random = Box::new(rand::random);
    let calls = begin.callee.is_some();
    let core = Core::new(begin.me, begin.call_id, calls, begin.relay_only, Instant::now(), random);
    let mut actor = Actor {
        begin,
        core,
        peer: None,
        doing: FuturesUnordered::new(),
        servers: None,
        fetched_at: None,
        fetches: 0,
        invited: false,
        ends,
    };
    if actor.begin.callee.is_some() {
        let outputs = actor.core.begin();
        if actor.act(outputs) {
            return;
        }
    }
    while !actor.step().await {}
    // What was asked last, such as a hang-up, is still to be written; the client does that by itself.
    if let Some(peer) = actor.peer.take() {
        peer.close();
    }
}

impl Actor {
    /// One thing that happened; `true` when it is over.
    async fn step(&mut self) -> bool {
        let input = tokio::select! {
            // What the server says comes before what the person wants: a call rings before it can be accepted.
            biased;
            told = self.ends.told.recv() => match told {
                Some(Told::State(state)) => Input::State(*state),
                Some(Told::Signal(signal)) => Input::Signal(signal),
                Some(Told::Lagged) => Input::Wish(Wish::Look),
                // The client is gone, and with it all that could end this call in order.
                None => return true,
            },
            order = self.ends.orders.recv() => match order {
                Some(Order::Wish(wish)) => Input::Wish(wish),
                Some(Order::Sound(sound)) => {
                    self.begin.sound = Some(sound);
                    return false;
                }
                None => return self.let_go(),
            },
            happened = next(&mut self.peer) => {
                if let Happened::Stats(stats) = &happened {
                    self.ends.stats.send_replace(Some((**stats).clone()));
                }
                if let Happened::Refused { reason, .. } | Happened::Failed(reason) = &happened {
                    tracing::warn!(call = %self.begin.call_id, reason, "a peer connection failed");
                }
                Input::Peer(happened)
            },
            Some(done) = self.doing.next(), if !self.doing.is_empty() => match self.done(done) {
                Some(input) => input,
                None => return false,
            },
            () = sleep_until(self.core.next_timer().into()) => Input::Tick,
        };
        let outputs = self.core.handle(input, Instant::now());
        self.act(outputs)
    }

    /// Nobody holds the call any more: nobody could end it, so it ends now.
    fn let_go(&mut self) -> bool {
        let ringing = matches!(
            self.core.view().state.as_ref().map(|state| &state.standing),
            Some(chapar_protocol::call::Standing::Ringing { .. })
        );
        let wish = if ringing { Wish::Busy } else { Wish::HangUp };
        let outputs = self.core.handle(Input::Wish(wish), Instant::now());
        self.act(outputs);
        true
    }

    fn done(&mut self, done: Done) -> Option<Input> {
        match done {
            Done::Invited(Ok(state)) => {
                if let Some(waiter) = self.ends.invited.take() {
                    let _ = waiter.send(Ok(()));
                }
                Some(Input::State(state))
            }
            Done::Invited(Err(error)) => {
                if let Some(waiter) = self.ends.invited.take() {
                    let _ = waiter.send(Err(error));
                }
                Some(Input::NotInvited)
            }
            Done::Servers(Ok(servers)) => {
                self.fetched_at = Some(Instant::now());
                self.servers = Some(servers);
                self.tell_servers();
                None
            }
            Done::Servers(Err(error)) => {
                tracing::warn!(call = %self.begin.call_id, %error, "no relays");
                self.fetched_at = None;
                if error.action() == chapar_protocol::Action::Retry && self.fetches < TRIES {
                    self.fetch_again();
                    if self.core.relay_only() {
                        return None;
                    }
                }
                self.servers = Some(Vec::new());
                self.tell_servers();
                None
            }
            Done::Asked { outcome: Ok(()), .. } => None,
            Done::Asked { ask, tried, outcome: Err(Error::Server(error)) } => {
                let early = error.code == ErrorCode::CallConflict && tried < TRIES && may_come_early(&ask);
                if early {
                    self.ask(ask, tried + 1);
                    return None;
                }
                tracing::debug!(call = %self.begin.call_id, ?ask, %error, "an ask was refused");
                Some(Input::Refused(error.code))
            }
            // Without an answer in 30 s, or without a session: the server ends such a call by itself.
            Done::Asked { ask, outcome: Err(error), .. } => {
                tracing::debug!(call = %self.begin.call_id, ?ask, %error, "an ask has no answer");
                None
            }
        }
    }

    fn act(&mut self, outputs: Vec<Output>) -> bool {
        for output in outputs {
            match output {
                Output::Invite(offer) => self.invite(offer),
                Output::Ask(ask) => self.ask(ask, 0),
                Output::NewPeer => self.new_peer(),
                Output::MakeOffer { generation, restart } => self.tell(Command::MakeOffer { generation, restart }),
                Output::TakeOffer { generation, sdp } => self.tell(Command::TakeOffer { generation, sdp }),
                Output::TakeAnswer { generation, sdp } => self.tell(Command::TakeAnswer { generation, sdp }),
                Output::Candidates(candidates) => self.tell(Command::Candidates(candidates)),
                Output::Renew if self.fresh() => self.tell(Command::Renew),
                Output::Renew => self.fetch_servers(),
                Output::Restrict => self.tell(Command::Restrict),
                Output::Mute(muted) => self.tell(Command::Mute(muted)),
                Output::Hold(held) => self.tell(Command::Hold(held)),
                Output::OpenSound => {
                    if let Some(sound) = &self.begin.sound {
                        let (source, sink) = (Box::new(Microphone(sound.clone())), Box::new(Speaker(sound.clone())));
                        self.tell(Command::Open(source, sink));
                    }
                }
                Output::Changed => drop(self.ends.view.send_replace(self.core.view().clone())),
                Output::Over => {
                    if let Some(waiter) = self.ends.invited.take() {
                        let _ = waiter.send(Err(Error::Cancelled));
                    }
                    return true;
                }
            }
        }
        false
    }

    fn tell(&self, command: Command) {
        if let Some(peer) = &self.peer {
            peer.tell(command);
        }
    }

    fn new_peer(&mut self) {
        if let Some(old) = self.peer.take() {
            old.close();
        }
        self.peer = Some(Peer::start(Settings {
            relay_only: self.core.relay_only(),
            tls: Arc::clone(&self.begin.tls),
            toward: self.begin.toward,
            fixed: self.begin.fixed,
            routes: self.begin.routes,
        }));
        self.servers = None;
        // Credentials are for calls that the server knows: those of a new call are asked for right behind its invite.
        if self.begin.callee.is_none() || self.invited {
            self.fetch_servers();
        }
    }

    /// Whether the credentials still open an allocation.
    fn fresh(&self) -> bool {
        self.fetched_at.is_some_and(|at| at.elapsed() < CREDENTIALS)
    }

    /// The server has no time for it now, or could not be reached.
    fn fetch_again(&mut self) {
        self.fetches += 1;
        let (client, round_trips) = (self.begin.client.clone(), self.begin.round_trips.clone());
        let call_id = self.begin.call_id;
        self.doing.push(Box::pin(async move {
            sleep(FETCH_AGAIN).await;
            let round_trips = round_trips.known(&client);
            Done::Servers(client.call(&CallRelays { call_id, round_trips }).await.map(|reply| reply.servers))
        }));
    }

    fn fetch_servers(&mut self) {
        self.fetched_at = Some(Instant::now());
        let round_trips = self.begin.round_trips.known(&self.begin.client);
        let asked = self.begin.client.begin(&CallRelays { call_id: self.begin.call_id, round_trips });
        self.doing.push(Box::pin(async { Done::Servers(asked.await.map(|reply| reply.servers)) }));
    }

    fn tell_servers(&self) {
        match self.servers.clone().filter(|servers| !servers.is_empty()) {
            Some(servers) => self.tell(Command::Servers(servers)),
            None => self.tell(Command::NoServers),
        }
    }

    fn invite(&mut self, offer: chapar_protocol::call::Offer) {
        let Some(user_id) = self.begin.callee else { return };
        let asked = self.begin.client.begin(&CallInvite {
            call_id: self.begin.call_id,
            user_id,
            media: CallMedia::Voice,
            relay_only: self.begin.relay_only,
            offer: Some(offer),
        });
        self.doing.push(Box::pin(async { Done::Invited(asked.await) }));
        self.invited = true;
        self.fetch_servers();
    }

    fn ask(&mut self, ask: CallAsk, tried: u32) {
        if self.doing.len() >= MAX_ASKS && matches!(ask, CallAsk::Alive { .. }) {
            return;
        }
        let command = AskCall { call_id: self.begin.call_id, ask: ask.clone() };
        if tried == 0 {
            let asked = self.begin.client.begin(&command);
            self.doing.push(Box::pin(async move { Done::Asked { ask, tried, outcome: asked.await.map(drop) } }));
            return;
        }
        let client = self.begin.client.clone();
        self.doing.push(Box::pin(async move {
            sleep(PAUSE * tried).await;
            let outcome = client.call(&command).await.map(drop);
            Done::Asked { ask, tried, outcome }
        }));
    }
}

/// Asks are sent without waiting for each other: one may reach the call's state before that on which it stands.
pub(crate) fn may_come_early(ask: &CallAsk) -> bool {
    matches!(ask, CallAsk::Answer { .. } | CallAsk::Reveal { .. } | CallAsk::Candidates { .. } | CallAsk::Media { .. })
}

async fn next(peer: &mut Option<Peer>) -> Happened {
    match peer {
        Some(peer) => match peer.happened.recv().await {
            Some(happened) => happened,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
