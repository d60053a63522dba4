//! One emoji, in the one form in which it is stored: two people who react alike make one reaction with a count of two.

use unicode_properties::{EmojiStatus, UnicodeEmoji as _};

/// Asks for the colourful form of a character that is also a sign of text.
const COLOURFUL: char = '\u{FE0F}';
/// Asks for the form of text.
const PLAIN: char = '\u{FE0E}';
const JOINER: char = '\u{200D}';
const KEYCAP: char = '\u{20E3}';
const END_OF_TAGS: char = '\u{E007F}';

const fn is_flag_letter(c: char) -> bool {
    matches!(c, '\u{1F1E6}'..='\u{1F1FF}')
}

const fn is_skin(c: char) -> bool {
    matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

/// Whether it can stand for itself as an emoji. The block of pictures grows each year, so all of it counts.
fn is_picture(c: char) -> bool {
    let known = c.is_emoji_char() && !c.is_ascii() && !is_flag_letter(c) && !is_skin(c);
    known || matches!(c, '\u{1F300}'..='\u{1FAFF}' if !is_skin(c) && !c.is_emoji_component())
}

/// Whether it is a sign of text unless it is asked for as an emoji.
fn is_text_by_itself(c: char) -> bool {
    use EmojiStatus::{EmojiModifierBase, EmojiOther, EmojiOtherAndEmojiComponent};
    matches!(c.emoji_status(), EmojiModifierBase | EmojiOther | EmojiOtherAndEmojiComponent)
}

/// Exactly one emoji as Unicode writes it in full (UTS #51, "fully-qualified"), however it was typed; `None` for anything else.
pub(crate) fn one(text: &str) -> Option<String> {
    let bare: Vec<char> = text.chars().filter(|c| *c != COLOURFUL && *c != PLAIN).collect();
    match *bare.as_slice() {
        [first, second] if is_flag_letter(first) && is_flag_letter(second) => {
            return Some([first, second].iter().collect());
        }
        [key @ ('0'..='9' | '#' | '*'), KEYCAP] => return Some([key, COLOURFUL, KEYCAP].iter().collect()),
        _ => {}
    }
    let mut whole = String::with_capacity(text.len() + 3);
    for (number, element) in bare.split(|c| *c == JOINER).enumerate() {
        let (&picture, rest) = element.split_first().filter(|(picture, _)| is_picture(**picture))?;
        if number > 0 {
            whole.push(JOINER);
        }
        whole.push(picture);
        match rest {
            [] if is_text_by_itself(picture) => whole.push(COLOURFUL),
            [] => {}
            [skin] if is_skin(*skin) => whole.push(*skin),
            // Flags of parts of countries.
            [tags @ .., END_OF_TAGS] if tags.iter().all(|tag| matches!(tag, '\u{E0020}'..='\u{E007E}')) => {
                whole.extend(rest);
            }
            _ => return None,
        }
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji_has_one_form_however_it_was_typed() {
        for (typed, stored) in [
            ("❤", "❤\u{FE0F}"),
            ("❤\u{FE0F}", "❤\u{FE0F}"),
            ("❤\u{FE0E}", "❤\u{FE0F}"),
            ("👍", "👍"),
            ("👍\u{FE0F}", "👍"),
            ("👍🏽", "👍🏽"),
            ("☝🏽", "☝🏽"),
            ("☝", "☝\u{FE0F}"),
            ("1⃣", "1\u{FE0F}⃣"),
            ("#️⃣", "#\u{FE0F}⃣"),
            ("🇮🇷", "🇮🇷"),
            ("👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"),
            ("🏃‍♂", "🏃‍♂\u{FE0F}"),
            ("🏳‍🌈", "🏳\u{FE0F}‍🌈"),
            ("👁‍🗨", "👁\u{FE0F}‍🗨\u{FE0F}"),
            ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
            ("\u{1FAFF}", "\u{1FAFF}"),
        ] {
            assert_eq!(one(typed).as_deref(), Some(stored), "{typed}");
            assert_eq!(one(stored).as_deref(), Some(stored), "{stored}");
        }
    }

    #[test]
    fn what_is_not_one_emoji_is_none() {
        for bad in [
            "",
            "👍👍",
            "🇮",
            "🇮🇷🇮🇷",
            "★",
            "1",
            "a",
            "سلام",
            "👍 ",
            "👍\u{200D}",
            "\u{200D}👍",
            "\u{FE0F}",
            "🏽",
            "👍🏽🏽",
            "1⃣1⃣",
            "👍a",
            "🏴\u{E0067}",
            "!",
            "\n",
            "♪",
        ] {
            assert_eq!(one(bad), None, "{bad:?}");
        }
    }
}
