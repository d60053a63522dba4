//! What people type, and moments.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/support/properties.rs"]
#[expect(dead_code, reason = "shared: each target uses its own part")]
mod properties;

fuzz_target!(|input: &str| {
    properties::typed(input);
    properties::moment(input);
});
