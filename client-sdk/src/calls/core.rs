//! What this device does in a call: pure. Events of the server, wishes of the person and news of the peer connection go
//! in; asks to the server and commands to the peer connection come out.
//!
//! ```text
//!              call()                                    ring (event)
//!                │                                           │ relays are sought, nothing is sent to the caller
//!                ▼                                           ▼
//!            Calling ──────── answer ──▶ InCall ◀── accept ── Ringing
//!                │                     │       ▲               │
//!                │            another  │       │ take_over     │ decline, answered elsewhere
//!                │            device   ▼       │               │
//!                └──▶ Over ◀──── Elsewhere   TakeOver          └──▶ Over
//! ```
//!
//! The server's state with the highest revision is the truth; nothing here outlives it. The microphone opens only when
//! the person called, accepted or took over here.
#![expect(clippy::similar_names, reason = "caller and callee are the field's words")]

mod report;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use chapar_protocol::{
    DeviceId, ErrorCode, UserId,
    call::{Answer, CallAsk, CallMedia, CallSignal, CallState, EndReason, InCall, Offer, Renew, Standing},
};

use self::report::report;
use super::{
    peer::{Fingerprint, Happened, Measurement},
    sas::{self, Bytes},
};

/// How often the device says that it is there.
const ALIVE: Duration = Duration::from_secs(5);
/// How long an accept waits for the answer that would travel with it.
const ANSWER_WITH_ACCEPT: Duration = Duration::from_millis(400);
/// Candidates in one ask at most.
const BATCH: usize = 16;
/// Candidates kept until the description that they belong to is there.
const MAX_EARLY: usize = 64;

/// What the emoji of a call are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emoji {
    /// Not known yet, or the other side cannot.
    #[default]
    Unknown,
    /// To be compared by the two people.
    Shown([&'static str; 4]),
    /// The caller's nonce does not fit what it had committed to: somebody may sit in the middle.
    Refused,
}

/// Where a call is, on this device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// What the server said last.
    pub state: Option<CallState>,
    /// The emoji.
    pub emoji: Emoji,
    /// Sound arrives.
    pub hears: bool,
    /// The call is over here, and why; `None` within says that the server does not know it any more.
    pub over: Option<Option<EndReason>>,
}

/// What the person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Accept {
        relay_only: bool,
    },
    Decline,
    Busy,
    HangUp,
    Mute(bool),
    Hold(bool),
    Transfer(DeviceId),
    TakeOver,
    /// The network is another one, as the system says.
    NetworkChanged,
    /// Events may have been missed.
    Look,
}

/// What comes in.
pub(crate) enum Input {
    State(CallState),
    Signal(CallSignal),
    Wish(Wish),
    /// News of the peer connection that was made last.
    Peer(Happened),
    /// An ask was refused for good.
    Refused(ErrorCode),
    Tick,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Output {
    /// The call begins with this offer.
    Invite(Offer),
    /// Ask the server.
    Ask(CallAsk),
    /// A new peer connection takes the place of the one before.
    NewPeer,
    /// Command it.
    MakeOffer { generation: u32, restart: bool },
    /// Command it.
    TakeOffer { generation: u32, sdp: String },
    /// Command it.
    TakeAnswer { generation: u32, sdp: String },
    /// Command it.
    Candidates(Vec<String>),
    /// Command it: look for new ways out.
    Renew,
    /// Open microphone and speaker.
    OpenSound,
    /// Command it.
    Mute(bool),
    /// Command it.
    Hold(bool),
    /// [`Core::view`] has changed.
    Changed,
    /// It is over here: let go of everything.
    Over,
}

/// The two nonces of an exchange and what was committed to.
#[derive(Default)]
struct Secrets {
    callers: Option<Bytes>,
    callees: Option<Bytes>,
    commitment: Option<Bytes>,
    own: Option<Fingerprint>,
    other: Option<Fingerprint>,
    revealed: bool,
}

/// One call on this device.
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that has happened or not")]
pub(crate) struct Core {
    me: UserId,
    call: chapar_protocol::call::CallId,
    caller: bool,
    invited: bool,
    random: Box<dyn FnMut() -> [u8; 32] + Send>,
    view: View,
    /// The generation for which the present peer connection works; `None` without one.
    generation: Option<u32>,
    /// The offer that waits for the person, or for the state that says what it renews.
    offer: Option<(u32, Offer)>,
    taken: u32,
    secrets: Secrets,
    /// The person accepted, and the server does not know yet.
    accepting: Option<(bool, Instant)>,
    accepted: bool,
    direct: Vec<String>,
    relayed_late: Vec<String>,
    described: bool,
    early: Vec<(u32, Vec<String>)>,
    told_flows: bool,
    open: bool,
    muted: bool,
    held: bool,
    alive_at: Instant,
    measured: Option<Measurement>,
    outputs: Vec<Output>,
}

impl Core {
    /// A call that begins here, or that the server told of. `random` makes nonces.
    pub(crate) fn new(
        me: UserId,
        call: chapar_protocol::call::CallId,
        caller: bool,
        now: Instant,
        random: Box<dyn FnMut() -> [u8; 32] + Send>,
    ) -> Self {
        Self {
            me,
            call,
            caller,
            invited: !caller,
            random,
            view: View::default(),
            generation: None,
            offer: None,
            taken: 0,
            secrets: Secrets::default(),
            accepting: None,
            accepted: false,
            direct: Vec::new(),
            relayed_late: Vec::new(),
            described: false,
            early: Vec::new(),
            told_flows: false,
            open: false,
            muted: false,
            held: false,
            alive_at: now + ALIVE,
            measured: None,
            outputs: Vec::new(),
        }
    }

    /// Begins to call.
    pub(crate) fn begin(&mut self) -> Vec<Output> {
        self.new_peer(1);
        self.outputs.push(Output::MakeOffer { generation: 1, restart: false });
        std::mem::take(&mut self.outputs)
    }

    /// Where the call is.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The time of the next [`Input::Tick`].
    pub(crate) fn next_timer(&self) -> Instant {
        self.accepting.map_or(self.alive_at, |(_, at)| at.min(self.alive_at))
    }

    /// Takes something in.
    pub(crate) fn handle(&mut self, input: Input, now: Instant) -> Vec<Output> {
        if self.view.over.is_none() {
            match input {
                Input::State(state) => self.state(state),
                Input::Signal(signal) => self.signal(signal),
                Input::Wish(wish) => self.wish(wish, now),
                Input::Peer(happened) => self.peer(happened),
                Input::Refused(code) => self.refused(code),
                Input::Tick => self.tick(now),
            }
        }
        std::mem::take(&mut self.outputs)
    }

    fn ask(&mut self, ask: CallAsk) {
        self.outputs.push(Output::Ask(ask));
    }

    fn state(&mut self, state: CallState) {
        if self.view.state.as_ref().is_some_and(|mine| state.revision <= mine.revision) {
            return;
        }
        self.invited = true;
        self.caller = state.caller == self.me;
        let first = self.view.state.is_none();
        let standing = state.standing.clone();
        self.view.state = Some(state);
        self.outputs.push(Output::Changed);
        match standing {
            Standing::Calling { .. } | Standing::TakeOver { .. } => {}
            Standing::Ringing { .. } => {
                if first {
                    self.ask(CallAsk::Ringing);
                    self.new_peer(1);
                }
            }
            Standing::InCall(in_call) => self.in_call(&in_call),
            Standing::Elsewhere | Standing::Silent => self.over(None),
            Standing::Ended { reason, .. } => self.over(Some(reason)),
        }
    }

    fn in_call(&mut self, in_call: &InCall) {
        self.accepting = None;
        if !self.accepted && !self.caller {
            // This device is in the call without its person's word: it was here before a restart of the program. Nothing
            // opens; the person may hang up, or take it over again.
            return;
        }
        if self.generation.is_none_or(|mine| mine < in_call.generation) {
            let fresh = self.generation.is_none() || in_call.renew == Renew::Transport;
            if fresh {
                self.new_peer(in_call.generation);
            }
            self.generation = Some(in_call.generation);
            self.described = false;
            if self.caller {
                let restart = !fresh;
                self.outputs.push(Output::MakeOffer { generation: in_call.generation, restart });
            }
        }
        if !self.open {
            self.open = true;
            self.outputs.push(Output::OpenSound);
        }
        self.take_offer();
        self.tell_candidates();
        self.tell_flows();
    }

    fn new_peer(&mut self, generation: u32) {
        self.generation = Some(generation);
        self.secrets = Secrets::default();
        self.view.emoji = Emoji::Unknown;
        (self.described, self.taken) = (false, 0);
        self.direct.clear();
        self.relayed_late.clear();
        if self.view.hears {
            self.view.hears = false;
            self.outputs.push(Output::Changed);
        }
        self.outputs.push(Output::NewPeer);
        if self.open {
            self.outputs.push(Output::OpenSound);
        }
        self.outputs.push(Output::Mute(self.muted));
        self.outputs.push(Output::Hold(self.held));
    }

    fn signal(&mut self, signal: CallSignal) {
        match signal {
            CallSignal::Offer { generation, offer } => {
                if !self.caller && self.taken < generation && self.offer.as_ref().is_none_or(|(of, _)| *of < generation)
                {
                    self.offer = Some((generation, offer));
                    self.take_offer();
                }
            }
            CallSignal::Answer { generation, answer } => self.take_answer(generation, answer),
            CallSignal::Reveal { generation, nonce } => self.reveal(generation, &nonce),
            CallSignal::Candidates { generation, candidates } => self.candidates(generation, candidates),
        }
    }

    /// Answers the offer that waits, once the person has accepted and it is known what it renews.
    fn take_offer(&mut self) {
        let Some((generation, _)) = &self.offer else { return };
        let generation = *generation;
        if !self.accepted || self.generation != Some(generation) || self.taken >= generation {
            return;
        }
        let Some((_, offer)) = self.offer.take() else { return };
        self.taken = generation;
        if let Some(commitment) = offer.commitment.as_deref().and_then(Bytes::parse) {
            self.secrets.commitment = Some(commitment);
        }
        self.outputs.push(Output::TakeOffer { generation, sdp: offer.sdp });
        self.take_early(generation);
    }

    fn take_answer(&mut self, generation: u32, answer: Answer) {
        if !self.caller || self.generation != Some(generation) || self.taken >= generation {
            return;
        }
        self.taken = generation;
        self.outputs.push(Output::TakeAnswer { generation, sdp: answer.sdp });
        self.take_early(generation);
        let nonce = answer.nonce.as_deref().and_then(Bytes::parse);
        if let (Some(callees), Some(callers), false) = (nonce, self.secrets.callers, self.secrets.revealed) {
            self.secrets.callees = Some(callees);
            self.secrets.revealed = true;
            self.ask(CallAsk::Reveal { generation, nonce: callers.to_string() });
            self.show_emoji();
        }
    }

    fn reveal(&mut self, generation: u32, nonce: &str) {
        if self.caller || self.generation != Some(generation) || self.secrets.callers.is_some() {
            return;
        }
        self.secrets.callers = Bytes::parse(nonce);
        self.show_emoji();
    }

    fn show_emoji(&mut self) {
        let secrets = &self.secrets;
        let (Some(own), Some(other)) = (&secrets.own, &secrets.other) else { return };
        let (Some(callers), Some(callees)) = (&secrets.callers, &secrets.callees) else { return };
        let emoji = if self.caller {
            Emoji::Shown(sas::emoji(self.call.0, [own, other], [callers, callees]))
        } else if secrets.commitment.is_some_and(|commitment| commitment == sas::commit(other, callers)) {
            Emoji::Shown(sas::emoji(self.call.0, [other, own], [callers, callees]))
        } else {
            Emoji::Refused
        };
        if self.view.emoji != emoji {
            self.view.emoji = emoji;
            self.outputs.push(Output::Changed);
        }
    }

    fn candidates(&mut self, generation: u32, candidates: Vec<String>) {
        if self.generation == Some(generation) && self.taken == generation {
            self.outputs.push(Output::Candidates(candidates));
        } else if self.generation.is_none_or(|mine| generation >= mine) {
            let kept: usize = self.early.iter().map(|(_, list)| list.len()).sum();
            if kept + candidates.len() <= MAX_EARLY {
                self.early.push((generation, candidates));
            }
        }
    }

    fn take_early(&mut self, generation: u32) {
        for (of, candidates) in std::mem::take(&mut self.early) {
            match of.cmp(&generation) {
                std::cmp::Ordering::Equal => self.outputs.push(Output::Candidates(candidates)),
                std::cmp::Ordering::Greater => self.early.push((of, candidates)),
                std::cmp::Ordering::Less => {}
            }
        }
    }

    fn wish(&mut self, wish: Wish, now: Instant) {
        match wish {
            Wish::Accept { relay_only } => {
                if self.accepted || !matches!(self.standing(), Some(Standing::Ringing { .. })) {
                    return;
                }
                self.accepted = true;
                self.open = true;
                self.outputs.push(Output::OpenSound);
                self.accepting = Some((relay_only, now + ANSWER_WITH_ACCEPT));
                if self.offer.is_none() {
                    self.accept(None);
                }
                self.take_offer();
            }
            Wish::Decline => self.ask(CallAsk::Decline),
            Wish::Busy => self.ask(CallAsk::Busy),
            Wish::HangUp if !self.invited => self.over(Some(EndReason::Cancelled)),
            Wish::HangUp => self.ask(CallAsk::HangUp),
            Wish::Mute(muted) => {
                self.muted = muted;
                self.outputs.push(Output::Mute(muted));
                self.ask(CallAsk::Mute { muted, camera_off: true });
            }
            Wish::Hold(held) => {
                self.held = held;
                self.outputs.push(Output::Hold(held));
                self.ask(CallAsk::Hold { held });
            }
            Wish::Transfer(to) => self.ask(CallAsk::Transfer { to }),
            Wish::TakeOver => {
                self.accepted = true;
                self.ask(CallAsk::TakeOver);
            }
            Wish::NetworkChanged => self.restart(),
            Wish::Look => self.ask(CallAsk::Look),
        }
    }

    fn accept(&mut self, answer: Option<Answer>) {
        if let Some((relay_only, _)) = self.accepting.take() {
            self.ask(CallAsk::Accept { media: CallMedia::Voice, relay_only, answer });
        }
    }

    fn peer(&mut self, happened: Happened) {
        match happened {
            Happened::Offer { generation, sdp } => self.offered(generation, sdp),
            Happened::Answer { generation, sdp } => self.answered(generation, sdp),
            Happened::Candidate { direct, text } => {
                if direct {
                    self.direct.push(text);
                } else if self.described {
                    self.relayed_late.push(text);
                }
                self.tell_candidates();
            }
            Happened::Connected { own, other } => {
                (self.secrets.own, self.secrets.other) = (Some(own), Some(other));
                self.show_emoji();
            }
            Happened::Media { flows } => {
                self.view.hears = flows;
                self.outputs.push(Output::Changed);
                self.tell_flows();
            }
            Happened::Stalled => self.restart(),
            Happened::Stats(measured) => self.measured = Some(*measured),
            Happened::Refused { .. } | Happened::Failed(_) => {
                // Without a peer connection there is no call. Before the invite nobody has heard of it.
                if self.invited { self.ask(CallAsk::HangUp) } else { self.over(None) }
            }
        }
    }

    fn offered(&mut self, generation: u32, sdp: String) {
        if self.generation != Some(generation) {
            return;
        }
        self.described = true;
        // Who committed once to this certificate need not do so again: its emoji stand.
        let commitment = match (self.secrets.callers, sas::fingerprint_in(&sdp)) {
            (None, Some(fingerprint)) => {
                let nonce = Bytes((self.random)());
                self.secrets.callers = Some(nonce);
                Some(sas::commit(&fingerprint, &nonce).to_string())
            }
            _ => None,
        };
        let offer = Offer { sdp, commitment };
        if self.invited {
            self.ask(CallAsk::Offer { generation, offer });
        } else {
            self.outputs.push(Output::Invite(offer));
        }
        self.tell_candidates();
    }

    fn answered(&mut self, generation: u32, sdp: String) {
        if self.generation != Some(generation) {
            return;
        }
        self.described = true;
        let nonce = match (self.secrets.callees, self.secrets.commitment) {
            (None, Some(_)) => {
                let nonce = Bytes((self.random)());
                self.secrets.callees = Some(nonce);
                Some(nonce.to_string())
            }
            _ => None,
        };
        let answer = Answer { sdp, nonce };
        if self.accepting.is_some() {
            self.accept(Some(answer));
        } else {
            self.ask(CallAsk::Answer { generation, answer });
        }
        self.tell_candidates();
    }

    /// Candidates that the description could not carry: those found later, and until the callee has accepted all but
    /// relays' (the server strips them).
    fn tell_candidates(&mut self) {
        let (Some(generation), true) = (self.generation, self.described) else { return };
        let mut due = Vec::new();
        if matches!(self.standing(), Some(Standing::InCall(_))) {
            due.append(&mut self.direct);
            due.append(&mut self.relayed_late);
        } else if matches!(self.standing(), Some(Standing::Calling { .. })) {
            due.append(&mut self.relayed_late);
        }
        for batch in due.chunks(BATCH) {
            self.ask(CallAsk::Candidates { generation, candidates: batch.to_vec() });
        }
    }

    fn tell_flows(&mut self) {
        if matches!(self.standing(), Some(Standing::InCall(_))) && self.view.hears != self.told_flows {
            self.told_flows = self.view.hears;
            self.ask(CallAsk::Media { flows: self.view.hears });
        }
    }

    fn restart(&mut self) {
        if matches!(self.standing(), Some(Standing::InCall(_))) {
            self.outputs.push(Output::Renew);
            self.ask(CallAsk::RestartIce);
        }
    }

    fn refused(&mut self, code: ErrorCode) {
        match code {
            ErrorCode::CallNotFound | ErrorCode::CallElsewhere => self.over(None),
            // The state that says why has crossed this ask, or was missed.
            ErrorCode::CallEnded => self.ask(CallAsk::Look),
            // The state was told again and says what to do; a restart asked too soon is under way.
            _ => {}
        }
    }

    fn tick(&mut self, now: Instant) {
        if self.accepting.is_some_and(|(_, at)| at <= now) {
            self.accept(None);
        }
        if self.alive_at <= now {
            self.alive_at = now + ALIVE;
            let seated = matches!(self.standing(), Some(Standing::InCall(_) | Standing::Calling { .. }));
            if let (true, Some(state)) = (seated, &self.view.state) {
                let report = self.measured.as_ref().filter(|_| self.view.hears).map(report);
                let revision = state.revision;
                self.ask(CallAsk::Alive { revision, report });
            }
        }
    }

    fn over(&mut self, reason: Option<EndReason>) {
        self.view.over = Some(reason);
        self.view.hears = false;
        self.outputs.push(Output::Changed);
        self.outputs.push(Output::Over);
    }

    fn standing(&self) -> Option<&Standing> {
        self.view.state.as_ref().map(|state| &state.standing)
    }
}
