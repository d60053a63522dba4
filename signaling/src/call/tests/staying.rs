//! What is lost on the way: media, devices, nodes, records.

use super::*;

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
