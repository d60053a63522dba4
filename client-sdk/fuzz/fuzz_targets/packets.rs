//! A stream of RTP payloads, bare Opus or RED: each with six bytes before it that say when it comes, what it is, how its
//! timestamp goes on and how long it is. Through RED, jitter buffer and decoder.
#![no_main]

#[path = "../../tests/support/packets.rs"]
#[allow(dead_code, reason = "each target uses its own part")]
mod packets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    packets::redundant(bytes);
    packets::stream(bytes);
});
