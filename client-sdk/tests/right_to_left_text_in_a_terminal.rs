//! What the terminal chat does to lines that run from right to left. An example that `cargo test` tests is not built as
//! a program, and another test needs that program: so its rules are tested here.

#[path = "../examples/chat/bidi.rs"]
mod bidi;

use bidi::Bidi;

const BIDI: Bidi = Bidi { reorder: true };

#[test]
fn persian_stands_from_right_to_left() {
    assert_eq!(BIDI.part("سلام"), "مالس");
    assert_eq!(BIDI.part("سلام (دوست)"), "(تسود) مالس");
    assert_eq!(BIDI.part("hello"), "hello");
}

#[test]
fn handles_and_numbers_keep_their_order() {
    assert_eq!(BIDI.part("به @reza بگو"), "وگب @reza هب");
    assert_eq!(BIDI.part("شماره ۰۹۱۲-۳۴۵ است"), "تسا ۰۹۱۲-۳۴۵ هرامش");
}

#[test]
fn marks_stay_with_their_letter() {
    assert_eq!(BIDI.part("کِتاب"), "باتکِ");
}

#[test]
fn nobody_sends_escapes_to_my_terminal() {
    assert_eq!(BIDI.part("a\u{1b}[2Jb\u{202E}c"), "a\u{FFFD}[2Jbc");
    assert_eq!(Bidi { reorder: false }.part("سلام"), "\u{2068}سلام\u{2069}");
}
