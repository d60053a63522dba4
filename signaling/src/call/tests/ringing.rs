//! Whom it rings for, and how ringing ends.

use super::*;

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
fn a_late_sign_of_ringing_does_not_undo_busy() {
    let mut bench = Bench::ringing();
    bench.ok(HOME, Ask::Busy);
    bench.ok(HOME, Ask::Ringing);
    assert_eq!(bench.standing(HOME), Standing::Silent);
}

#[test]
fn nobody_calls_themselves_and_nobody_has_a_hundred_devices() {
    let own = invite(1, PHONE, UserId(1), &[LAPTOP]);
    assert_eq!(Call::invite(own, at(0)).err(), Some(CallError::SelfCall));
    let mut many = invite(1, PHONE, UserId(2), &[]);
    many.devices = (100..200).map(DeviceId).collect();
    assert_eq!(Call::invite(many, at(0)).err(), Some(CallError::TooManyDevices));
}
