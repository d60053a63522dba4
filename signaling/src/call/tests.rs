//! The rules of a call, one by one. The clock is a number; the store is a variable.

mod descriptions;
mod in_call;
mod ringing;
mod staying;

use chapar_protocol::call::{
    Answer, CallId, CallMedia, CallSignal, CallState, EndReason, MediaPhase, Offer, Party, Renew, Standing,
};
use chapar_protocol::{ChatId, DeviceId, Timestamp, UserId};
use uuid::Uuid;

use super::*;
use crate::sas::Nonce;
use crate::sdp::samples;
use crate::sdp::{CandidatePolicy, RelayPlace, address::Network};

const PHONE: Party = Party { user_id: UserId(1), device_id: DeviceId(11) };
const LAPTOP: Party = Party { user_id: UserId(1), device_id: DeviceId(12) };
const HOME: Party = Party { user_id: UserId(2), device_id: DeviceId(21) };
const TABLET: Party = Party { user_id: UserId(2), device_id: DeviceId(22) };
const WATCH: Party = Party { user_id: UserId(2), device_id: DeviceId(23) };
const STRANGER: Party = Party { user_id: UserId(3), device_id: DeviceId(31) };

/// A call under test, its clock, and what was put out last.
struct Bench {
    call: Call,
    now: i64,
    outputs: Vec<Output>,
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms).expect("in range")
}

fn invite(id: u128, caller: Party, whom: UserId, devices: &[Party]) -> Invite {
    Invite {
        call_id: CallId(Uuid::from_u128(id)),
        chat_id: ChatId(5),
        caller,
        callee: whom,
        devices: devices.iter().map(|d| d.device_id).collect(),
        media: CallMedia::Voice,
        relay_only: false,
        ask_rating: false,
        offer: Some(offer()),
        fate: Fate::Ring,
    }
}

fn relay_only() -> CandidatePolicy {
    let network = Network { address: "5.160.1.1".parse().expect("an address"), prefix: 32 };
    let relays = vec![RelayPlace { network, ports: 5000..=5000 }];
    CandidatePolicy { relay_only: true, relays, ..CandidatePolicy::default() }
}

fn offer() -> CheckedOffer {
    let offer = Offer { sdp: samples::CHROMIUM_AUDIO_OFFER.replace('\n', "\r\n"), commitment: Some("ab".repeat(32)) };
    CheckedOffer::check(&offer, &relay_only(), CallMedia::Voice).expect("a good offer")
}

fn answer() -> CheckedAnswer {
    let answer = Answer { sdp: samples::SAFARI_AUDIO_ANSWER.to_owned(), nonce: Some("cd".repeat(32)) };
    CheckedAnswer::check(&answer, &relay_only(), CallMedia::Voice).expect("a good answer")
}

fn candidates() -> CheckedCandidates {
    let text = "candidate:1 1 udp 2113937151 5.160.1.1 5000 typ relay raddr 0.0.0.0 rport 0".to_owned();
    CheckedCandidates::check(&[text], &relay_only()).expect("a good candidate")
}

fn accept() -> Ask {
    Ask::Accept { media: CallMedia::Video, relay_only: false, answer: Some(answer()) }
}

impl Bench {
    fn ringing() -> Self {
        let (call, outputs) = Call::invite(invite(1, PHONE, UserId(2), &[HOME, TABLET]), at(0)).expect("rings");
        Self { call, now: 0, outputs }
    }

    fn active() -> Self {
        let mut bench = Self::ringing();
        bench.ok(HOME, accept());
        bench.ok(PHONE, Ask::Media { flows: true });
        bench.ok(HOME, Ask::Media { flows: true });
        assert_eq!(bench.call.phase(), Phase::Active);
        bench
    }

    fn put(&mut self, input: Input) -> Option<CallError> {
        let revision = self.call.revision();
        let step = self.call.step(input, at(self.now));
        if let Some(call) = step.call {
            assert_eq!(call.revision(), revision + 1, "one more for each change");
            self.call = call;
        }
        self.outputs = step.outputs;
        step.refused
    }

    fn ok(&mut self, who: Party, ask: Ask) {
        assert_eq!(self.put(Input::Ask { who, ask }), None);
    }

    fn refused(&mut self, who: Party, ask: Ask) -> CallError {
        let before = self.call.clone();
        let refused = self.put(Input::Ask { who, ask }).expect("to be refused");
        assert_eq!(self.call, before, "a refusal changes nothing");
        refused
    }

    fn later(&mut self, ms: i64) {
        self.now += ms;
        self.put(Input::Tick);
    }

    fn told(&self, who: Party) -> Option<&CallState> {
        self.outputs.iter().rev().find_map(|output| match output {
            Output::State { to, state } if *to == who => Some(&**state),
            _ => None,
        })
    }

    fn standing(&self, who: Party) -> Standing {
        self.told(who).unwrap_or_else(|| panic!("{who:?} was not told")).standing.clone()
    }

    fn signals(&self, who: Party) -> Vec<CallSignal> {
        let of = |output: &Output| match output {
            Output::Signal { to, signal, .. } if *to == who => Some(signal.clone()),
            _ => None,
        };
        self.outputs.iter().filter_map(of).collect()
    }

    fn ended(&self) -> Option<EndReason> {
        match self.call.phase() {
            Phase::Ended { reason, .. } => Some(reason),
            _ => None,
        }
    }

    fn record(&self) -> &Record {
        fn of(output: &Output) -> Option<&Record> {
            if let Output::Record(record) = output { Some(record) } else { None }
        }
        self.outputs.iter().find_map(of).expect("a record")
    }
}
