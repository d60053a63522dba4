//! What the two do in a call: video, hold, other devices.

use super::*;

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
