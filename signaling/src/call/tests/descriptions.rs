//! Offers, answers and candidates: who may send them, and what becomes of them.

use chapar_protocol::call::CallAsk;

use super::*;

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
    let other = CheckedAnswer::check(&other, &relay_only(), CallMedia::Voice).expect("good");
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
    let shows_host = CheckedOffer::check(offer().as_wire(), &open, CallMedia::Voice).expect("good");
    let early = Invite { offer: Some(shows_host.clone()), ..invite(1, PHONE, UserId(2), &[HOME]) };
    assert_eq!(Call::invite(early, at(0)).err(), Some(CallError::NotRelayOnly), "before the accept only relays");
    let mut bench = Bench::ringing();
    let text = "candidate:1 1 udp 1 192.168.1.2 5000 typ host".to_owned();
    let host = CheckedCandidates::check(&[text], &open).expect("good");
    let candidates = Ask::Candidates { generation: 1, candidates: host };
    assert_eq!(bench.refused(PHONE, candidates.clone()), CallError::NotRelayOnly);
    let shows_host_too = CheckedAnswer::check(answer().as_wire(), &open, CallMedia::Voice).expect("good");
    let accept = Ask::Accept { media: CallMedia::Voice, relay_only: true, answer: Some(shows_host_too) };
    assert_eq!(bench.refused(HOME, accept), CallError::NotRelayOnly, "its own setting binds it too");
    bench.ok(HOME, Ask::Accept { media: CallMedia::Voice, relay_only: true, answer: Some(answer()) });
    assert_eq!(bench.refused(PHONE, candidates), CallError::NotRelayOnly, "for the whole call");
}

#[test]
fn the_end_of_candidates_takes_no_good_one_with_it() {
    let good = candidates().as_wire()[0].clone();
    let both = CheckedCandidates::check(&[good.clone(), String::new()], &relay_only()).expect("as browsers fire them");
    assert_eq!(both.as_wire(), [good]);
    let none = CheckedCandidates::check(&[String::new()], &relay_only()).expect("nothing more to come");
    assert!(none.as_wire().is_empty());
}

#[test]
fn an_ended_call_is_named_so_in_words() {
    let error = CallError::Ended(chapar_protocol::call::EndReason::HungUp);
    assert_eq!(error.to_string(), "the call has ended");
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

fn video_offer() -> String {
    let head = samples::CHROMIUM_AUDIO_OFFER.replace("a=group:BUNDLE 0\n", "a=group:BUNDLE 0 1\n");
    head + samples::CHROMIUM_VIDEO_SECTION
}

#[test]
fn in_a_voice_call_no_video_flows_whatever_is_offered() {
    let with_video = Offer { sdp: video_offer(), commitment: Some("ab".repeat(32)) };
    let video_of = |sdp: &str| sdp.split("m=video").nth(1).expect("it keeps its place").to_owned();
    let for_voice = CheckedOffer::check(&with_video, &relay_only(), CallMedia::Voice).expect("good");
    let for_video = CheckedOffer::check(&with_video, &relay_only(), CallMedia::Video).expect("good");
    assert!(video_of(&for_voice.as_wire().sdp).contains("a=inactive"));
    assert!(video_of(&for_video.as_wire().sdp).contains("a=sendrecv"));
    let invite_with = |media, offer: &CheckedOffer| {
        Call::invite(Invite { media, offer: Some(offer.clone()), ..invite(1, PHONE, UserId(2), &[HOME]) }, at(0)).err()
    };
    assert_eq!(invite_with(CallMedia::Voice, &for_video), Some(CallError::NotForVoice));
    assert_eq!(invite_with(CallMedia::Voice, &for_voice), None);
    assert_eq!(invite_with(CallMedia::Video, &for_video), None);

    // Asked for, and not agreed to yet: still voice. Agreed to: it passes, and back in voice it does not.
    let mut bench = Bench::active();
    let again = |bench: &Bench, offer: &CheckedOffer| Ask::Offer {
        generation: bench.call.exchange.generation,
        offer: offer.clone(),
    };
    bench.ok(PHONE, Ask::WantVideo);
    bench.ok(PHONE, Ask::RestartIce);
    assert_eq!(bench.refused(PHONE, again(&bench, &for_video)), CallError::NotForVoice);
    bench.ok(HOME, Ask::AllowVideo { allow: true });
    bench.ok(PHONE, again(&bench, &for_video));
    bench.ok(HOME, Ask::StopVideo);
    assert_eq!(bench.refused(PHONE, again(&bench, &for_video)), CallError::NotForVoice);
    bench.ok(PHONE, again(&bench, &for_voice));

    // Whoever answers a video call by voice sends no video, though the client wrote that it does.
    let invite = Invite { media: CallMedia::Video, offer: Some(for_video), ..invite(1, PHONE, UserId(2), &[HOME]) };
    let (call, _) = Call::invite(invite, at(0)).expect("rings");
    let sdp = with_video.sdp.replace("a=setup:actpass", "a=setup:active");
    let answer = Answer { sdp, nonce: Some("cd".repeat(32)) };
    let accept = CallAsk::Accept { media: CallMedia::Voice, relay_only: false, answer: Some(answer) };
    let policy = relay_only();
    let Ok(Ask::Accept { answer: Some(answer), .. }) = Ask::check(&accept, &call, |_| &policy) else {
        panic!("a good answer")
    };
    assert!(video_of(&answer.as_wire().sdp).contains("a=inactive"));
}
