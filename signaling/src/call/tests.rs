//! The rules of a call, one by one. The clock is a number; the store is a variable.

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
    CheckedOffer::check(&offer, &relay_only()).expect("a good offer")
}

fn answer() -> CheckedAnswer {
    let answer = Answer { sdp: samples::SAFARI_AUDIO_ANSWER.to_owned(), nonce: Some("cd".repeat(32)) };
    CheckedAnswer::check(&answer, &relay_only()).expect("a good answer")
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

#[test]
fn it_rings_on_every_device_and_the_first_answer_silences_the_others() {
    let mut bench = Bench::ringing();
    for device in [HOME, TABLET] {
        assert!(matches!(bench.standing(device), Standing::Ringing { glare: false, .. }));
        assert!(matches!(bench.signals(device)[..], [CallSignal::Offer { generation: 1, .. }]));
    }
    assert!(matches!(bench.standing(PHONE), Standing::Calling { ringing: false, .. }));
    bench.ok(TABLET, Ask::Ringing);
    assert!(matches!(bench.standing(PHONE), Standing::Calling { ringing: true, .. }));
    bench.ok(TABLET, accept());
    assert!(matches!(bench.standing(TABLET), Standing::InCall(ref it) if it.phase == MediaPhase::Connecting));
    assert!(matches!(bench.standing(PHONE), Standing::InCall(ref it) if it.peer == TABLET));
    assert_eq!(bench.standing(HOME), Standing::Elsewhere);
    assert!(matches!(bench.signals(PHONE)[..], [CallSignal::Answer { generation: 1, .. }]));
    bench.put(Input::Online(WATCH));
    assert_eq!(bench.standing(WATCH), Standing::Elsewhere, "a late device is silent at once");
}

#[test]
fn a_late_device_rings_while_the_others_ring() {
    let mut bench = Bench::ringing();
    bench.now = 59_999;
    bench.put(Input::Online(WATCH));
    assert!(matches!(bench.standing(WATCH), Standing::Ringing { until, .. } if until == at(60_000)));
    bench.now = 60_000;
    bench.put(Input::Online(WATCH));
    assert_eq!(bench.ended(), Some(EndReason::Unreachable), "and not a moment longer");
}

#[test]
fn two_answers_on_two_nodes_make_one_call() {
    let bench = Bench::ringing();
    // Both nodes have loaded the same revision.
    let home = bench.call.step(Input::Ask { who: HOME, ask: accept() }, at(100));
    let tablet = bench.call.step(Input::Ask { who: TABLET, ask: accept() }, at(100));
    let (first, second) = (home.call.expect("changed"), tablet.call.expect("changed"));
    assert_eq!(first.revision(), second.revision(), "the store takes only one of them");
    let again = first.step(Input::Ask { who: TABLET, ask: accept() }, at(101));
    assert_eq!(again.refused, Some(CallError::AnsweredElsewhere));
    assert!(again.call.is_none());
    let told = first.state_for(TABLET).expect("it is its business");
    assert!(again.outputs.contains(&Output::State { to: TABLET, state: Box::new(told) }), "and it falls silent");
}

#[test]
fn one_decline_ends_the_ringing_and_is_no_missed_call() {
    let mut bench = Bench::ringing();
    bench.ok(TABLET, Ask::Decline);
    let declined = Standing::Ended { reason: EndReason::Declined, by: Some(TABLET) };
    for device in [PHONE, HOME, TABLET] {
        assert_eq!(bench.standing(device), declined);
    }
    assert_eq!(bench.record().missed_by, None);
}

#[test]
fn busy_ends_it_only_when_every_device_is() {
    let mut bench = Bench::ringing();
    bench.ok(HOME, Ask::Busy);
    assert_eq!(bench.standing(HOME), Standing::Silent);
    assert_eq!(bench.ended(), None);
    bench.ok(TABLET, Ask::Busy);
    assert_eq!(bench.ended(), Some(EndReason::Busy));
    assert_eq!(bench.record().missed_by, Some(UserId(2)));
}

#[test]
fn busy_by_policy_never_rings() {
    let busy = Invite { fate: Fate::Busy, ..invite(1, PHONE, UserId(2), &[HOME]) };
    let (call, outputs) = Call::invite(busy, at(0)).expect("made");
    let bench = Bench { call, now: 0, outputs };
    assert!(bench.told(HOME).is_none() && bench.signals(HOME).is_empty());
    assert_eq!(bench.standing(PHONE), Standing::Ended { reason: EndReason::Busy, by: None });
    assert_eq!(bench.record().missed_by, Some(UserId(2)));
}

#[test]
fn cancelled_missed_and_unreachable_are_distinct() {
    let mut bench = Bench::ringing();
    bench.ok(PHONE, Ask::HangUp);
    assert_eq!(bench.ended(), Some(EndReason::Cancelled));
    let mut bench = Bench::ringing();
    bench.later(60_000);
    assert_eq!(bench.ended(), Some(EndReason::Unreachable));
    let mut bench = Bench::ringing();
    bench.ok(HOME, Ask::Ringing);
    bench.later(59_999);
    assert_eq!(bench.ended(), None);
    bench.later(1);
    assert_eq!(bench.ended(), Some(EndReason::Missed));
    let record = bench.record();
    assert_eq!((record.missed_by, record.log.ended_at), (Some(UserId(2)), at(60_000)));
}

#[test]
fn an_answer_after_the_minute_is_refused_even_if_nobody_fired_the_timer() {
    let mut bench = Bench::ringing();
    bench.now = 60_000;
    let refused = bench.put(Input::Ask { who: HOME, ask: accept() });
    assert_eq!(refused, Some(CallError::Ended(EndReason::Unreachable)));
    assert_eq!(bench.record().log.answered_at, None);
}

#[test]
fn glare_ends_the_same_way_on_both_sides() {
    let calls = [invite(7, PHONE, UserId(2), &[HOME, TABLET]), invite(9, HOME, UserId(1), &[PHONE, LAPTOP])];
    let winner = CallId(Uuid::from_u128(9));
    for (first, second) in [(0, 1), (1, 0)] {
        let (existing, _) = Call::invite(calls[first].clone(), at(0)).expect("rings");
        assert_eq!(meet(&existing, &calls[second]), Meeting::Glare(winner));
    }
    // The lower was first: it ends, and the other rings with a hint that it may be accepted at once.
    let (call, outputs) = Call::invite(calls[0].clone(), at(0)).expect("rings");
    let mut lower = Bench { call, now: 0, outputs };
    assert_eq!(lower.put(Input::LostGlare(winner)), None);
    let lost = Standing::Ended { reason: EndReason::Glare { winner }, by: None };
    for device in [PHONE, HOME, TABLET] {
        assert_eq!(lower.standing(device), lost);
    }
    assert_eq!((&lower.record().note, lower.record().missed_by), (&None, None), "the other call goes on");
    let fate = Fate::RingInGlare(PHONE.device_id);
    let (call, outputs) = Call::invite(Invite { fate, ..calls[1].clone() }, at(1)).expect("rings");
    let higher = Bench { call, now: 1, outputs };
    assert!(matches!(higher.standing(PHONE), Standing::Ringing { glare: true, .. }));
    assert!(matches!(higher.standing(LAPTOP), Standing::Ringing { glare: false, .. }));
    // The higher was first: the lower never rings.
    let (call, outputs) = Call::invite(calls[1].clone(), at(0)).expect("rings");
    let mut higher = Bench { call, now: 0, outputs };
    assert_eq!(higher.put(Input::WonGlare(PHONE.device_id)), None);
    assert!(matches!(higher.standing(PHONE), Standing::Ringing { glare: true, .. }));
    let fate = Fate::LostGlare(winner);
    let (call, outputs) = Call::invite(Invite { fate, ..calls[0].clone() }, at(1)).expect("made");
    let lower = Bench { call, now: 1, outputs };
    assert!(lower.told(HOME).is_none());
    assert_eq!(lower.standing(PHONE), lost);
}

#[test]
fn whoever_is_in_a_call_is_engaged_and_whoever_is_only_rung_is_not() {
    let ringing = Bench::ringing().call;
    let active = Bench::active().call;
    let other = |caller, callee| invite(2, caller, callee, &[]);
    assert_eq!(meet(&ringing, &invite(1, PHONE, UserId(2), &[])), Meeting::Repeat);
    assert_eq!(meet(&ringing, &invite(1, STRANGER, UserId(2), &[])), Meeting::IdTaken);
    assert_eq!(meet(&ringing, &other(LAPTOP, UserId(3))), Meeting::CallerEngaged);
    assert_eq!(meet(&ringing, &other(STRANGER, UserId(1))), Meeting::CalleeEngaged);
    assert_eq!(meet(&ringing, &other(STRANGER, UserId(2))), Meeting::Apart);
    assert_eq!(meet(&active, &other(STRANGER, UserId(2))), Meeting::CalleeEngaged);
    assert_eq!(meet(&active, &other(TABLET, UserId(1))), Meeting::CallerEngaged, "no glare once it is answered");
}

#[test]
fn ice_restarts_after_two_seconds_and_again_and_the_call_drops_after_thirty() {
    let mut bench = Bench::active();
    bench.ok(HOME, Ask::Media { flows: false });
    assert!(matches!(bench.standing(PHONE), Standing::InCall(ref it) if it.phase == MediaPhase::Reconnecting));
    bench.later(1_999);
    assert!(bench.outputs.is_empty());
    bench.later(1);
    let Standing::InCall(it) = bench.standing(PHONE) else { panic!("in the call") };
    assert_eq!((it.generation, it.renew), (2, Renew::Ice));
    bench.ok(PHONE, Ask::Offer { generation: 2, offer: offer() });
    assert!(matches!(bench.signals(HOME)[..], [CallSignal::Offer { generation: 2, .. }]));
    bench.later(8_000);
    assert!(matches!(bench.standing(PHONE), Standing::InCall(ref it) if it.generation == 3));
    for _ in 0..2 {
        bench.ok(PHONE, Ask::Alive { revision: bench.call.revision() });
        bench.later(9_999);
    }
    assert_eq!(bench.ended(), None);
    bench.later(2);
    assert_eq!(bench.ended(), Some(EndReason::Dropped));
    assert_eq!(bench.record().log.ended_at, at(30_000), "as of its own time");
}

#[test]
fn media_that_comes_back_in_time_makes_it_active_again() {
    let mut bench = Bench::active();
    bench.ok(HOME, Ask::Media { flows: false });
    bench.later(1_500);
    bench.ok(HOME, Ask::Media { flows: true });
    assert_eq!(bench.call.phase(), Phase::Active);
    bench.later(60_000);
    assert_eq!(bench.call.phase(), Phase::Active, "no timer is left of it");
}

#[test]
fn a_device_that_vanishes_has_fifteen_seconds() {
    let mut bench = Bench::active();
    bench.put(Input::Gone(HOME));
    assert!(matches!(bench.standing(PHONE), Standing::InCall(ref it) if it.theirs.away));
    bench.later(14_999);
    bench.put(Input::Online(HOME));
    assert!(matches!(bench.standing(PHONE), Standing::InCall(ref it) if !it.theirs.away));
    assert!(
        bench.signals(HOME).iter().any(|s| matches!(s, CallSignal::Offer { .. })),
        "it gets all it may have missed"
    );
    bench.put(Input::Gone(HOME));
    bench.put(Input::Gone(HOME));
    bench.later(15_000);
    assert_eq!(bench.standing(PHONE), Standing::Ended { reason: EndReason::Vanished, by: Some(HOME) });
}

#[test]
fn a_call_whose_node_died_with_both_devices_ends() {
    let mut bench = Bench::active();
    bench.later(60_000);
    bench.ok(PHONE, Ask::Alive { revision: bench.call.revision() });
    bench.later(44_999);
    assert!(bench.call.is_live());
    bench.later(1);
    assert_eq!(bench.standing(PHONE), Standing::Ended { reason: EndReason::Vanished, by: Some(HOME) });
    assert_eq!(bench.record().log.ended_at, at(105_000), "90 s of lease and 15 s of grace");
}

#[test]
fn what_is_recorded_of_a_call_whose_node_died() {
    let mut rings = Bench::ringing();
    rings.ok(HOME, Ask::Ringing);
    let record = rings.call.record_if_lost(at(rings.now)).expect("it lives");
    assert_eq!((record.log.reason, record.missed_by), (EndReason::Missed, Some(UserId(2))), "nobody has answered");
    let mut active = Bench::active();
    active.later(20_000);
    let connected = active.call.connected_at().expect("connected").as_millis();
    let record = active.call.record_if_lost(at(active.now)).expect("it lives");
    assert_eq!((record.log.reason, record.missed_by), (EndReason::NodeLost, None));
    let last_seen = at(connected + 65_000);
    assert_eq!(record.ended_at(last_seen).note.expect("a line").seconds, 65);
    active.ok(PHONE, Ask::HangUp);
    assert_eq!(active.call.record_if_lost(at(active.now)), None);
}

#[test]
fn who_allows_video_is_not_seen_by_that() {
    let mut bench = Bench::active();
    bench.ok(PHONE, Ask::WantVideo);
    bench.ok(HOME, Ask::AllowVideo { allow: true });
    let shown = |standing: Standing| match standing {
        Standing::InCall(it) => (it.mine.camera_off, it.theirs.camera_off),
        other => panic!("{other:?}"),
    };
    assert_eq!(bench.call.media, CallMedia::Video);
    assert_eq!(shown(bench.standing(HOME)), (true, false), "only the one who wished for it");
    bench.ok(HOME, Ask::Mute { muted: false, camera_off: false });
    assert_eq!(shown(bench.standing(PHONE)), (false, false), "the own word opens it");
}

#[test]
fn a_caller_who_vanishes_does_not_let_it_ring_on() {
    let mut bench = Bench::ringing();
    bench.put(Input::Gone(PHONE));
    bench.later(15_000);
    assert!(matches!(bench.standing(HOME), Standing::Ended { reason: EndReason::Vanished, .. }));
    assert_eq!(bench.record().missed_by, Some(UserId(2)));
}

#[test]
fn signing_out_ends_it_at_once() {
    let mut bench = Bench::active();
    bench.put(Input::SignedOut(HOME));
    assert_eq!(bench.ended(), Some(EndReason::SignedOut));
    let mut bench = Bench::ringing();
    bench.put(Input::SignedOut(HOME));
    assert_eq!(bench.refused(HOME, accept()), CallError::NotRung);
    bench.ok(TABLET, accept());
}

#[test]
fn hold_and_mute_are_shown_to_the_other_side() {
    let mut bench = Bench::active();
    bench.ok(PHONE, Ask::Mute { muted: true, camera_off: false });
    assert!(matches!(bench.standing(HOME), Standing::InCall(ref it) if it.theirs.muted && !it.mine.muted));
    bench.ok(HOME, Ask::Hold { held: true });
    assert!(matches!(bench.standing(PHONE), Standing::InCall(ref it) if it.theirs.held && it.mine.muted));
    assert!(bench.told(TABLET).is_none(), "what is elsewhere is not told of it");
}

#[test]
fn video_needs_consent_and_voice_does_not() {
    let mut bench = Bench::active();
    assert_eq!(bench.refused(PHONE, Ask::AllowVideo { allow: true }), CallError::NothingAsked);
    bench.ok(HOME, Ask::WantVideo);
    assert_eq!(bench.refused(HOME, Ask::AllowVideo { allow: true }), CallError::NothingAsked, "not by whoever asked");
    bench.ok(PHONE, Ask::AllowVideo { allow: false });
    assert_eq!(bench.told(HOME).expect("told").media, CallMedia::Voice);
    bench.ok(HOME, Ask::WantVideo);
    bench.later(30_000);
    assert_eq!(bench.refused(PHONE, Ask::AllowVideo { allow: true }), CallError::NothingAsked, "the question is old");
    bench.ok(HOME, Ask::WantVideo);
    bench.ok(PHONE, Ask::WantVideo);
    let told = bench.told(PHONE).expect("told");
    assert_eq!(told.media, CallMedia::Video, "both asked, so both agree");
    assert!(matches!(told.standing, Standing::InCall(ref it) if it.generation == 2 && it.renew == Renew::Media));
    bench.ok(HOME, Ask::StopVideo);
    assert_eq!(bench.told(PHONE).expect("told").media, CallMedia::Voice);
    bench.ok(HOME, Ask::HangUp);
    let note = bench.record().note.clone().expect("a note");
    assert_eq!((note.media, note.seconds), (CallMedia::Video, 30));
}

#[test]
fn a_call_moves_to_another_own_device() {
    let mut bench = Bench::active();
    assert_eq!(bench.refused(HOME, Ask::Transfer { to: HOME.device_id }), CallError::SameDevice);
    assert_eq!(bench.refused(TABLET, Ask::TakeOver), CallError::NothingAsked);
    bench.ok(HOME, Ask::Transfer { to: TABLET.device_id });
    assert!(matches!(bench.standing(TABLET), Standing::TakeOver { .. }));
    assert_eq!(bench.refused(WATCH, Ask::TakeOver), CallError::NothingAsked);
    bench.ok(TABLET, Ask::TakeOver);
    assert_eq!(bench.standing(HOME), Standing::Elsewhere);
    let Standing::InCall(it) = bench.standing(PHONE) else { panic!("in the call") };
    assert_eq!((it.peer, it.renew, it.phase), (TABLET, Renew::Transport, MediaPhase::Reconnecting));
    assert_eq!(bench.refused(HOME, Ask::HangUp), CallError::AnsweredElsewhere);
    bench.ok(PHONE, Ask::Offer { generation: 2, offer: offer() });
    bench.ok(TABLET, Ask::Answer { generation: 2, answer: answer() });
    bench.ok(PHONE, Ask::Media { flows: true });
    bench.ok(TABLET, Ask::Media { flows: true });
    assert_eq!(bench.call.phase(), Phase::Active);
}

#[test]
fn a_device_that_was_loaded_anew_comes_back_into_its_call() {
    for (who, other) in [(HOME, PHONE), (PHONE, HOME)] {
        let mut bench = Bench::active();
        bench.ok(who, Ask::TakeOver);
        for (each, peer) in [(who, other), (other, who)] {
            let Standing::InCall(it) = bench.standing(each) else { panic!("in the call") };
            assert_eq!((it.peer, it.renew, it.generation), (peer, Renew::Transport, 2));
            assert_eq!(it.phase, MediaPhase::Reconnecting);
        }
        // Said again, since the reply was lost: the same exchange.
        bench.ok(who, Ask::TakeOver);
        bench.ok(PHONE, Ask::Offer { generation: 2, offer: offer() });
        bench.ok(HOME, Ask::Answer { generation: 2, answer: answer() });
        bench.ok(PHONE, Ask::Media { flows: true });
        bench.ok(HOME, Ask::Media { flows: true });
        assert_eq!(bench.call.phase(), Phase::Active);
    }
    let mut bench = Bench::ringing();
    assert_eq!(bench.refused(PHONE, Ask::TakeOver), CallError::NotAnswered, "nothing to come back to");
}

#[test]
fn a_transfer_that_nobody_takes_leaves_the_call_where_it_is() {
    for refuse in [true, false] {
        let mut bench = Bench::active();
        bench.ok(PHONE, Ask::Transfer { to: LAPTOP.device_id });
        if refuse {
            bench.ok(LAPTOP, Ask::Decline);
        } else {
            bench.later(30_000);
        }
        assert_eq!(bench.standing(LAPTOP), Standing::Elsewhere);
        assert_eq!(bench.refused(LAPTOP, Ask::TakeOver), CallError::NothingAsked);
        assert!(bench.call.is_seated(PHONE));
    }
}

#[test]
fn wrong_senders_get_an_error_and_change_nothing() {
    let mut bench = Bench::ringing();
    assert_eq!(bench.refused(PHONE, accept()), CallError::WrongSide, "accept from the caller");
    assert_eq!(bench.refused(LAPTOP, accept()), CallError::WrongSide, "accept from the caller's other device");
    assert_eq!(bench.refused(STRANGER, accept()), CallError::NotInCall, "accept from a third person");
    assert!(bench.outputs.is_empty(), "who learns nothing");
    assert_eq!(bench.refused(WATCH, accept()), CallError::NotRung, "accept from a device that was not rung");
    assert_eq!(bench.refused(HOME, Ask::Answer { generation: 1, answer: answer() }), CallError::NotAnswered);
    assert_eq!(bench.refused(HOME, Ask::Media { flows: true }), CallError::NotAnswered, "media before the accept");
    assert_eq!(bench.refused(PHONE, Ask::Media { flows: true }), CallError::NotAnswered);
    assert_eq!(
        bench.refused(HOME, Ask::Candidates { generation: 1, candidates: candidates() }),
        CallError::NotAnswered
    );
    bench.ok(HOME, accept());
    assert_eq!(bench.refused(PHONE, Ask::Answer { generation: 1, answer: answer() }), CallError::WrongSide);
    assert_eq!(bench.refused(HOME, Ask::Offer { generation: 1, offer: offer() }), CallError::WrongSide);
    assert_eq!(bench.refused(TABLET, Ask::Answer { generation: 1, answer: answer() }), CallError::AnsweredElsewhere);
    assert_eq!(
        bench.refused(TABLET, Ask::Candidates { generation: 1, candidates: candidates() }),
        CallError::AnsweredElsewhere
    );
    assert_eq!(bench.refused(TABLET, Ask::Decline), CallError::AnsweredElsewhere, "too late to decline elsewhere");
    assert_eq!(bench.refused(STRANGER, Ask::HangUp), CallError::NotInCall);
    assert_eq!(bench.refused(LAPTOP, Ask::HangUp), CallError::AnsweredElsewhere);
    bench.ok(PHONE, Ask::HangUp);
    for ask in [accept(), Ask::Media { flows: true }, Ask::Offer { generation: 2, offer: offer() }, Ask::HangUp] {
        assert_eq!(bench.refused(HOME, ask), CallError::Ended(EndReason::HungUp), "after the end");
    }
}

#[test]
fn an_answer_needs_an_offer_and_comes_once() {
    let without = Invite { offer: None, ..invite(1, PHONE, UserId(2), &[HOME]) };
    let (call, outputs) = Call::invite(without, at(0)).expect("rings");
    let mut bench = Bench { call, now: 0, outputs };
    assert_eq!(bench.refused(HOME, accept()), CallError::NoOffer, "an answer before the offer");
    bench.ok(HOME, Ask::Accept { media: CallMedia::Voice, relay_only: true, answer: None });
    assert!(bench.told(PHONE).expect("told").relay_only, "the callee's setting counts too");
    assert_eq!(bench.refused(HOME, Ask::Answer { generation: 1, answer: answer() }), CallError::NoOffer);
    assert_eq!(bench.refused(HOME, Ask::Media { flows: true }), CallError::NoAnswer);
    assert_eq!(bench.refused(PHONE, Ask::Offer { generation: 2, offer: offer() }), CallError::StaleGeneration);
    bench.ok(PHONE, Ask::Offer { generation: 1, offer: offer() });
    assert_eq!(bench.refused(PHONE, Ask::Reveal { generation: 1, nonce: Nonce([1; 32]) }), CallError::NoAnswer);
    bench.ok(HOME, Ask::Answer { generation: 1, answer: answer() });
    bench.ok(HOME, Ask::Answer { generation: 1, answer: answer() });
    assert_eq!(bench.signals(PHONE), [], "the same again is nothing new");
    let other = Answer { nonce: Some("ef".repeat(32)), ..answer().as_wire().clone() };
    let other = CheckedAnswer::check(&other, &relay_only()).expect("good");
    assert_eq!(bench.refused(HOME, Ask::Answer { generation: 1, answer: other }), CallError::AlreadyThere, "replaced");
    bench.ok(PHONE, Ask::Reveal { generation: 1, nonce: Nonce([1; 32]) });
    assert!(
        matches!(&bench.signals(HOME)[..], [CallSignal::Reveal { generation: 1, nonce }] if *nonce == "01".repeat(32))
    );
}

#[test]
fn candidates_go_to_the_one_other_device_and_wait_for_the_accept() {
    let mut bench = Bench::ringing();
    assert!(bench.call.relay_only_now(), "until the accept only relays");
    bench.ok(PHONE, Ask::Candidates { generation: 1, candidates: candidates() });
    assert!(bench.outputs.iter().all(|o| !matches!(o, Output::Signal { .. })), "nobody gets them before");
    for _ in 1..exchange::MAX_HELD {
        bench.ok(PHONE, Ask::Candidates { generation: 1, candidates: candidates() });
    }
    assert_eq!(
        bench.refused(PHONE, Ask::Candidates { generation: 1, candidates: candidates() }),
        CallError::TooManyCandidates
    );
    bench.ok(HOME, accept());
    assert!(!bench.call.relay_only_now());
    let held = |signals: &[CallSignal]| {
        signals.iter().any(|s| matches!(s, CallSignal::Candidates { candidates, .. } if candidates.len() == 32))
    };
    assert!(held(&bench.signals(HOME)) && !held(&bench.signals(TABLET)));
    let revision = bench.call.revision();
    bench.ok(HOME, Ask::Candidates { generation: 1, candidates: candidates() });
    assert_eq!(bench.signals(PHONE).len(), 1);
    assert_eq!(bench.call.revision(), revision, "a trickled candidate costs no write");
}

#[test]
fn what_was_lost_on_the_way_is_told_again_with_the_next_sign_of_life() {
    let mut bench = Bench::active();
    let revision = bench.call.revision();
    bench.ok(PHONE, Ask::Alive { revision });
    assert!(bench.outputs.is_empty(), "nothing is said to whoever knows it all");
    bench.ok(HOME, Ask::Mute { muted: true, camera_off: false });
    bench.ok(PHONE, Ask::Alive { revision });
    assert!(matches!(bench.standing(PHONE), Standing::InCall(ref it) if it.theirs.muted));
}

#[test]
fn what_was_checked_by_an_old_policy_does_not_pass() {
    let open = CandidatePolicy::default();
    let shows_host = CheckedOffer::check(offer().as_wire(), &open).expect("good");
    let early = Invite { offer: Some(shows_host.clone()), ..invite(1, PHONE, UserId(2), &[HOME]) };
    assert_eq!(Call::invite(early, at(0)).err(), Some(CallError::NotRelayOnly), "before the accept only relays");
    let mut bench = Bench::ringing();
    let text = "candidate:1 1 udp 1 192.168.1.2 5000 typ host".to_owned();
    let host = CheckedCandidates::check(&[text], &open).expect("good");
    let candidates = Ask::Candidates { generation: 1, candidates: host };
    assert_eq!(bench.refused(PHONE, candidates.clone()), CallError::NotRelayOnly);
    let shows_host_too = CheckedAnswer::check(answer().as_wire(), &open).expect("good");
    let accept = Ask::Accept { media: CallMedia::Voice, relay_only: true, answer: Some(shows_host_too) };
    assert_eq!(bench.refused(HOME, accept), CallError::NotRelayOnly, "its own setting binds it too");
    bench.ok(HOME, Ask::Accept { media: CallMedia::Voice, relay_only: true, answer: Some(answer()) });
    assert_eq!(bench.refused(PHONE, candidates), CallError::NotRelayOnly, "for the whole call");
}

#[test]
fn a_late_sign_of_ringing_does_not_undo_busy() {
    let mut bench = Bench::ringing();
    bench.ok(HOME, Ask::Busy);
    bench.ok(HOME, Ask::Ringing);
    assert_eq!(bench.standing(HOME), Standing::Silent);
}

#[test]
fn restarts_that_devices_ask_for_are_not_a_storm() {
    let mut bench = Bench::active();
    bench.ok(HOME, Ask::RestartIce);
    assert_eq!(bench.refused(PHONE, Ask::RestartIce), CallError::TooSoon);
    bench.now += 1_000;
    bench.ok(PHONE, Ask::RestartIce);
    assert_eq!(bench.call.phase(), Phase::Active, "media may go on meanwhile");
}

#[test]
fn a_record_comes_again_until_it_is_stored() {
    let mut bench = Bench::active();
    bench.ok(PHONE, Ask::HangUp);
    let record = bench.record().clone();
    bench.later(9_999);
    assert!(bench.outputs.is_empty());
    bench.later(1);
    assert_eq!(*bench.record(), record);
    bench.put(Input::Recorded);
    assert!(bench.outputs.is_empty());
    assert_eq!(bench.call.next_timer(), None, "nothing is left to be done");
    bench.put(Input::Online(TABLET));
    assert!(matches!(bench.standing(TABLET), Standing::Ended { .. }), "who asks late is told the end");
    bench.ok(WATCH, Ask::Look);
    assert!(matches!(bench.standing(WATCH), Standing::Ended { .. }), "also who was woken too late to ring");
}

#[test]
fn the_state_survives_the_store() {
    for call in [Bench::ringing().call, Bench::active().call] {
        let json = serde_json::to_string(&call).expect("serialises");
        assert_eq!(serde_json::from_str::<Call>(&json).expect("parses"), call);
        assert!(json.len() < 8_000, "{} bytes", json.len());
    }
}

#[test]
fn nobody_calls_themselves_and_nobody_has_a_hundred_devices() {
    let own = invite(1, PHONE, UserId(1), &[LAPTOP]);
    assert_eq!(Call::invite(own, at(0)).err(), Some(CallError::SelfCall));
    let mut many = invite(1, PHONE, UserId(2), &[]);
    many.devices = (100..200).map(DeviceId).collect();
    assert_eq!(Call::invite(many, at(0)).err(), Some(CallError::TooManyDevices));
}
