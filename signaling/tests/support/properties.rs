//! What holds for whatever is sent. Also the properties of `signaling/fuzz`.

use chapar_signaling::sdp::{
    CandidatePolicy, Role,
    candidate::{Candidate, CandidateKind},
    rewrite,
};

/// The longest description that is taken, and what writing anew may add to it.
const LONGEST: usize = 16 * 1024;

/// A description: taken or refused, never with what the policy forbids. Whether it was taken.
pub(crate) fn description(text: &str) -> bool {
    let open = CandidatePolicy::default();
    let relay_only = CandidatePolicy { relay_only: true, ..CandidatePolicy::default() };
    let mut taken = false;
    for role in [Role::Offer, Role::Answer] {
        for policy in [&open, &relay_only] {
            let Ok(first) = rewrite(text, role, policy) else { continue };
            taken = true;
            assert!(first.sdp.len() <= 2 * LONGEST, "{} bytes", first.sdp.len());
            for word in ["a=crypto", "a=fingerprint:sha-1 ", "k=", "m=application", "RTP/AVP"] {
                assert!(!first.sdp.contains(word), "{word} in\n{}", first.sdp);
            }
            assert!(first.sdp.split("\r\n").all(|line| !line.contains(['\r', '\n', '\0'])), "{:?}", first.sdp);
            let candidates = first.sdp.split("\r\n").filter_map(|line| line.strip_prefix("a=candidate:"));
            for candidate in candidates {
                let candidate = Candidate::parse(&format!("candidate:{candidate}")).expect("we wrote it");
                assert!(policy.permits(&candidate), "{candidate:?}");
                assert!(!policy.relay_only || candidate.kind() == CandidateKind::Relay, "{candidate:?}");
            }
            let second = rewrite(&first.sdp, role, policy).unwrap_or_else(|error| panic!("{error} in\n{}", first.sdp));
            assert_eq!(second.sdp, first.sdp, "the second reading changes it");
            assert_eq!((second.fingerprint, second.video), (first.fingerprint, first.video));
        }
    }
    taken
}

/// A candidate: what was read is written so that it is read the same.
pub(crate) fn candidate(text: &str) {
    let Ok(first) = Candidate::parse(text) else { return };
    let written = first.to_string();
    assert!(written.len() < 512 && !written.contains(['\r', '\n']), "{written:?}");
    let second = Candidate::parse(&written).unwrap_or_else(|error| panic!("{error} in {written}"));
    assert_eq!(second.to_string(), written);
    let policy = CandidatePolicy { relay_only: true, ..CandidatePolicy::default() };
    assert_eq!(policy.permits(&first), policy.permits(&second));
}
