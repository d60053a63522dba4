//! Whatever somebody sends as a description or a candidate, reading it ends in a description that a second reading leaves
//! as it is, or in a typed error.

#[path = "../../protocol/tests/support/mutator.rs"]
#[expect(dead_code, reason = "the corpus here is that of the unit tests")]
mod mutator;
#[path = "support/properties.rs"]
mod properties;
#[path = "../src/sdp/samples.rs"]
mod samples;

const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\0",
    "v=0\n",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\n",
    "m=video 0 UDP/TLS/RTP/SAVPF 96\n",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n",
    "c=IN IP6 ::1\n",
    "a=candidate:1 1 udp 2122260223 192.168.1.5 50000 typ host\n",
    "a=candidate:2 1 udp 1 203.0.113.9 9 typ srflx raddr 10.0.0.1 rport 9\n",
    "a=candidate:3 1 tcp 1 5.5.5.5 443 typ relay raddr 0.0.0.0 rport 0\n",
    "a=candidate:4 1 udp 1 ::ffff:127.0.0.1 1 typ relay\n",
    "a=candidate:5 1 udp 1 9f7c1a52-0d63-4b5b-8b7e-51b1c6a6b111.local 1 typ host\n",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\n",
    "a=fingerprint:sha-1 00:00\n",
    "a=setup:active\n",
    "a=mid:0\n",
    "a=mid:سلام\n",
    "a=rtcp-mux\n",
    "a=group:BUNDLE 0 1\n",
    "a=rtpmap:111 opus/48000/2\n",
    "a=fmtp:111 minptime=0;maxaveragebitrate=99999999999\n",
    "a=ice-lite\n",
    "a=ssrc-group:FID 1 2\n",
    "k=clear:x\n",
    "b=AS:999999999999\n",
];

#[test]
fn a_description() {
    let video = samples::CHROMIUM_AUDIO_OFFER.replace("a=group:BUNDLE 0\n", "a=group:BUNDLE 0 1\n");
    let corpus = [
        samples::CHROMIUM_AUDIO_OFFER.to_owned(),
        video + samples::CHROMIUM_VIDEO_SECTION,
        samples::FIREFOX_OFFER.to_owned(),
        samples::SAFARI_AUDIO_ANSWER.to_owned(),
    ];
    for sample in &corpus {
        assert!(properties::description(sample), "the fuzzer begins at descriptions that pass:\n{sample}");
    }
    mutator::fuzz(&corpus, WORDS, |text| {
        properties::description(text);
    });
}

#[test]
fn a_candidate() {
    let corpus: Vec<String> = WORDS
        .iter()
        .filter_map(|word| word.trim().strip_prefix("a="))
        .filter(|word| word.starts_with("candidate:"))
        .map(str::to_owned)
        .collect();
    assert_eq!(corpus.len(), 5);
    let words =
        ["::", "::ffff:", "127.0.0.1", "0.0.0.0", ".local", " typ ", "relay", "host", " raddr ", "65536", "tcptype"];
    mutator::fuzz(&corpus, &words, properties::candidate);
}
