//! The rules, without IO.

use super::*;
use crate::calls::sas;
use chapar_protocol::{
    ChatId, Timestamp,
    call::{CallId, MediaPhase, Party, SideState},
};
use uuid::Uuid;

const SARA: UserId = UserId(1);
const REZA: UserId = UserId(2);
const A: Fingerprint = [0xaa; 32];
const B: Fingerprint = [0xbb; 32];
const MALLORY: Fingerprint = [0xcc; 32];

fn core(me: UserId, caller: bool, dice: u8) -> Core {
    let mut next = dice;
    let random = Box::new(move || {
        next = next.wrapping_add(1);
        [next; 32]
    });
    Core::new(me, CallId(Uuid::from_u128(7)), caller, false, Instant::now(), random)
}

fn sdp(fingerprint: &Fingerprint) -> String {
    let pairs: Vec<String> = fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("v=0\r\na=fingerprint:sha-256 {}\r\n", pairs.join(":"))
}

fn state(revision: u64, standing: Standing) -> Input {
    let until = Timestamp::from_millis(60_000).expect("in range");
    let standing = match standing {
        Standing::Ringing { glare, .. } => Standing::Ringing { until, glare },
        other => other,
    };
    Input::State(CallState {
        call_id: CallId(Uuid::from_u128(7)),
        revision,
        chat_id: ChatId(1),
        caller: SARA,
        callee: REZA,
        media: CallMedia::Voice,
        relay_only: false,
        ask_rating: false,
        standing,
    })
}

fn in_call(generation: u32, renew: Renew) -> Standing {
    Standing::InCall(InCall {
        phase: MediaPhase::Connecting,
        peer: Party { user_id: REZA, device_id: DeviceId(9) },
        generation,
        renew,
        mine: SideState::default(),
        theirs: SideState::default(),
        video_asked_by: None,
    })
}

fn ringing() -> Standing {
    Standing::Ringing { until: Timestamp::from_millis(0).expect("in range"), glare: false }
}

fn find<T>(outputs: Vec<Output>, wanted: impl Fn(Output) -> Option<T>) -> T {
    let all = format!("{outputs:?}");
    outputs.into_iter().find_map(wanted).unwrap_or_else(|| panic!("not in {all}"))
}

/// Runs a call; `between` sees and may change what goes from one to the other, as a server could.
fn emoji_with(
    mut between: impl FnMut(&mut Offer, &mut Option<String>, &mut String),
    seen: [Fingerprint; 2],
) -> [Emoji; 2] {
    let now = Instant::now();
    let (mut caller, mut callee) = (core(SARA, true, 0), core(REZA, false, 100));
    caller.begin();
    let offered = caller.handle(Input::Peer(Happened::Offer { generation: 1, sdp: sdp(&A) }), now);
    let mut offer = find(offered, |o| if let Output::Invite(offer) = o { Some(offer) } else { None });
    let (mut nonce, mut reveal) = (None, String::new());
    between(&mut offer, &mut nonce, &mut reveal);
    callee.handle(state(1, ringing()), now);
    callee.handle(Input::Signal(CallSignal::Offer { generation: 1, offer }), now);
    callee.handle(Input::Wish(Wish::Accept { relay_only: false }), now);
    let accepted = callee.handle(Input::Peer(Happened::Answer { generation: 1, sdp: sdp(&B) }), now);
    let mut answer = find(accepted, |o| match o {
        Output::Ask(CallAsk::Accept { answer, .. }) => answer,
        _ => None,
    });
    nonce = answer.nonce.clone();
    between(&mut Offer { sdp: String::new(), commitment: None }, &mut nonce, &mut reveal);
    answer.nonce = nonce;
    caller.handle(state(2, in_call(1, Renew::Transport)), now);
    callee.handle(state(2, in_call(1, Renew::Transport)), now);
    let answered = caller.handle(Input::Signal(CallSignal::Answer { generation: 1, answer }), now);
    reveal = find(answered, |o| match o {
        Output::Ask(CallAsk::Reveal { nonce, .. }) => Some(nonce),
        _ => None,
    });
    between(&mut Offer { sdp: String::new(), commitment: None }, &mut None, &mut reveal);
    callee.handle(Input::Signal(CallSignal::Reveal { generation: 1, nonce: reveal }), now);
    caller.handle(Input::Peer(Happened::Connected { own: A, other: seen[0] }), now);
    callee.handle(Input::Peer(Happened::Connected { own: B, other: seen[1] }), now);
    [caller.view().emoji, callee.view().emoji]
}

#[test]
fn both_see_the_same_emoji() {
    let [caller, callee] = emoji_with(|_, _, _| {}, [B, A]);
    assert!(matches!(caller, Emoji::Shown(_)));
    assert_eq!(caller, callee);
}

#[test]
fn with_somebody_in_the_middle_they_see_different_emoji() {
    // He commits to his own fingerprint and nonce towards the callee, and reveals that nonce.
    let his = Bytes([0x77; 32]);
    let [caller, callee] = emoji_with(
        |offer, _, reveal| {
            offer.commitment = Some(sas::commit(&MALLORY, &his).to_string());
            *reveal = his.to_string();
        },
        [MALLORY, MALLORY],
    );
    assert!(matches!((caller, callee), (Emoji::Shown(_), Emoji::Shown(_))));
    assert_ne!(caller, callee);
}

#[test]
fn a_reveal_that_does_not_fit_the_commitment_is_refused() {
    let late = Bytes([0x55; 32]).to_string();
    let [_, callee] = emoji_with(|_, _, reveal| reveal.clone_from(&late), [B, A]);
    assert_eq!(callee, Emoji::Refused);
    let [_, callee] = emoji_with(|_, _, _| {}, [B, MALLORY]);
    assert_eq!(callee, Emoji::Refused, "the certificate is not the one that was committed to");
}

#[test]
fn the_microphone_opens_only_on_the_persons_word() {
    let now = Instant::now();
    let mut callee = core(REZA, false, 0);
    let mut outputs = callee.handle(state(1, ringing()), now);
    // A server that claims that this device is in the call.
    outputs.extend(callee.handle(state(2, in_call(1, Renew::Transport)), now));
    let offer = Offer { sdp: sdp(&A), commitment: None };
    outputs.extend(callee.handle(Input::Signal(CallSignal::Offer { generation: 1, offer }), now));
    let opens = |o: &Output| matches!(o, Output::OpenSound | Output::TakeOffer { .. });
    assert!(!outputs.iter().any(opens), "{outputs:?}");
}

#[test]
fn what_is_old_or_comes_twice_does_nothing() {
    let now = Instant::now();
    let mut caller = core(SARA, true, 0);
    caller.begin();
    caller.handle(Input::Peer(Happened::Offer { generation: 1, sdp: sdp(&A) }), now);
    caller.handle(state(5, in_call(1, Renew::Transport)), now);
    let answer = || Answer { sdp: sdp(&B), nonce: Some(Bytes([1; 32]).to_string()) };
    let first = caller.handle(Input::Signal(CallSignal::Answer { generation: 1, answer: answer() }), now);
    assert!(first.iter().any(|o| matches!(o, Output::TakeAnswer { generation: 1, .. })));
    let again = caller.handle(Input::Signal(CallSignal::Answer { generation: 1, answer: answer() }), now);
    assert_eq!(again, []);
    assert_eq!(caller.handle(state(4, Standing::Elsewhere), now), [], "an older revision");
    assert!(caller.view().over.is_none());
}

#[test]
fn a_new_generation_renews_what_it_says() {
    let now = Instant::now();
    let mut caller = core(SARA, true, 0);
    caller.begin();
    caller.handle(Input::Peer(Happened::Offer { generation: 1, sdp: sdp(&A) }), now);
    caller.handle(state(2, in_call(1, Renew::Transport)), now);
    let ice = caller.handle(state(3, in_call(2, Renew::Ice)), now);
    assert!(ice.contains(&Output::MakeOffer { generation: 2, restart: true }) && !ice.contains(&Output::NewPeer));
    let other = caller.handle(state(4, in_call(3, Renew::Transport)), now);
    assert!(other.contains(&Output::NewPeer));
    assert!(other.contains(&Output::MakeOffer { generation: 3, restart: false }));
}

#[test]
fn a_call_that_the_server_does_not_know_is_over() {
    let now = Instant::now();
    let mut caller = core(SARA, true, 0);
    caller.begin();
    caller.handle(state(1, in_call(1, Renew::Transport)), now);
    let outputs = caller.handle(Input::Refused(ErrorCode::CallNotFound), now);
    assert!(outputs.contains(&Output::Over));
    assert_eq!(caller.handle(Input::Wish(Wish::HangUp), now), [], "nothing more is asked");
}

#[test]
fn an_ask_that_crossed_the_end_does_not_hide_why_it_ended() {
    let now = Instant::now();
    let mut caller = core(SARA, true, 0);
    caller.begin();
    caller.handle(state(2, in_call(1, Renew::Transport)), now);
    assert_eq!(caller.handle(Input::Refused(ErrorCode::CallEnded), now), [Output::Ask(CallAsk::Look)]);
    assert_eq!(caller.view().over, None, "the state says why, and it is on its way");
    caller.handle(state(3, Standing::Ended { reason: EndReason::Declined, by: None }), now);
    assert_eq!(caller.view().over, Some(Some(EndReason::Declined)));
}

#[test]
fn a_sign_of_life_goes_out_every_five_seconds() {
    let now = Instant::now();
    let mut caller = core(SARA, true, 0);
    caller.begin();
    caller.handle(state(3, in_call(1, Renew::Transport)), now);
    let later = caller.next_timer();
    assert!(later >= now + Duration::from_secs(4));
    let outputs = caller.handle(Input::Tick, later);
    assert!(outputs.contains(&Output::Ask(CallAsk::Alive { revision: 3, report: None })), "{outputs:?}");
}

#[test]
fn what_overtakes_the_invite_does_not_end_the_call_and_a_cancel_is_said_again() {
    let now = Instant::now();
    let mut caller = core(SARA, true, 0);
    caller.begin();
    caller.handle(Input::Peer(Happened::Offer { generation: 1, sdp: sdp(&A) }), now);
    caller.handle(Input::Wish(Wish::Mute(true)), now);
    assert_eq!(caller.handle(Input::Refused(ErrorCode::CallNotFound), now), [], "the mute came before the invite");
    let outputs = caller.handle(Input::Wish(Wish::HangUp), now);
    assert_eq!(outputs, [Output::Ask(CallAsk::HangUp)], "the invite is on its way: somebody may ring already");
    assert_eq!(caller.handle(Input::Refused(ErrorCode::CallNotFound), now), []);
    let until = Timestamp::from_millis(0).expect("in range");
    let outputs = caller.handle(state(1, Standing::Calling { ringing: false, until }), now);
    assert!(outputs.contains(&Output::Ask(CallAsk::HangUp)), "{outputs:?}");
    assert!(caller.handle(Input::NotInvited, now).contains(&Output::Over), "an invite that is refused is the end");
}

#[test]
fn a_relay_only_call_lets_go_of_what_was_found_before_that_was_known() {
    let now = Instant::now();
    let host = || Happened::Candidate { direct: true, text: "candidate:1 1 udp 1 10.0.0.7 9 typ host".to_owned() };
    let tells = |outputs: &[Output]| outputs.iter().any(|it| matches!(it, Output::Ask(CallAsk::Candidates { .. })));
    // The callee's person asks for it with the accept.
    let mut callee = core(REZA, false, 0);
    callee.handle(state(1, ringing()), now);
    callee.handle(Input::Peer(host()), now);
    let mut outputs = callee.handle(Input::Wish(Wish::Accept { relay_only: true }), now);
    assert!(outputs.contains(&Output::Restrict));
    assert!(outputs.iter().any(|it| matches!(it, Output::Ask(CallAsk::Accept { relay_only: true, .. }))));
    outputs = callee.handle(state(2, in_call(1, Renew::Transport)), now);
    outputs.extend(callee.handle(Input::Peer(host()), now));
    let offer = Offer { sdp: sdp(&A), commitment: None };
    outputs.extend(callee.handle(Input::Signal(CallSignal::Offer { generation: 1, offer }), now));
    outputs.extend(callee.handle(Input::Peer(Happened::Answer { generation: 1, sdp: sdp(&B) }), now));
    assert!(!tells(&outputs), "{outputs:?}");
    // The caller learns of it with the answer; without it, the same candidate is told.
    for relay_only in [true, false] {
        let mut caller = core(SARA, true, 0);
        caller.begin();
        caller.handle(Input::Peer(Happened::Offer { generation: 1, sdp: sdp(&A) }), now);
        caller.handle(Input::Peer(host()), now);
        let Input::State(told) = state(2, in_call(1, Renew::Transport)) else { unreachable!("made above") };
        let outputs = caller.handle(Input::State(CallState { relay_only, ..told }), now);
        assert_eq!((outputs.contains(&Output::Restrict), tells(&outputs)), (relay_only, !relay_only), "{outputs:?}");
    }
}

#[test]
fn a_device_that_rings_for_too_long_asks_whether_it_still_does() {
    let (mut now, mut callee) = (Instant::now(), core(REZA, false, 0));
    callee.handle(state(1, ringing()), now);
    let began = now;
    let asks = loop {
        now = callee.next_timer();
        let outputs = callee.handle(Input::Tick, now);
        if !outputs.is_empty() {
            break outputs;
        }
    };
    assert_eq!(asks, [Output::Ask(CallAsk::Look)]);
    assert!((60..80).contains(&now.duration_since(began).as_secs()), "after the minute for which it rings");
}

#[test]
fn a_call_that_the_server_does_not_know_any_more_is_over() {
    let now = Instant::now();
    for code in [ErrorCode::CallNotFound, ErrorCode::CallElsewhere] {
        let mut caller = core(SARA, true, 0);
        caller.begin();
        caller.handle(Input::Peer(Happened::Offer { generation: 1, sdp: sdp(&A) }), now);
        caller.handle(state(2, in_call(1, Renew::Transport)), now);
        assert!(caller.handle(Input::Refused(code), now).contains(&Output::Over), "the microphone closes");
        let lost = code == ErrorCode::CallNotFound;
        assert_eq!(caller.view().over, Some(lost.then_some(EndReason::NodeLost)));
    }
}

#[test]
fn a_device_that_hears_nothing_says_so_and_does_not_wait_for_ever() {
    let (mut now, mut caller) = (Instant::now(), core(SARA, true, 0));
    caller.begin();
    caller.handle(Input::Peer(Happened::Offer { generation: 1, sdp: sdp(&A) }), now);
    let Standing::InCall(it) = in_call(1, Renew::Transport) else { unreachable!("made so") };
    caller.handle(state(2, Standing::InCall(InCall { phase: MediaPhase::Active, ..it })), now);
    caller.handle(Input::Peer(Happened::Media { flows: true }), now);
    assert!(!caller.view().is_interrupted());
    let outputs = caller.handle(Input::Peer(Happened::Media { flows: false }), now);
    assert!(outputs.contains(&Output::Changed) && caller.view().is_interrupted(), "though the server says active");
    // Nothing comes from the server any more.
    let silent_at = now;
    while caller.view().over.is_none() {
        now = caller.next_timer();
        caller.handle(Input::Tick, now);
        assert!(now.duration_since(silent_at).as_secs() < 120, "it waits for ever");
    }
    assert_eq!(caller.view().over, Some(Some(EndReason::Dropped)));
    assert!(now.duration_since(silent_at).as_secs() >= 75);
}
