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

#[cfg(test)]
mod agreement;
mod exchange;
mod report;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use chapar_protocol::{
    DeviceId, ErrorCode, UserId,
    call::{Answer, CallAsk, CallMedia, CallSignal, CallState, EndReason, InCall, MediaPhase, Offer, Renew, Standing},
};

use self::report::report;
use super::{
    peer::{Fingerprint, Happened, Measurement},
    sas::Bytes,
};

/// How often the device says that it is there.
const ALIVE: Duration = Duration::from_secs(5);
/// Signs of life left out while it rings, before the device asks whether it still does. It rings for 60 s; the end of it
/// may have been lost on the way.
const RINGS_FOR: u32 = 13;
/// How long an accept waits for the answer that would travel with it.
const ANSWER_WITH_ACCEPT: Duration = Duration::from_millis(400);
/// A call that was answered and of which nothing is heard for so long is over here, whatever the server says or does not
/// say: it would have ended it by then.
const SILENT_FOR: Duration = Duration::from_secs(75);
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
    /// The call is over here, and why; `None` within says that it is not this device's any more, or never came to be.
    pub over: Option<Option<EndReason>>,
}

impl View {
    /// The call stands, and no sound arrives on this device, whatever the server said last: it may be this device's network
    /// that is gone. To be shown as «reconnecting».
    pub fn is_interrupted(&self) -> bool {
        let standing = self.state.as_ref().map(|state| &state.standing);
        let answered =
            |it: &InCall| !self.hears && it.phase != MediaPhase::Connecting && !it.mine.held && !it.theirs.held;
        self.over.is_none() && matches!(standing, Some(Standing::InCall(it)) if answered(it))
    }
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
    /// The invite was.
    NotInvited,
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
    /// Command it: only relays from now on.
    Restrict,
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
    /// Neither side may learn the other's address.
    relay_only: bool,
    /// The server knows of the call.
    invited: bool,
    /// The invite is on its way.
    inviting: bool,
    /// The person has ended it, whatever the server says meanwhile.
    hung_up: bool,
    /// The person does not want it here.
    refused: bool,
    random: Box<dyn FnMut() -> [u8; 32] + Send>,
    view: View,
    /// The generation for which the present peer connection works; `None` without one.
    generation: Option<u32>,
    /// The offer that waits for the person, or for the state that says what it renews.
    offer: Option<(u32, Offer)>,
    taken: u32,
    secrets: Secrets,
    /// The person accepted, and the server does not know yet: how long the accept waits for the answer.
    accepting: Option<Instant>,
    accepted: bool,
    /// The person has said that the call goes on here.
    takes_over: bool,
    direct: Vec<String>,
    relayed_late: Vec<String>,
    described: bool,
    early: Vec<(u32, Vec<String>)>,
    told_flows: bool,
    told_switches: bool,
    open: bool,
    muted: bool,
    held: bool,
    alive_at: Instant,
    /// Since when nothing is heard of a call that was answered.
    silent_since: Option<Instant>,
    /// Signs of life left out so far, since this device is not in the call.
    left_out: u32,
    measured: Option<Measurement>,
    outputs: Vec<Output>,
}

impl Core {
    /// A call that begins here, or that the server told of. `random` makes nonces.
    pub(crate) fn new(
        me: UserId,
        call: chapar_protocol::call::CallId,
        caller: bool,
        relay_only: bool,
        now: Instant,
        random: Box<dyn FnMut() -> [u8; 32] + Send>,
    ) -> Self {
        Self {
            me,
            call,
            caller,
            relay_only,
            invited: !caller,
            inviting: false,
            hung_up: false,
            refused: false,
            random,
            view: View::default(),
            generation: None,
            offer: None,
            taken: 0,
            secrets: Secrets::default(),
            accepting: None,
            accepted: false,
            takes_over: false,
            direct: Vec::new(),
            relayed_late: Vec::new(),
            described: false,
            early: Vec::new(),
            told_flows: false,
            told_switches: false,
            open: false,
            muted: false,
            held: false,
            alive_at: now + ALIVE,
            silent_since: None,
            left_out: 0,
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

    /// Whether only relays are to be used, so that neither side learns the other's address.
    pub(crate) fn relay_only(&self) -> bool {
        self.relay_only
    }

    /// The time of the next [`Input::Tick`].
    pub(crate) fn next_timer(&self) -> Instant {
        self.accepting.map_or(self.alive_at, |at| at.min(self.alive_at))
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
                Input::NotInvited => self.over(None),
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
        if !self.invited && self.hung_up {
            // The first time it may have overtaken the invite.
            self.ask(CallAsk::HangUp);
        }
        self.invited = true;
        self.caller = state.caller == self.me;
        let first = self.view.state.is_none();
        let (standing, relay_only) = (state.standing.clone(), state.relay_only);
        self.view.state = Some(state);
        self.outputs.push(Output::Changed);
        if relay_only {
            self.restrict();
        }
        match standing {
            // It was here, and went on elsewhere without this device's hearing of it.
            Standing::TakeOver { .. } if self.open => self.close(),
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
        // The word is used: to take the call over once more wants another.
        self.takes_over = false;
        if !self.open {
            self.open = true;
            self.outputs.push(Output::OpenSound);
        }
        self.tell_switches(in_call);
        self.take_offer();
        self.tell_candidates();
        self.tell_flows();
    }

    /// One of the two wants relays only. What was found beside them is forgotten before anybody hears of it.
    fn restrict(&mut self) {
        if !self.relay_only {
            self.relay_only = true;
            self.direct.clear();
            self.outputs.push(Output::Restrict);
        }
    }

    /// What the person switched before the server could take it.
    fn tell_switches(&mut self, in_call: &InCall) {
        if !std::mem::replace(&mut self.told_switches, true) {
            if self.muted && !in_call.mine.muted {
                self.ask(CallAsk::Mute { muted: true, camera_off: true });
            }
            if self.held && !in_call.mine.held {
                self.ask(CallAsk::Hold { held: true });
            }
        }
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

    fn wish(&mut self, wish: Wish, now: Instant) {
        match wish {
            Wish::Accept { relay_only } => {
                // Whoever said no a moment ago cannot say yes before that is known everywhere.
                if self.accepted || self.refused || !matches!(self.standing(), Some(Standing::Ringing { .. })) {
                    return;
                }
                if relay_only {
                    self.restrict();
                }
                self.accepted = true;
                self.open = true;
                self.outputs.push(Output::OpenSound);
                self.accepting = Some(now + ANSWER_WITH_ACCEPT);
                if self.offer.is_none() {
                    self.accept(None);
                }
                self.take_offer();
            }
            // The yes is on its way: the call has begun, or will be over for another reason.
            Wish::Decline | Wish::Busy if self.accepted => self.ask(CallAsk::HangUp),
            Wish::Decline => self.refuse(CallAsk::Decline),
            Wish::Busy => self.refuse(CallAsk::Busy),
            Wish::HangUp if !self.invited && !self.inviting => self.over(Some(EndReason::Cancelled)),
            // It rings here only to be taken over from another own device: the call itself goes on there.
            Wish::HangUp if matches!(self.standing(), Some(Standing::TakeOver { .. })) => self.refuse(CallAsk::Decline),
            Wish::HangUp => {
                self.hung_up = true;
                self.ask(CallAsk::HangUp);
            }
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
            Wish::TakeOver if self.refused => {}
            Wish::TakeOver => {
                self.accepted = true;
                self.takes_over = true;
                self.ask(CallAsk::TakeOver);
            }
            Wish::NetworkChanged => self.restart(),
            Wish::Look => self.ask(CallAsk::Look),
        }
    }

    fn refuse(&mut self, ask: CallAsk) {
        self.refused = true;
        self.ask(ask);
    }

    fn accept(&mut self, answer: Option<Answer>) {
        if self.accepting.take().is_some() {
            self.ask(CallAsk::Accept { media: CallMedia::Voice, relay_only: self.relay_only, answer });
        }
    }

    fn peer(&mut self, happened: Happened) {
        match happened {
            Happened::Offer { generation, sdp } => self.offered(generation, sdp),
            Happened::Answer { generation, sdp } => self.answered(generation, sdp),
            Happened::Candidate { direct, text } => {
                if direct && self.relay_only {
                    return;
                }
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
            // An ask has overtaken the invite.
            _ if !self.invited => {}
            // The yes to the call came too late, and meanwhile this device is asked to take over: that wants a yes of its own.
            ErrorCode::CallElsewhere if matches!(self.standing(), Some(Standing::TakeOver { .. })) => {
                self.close();
            }
            // The server knew of it, and does not any more: the one node that kept it died.
            ErrorCode::CallNotFound => self.over(Some(EndReason::NodeLost)),
            ErrorCode::CallElsewhere => self.over(None),
            // The state that says why has crossed this ask, or was missed.
            ErrorCode::CallEnded => self.ask(CallAsk::Look),
            // The state was told again and says what to do; a restart asked too soon is under way.
            _ => {}
        }
    }

    /// Microphone and speaker are shut until this device's person says that the call goes on here, unless they have said so already.
    fn close(&mut self) {
        (self.accepted, self.accepting, self.open) = (self.takes_over, None, false);
        self.new_peer(self.generation.unwrap_or(1));
    }

    fn tick(&mut self, now: Instant) {
        if self.accepting.is_some_and(|at| at <= now) {
            self.accept(None);
        }
        if self.alive_at <= now {
            self.alive_at = now + ALIVE;
            if self.is_silent_too_long(now) {
                self.ask(CallAsk::HangUp);
                return self.over(Some(EndReason::Dropped));
            }
            let seated = matches!(self.standing(), Some(Standing::InCall(_) | Standing::Calling { .. }));
            self.left_out = if seated { 0 } else { self.left_out + 1 };
            // A device that was accepted on should be in the call by now.
            if self.left_out > RINGS_FOR || (self.accepted && !seated) {
                self.ask(CallAsk::Look);
            }
            if let (true, Some(state)) = (seated, &self.view.state) {
                let report = self.measured.as_ref().filter(|_| self.view.hears).map(report);
                let revision = state.revision;
                self.ask(CallAsk::Alive { revision, report });
            }
        }
    }

    fn is_silent_too_long(&mut self, now: Instant) -> bool {
        let quiet = |it: &InCall| !self.view.hears && !it.mine.held && !it.theirs.held;
        if !self.open || !matches!(self.standing(), Some(Standing::InCall(it)) if quiet(it)) {
            self.silent_since = None;
            return false;
        }
        now.saturating_duration_since(*self.silent_since.get_or_insert(now)) > SILENT_FOR
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
