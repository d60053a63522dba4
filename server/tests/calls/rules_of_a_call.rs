//! What a server must not be talked into: the security cases of a call and of its descriptions, one by one, over the wire.

use chapar_protocol::{
    Action, ErrorCode,
    call::{Answer, CallAsk, CallMedia, CallSignal, Offer, Standing},
    command::{AskCall, CallInvite, Ping},
};

use crate::{
    phone::{self, HOST, Phone, RELAYED, accept, answer, connect, invite_of, offer, sdp},
    support::{Device, World, http, world::Plan},
};

struct Three {
    world: World,
    leila: Device,
    reza: Device,
    stranger: Device,
}

async fn three() -> Three {
    let world = Plan::single().start().await;
    let [leila, reza, stranger] = world.people().await;
    world.direct(&leila, &reza).await;
    world.direct(&leila, &stranger).await;
    for device in [&leila, &reza, &stranger] {
        device.connect(world.at(0)).await;
    }
    Three { world, leila, reza, stranger }
}

#[tokio::test]
async fn only_people_who_share_a_direct_chat_call_each_other() {
    let Three { world, reza, stranger, .. } = three().await;
    assert_eq!(reza.refused(invite_of(stranger.id())).await.code, ErrorCode::CallForbidden);
    assert_eq!(reza.refused(invite_of(reza.id())).await.code, ErrorCode::CallForbidden, "nobody calls themselves");
    let nobody = chapar_protocol::UserId(9_999_999);
    assert_eq!(reza.refused(invite_of(nobody)).await.code, ErrorCode::CallForbidden, "nor learns who exists");
    world.group(&reza, &[&stranger]).await;
    assert_eq!(reza.refused(invite_of(stranger.id())).await.code, ErrorCode::CallForbidden, "a group is not enough");
    // With oneself, a direct chat can be had; a call not.
    world.direct(&reza, &reza).await;
    assert_eq!(reza.refused(invite_of(reza.id())).await.code, ErrorCode::CallForbidden);
}

#[tokio::test]
async fn a_stranger_learns_and_does_nothing() {
    let Three { world: _world, leila, reza, stranger } = three().await;
    let call = leila.calls(reza.id()).await;
    reza.rings(call).await;
    for ask in [CallAsk::Look, accept(), CallAsk::HangUp, CallAsk::Ringing, CallAsk::Decline] {
        assert_eq!(stranger.is_refused(call, ask).await.code, ErrorCode::CallNotFound);
    }
    // Also a bad description of a stranger is answered like a call that is not there.
    let bad = Answer { sdp: "nonsense".to_owned(), nonce: None };
    let error = stranger.is_refused(call, CallAsk::Answer { generation: 1, answer: bad }).await;
    assert_eq!(error.code, ErrorCode::CallNotFound);
    assert!(phone::state(&stranger.model(), call).is_none());
    assert!(phone::signals(&stranger.model(), call).is_empty());
    reza.asks(call, accept()).await;
}

#[tokio::test]
async fn the_caller_cannot_answer_its_own_call() {
    let Three { world: _world, leila, reza, .. } = three().await;
    let call = leila.calls(reza.id()).await;
    for ask in [accept(), CallAsk::Answer { generation: 1, answer: answer() }, CallAsk::Ringing, CallAsk::Decline] {
        assert_eq!(leila.is_refused(call, ask).await.code, ErrorCode::CallConflict);
    }
    reza.rings(call).await;
}

#[tokio::test]
async fn nobody_answers_before_the_offer_and_media_needs_an_answer() {
    let Three { world: _world, leila, reza, .. } = three().await;
    let invite = CallInvite { offer: None, ..invite_of(reza.id()) };
    let call = invite.call_id;
    leila.must(invite).await;
    reza.rings(call).await;
    assert_eq!(reza.is_refused(call, accept()).await.code, ErrorCode::CallConflict, "an answer to nothing");
    reza.asks(call, CallAsk::Accept { media: CallMedia::Voice, relay_only: false, answer: None }).await;
    let early = CallAsk::Answer { generation: 1, answer: answer() };
    assert_eq!(reza.is_refused(call, early).await.code, ErrorCode::CallConflict);
    assert_eq!(reza.is_refused(call, CallAsk::Media { flows: true }).await.code, ErrorCode::CallConflict);
    let error = reza.is_refused(call, CallAsk::Offer { generation: 1, offer: offer() }).await;
    assert_eq!(error.code, ErrorCode::CallConflict, "the callee's side makes no offers");
    leila.asks(call, CallAsk::Offer { generation: 1, offer: offer() }).await;
    reza.hears(call, "the offer", |signal| matches!(signal, CallSignal::Offer { .. })).await;
    let reveal = CallAsk::Reveal { generation: 1, nonce: "ef".repeat(32) };
    assert_eq!(leila.is_refused(call, reveal.clone()).await.code, ErrorCode::CallConflict, "not before the answer");
    reza.asks(call, CallAsk::Answer { generation: 1, answer: answer() }).await;
    leila.asks(call, reveal).await;
}

#[tokio::test]
async fn what_is_replayed_changes_nothing() {
    let Three { world: _world, leila, reza, .. } = three().await;
    let call = connect(&leila, &reza).await;
    reza.asks(call, accept()).await;
    reza.asks(call, CallAsk::Answer { generation: 1, answer: answer() }).await;
    let another = Answer { nonce: Some("00".repeat(32)), ..answer() };
    let error = reza.is_refused(call, CallAsk::Answer { generation: 1, answer: another }).await;
    assert_eq!(error.code, ErrorCode::CallConflict, "another answer to the same offer");
    let swapped = Offer { sdp: offer().sdp.replace("D2:FA", "D2:FB"), ..offer() };
    let error = leila.is_refused(call, CallAsk::Offer { generation: 1, offer: swapped }).await;
    assert_eq!(error.code, ErrorCode::CallConflict, "a fingerprint swapped");
    let stale = CallAsk::Candidates { generation: 2, candidates: vec![RELAYED.to_owned()] };
    assert_eq!(leila.is_refused(call, stale).await.code, ErrorCode::CallConflict);
    leila.asks(call, CallAsk::HangUp).await;
    reza.hears_the_end(call).await;
    for ask in [accept(), CallAsk::Answer { generation: 1, answer: answer() }, CallAsk::Media { flows: true }] {
        assert_eq!(reza.is_refused(call, ask).await.code, ErrorCode::CallEnded);
    }
    reza.asks(call, CallAsk::Look).await;
}

#[tokio::test]
async fn an_invite_sent_again_is_one_call_and_its_id_belongs_to_one() {
    let Three { world: _world, leila, reza, stranger } = three().await;
    let invite = invite_of(reza.id());
    let call = invite.call_id;
    leila.must(invite.clone()).await;
    leila.must(invite.clone()).await;
    let theirs = CallInvite { call_id: call, ..invite_of(leila.id()) };
    assert_eq!(stranger.refused(theirs).await.code, ErrorCode::CallConflict);
    reza.rings(call).await;
    reza.asks(call, CallAsk::Decline).await;
    leila.hears_the_end(call).await;
    let again = leila.must(invite).await;
    assert!(matches!(again.standing, Standing::Ended { .. }), "{again:?}");
}

#[tokio::test]
async fn descriptions_are_written_anew() {
    let Three { world: _world, leila, reza, .. } = three().await;
    let stranger = "a=candidate:9 1 udp 1 5.160.1.1 5000 typ relay raddr 0.0.0.0 rport 0";
    let hidden = ["a=x-secret:1", "i=somebody", &format!("a={RELAYED}"), &format!("a={HOST}"), stranger];
    let hidden: Vec<&str> = hidden.iter().map(|line| &**line).collect();
    let invite =
        CallInvite { offer: Some(Offer { sdp: sdp("actpass", &hidden), commitment: None }), ..invite_of(reza.id()) };
    let call = invite.call_id;
    leila.must(invite).await;
    let told = reza.hears(call, "the offer", |signal| matches!(signal, CallSignal::Offer { .. })).await;
    let CallSignal::Offer { offer, .. } = told else { unreachable!("was waited for") };
    assert!(offer.sdp.contains("opus/48000/2") && offer.sdp.contains("useinbandfec=1"), "{}", offer.sdp);
    assert!(offer.sdp.contains("127.0.0.1 50000"), "a relay candidate passes: {}", offer.sdp);
    for gone in ["x-secret", "somebody", "5.160.1.2", "5.160.1.1"] {
        assert!(!offer.sdp.contains(gone), "{gone} in {}", offer.sdp);
    }
}

#[tokio::test]
async fn bad_descriptions_are_refused_and_leave_no_call() {
    let Three { world: _world, leila, reza, .. } = three().await;
    let base = sdp("actpass", &[]);
    let long = format!("{base}{}", "a=x:y\r\n".repeat(3000));
    let cases = [
        ("nothing", String::new()),
        ("no SDP", "nonsense".to_owned()),
        ("too long", long),
        ("a control character", base.replace("EsAw", "Es\u{0}w")),
        ("a bare line break in a value", base.replace("EsAw", "Es\ra=x")),
        ("an extra media section", sdp("actpass", &["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:1"])),
        ("a second audio section", sdp("actpass", &["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:1"])),
        ("keys inside", sdp("actpass", &["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA"])),
        ("plain RTP", base.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")),
        ("no fingerprint", base.replace("a=fingerprint:sha-256", "a=x:sha-256")),
        ("a weak fingerprint", base.replace("a=fingerprint:sha-256", "a=fingerprint:sha-1")),
        ("two fingerprints", {
            let other =
                base.lines().find(|line| line.starts_with("a=fingerprint")).expect("one").replace("D2:FA", "D2:FB");
            sdp("actpass", &[&other])
        }),
    ];
    for (what, sdp) in cases {
        let invite = CallInvite { offer: Some(Offer { sdp, commitment: None }), ..invite_of(reza.id()) };
        let call = invite.call_id;
        let error = leila.refused(invite).await;
        assert_eq!((error.code, error.action), (ErrorCode::BadDescription, Action::GiveUp), "{what}: {error:?}");
        assert_eq!(leila.is_refused(call, CallAsk::Look).await.code, ErrorCode::CallNotFound, "{what}");
    }
    let commitment = Some("xy".repeat(32));
    let invite = CallInvite { offer: Some(Offer { sdp: base, commitment }), ..invite_of(reza.id()) };
    assert_eq!(leila.refused(invite).await.code, ErrorCode::BadDescription, "not a commitment");
    reza.must(Ping {}).await;
    assert!(reza.model().events.iter().all(|event| !matches!(event, chapar_protocol::Event::Call(_))), "nothing rang");
}

#[tokio::test]
async fn candidates_that_point_inside_do_not_pass() {
    let Three { world: _world, leila, reza, .. } = three().await;
    let call = connect(&leila, &reza).await;
    let candidate = |address: &str, kind: &str| format!("candidate:1 1 udp 2113937151 {address} 5000 typ {kind}");
    let inside = [
        "127.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "ff02::1",
        "fe80::1",
    ];
    for address in inside {
        let mut bad = vec![candidate(address, "host")];
        // The relay of the tests' nodes stands on loopback, and may be named in this form alone.
        if address != "127.0.0.1" {
            bad.push(candidate(address, "relay raddr 0.0.0.0 rport 0"));
        }
        leila.asks(call, CallAsk::Candidates { generation: 1, candidates: bad }).await;
    }
    for address in ["10.0.0.1", "192.168.1.1", "100.64.0.1", "fd00::1"] {
        let bad =
            vec![candidate(address, "relay raddr 0.0.0.0 rport 0"), candidate(address, "srflx raddr 0.0.0.0 rport 0")];
        leila.asks(call, CallAsk::Candidates { generation: 1, candidates: bad }).await;
    }
    let rubbish = vec!["candidate:1 1 udp 1 5.160.1.1 5000 typ host\r\na=x".to_owned()];
    let error = leila.is_refused(call, CallAsk::Candidates { generation: 1, candidates: rubbish }).await;
    assert_eq!(error.code, ErrorCode::BadDescription);
    let many = vec![RELAYED.to_owned(); 17];
    let error = leila.is_refused(call, CallAsk::Candidates { generation: 1, candidates: many }).await;
    assert_eq!((error.code, error.action), (ErrorCode::TooLarge, Action::GiveUp), "{error:?}");
    let good = vec![HOST.to_owned()];
    leila.asks(call, CallAsk::Candidates { generation: 1, candidates: good }).await;
    reza.hears(call, "the good one", |signal| matches!(signal, CallSignal::Candidates { .. })).await;
    let told: Vec<String> = phone::signals(&reza.model(), call)
        .into_iter()
        .filter_map(
            |signal| if let CallSignal::Candidates { candidates, .. } = signal { Some(candidates) } else { None },
        )
        .flatten()
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("5.160.1.2"), "{told:?}");
}

#[tokio::test]
async fn a_relay_only_call_shows_no_address() {
    let Three { world: _world, leila, reza, .. } = three().await;
    let invite = CallInvite { relay_only: true, ..invite_of(reza.id()) };
    let call = invite.call_id;
    leila.must(invite).await;
    reza.rings(call).await;
    let hosts = [format!("a={HOST}"), format!("a={RELAYED}")];
    let shows = Answer { sdp: sdp("active", &[&hosts[0], &hosts[1]]), nonce: None };
    reza.asks(call, CallAsk::Accept { media: CallMedia::Voice, relay_only: false, answer: Some(shows) }).await;
    let told = leila.hears(call, "the answer", |signal| matches!(signal, CallSignal::Answer { .. })).await;
    let CallSignal::Answer { answer, .. } = told else { unreachable!("was waited for") };
    assert!(answer.sdp.contains("127.0.0.1 50000") && !answer.sdp.contains("5.160.1.2"), "{}", answer.sdp);
    // What only calls itself a relay, and what else listens where the relay stands, is no relay of this server.
    let strangers = [("5.160.1.1", 5000), ("168.63.129.16", 80), ("127.0.0.1", 22)];
    let stranger = |(at, port)| format!("candidate:9 1 udp 1 {at} {port} typ relay raddr 0.0.0.0 rport 0");
    let mut candidates = vec![HOST.to_owned(), RELAYED.to_owned()];
    candidates.extend(strangers.map(stranger));
    leila.asks(call, CallAsk::Candidates { generation: 1, candidates }).await;
    let told = reza.hears(call, "candidates", |signal| matches!(signal, CallSignal::Candidates { .. })).await;
    let CallSignal::Candidates { candidates, .. } = told else { unreachable!("was waited for") };
    assert_eq!(candidates.len(), 1, "{candidates:?}");
    assert!(candidates[0].contains("127.0.0.1 50000"), "{candidates:?}");
}

#[tokio::test]
async fn a_call_is_not_transferred_to_a_foreign_device() {
    let Three { world: _world, leila, reza, stranger } = three().await;
    let call = connect(&leila, &reza).await;
    let to = stranger.account().device_id;
    assert_eq!(leila.is_refused(call, CallAsk::Transfer { to }).await.code, ErrorCode::BadRequest);
    let own = leila.account().device_id;
    assert_eq!(leila.is_refused(call, CallAsk::Transfer { to: own }).await.code, ErrorCode::CallConflict);
}

#[tokio::test]
async fn what_was_said_in_a_call_stands_in_no_log() {
    let Three { world, leila, reza, .. } = three().await;
    let call = connect(&leila, &reza).await;
    leila.asks(call, CallAsk::Candidates { generation: 1, candidates: vec![HOST.to_owned()] }).await;
    let error = leila.is_refused(call, CallAsk::Candidates { generation: 1, candidates: vec!["rubbish".to_owned()] });
    assert_eq!(error.await.code, ErrorCode::BadDescription);
    let request = AskCall { call_id: call, ask: CallAsk::HangUp };
    http::call(world.at(0), leila.token(), &request).await.expect("also over HTTP");
    reza.hears_the_end(call).await;
    let log = world.nodes[0].log();
    for secret in ["P2uYro0UCOQ4zxjKXaWCBui1", "5.160.1", "D2:FA", "rubbish", leila.token(), &"ab".repeat(32)] {
        assert!(!log.contains(secret), "{secret} in the log:\n{log}");
    }
}
