//! Frames of clients and of servers.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/support/properties.rs"]
#[expect(dead_code, reason = "shared: each target uses its own part")]
mod properties;

fuzz_target!(|frame: &str| {
    properties::client_frame(frame);
    properties::server_frame(frame);
});
