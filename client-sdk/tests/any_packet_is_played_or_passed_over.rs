//! Whatever the other side sends as RTP payloads, RED or bare Opus, in whatever order: it is played or passed over, in
//! bounded time and memory. proptest prints the input of a failure; `client-sdk/fuzz` tries the same with coverage.

#[path = "support/packets.rs"]
mod packets;

use chapar_client::calls::audio::red::{self, Block};
use packets::{HEADER, OPUS};
use proptest::prelude::*;

/// Bytes that pass for an Opus packet as to their first byte: one frame, whatever coding and length.
fn opus() -> impl Strategy<Value = Vec<u8>> {
    let toc = (0_u8..32).prop_map(|config| config << 3);
    (toc, prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(toc, mut rest)| {
        rest.insert(0, toc);
        rest
    })
}

fn payload() -> impl Strategy<Value = (bool, Vec<u8>)> {
    let packed = (opus(), prop::collection::vec((1_u32..4, opus()), 0..4)).prop_map(|(own, copies)| {
        let copies: Vec<Block<'_>> =
            copies.iter().map(|(back, payload)| Block { offset: back * 960, payload }).collect();
        red::pack(OPUS, &own, &copies)
    });
    // A good packet with one byte changed gets further than random bytes do.
    let bent =
        (packed, any::<prop::sample::Index>(), prop::option::of(any::<u8>())).prop_map(|(mut packet, at, byte)| {
            if let Some(byte) = byte {
                let at = at.index(packet.len());
                packet[at] = byte;
            }
            packet
        });
    prop_oneof![
        4 => opus().prop_map(|it| (false, it)),
        4 => bent.prop_map(|it| (true, it)),
        1 => (any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let step = prop_oneof![6 => Just(960_u16), 1 => any::<u16>()];
    let packet = (0_u8..60, prop::bool::weighted(0.05), step, payload());
    prop::collection::vec(packet, 0..60).prop_map(|packets| {
        let mut bytes = Vec::new();
        for (wait, wild, step, (is_red, payload)) in packets {
            let length = u16::try_from(payload.len()).expect("short");
            bytes.extend_from_slice(&[wait, u8::from(is_red) | u8::from(wild) << 1]);
            bytes.extend_from_slice(&step.to_be_bytes());
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&payload);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_of_payloads(bytes in stream()) {
        packets::stream(&bytes);
    }

    #[test]
    fn any_bytes_at_all(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        packets::redundant(&bytes);
        packets::stream(&bytes);
    }
}

/// The properties are about something: a plain stream is heard.
#[test]
fn a_plain_stream_is_played() {
    use chapar_client::calls::audio::{FRAME, Frame, receiver::Receiver};
    let mut receiver = Receiver::new(true).expect("memory for a decoder");
    let mut heard = 0;
    for number in 0_u32..100 {
        let now = u64::from(number) * 20;
        // 20 ms of SILK at 16 kHz; what it says does not matter here.
        receiver.push(now, number * 960, &[9 << 3, 1, 2, 3, 4, 5, 6, 7], None);
        let mut frame: Frame = [0; FRAME];
        heard += u32::from(receiver.pull(now, &mut frame).is_some());
    }
    assert!(heard > 90, "{heard}; {:?}", receiver.counted());
    assert!(receiver.counted().played > 80, "{:?}", receiver.counted());
    assert_eq!(HEADER, 6, "the fuzzer's corpus is read so");
}
