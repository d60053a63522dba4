//! Several messages: each a byte that says from whom, two bytes of length, and the bytes themselves.
#![no_main]

#[path = "../../tests/relay_core/client.rs"]
#[allow(dead_code, reason = "each target uses its own part")]
mod client;

use chapar_signaling::relay::{
    frame,
    outputs::{FiveTuple, Transport},
};
use client::{Client, Relay, Sent, tuple};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut relay = Relay::new();
    let mut known = Client::new("1.2.3.4:1", "42");
    known.allocate(&mut relay);
    let mut stream = Client::new("1.2.3.5:1", "43");
    stream.tuple.transport = Transport::Tcp;
    stream.allocate(&mut relay);
    let stranger: FiveTuple = tuple("1.2.3.6:1");
    let mut rest = bytes;
    while let [from, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (message, next) = after.split_at(length);
        rest = next;
        let from = [known.tuple, stream.tuple, stranger][usize::from(*from) % 3];
        let _ = frame::stream_length(message);
        for sent in relay.input(from, message) {
            if let Sent::Client(to, reply) = sent {
                assert!(from != stranger || to != stranger || reply.len() <= 3 * message.len(), "it amplifies");
            }
        }
    }
    relay.pass(10_000);
    assert!(relay.open.is_empty(), "what nobody refreshes is given back");
});
