//! A person with a client, ears, and a network of their own.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chapar_client::{
    Client,
    calls::{
        Calls, CallsOptions, Incoming,
        audio::{AudioSink, AudioSource, Frame, RATE, controller::Plan},
    },
};

use super::{CallsCommon, Error};
use crate::{
    impair::{Link, Proxy},
    nat::{Mapping, Nat},
};

/// Two people who share a direct chat.
pub struct Pair {
    /// Who calls.
    pub caller: Person,
    /// Who answers.
    pub callee: Person,
}

/// One of them.
pub struct Person {
    /// The session.
    pub client: Client,
    /// Their calls.
    pub calls: Calls,
    /// Those that come in.
    pub incoming: Incoming,
    /// The network before the relay, if it is a bad one.
    pub leg: Option<Proxy>,
    /// The NAT before everybody but the server, if there is one.
    pub nat: Option<Nat>,
    _signaling: Option<Proxy>,
}

/// How people are set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setting {
    /// Over the relay alone.
    pub relay_only: bool,
    /// A bad network before the relay, also one that is not bad yet.
    pub legs: Option<Link>,
    /// A way of sending that does not change.
    pub fixed: Option<Plan>,
    /// Each person behind a NAT of their own.
    pub nat: Option<Mapping>,
}

impl Pair {
    /// Makes two accounts and signs them in.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn new(common: &CallsCommon, setting: Setting, number: u64) -> Result<Self, Error> {
        let seed = common.seed.wrapping_mul(1_000_003).wrapping_add(number * 10);
        let caller = Person::new(common, setting, seed).await?;
        let callee = Person::new(common, setting, seed + 5).await?;
        caller.client.open_direct(callee.id()?).await?;
        // Whoever has not answered does not ring.
        callee.client.open_direct(caller.id()?).await?;
        Ok(Self { caller, callee })
    }
}

impl Person {
    async fn new(common: &CallsCommon, setting: Setting, seed: u64) -> Result<Self, Error> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let handle = format!("caller_{}_{number}", std::process::id());
        let leg = setting.legs.map(|link| Proxy::udp(common.relay, link, seed)).transpose()?;
        // The connection to the server is as far away and as bad; its losses are pauses.
        let server = common.url.rsplit('/').next().and_then(|authority| authority.parse().ok());
        let slow = common.delay > 0 || common.loss > 0.0;
        let signaling = match server.filter(|_| slow) {
            Some(server) => Some(Proxy::tcp(server, Link { jitter: Duration::ZERO, ..common.link() }, seed + 1)?),
            None => None,
        };
        let url = signaling.as_ref().map_or_else(|| common.url.clone(), |proxy| format!("http://{}", proxy.address));
        let client = Client::builder(url).register(&handle, "a long password", None).await?;
        let nat = setting.nat.map(Nat::start).transpose()?;
        let options = CallsOptions {
            relay_only: setting.relay_only,
            fixed: setting.fixed,
            relay_via: leg.as_ref().map(|proxy| proxy.address),
            gateway: nat.as_ref().map(|nat| nat.gateway),
        };
        let (calls, incoming) = Calls::start(&client, options).await?;
        Ok(Self { client, calls, incoming, leg, nat, _signaling: signaling })
    }

    /// Who they are.
    ///
    /// # Errors
    /// [`Error::Never`] before the first welcome.
    pub fn id(&self) -> Result<chapar_client::protocol::UserId, Error> {
        Ok(self.client.me().ok_or(Error::Never("nobody is signed in"))?.id)
    }
}

/// A tone of this many hertz, for ever.
pub struct Tone {
    hertz: f64,
    phase: f64,
}

impl Tone {
    /// Such a tone.
    pub fn new(hertz: f64) -> Self {
        Self { hertz, phase: 0.0 }
    }
}

impl AudioSource for Tone {
    fn next(&mut self, frame: &mut Frame) {
        for sample in frame {
            self.phase += self.hertz * std::f64::consts::TAU / f64::from(RATE);
            #[expect(clippy::cast_possible_truncation, reason = "8000 fits")]
            let value = (self.phase.sin() * 8_000.0) as i16;
            *sample = value;
        }
    }
}

/// Notes for each frame when it was played and whether anything was heard.
#[derive(Clone, Default)]
pub struct Ear(Arc<Mutex<Vec<(Instant, bool)>>>);

impl AudioSink for Ear {
    fn play(&mut self, frame: &Frame) {
        let loudness: u64 = frame.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
        // A tenth of the tone: less is what concealment fades out.
        let loud = loudness > 500 * 960;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), loud));
    }
}

impl Ear {
    /// When something was first heard.
    pub fn first(&self) -> Option<Instant> {
        let frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        frames.iter().find(|(_, loud)| *loud).map(|(at, _)| *at)
    }

    /// The end of the last stretch of silence after a moment, if sound has lasted for 200 ms since; `None` while it is
    /// silent. The moment itself when there was no silence.
    pub fn back_since(&self, moment: Instant) -> Option<Instant> {
        let frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after: Vec<_> = frames.iter().filter(|(at, _)| *at > moment).collect();
        let last_quiet = after.iter().rposition(|(_, loud)| !loud);
        let since = last_quiet.map_or(0, |place| place + 1);
        (after.len() >= since + 10).then(|| last_quiet.map_or(moment, |_| after[since].0))
    }

    /// Whether anything was silent after a moment.
    pub fn was_silent(&self, moment: Instant) -> bool {
        let frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        frames.iter().any(|(at, loud)| *at > moment && !loud)
    }
}
