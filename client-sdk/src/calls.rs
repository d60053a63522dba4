//! Calls with sound. [`Calls`] begins them and tells of those that come in; [`audio`] is what is heard.
//!
//! ```no_run
//! # async fn example(client: chapar_client::Client, reza: chapar_client::protocol::UserId) -> Result<(), Box<dyn std::error::Error>> {
//! use chapar_client::calls::{CallOptions, Calls, CallsOptions, audio::wav::{WavSink, WavSource}};
//!
//! let (calls, mut incoming) = Calls::start(&client, CallsOptions::default()).await?;
//! let sound = (WavSource::open("salam.wav")?, WavSink::create("answer.wav")?);
//! let mut call = calls.call(reza, sound.0, sound.1, CallOptions::default()).await?;
//! while call.view().over.is_none() {
//!     call.changed().await;
//! }
//! # let _ = incoming.next().await; Ok(()) }
//! ```

mod actor;
pub mod audio;
mod core;
mod peer;
mod relays;
mod sas;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chapar_protocol::{
    DeviceId, UserId,
    call::{CallId, CallIssue, CallState, Standing},
    command::{Done, RateCall},
};
use rustls::ClientConfig;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::AbortHandle,
};

use self::{
    actor::{Begin, Ends, Order, Sound, Told},
    audio::{AudioSink, AudioSource, controller::Plan},
    core::Wish,
    peer::Routes,
    relays::RoundTrips,
};
pub use self::{
    core::{Emoji, View},
    peer::Measurement,
};
use crate::{Client, ClientEvent, Error, client::new_client_id, endpoint::Endpoint, tls};

/// Incoming calls that wait to be taken.
const INCOMING: usize = 32;
/// What the server told of one call and was not taken yet.
const TOLD: usize = 256;
/// Wishes that wait.
const ORDERS: usize = 32;

/// What holds for all calls of a device.
#[derive(Clone, Debug, Default)]
pub struct CallsOptions {
    /// Neither side learns the other's address, in every call: media travels over relays only.
    pub relay_only: bool,
    /// A way of sending that does not change, in place of the controller. For measurements.
    pub fixed: Option<Plan>,
    /// Where relays are reached, in place of the addresses that the server names: a local proxy.
    pub relay_via: Option<SocketAddr>,
    /// Takes every datagram of a call in the place of the network, and sends it on: a NAT in user space, for measurements.
    /// Each carries the header of RFC 1928 section 7: whom it is for on the way out, whom it is from on the way in.
    pub gateway: Option<SocketAddr>,
}

impl CallsOptions {
    fn routes(&self) -> Routes {
        Routes { via: self.relay_via, gateway: self.gateway }
    }
}

/// What holds for one call.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallOptions {
    /// Neither side learns the other's address, in this call.
    pub relay_only: bool,
}

/// The calls of a device. Cheap to clone; when the last clone and the last [`Call`] are gone, nothing rings any more.
#[derive(Clone)]
pub struct Calls(Arc<Shared>);

struct Shared {
    client: Client,
    options: CallsOptions,
    tls: Arc<ClientConfig>,
    toward: Option<SocketAddr>,
    round_trips: RoundTrips,
    live: Arc<Live>,
    task: AbortHandle,
}

type Live = Mutex<HashMap<CallId, mpsc::Sender<Told>>>;

impl Drop for Shared {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The calls that come in.
pub struct Incoming(mpsc::Receiver<Call>);

impl Incoming {
    /// The next one, as it begins to ring here, or as another own device asks this one to take it over
    /// ([`Standing::TakeOver`]). `None` when the client is gone.
    pub async fn next(&mut self) -> Option<Call> {
        self.0.recv().await
    }
}

impl Calls {
    /// Begins to listen for calls. The client must have been online before: who the user is must be known.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the session ends before it is online; [`Error::Tls`].
    pub async fn start(client: &Client, options: CallsOptions) -> Result<(Self, Incoming), Error> {
        let events = client.events();
        client.online().await?;
        let (url, trust) = client.server();
        let tls = tls::client_config(trust).or_else(|error| {
            // Without a trusted certificate there is no TLS to a relay, but there are the other ways.
            tracing::debug!(%error, "relays over TLS cannot be used");
            tls::nobody().map(Arc::new)
        })?;
        let toward = resolve(url).await;
        let live = Arc::new(Live::default());
        let (sender, receiver) = mpsc::channel(INCOMING);
        let round_trips = RoundTrips::default();
        round_trips.known(client);
        let listener = Listener {
            client: client.clone(),
            options: options.clone(),
            tls: Arc::clone(&tls),
            toward,
            round_trips: round_trips.clone(),
            live: Arc::clone(&live),
            incoming: sender,
        };
        let task = tokio::spawn(listener.run(events)).abort_handle();
        let shared = Shared { client: client.clone(), options, tls, toward, round_trips, live, task };
        Ok((Self(Arc::new(shared)), Incoming(receiver)))
    }

    /// Calls somebody with whom the user shares a direct chat. Returns once it is on its way to the callee's devices.
    /// The microphone opens when the callee has accepted.
    ///
    /// # Errors
    /// [`Error`]; such as `CallForbidden` and `CallEngaged` from the server, [`Error::Cancelled`] when no way out of this
    /// machine was found.
    pub async fn call(
        &self,
        user: UserId,
        source: impl AudioSource,
        sink: impl AudioSink,
        options: CallOptions,
    ) -> Result<Call, Error> {
        let shared = &self.0;
        let me = shared.client.me().ok_or(Error::BadReply)?.id;
        let (answer, answered) = oneshot::channel();
        let begin = Begin {
            client: shared.client.clone(),
            call_id: CallId(new_client_id()),
            me,
            callee: Some(user),
            relay_only: options.relay_only || shared.options.relay_only,
            tls: Arc::clone(&shared.tls),
            toward: shared.toward,
            fixed: shared.options.fixed,
            routes: shared.options.routes(),
            round_trips: shared.round_trips.clone(),
            sound: Some(Sound::new(Box::new(source), Box::new(sink))),
        };
        let call = start(begin, &shared.live, Some(answer)).0;
        answered.await.unwrap_or(Err(Error::Cancelled))?;
        Ok(call)
    }

    /// How the person found a call that has ended: 1 (bad) to 5 (excellent) stars, and what was wrong.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn rate(&self, call_id: CallId, stars: u8, issues: Vec<CallIssue>) -> Result<Done, Error> {
        self.0.client.call(&RateCall { call_id, stars, issues }).await
    }
}

/// One call on this device. Dropped, it is hung up; one that only rings falls silent here.
pub struct Call {
    id: CallId,
    incoming: bool,
    client: Client,
    orders: mpsc::Sender<Order>,
    view: watch::Receiver<View>,
    stats: watch::Receiver<Option<Measurement>>,
}

impl Call {
    /// Its id.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// Somebody else called.
    pub fn is_incoming(&self) -> bool {
        self.incoming
    }

    /// How it stands.
    pub fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// Waits until [`Call::view`] differs from what was seen last. Returns at once when the call is over.
    pub async fn changed(&mut self) {
        let _ = self.view.changed().await;
    }

    /// Waits for something to be seen of the call; `false` when it ended before.
    pub async fn until(&mut self, mut seen: impl FnMut(&View) -> bool) -> bool {
        let found = self.view.wait_for(|view| seen(view) || view.over.is_some()).await;
        found.is_ok_and(|view| seen(&view))
    }

    /// What was measured last, once a second while connected.
    pub fn stats(&self) -> watch::Receiver<Option<Measurement>> {
        self.stats.clone()
    }

    /// The emoji that the two people compare.
    pub fn emoji(&self) -> Emoji {
        self.view.borrow().emoji
    }

    /// The person accepts: the microphone opens. The call is relay-only if either side's options say so.
    pub fn accept(&self, source: impl AudioSource, sink: impl AudioSink, options: CallOptions) {
        self.order(Order::Sound(Sound::new(Box::new(source), Box::new(sink))));
        self.wish(Wish::Accept { relay_only: options.relay_only });
    }

    /// The person declines: it stops ringing on all own devices.
    pub fn decline(&self) {
        self.wish(Wish::Decline);
    }

    /// The person talks elsewhere: it stops ringing here.
    pub fn busy(&self) {
        self.wish(Wish::Busy);
    }

    /// The person ends it.
    pub fn hang_up(&self) {
        self.wish(Wish::HangUp);
    }

    /// Closes or opens the microphone, and says so to the other side.
    pub fn mute(&self, muted: bool) {
        self.wish(Wish::Mute(muted));
    }

    /// Puts the call on hold, or takes it back: nobody hears anything meanwhile.
    pub fn hold(&self, held: bool) {
        self.wish(Wish::Hold(held));
    }

    /// Asks another own device to take the call over.
    pub fn transfer(&self, to: DeviceId) {
        self.wish(Wish::Transfer(to));
    }

    /// Takes over, as another own device asked: the microphone opens here.
    pub fn take_over(&self, source: impl AudioSource, sink: impl AudioSink) {
        self.order(Order::Sound(Sound::new(Box::new(source), Box::new(sink))));
        self.wish(Wish::TakeOver);
    }

    /// The system says that the network is another one: the call looks for a new path at once, without waiting for the old
    /// one to be missed.
    pub fn network_changed(&self) {
        self.client.hurry();
        self.wish(Wish::NetworkChanged);
    }

    fn wish(&self, wish: Wish) {
        self.order(Order::Wish(wish));
    }

    fn order(&self, order: Order) {
        // A call that takes nothing any more is over, or its task is behind by 32 wishes of one person.
        if self.orders.try_send(order).is_err() {
            tracing::debug!(call = %self.id, "a wish that found no call");
        }
    }
}

struct Listener {
    client: Client,
    options: CallsOptions,
    tls: Arc<ClientConfig>,
    toward: Option<SocketAddr>,
    round_trips: RoundTrips,
    live: Arc<Live>,
    incoming: mpsc::Sender<Call>,
}

impl Listener {
    async fn run(self, mut events: crate::Events) {
        while let Some(event) = events.next().await {
            match event {
                ClientEvent::Call(state) => self.state(state),
                ClientEvent::CallSignal(signaled) => {
                    let told = Told::Signal(signaled.signal);
                    tell(&lock(&self.live), signaled.call_id, told);
                }
                ClientEvent::Lagged(_) | ClientEvent::Connection(crate::Connection::Online) => {
                    for sender in lock(&self.live).values() {
                        let _ = sender.try_send(Told::Lagged);
                    }
                }
                _ => {}
            }
        }
    }

    fn state(&self, state: Box<CallState>) {
        let call_id = state.call_id;
        let mut live = lock(&self.live);
        live.retain(|_, sender| !sender.is_closed());
        if live.contains_key(&call_id) {
            return tell(&live, call_id, Told::State(state));
        }
        drop(live);
        if !matches!(state.standing, Standing::Ringing { .. } | Standing::TakeOver { .. }) {
            return;
        }
        let Some(me) = self.client.me() else { return };
        let begin = Begin {
            client: self.client.clone(),
            call_id,
            me: me.id,
            callee: None,
            relay_only: self.options.relay_only || state.relay_only,
            tls: Arc::clone(&self.tls),
            toward: self.toward,
            fixed: self.options.fixed,
            routes: self.options.routes(),
            round_trips: self.round_trips.clone(),
            sound: None,
        };
        let (call, told) = start(begin, &self.live, None);
        let _ = told.try_send(Told::State(state));
        if self.incoming.try_send(call).is_err() {
            tracing::warn!(call = %call_id, "nobody takes incoming calls");
        }
    }
}

fn start(
    begin: Begin,
    live: &Arc<Live>,
    invited: Option<oneshot::Sender<Result<(), Error>>>,
) -> (Call, mpsc::Sender<Told>) {
    let (told_sender, told) = mpsc::channel(TOLD);
    let (orders_sender, orders) = mpsc::channel(ORDERS);
    let (view_sender, view) = watch::channel(View::default());
    let (stats_sender, stats) = watch::channel(None);
    let id = begin.call_id;
    let (client, incoming) = (begin.client.clone(), begin.callee.is_none());
    lock(live).insert(id, told_sender.clone());
    let ends = Ends { told, orders, view: view_sender, stats: stats_sender, invited };
    let live = Arc::clone(live);
    tokio::spawn(async move {
        actor::run(begin, ends).await;
        lock(&live).remove(&id);
    });
    (Call { id, incoming, client, orders: orders_sender, view, stats }, told_sender)
}

fn tell(live: &HashMap<CallId, mpsc::Sender<Told>>, call: CallId, told: Told) {
    if let Some(sender) = live.get(&call)
        && sender.try_send(told).is_err()
    {
        // What is lost here is told again with the next sign of life.
        tracing::debug!(%call, "a call does not keep up with what is told of it");
    }
}

fn lock(live: &Live) -> MutexGuard<'_, HashMap<CallId, mpsc::Sender<Told>>> {
    live.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The server's address, only to find the way out of this machine.
async fn resolve(url: &str) -> Option<SocketAddr> {
    let endpoint = Endpoint::parse(url).ok()?;
    tokio::net::lookup_host((endpoint.host(), endpoint.port())).await.ok()?.next()
}
