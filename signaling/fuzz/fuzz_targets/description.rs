#![no_main]

#[path = "../../tests/support/properties.rs"]
#[allow(dead_code, reason = "each target uses its own part")]
mod properties;

libfuzzer_sys::fuzz_target!(|text: &str| {
    properties::description(text);
});
