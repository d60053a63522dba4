//! A device: the core under test, a connection to the server as the client keeps one, and a peer connection that does
//! what it is told without media.

use std::{collections::VecDeque, time::Instant};

use chapar_protocol::{
    ErrorCode,
    call::{CallAsk, CallSignal, CallState, Offer, Party},
};

use super::super::{Core, Emoji, Input, Output, Wish};
use crate::calls::{
    peer::{Fingerprint, Happened},
    sas,
};

/// How often an ask that came too early is tried again, as the call's task does.
const TRIES: u32 = 6;

/// What a device sends.
#[derive(Clone, Debug)]
pub(super) enum Up {
    Invite(Offer),
    Ask(CallAsk),
}

/// What it is told.
#[derive(Clone, Debug)]
pub(super) enum Down {
    State(Box<CallState>),
    Signal(CallSignal),
    /// The answer to a request. Of an invite the state, of an ask nothing.
    Answer(u64, Result<Option<Box<CallState>>, ErrorCode>),
}

/// A request that was not answered yet. It survives reconnections.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) up: Up,
    tried: u32,
}

#[derive(Debug, Default)]
pub(super) struct Fake {
    certificate: Fingerprint,
    remote: Option<Fingerprint>,
    described: bool,
    connected: bool,
    pub(super) happened: VecDeque<Happened>,
}

pub(super) struct Device {
    pub(super) who: Party,
    pub(super) core: Option<Core>,
    pub(super) connected: bool,
    pub(super) open: bool,
    pub(super) peer: Fake,
    /// To the server, in the order in which they were written.
    pub(super) ups: VecDeque<Request>,
    pub(super) downs: VecDeque<Down>,
    awaited: VecDeque<Request>,
    /// To be asked again at a moment, in milliseconds.
    later: Vec<(u64, Request)>,
    next_id: u64,
    certificates: u8,
}

impl Device {
    pub(super) fn new(who: Party) -> Self {
        Self {
            who,
            core: None,
            connected: true,
            open: false,
            peer: Fake::default(),
            ups: VecDeque::new(),
            downs: VecDeque::new(),
            awaited: VecDeque::new(),
            later: Vec::new(),
            next_id: 0,
            certificates: 0,
        }
    }

    /// Begins a call, or learns of one.
    pub(super) fn begin(&mut self, calls: bool, now: Instant) {
        let mut dice = u8::try_from(self.who.device_id.0).unwrap_or(0);
        let random = Box::new(move || {
            dice = dice.wrapping_add(1);
            [dice; 32]
        });
        let mut core = Core::new(self.who.user_id, super::world::CALL, calls, false, now, random);
        let outputs = if calls { core.begin() } else { Vec::new() };
        self.core = Some(core);
        self.act(outputs);
    }

    pub(super) fn handle(&mut self, input: Input, now: Instant) {
        let Some(core) = &mut self.core else { return };
        let outputs = core.handle(input, now);
        self.act(outputs);
    }

    pub(super) fn wish(&mut self, wish: Wish, now: Instant) {
        self.handle(Input::Wish(wish), now);
    }

    /// What it was told arrives.
    pub(super) fn take(&mut self, down: Down, now: Instant, millis: u64) {
        match down {
            Down::State(state) => {
                use chapar_protocol::call::Standing;
                if self.core.is_none() && matches!(state.standing, Standing::Ringing { .. } | Standing::TakeOver { .. })
                {
                    self.begin(false, now);
                }
                self.handle(Input::State(*state), now);
            }
            Down::Signal(signal) => self.handle(Input::Signal(signal), now),
            Down::Answer(id, outcome) => {
                let Some(place) = self.awaited.iter().position(|it| it.id == id) else { return };
                let Some(mut request) = self.awaited.remove(place) else { return };
                match (outcome, &request.up) {
                    (Ok(Some(state)), _) => self.handle(Input::State(*state), now),
                    (Ok(None), _) => {}
                    (Err(ErrorCode::CallConflict), Up::Ask(ask))
                        if request.tried < TRIES && crate::calls::actor::may_come_early(ask) =>
                    {
                        request.tried += 1;
                        self.later.push((millis + 150 * u64::from(request.tried), request));
                    }
                    (Err(_), Up::Invite(_)) => self.handle(Input::NotInvited, now),
                    (Err(code), Up::Ask(_)) => self.handle(Input::Refused(code), now),
                }
            }
        }
    }

    /// The connection breaks: what was on its way is lost, what was not answered waits.
    pub(super) fn lose(&mut self) {
        self.connected = false;
        self.ups.clear();
        self.downs.clear();
    }

    /// It is back: asks again what was not answered, and for what it may have missed.
    pub(super) fn come_back(&mut self, now: Instant) {
        self.connected = true;
        self.ups = self.awaited.clone();
        self.wish(Wish::Look, now);
    }

    /// Timers that are due.
    pub(super) fn tick(&mut self, now: Instant, millis: u64) {
        while let Some(place) = self.later.iter().position(|(at, _)| *at <= millis) {
            let (_, request) = self.later.remove(place);
            self.write(request);
        }
        if self.core.as_ref().is_some_and(|core| core.next_timer() <= now) {
            self.handle(Input::Tick, now);
        }
    }

    fn write(&mut self, request: Request) {
        self.awaited.push_back(request.clone());
        if self.connected {
            self.ups.push_back(request);
        }
    }

    fn ask(&mut self, up: Up) {
        self.next_id += 1;
        self.write(Request { id: self.next_id, up, tried: 0 });
    }

    fn act(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Invite(offer) => self.ask(Up::Invite(offer)),
                Output::Ask(ask) => self.ask(Up::Ask(ask)),
                Output::NewPeer => {
                    self.certificates += 1;
                    let mut certificate = [self.certificates; 32];
                    certificate[0] = u8::try_from(self.who.device_id.0).unwrap_or(0);
                    self.peer = Fake { certificate, ..Fake::default() };
                    self.open = false;
                }
                Output::MakeOffer { generation, .. } => {
                    self.peer.described = true;
                    let sdp = super::world::description("actpass", &self.peer.certificate);
                    self.peer.happened.push_back(Happened::Offer { generation, sdp });
                    self.found_a_relay();
                }
                Output::TakeOffer { generation, sdp } => {
                    self.peer.remote = sas::fingerprint_in(&sdp);
                    self.peer.described = true;
                    let sdp = super::world::description("active", &self.peer.certificate);
                    self.peer.happened.push_back(Happened::Answer { generation, sdp });
                    self.found_a_relay();
                }
                Output::TakeAnswer { sdp, .. } => self.peer.remote = sas::fingerprint_in(&sdp),
                Output::OpenSound => self.open = true,
                Output::Over => {
                    (self.core, self.open) = (None, false);
                    self.peer = Fake::default();
                }
                Output::Candidates(_)
                | Output::Renew
                | Output::Restrict
                | Output::Mute(_)
                | Output::Hold(_)
                | Output::Changed => {}
            }
        }
    }

    fn found_a_relay(&mut self) {
        let text = "candidate:1 1 udp 1 5.160.1.1 5000 typ relay raddr 0.0.0.0 rport 0".to_owned();
        self.peer.happened.push_back(Happened::Candidate { direct: false, text });
    }

    pub(super) fn emoji(&self) -> Emoji {
        self.core.as_ref().map(|core| core.view().emoji).unwrap_or_default()
    }

    pub(super) fn hears(&self) -> bool {
        self.core.as_ref().is_some_and(|core| core.view().hears)
    }

    pub(super) fn state(&self) -> Option<&CallState> {
        self.core.as_ref().and_then(|core| core.view().state.as_ref())
    }

    /// ICE and DTLS come through as soon as each has the other's description.
    pub(super) fn connect(&mut self, other: &mut Self) {
        let fits = |one: &Fake, two: &Fake| one.described && one.remote == Some(two.certificate);
        if !fits(&self.peer, &other.peer) || !fits(&other.peer, &self.peer) {
            return;
        }
        let certificates = [self.peer.certificate, other.peer.certificate];
        for (peer, [own, other]) in
            [(&mut self.peer, certificates), (&mut other.peer, [certificates[1], certificates[0]])]
        {
            if !std::mem::replace(&mut peer.connected, true) {
                peer.happened.push_back(Happened::Connected { own, other });
                peer.happened.push_back(Happened::Media { flows: true });
            }
        }
    }

    /// The network below the media stops, or is back.
    pub(super) fn flows(&mut self, flows: bool) {
        if self.peer.connected {
            self.peer.happened.push_back(Happened::Media { flows });
            if !flows {
                self.peer.happened.push_back(Happened::Stalled);
            }
        }
    }

    /// A peer connection that had both descriptions for long and did not come through says so.
    pub(super) fn stall(&mut self) {
        if self.core.is_some() && self.peer.described && !self.peer.connected {
            self.peer.happened.push_back(Happened::Stalled);
        } else if self.peer.connected && !self.hears() && self.peer.happened.is_empty() {
            self.peer.happened.push_back(Happened::Media { flows: true });
        }
    }
}
