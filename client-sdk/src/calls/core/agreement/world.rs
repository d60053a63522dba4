//! The server with its one call, the devices, and the time.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    time::{Duration, Instant},
};

use chapar_protocol::{
    ChatId, DeviceId, ErrorCode, Timestamp, UserId,
    call::{CallAsk, CallId, CallMedia, CallState, EndReason, Offer, Party, Standing},
};
use chapar_signaling::{
    call::{Ask, Call, CallError, CheckedOffer, Fate, Input as Happens, Invite, Output as Tells, Phase, Step},
    sdp::{CandidatePolicy, RelayPlace, address::Network},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{
    super::{Emoji, Input, Wish},
    device::{Device, Down, Up},
};
use crate::calls::peer::Fingerprint;

pub(super) const CALL: CallId = CallId(uuid::Uuid::from_u128(7));
/// The caller's two devices and the callee's three.
const DEVICES: [(i64, i64); 5] = [(1, 11), (1, 12), (2, 21), (2, 22), (2, 23)];
/// Lines of the tale that a failure prints.
const TALE: usize = 200;

#[expect(clippy::struct_excessive_bools, reason = "each is one thing that happens in this story or not")]
pub(super) struct World {
    dice: StdRng,
    /// The bus loses now; it did once.
    loses: bool,
    lossy: bool,
    began: Instant,
    now: u64,
    call: Option<Call>,
    devices: Vec<Device>,
    moved: bool,
    died: bool,
    tale: VecDeque<String>,
}

/// A description that the server lets through.
pub(super) fn description(setup: &str, fingerprint: &Fingerprint) -> String {
    let pairs: Vec<String> = fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    format!(
        "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\nm=audio 9 UDP/TLS/RTP/SAVPF 111\na=mid:0\na=ice-ufrag:abcd\n\
         a=ice-pwd:abcdefghijklmnopqrstuv\na=rtcp-mux\na=rtpmap:111 opus/48000/2\na=setup:{setup}\n\
         a=fingerprint:sha-256 {}\n",
        pairs.join(":")
    )
}

impl World {
    pub(super) fn new(seed: u64, loses: bool) -> Self {
        let device = |(user, device)| Device::new(Party { user_id: UserId(user), device_id: DeviceId(device) });
        let mut world = Self {
            dice: StdRng::seed_from_u64(seed),
            loses: false,
            lossy: loses,
            began: Instant::now(),
            now: 0,
            call: None,
            devices: DEVICES.into_iter().map(device).collect(),
            moved: false,
            died: false,
            tale: VecDeque::new(),
        };
        let instant = world.instant();
        world.devices[0].begin(true, instant);
        // Stories that begin further on: it rings; it was accepted; another device took over.
        let begun = world.below(4);
        if begun > 0 {
            world.pass(1_000);
        }
        if begun > 1 {
            let (callee, now) = (2 + world.below(3), world.instant());
            world.devices[callee].wish(Wish::Accept { relay_only: false }, now);
            world.pass(2_000);
            if begun > 2 {
                let other = 2 + (callee - 1) % 3;
                let (to, now) = (world.devices[other].who.device_id, world.instant());
                world.devices[callee].wish(Wish::Transfer(to), now);
                world.pass(500);
                let now = world.instant();
                world.devices[other].wish(Wish::TakeOver, now);
                world.pass(1_000);
                world.moved = true;
            }
        }
        world.loses = loses;
        world
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.dice.random_range(0..bound)
    }

    fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.now)
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.now).unwrap_or(0)).expect("in range")
    }

    fn note(&mut self, line: &str) {
        if self.tale.len() == TALE {
            self.tale.pop_front();
        }
        self.tale.push_back(format!("{:>6} ms {line}", self.now));
    }

    /// What happened last, and how all stand.
    pub(super) fn tale(&self) -> String {
        let mut text = String::from("\n");
        self.tale.iter().for_each(|line| writeln!(text, "{line}").expect("written"));
        writeln!(text, "server: {:?}", self.call.as_ref().map(Call::phase)).expect("written");
        for device in &self.devices {
            let standing = device.state().map(|state| (state.revision, &state.standing));
            writeln!(text, "{}: {standing:?}, hears {}", device.who.device_id, device.hears()).expect("written");
        }
        text
    }

    /// One thing happens.
    pub(super) fn happen(&mut self) {
        let who = self.below(DEVICES.len());
        match self.below(100) {
            0..35 => self.serve(who),
            35..70 => self.deliver(who),
            70..82 => self.peer(who),
            82..91 => self.wish(who),
            91..93 => self.lose(who),
            93..96 => self.come_back(who),
            96..97 => {
                let flows = self.below(2) == 0;
                self.devices[who].flows(flows);
            }
            _ => {
                let millis = [20, 200, 1_000, 4_000, 9_000][self.below(5)];
                self.advance(millis);
            }
        }
    }

    /// What one person does on one device.
    fn wish(&mut self, who: usize) {
        let asked_to_take_over =
            matches!(self.devices[who].state().map(|state| &state.standing), Some(Standing::TakeOver { .. }));
        let wish = match self.below(16) {
            0..12 if asked_to_take_over => Wish::TakeOver,
            0..5 => Wish::Accept { relay_only: self.below(4) == 0 },
            5 if self.below(3) == 0 => Wish::Decline,
            6 if self.below(3) == 0 => Wish::Busy,
            7 if self.below(4) == 0 => Wish::HangUp,
            8 => Wish::Mute(self.below(2) == 0),
            9 => Wish::Hold(self.below(2) == 0),
            10..12 => {
                // Mostly an own one.
                let own = if who < 2 { self.below(2) } else { 2 + self.below(3) };
                let to = if self.below(5) == 0 { self.below(DEVICES.len()) } else { own };
                Wish::Transfer(DeviceId(DEVICES[to].1))
            }
            12..14 => Wish::TakeOver,
            14 => Wish::NetworkChanged,
            _ => return,
        };
        // What the person can press depends on what the device shows.
        let shown = self.devices[who].state().map(|state| state.standing.clone());
        let possible = match wish {
            Wish::Accept { .. } | Wish::Decline | Wish::Busy => matches!(shown, Some(Standing::Ringing { .. })),
            Wish::TakeOver => matches!(shown, Some(Standing::TakeOver { .. })),
            Wish::HangUp => shown.is_some(),
            _ => matches!(shown, Some(Standing::InCall(_))),
        };
        if possible {
            self.moved |= wish == Wish::TakeOver;
            self.note(&format!("{} wishes {wish:?}", self.devices[who].who.device_id));
            let now = self.instant();
            self.devices[who].wish(wish, now);
        }
    }

    /// The server takes one of the requests of a device: one of the first three, for it works at several at once.
    fn serve(&mut self, who: usize) {
        let ahead = self.below(3);
        let device = &mut self.devices[who];
        let place = ahead.min(device.ups.len().saturating_sub(1));
        let Some(request) = device.ups.remove(place) else { return };
        let party = device.who;
        self.note(&format!("{} asks {:.200}", party.device_id, brief(&request.up)));
        let outcome = match request.up {
            // It came too late for that server.
            Up::Invite(_) if self.died => Err(ErrorCode::CallForbidden),
            Up::Invite(offer) => Ok(self.invite(party, &offer)),
            Up::Ask(ask) => self.ask(party, &ask).map(|()| None),
        };
        self.devices[who].downs.push_back(Down::Answer(request.id, outcome));
    }

    fn invite(&mut self, caller: Party, offer: &Offer) -> Option<Box<CallState>> {
        if self.call.is_none() {
            let offer = CheckedOffer::check(offer, &policy(true), CallMedia::Voice).expect("a good offer");
            let invite = Invite {
                call_id: CALL,
                chat_id: ChatId(1),
                caller,
                callee: UserId(2),
                devices: self.devices[2..].iter().filter(|it| it.connected).map(|it| it.who.device_id).collect(),
                media: CallMedia::Voice,
                relay_only: false,
                ask_rating: false,
                offer: Some(offer),
                fate: Fate::Ring,
            };
            let (call, tells) = Call::invite(invite, self.timestamp()).expect("rings");
            self.call = Some(call);
            self.tell(tells);
        }
        self.call.as_ref().and_then(|call| call.state_for(caller)).map(Box::new)
    }

    fn ask(&mut self, who: Party, ask: &CallAsk) -> Result<(), ErrorCode> {
        let Some(call) = &self.call else { return Err(ErrorCode::CallNotFound) };
        let [open, relays] = [policy(false), policy(true)];
        let ask = Ask::check(ask, call, |relay_only| if relay_only { &relays } else { &open }).expect("a good ask");
        self.step(Happens::Ask { who, ask }).map_or(Ok(()), |refused| {
            Err(match refused {
                CallError::NotInCall => ErrorCode::CallNotFound,
                CallError::TooSoon => ErrorCode::RateLimited,
                CallError::Ended(_) => ErrorCode::CallEnded,
                CallError::AnsweredElsewhere => ErrorCode::CallElsewhere,
                _ => ErrorCode::CallConflict,
            })
        })
    }

    fn step(&mut self, happens: Happens) -> Option<CallError> {
        let call = self.call.as_ref()?;
        let Step { call, outputs, refused } = call.step(happens, self.timestamp());
        if let Some(call) = call {
            self.call = Some(call);
        }
        self.tell(outputs);
        refused
    }

    fn tell(&mut self, tells: Vec<Tells>) {
        for tells in tells {
            let (to, down) = match tells {
                Tells::State { to, state } => (to, Down::State(state)),
                Tells::Signal { to, signal, .. } => (to, Down::Signal(signal)),
                Tells::Record(_) => {
                    self.step(Happens::Recorded);
                    continue;
                }
            };
            let (lost, doubled) = (self.loses && self.below(8) == 0, self.below(10) == 0);
            let Some(device) = self.devices.iter_mut().find(|it| it.who == to) else { continue };
            if !device.connected || lost {
                continue;
            }
            device.downs.push_back(down.clone());
            if doubled {
                device.downs.push_back(down);
            }
        }
    }

    /// The next of what a device was told arrives.
    fn deliver(&mut self, who: usize) {
        let (now, millis) = (self.instant(), self.now);
        if let Some(down) = self.devices[who].downs.pop_front() {
            self.note(&format!("{} hears {:.200}", self.devices[who].who.device_id, brief(&down)));
            self.devices[who].take(down, now, millis);
        }
    }

    fn peer(&mut self, who: usize) {
        let now = self.instant();
        if let Some(happened) = self.devices[who].peer.happened.pop_front() {
            self.devices[who].handle(Input::Peer(happened), now);
        }
        let (callers, callees) = self.devices.split_at_mut(2);
        for caller in callers {
            for callee in &mut *callees {
                caller.connect(callee);
            }
        }
    }

    fn lose(&mut self, who: usize) {
        if self.devices[who].connected {
            self.note(&format!("{} is gone", self.devices[who].who.device_id));
            self.devices[who].lose();
            let party = self.devices[who].who;
            self.step(Happens::Gone(party));
        }
    }

    fn come_back(&mut self, who: usize) {
        if !self.devices[who].connected {
            let now = self.instant();
            self.note(&format!("{} is back", self.devices[who].who.device_id));
            self.devices[who].come_back(now);
            let party = self.devices[who].who;
            self.step(Happens::Online(party));
        }
    }

    fn advance(&mut self, millis: u64) {
        let until = self.now + millis;
        while self.now < until {
            self.now = (self.now + 100).min(until);
            let (instant, now) = (self.instant(), self.now);
            self.devices.iter_mut().for_each(|device| device.tick(instant, now));
            let due = self.call.as_ref().and_then(Call::next_timer);
            if due.is_some_and(|due| due <= self.timestamp()) {
                self.step(Happens::Tick);
            }
        }
    }

    /// The server is killed and starts again, and knows nothing. What was asked and not answered is asked again.
    pub(super) fn dies(&mut self) {
        (0..DEVICES.len()).for_each(|who| self.devices[who].lose());
        (self.call, self.died) = (None, true);
        self.calm();
    }

    /// Everybody is connected again, and nothing is lost any more.
    pub(super) fn calm(&mut self) {
        self.loses = false;
        (0..DEVICES.len()).for_each(|who| self.come_back(who));
    }

    /// Time passes while everything arrives and the media finds its way. What the last moment has brought has arrived, too.
    pub(super) fn pass(&mut self, millis: u64) {
        for round in 1..=millis / 100 {
            self.settle();
            self.advance(100);
            if round.is_multiple_of(50) {
                self.devices.iter_mut().for_each(Device::stall);
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        for who in 0..DEVICES.len() {
            while !self.devices[who].ups.is_empty() {
                self.serve(who);
            }
            while !self.devices[who].downs.is_empty() {
                self.deliver(who);
            }
            for _ in 0..3 {
                self.peer(who);
            }
        }
        self.check();
    }

    /// Holds after everything that happens.
    pub(super) fn check(&self) {
        for device in &self.devices {
            let Some(core) = &device.core else { continue };
            // The microphone opens only where the person called, accepted or took over.
            assert!(!device.open || core.accepted || core.caller, "{}", self.tale());
        }
    }

    /// Every device holds what the server holds, and one at most of each person is in the call. `soon`: where the bus has
    /// lost something, a device that rings may still do so, until it asks by itself.
    pub(super) fn agree(&self, soon: bool) {
        let Some(call) = &self.call else { return };
        for device in &self.devices {
            let truth = call.state_for(device.who);
            let (held, name) = (device.state().cloned(), device.who.device_id);
            match (truth, held) {
                (Some(truth), Some(mut held)) => {
                    let rings = matches!(held.standing, Standing::Ringing { .. } | Standing::TakeOver { .. });
                    if soon && self.lossy && rings {
                        continue;
                    }
                    held.revision = truth.revision;
                    assert_eq!(held, truth, "{name} holds something else: {}", self.tale());
                }
                (Some(truth), None) => {
                    let in_it = matches!(truth.standing, Standing::InCall(_) | Standing::Calling { .. });
                    // Asked to take over, told that it is off, and asked again, while its person says yes to the first: the
                    // yes counts, and the device has let go. Nobody is heard, and the server ends the call in 30 s.
                    assert!(!in_it || self.moved, "{name} sits in a call of which it knows nothing: {}", self.tale());
                    let rings = matches!(truth.standing, Standing::Ringing { .. } | Standing::TakeOver { .. });
                    assert!(!rings || self.lossy, "{name} should ring and does not: {}", self.tale());
                }
                (None, held) => assert_eq!(held, None, "{name} holds a call that is not its business: {}", self.tale()),
            }
        }
        for user in [UserId(1), UserId(2)] {
            let open = self.devices.iter().filter(|it| it.who.user_id == user && it.open).count();
            assert!(open <= 1, "{user} is in the call with two devices: {}", self.tale());
        }
    }

    pub(super) fn standing_at_caller(&self) -> Option<Standing> {
        let call = self.call.as_ref()?;
        let seat = call.seats()[0]?;
        self.devices.iter().find(|it| it.who == seat)?.state().map(|state| state.standing.clone())
    }

    fn seated(&self) -> Vec<&Device> {
        let seats = self.call.as_ref().map(Call::seats).unwrap_or_default();
        self.devices.iter().filter(|it| seats.contains(&Some(it.who))).collect()
    }

    pub(super) fn has_moved(&self) -> bool {
        self.moved
    }

    pub(super) fn both_hear(&self) -> bool {
        self.seated().iter().filter(|it| it.hears()).count() == 2
    }

    /// Both devices that the server counts as in the call know of it.
    pub(super) fn both_know(&self) -> bool {
        self.seated().iter().all(|it| it.core.is_some())
    }

    /// Both show emoji, and those are the same. Different ones are a failure at once.
    pub(super) fn same_emoji(&self) -> bool {
        let shown: Vec<Emoji> = self.seated().iter().map(|it| it.emoji()).collect();
        assert!(!shown.contains(&Emoji::Refused), "nobody sits in the middle: {}", self.tale());
        let both = shown.len() == 2 && shown.iter().all(|it| matches!(it, Emoji::Shown(_)));
        assert!(!both || shown[0] == shown[1], "different emoji: {}", self.tale());
        both
    }

    pub(super) fn ringing(&self) -> usize {
        let rings = |device: &&Device| {
            let standing = device.state().map(|state| &state.standing);
            matches!(standing, Some(Standing::Ringing { .. } | Standing::Calling { .. } | Standing::TakeOver { .. }))
        };
        self.devices.iter().filter(rings).count()
    }

    /// Why it ended; `None` while it lives. A call of which the server never heard was cancelled.
    pub(super) fn end_reason(&self) -> Option<EndReason> {
        match self.call.as_ref().map(Call::phase) {
            Some(Phase::Ended { reason, .. }) => Some(reason),
            Some(_) => None,
            None => Some(EndReason::Cancelled),
        }
    }

    pub(super) fn hang_up(&mut self) {
        let seats = self.call.as_ref().map(Call::seats).unwrap_or_default();
        let now = self.instant();
        if let Some(device) = self.devices.iter_mut().find(|it| it.core.is_some() && seats.contains(&Some(it.who))) {
            device.wish(Wish::HangUp, now);
        }
    }

    pub(super) fn all_over(&self) -> bool {
        self.devices.iter().all(|it| it.core.is_none() && !it.open)
            && self.call.as_ref().is_none_or(|call| !call.is_live())
    }
}

/// What is said, without the descriptions.
fn brief(said: &impl std::fmt::Debug) -> String {
    let text = format!("{said:?}");
    let place = text.find("standing: ").map_or("", |at| &text[at..]);
    format!("{text:.40}{place:.60}")
}

fn policy(relay_only: bool) -> CandidatePolicy {
    let network = Network { address: "5.160.1.1".parse().expect("an address"), prefix: 32 };
    let relays = vec![RelayPlace { network, ports: 5000..=5000 }];
    CandidatePolicy { relay_only, relays, ..CandidatePolicy::default() }
}
