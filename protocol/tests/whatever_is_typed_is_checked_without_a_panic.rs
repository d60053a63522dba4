//! Texts with entities, handles, titles, reactions and passwords: any input is accepted in a form that holds what its
//! documentation says, or refused.

#[path = "support/mutator.rs"]
mod mutator;
#[path = "support/properties.rs"]
#[expect(dead_code, reason = "shared: each test uses its own part")]
mod properties;

const WORDS: &[&str] = &[
    "\u{1F600}",
    "سلام",
    "\u{200D}",
    "\u{FE0F}",
    "\u{20E3}",
    "\u{1F1EE}\u{1F1F7}",
    "\\ud83d\\ude00",
    "\\u0000",
    "@",
    " ",
    "\n",
    "\u{202E}",
    "e\u{301}",
    "https://a",
    "{\"offset\":0,\"length\":1,\"type\":\"bold\"},",
    "{\"offset\":1,\"length\":2,\"type\":\"link\",\"url\":\"https://a.ir\"},",
    ",\"language\":\"rust\"",
    "\"type\":\"pre\"",
    "\"mention\",\"user_id\":7",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

#[test]
fn anything_typed() {
    mutator::fuzz(&mutator::corpus("text"), WORDS, properties::typed);
}

#[test]
fn any_moment() {
    let words =
        ["0", "9", "-", ":", ".", "Z", "+23:59", "-23:59", "9999-12-31", "0000-01-01", "T24:00:00", ":60", "t", "z"];
    mutator::fuzz(&mutator::corpus("timestamp"), &words, properties::moment);
}
