//! The rules for what people type: texts with entities, handles, titles, reactions. Pure and total: any input gives a value or a typed error.

use std::collections::HashSet;

use crate::{
    Entity, EntityKind, ErrorCode, Seq, WireError, emoji, limit, media,
    message::{NewBody, Quote, Text},
    visible,
};

fn refuse<T>(code: ErrorCode, message: &str) -> Result<T, WireError> {
    Err(WireError::new(code, message))
}

/// The length of a text as entities count it: in UTF-16 code units.
pub fn utf16_len(text: &str) -> usize {
    // Every char is one unit but those beyond the Basic Multilingual Plane, whose UTF-8 form begins with 0xF0 or more.
    text.bytes().filter(|byte| byte & 0xC0 != 0x80).count() + text.bytes().filter(|byte| *byte >= 0xF0).count()
}

/// Checks a new body, and puts it into the form in which it is stored: entities in order, titles folded.
///
/// # Errors
/// [`ErrorCode::BadText`], [`ErrorCode::TextTooLong`], [`ErrorCode::BadEntities`] or [`ErrorCode::TooLarge`]; for bodies that are no
/// texts those of [`media::check`] too.
pub fn check_body(body: NewBody) -> Result<NewBody, WireError> {
    let body = media::check::check(body)?;
    check_body_size(&body)?;
    Ok(body)
}

/// Checks a text, and that a message can carry it.
///
/// # Errors
/// Those of [`check_text`], and [`ErrorCode::TooLarge`].
pub fn check_text_to_send(text: Text) -> Result<Text, WireError> {
    let text = check_text(text)?;
    check_text_size(&text).map(|()| text)
}

/// Checks that a body takes at most [`limit::BODY_BYTES`] in JSON, and one that names a file [`limit::FACTS_BYTES`] less: what the server
/// says of the file comes to it. Clients do so before they keep a message to be sent: one that no frame can carry would stand in the
/// way of all that follow.
///
/// # Errors
/// [`ErrorCode::TooLarge`].
pub fn check_body_size(body: &NewBody) -> Result<(), WireError> {
    match body {
        NewBody::Text(text) => check_text_size(text),
        _ if body.file().is_some() => fits(body, limit::BODY_BYTES - limit::FACTS_BYTES),
        _ => fits(body, limit::BODY_BYTES),
    }
}

fn check_text_size(text: &Text) -> Result<(), WireError> {
    // The longest escape has six bytes, for one of UTF-8.
    if text.entities.is_empty() && text.text.len() <= limit::BODY_BYTES / 8 {
        return Ok(());
    }
    fits(text, limit::BODY_BYTES - r#""kind":"text","#.len())
}

fn fits<T: serde::Serialize>(said: &T, most: usize) -> Result<(), WireError> {
    if json_len(said) <= most {
        Ok(())
    } else {
        refuse(ErrorCode::TooLarge, "a message has at most 32,768 bytes with its marks, links and file")
    }
}

/// The length of a value as JSON, in bytes.
fn json_len<T: serde::Serialize>(value: &T) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).map_or(usize::MAX, |()| count.0)
}

/// Checks what an answer quotes; whether it stands there is seen where the message is known that it answers.
///
/// # Errors
/// [`ErrorCode::BadText`], [`ErrorCode::TextTooLong`], and [`ErrorCode::BadQuote`] where nothing is answered.
pub fn check_quote(quote: Option<&Quote>, reply_to: Option<Seq>) -> Result<(), WireError> {
    let Some(quote) = quote else { return Ok(()) };
    if reply_to.is_none() {
        return refuse(ErrorCode::BadQuote, "only an answer quotes");
    }
    check_characters(&quote.text)?;
    if utf16_len(&quote.text) > limit::QUOTE_UNITS {
        return refuse(ErrorCode::TextTooLong, "a quote has at most 512 UTF-16 code units");
    }
    Ok(())
}

/// Checks a text and puts its entities in order: by offset, an outer one before those inside it.
///
/// # Errors
/// [`ErrorCode::BadText`], [`ErrorCode::TextTooLong`] or [`ErrorCode::BadEntities`].
pub fn check_text(mut text: Text) -> Result<Text, WireError> {
    check_characters(&text.text)?;
    let length = utf16_len(&text.text);
    if length > limit::TEXT_UNITS {
        return refuse(ErrorCode::TextTooLong, "a text has at most 4096 UTF-16 code units");
    }
    check_entities(&text.text, length, &text.entities)?;
    text.entities.sort_by_key(|entity| (entity.offset, std::cmp::Reverse(entity.length)));
    Ok(text)
}

fn check_characters(text: &str) -> Result<(), WireError> {
    if !visible::shows(text) {
        return refuse(ErrorCode::BadText, "a text needs at least one visible character");
    }
    if text.contains('\0') {
        return refuse(ErrorCode::BadText, "a text cannot hold U+0000");
    }
    Ok(())
}

fn check_entities(text: &str, length: usize, entities: &[Entity]) -> Result<(), WireError> {
    if entities.is_empty() {
        return Ok(());
    }
    if entities.len() > limit::ENTITIES {
        return refuse(ErrorCode::BadEntities, "a text has at most 100 entities");
    }
    let named: HashSet<_> = entities.iter().filter_map(Entity::mentions).collect();
    if named.len() > limit::MENTIONS {
        return refuse(ErrorCode::BadEntities, "a text mentions at most 50 people");
    }
    let inside_pair = {
        let mut inside = vec![false; length + 1];
        let mut at = 0;
        for character in text.chars() {
            if character.len_utf16() == 2 {
                inside[at + 1] = true;
            }
            at += character.len_utf16();
        }
        inside
    };
    for entity in entities {
        let (start, end) = (entity.offset as usize, entity.offset as usize + entity.length as usize);
        if entity.length == 0 || end > length {
            return refuse(ErrorCode::BadEntities, "an entity is empty or lies outside the text");
        }
        if inside_pair[start] || inside_pair[end] {
            return refuse(ErrorCode::BadEntities, "an entity begins or ends inside a surrogate pair");
        }
        match &entity.kind {
            EntityKind::Link { url } if !is_web_link(url) => {
                return refuse(
                    ErrorCode::BadEntities,
                    "a link begins with http:// or https:// and has at most 2048 bytes",
                );
            }
            EntityKind::Pre { language: Some(language) } if language.len() > 32 || has_control(language) => {
                return refuse(ErrorCode::BadEntities, "the language of a block has at most 32 bytes");
            }
            EntityKind::Unknown(_) => return refuse(ErrorCode::BadEntities, "unknown type of entity"),
            _ => {}
        }
    }
    Ok(())
}

fn is_web_link(url: &str) -> bool {
    let scheme_end = url.find("://").unwrap_or(0);
    let scheme = &url[..scheme_end];
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && url.len() > scheme_end + 3
        && url.len() <= limit::URL_BYTES
        && !url.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// Folds a handle to its stored form: without a leading `@`, in lower case.
///
/// # Errors
/// [`ErrorCode::BadHandle`] unless it then has 3 to 32 characters a–z, 0–9 and `_`, the first a letter.
pub fn check_handle(handle: &str) -> Result<String, WireError> {
    let handle = handle.trim().trim_start_matches('@').to_ascii_lowercase();
    let fits = limit::HANDLE_LENGTH.contains(&handle.len())
        && handle.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && handle.as_bytes()[0].is_ascii_lowercase();
    if fits {
        Ok(handle)
    } else {
        refuse(ErrorCode::BadHandle, "a handle has 3 to 32 characters a-z, 0-9 and _, the first a letter")
    }
}

/// Folds a name or title to its stored form: trimmed, without signs that would turn the text around it, and without towers of
/// marks.
///
/// # Errors
/// [`ErrorCode::BadTitle`] unless it then shows something and has 1 to 128 characters, none of them a control character.
pub fn check_title(title: &str) -> Result<String, WireError> {
    let title = visible::name(title);
    let fits = visible::shows(&title) && title.chars().count() <= limit::TITLE_CHARS && !has_control(&title);
    if fits {
        Ok(title)
    } else {
        refuse(ErrorCode::BadTitle, "a title has 1 to 128 characters, of which one shows, and no control characters")
    }
}

/// Folds the description of a chat; one that shows nothing is none.
///
/// # Errors
/// [`ErrorCode::TooLarge`] with more than 255 characters, [`ErrorCode::BadText`] with U+0000.
pub fn check_description(description: &str) -> Result<Option<String>, WireError> {
    if description.contains('\0') {
        return refuse(ErrorCode::BadText, "a description has no U+0000");
    }
    let description = description.trim();
    if description.chars().count() > limit::DESCRIPTION_CHARS {
        return refuse(ErrorCode::TooLarge, "a description has at most 255 characters");
    }
    Ok(visible::shows(description).then(|| description.to_owned()))
}

/// Checks a password's length. Nothing else is asked of it (NIST SP 800-63B section 3.1.1.2).
///
/// # Errors
/// [`ErrorCode::BadPassword`] unless it has 8 to 1024 bytes.
pub fn check_password(password: &str) -> Result<(), WireError> {
    if limit::PASSWORD_BYTES.contains(&password.len()) {
        Ok(())
    } else {
        refuse(ErrorCode::BadPassword, "a password has 8 to 1024 bytes")
    }
}

/// Folds a reaction to its stored form, alike for everybody: one emoji as Unicode writes it in full.
///
/// # Errors
/// [`ErrorCode::BadReaction`] for anything else, and for more than 40 bytes.
pub fn check_reaction(given: &str) -> Result<String, WireError> {
    let one = (given.len() <= 2 * limit::REACTION_BYTES).then(|| emoji::one(given)).flatten();
    match one {
        Some(emoji) if emoji.len() <= limit::REACTION_BYTES => Ok(emoji),
        _ => refuse(ErrorCode::BadReaction, "a reaction is one emoji"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, entities: &[(u32, u32)]) -> Text {
        let entities =
            entities.iter().map(|&(offset, length)| Entity { offset, length, kind: EntityKind::Bold }).collect();
        Text { text: text.to_owned(), entities }
    }

    fn code(text: Text) -> Option<ErrorCode> {
        check_text(text).err().map(|error| error.code)
    }

    #[test]
    fn length_counts_utf16_units() {
        for sample in ["", "سلام دنیا", "a😀b", "👨‍👩‍👧", "\u{10FFFF}"] {
            assert_eq!(utf16_len(sample), sample.encode_utf16().count(), "{sample}");
        }
        assert_eq!(code(text(&"😀".repeat(2048), &[])), None);
        assert_eq!(code(text(&"😀".repeat(2049), &[])), Some(ErrorCode::TextTooLong));
    }

    #[test]
    fn an_entity_stays_inside_the_text_and_never_splits_a_character() {
        assert_eq!(code(text("a😀b", &[(1, 2), (0, 4)])), None);
        for bad in [(0, 0), (0, 5), (4, 1), (2, 1), (1, 1), (u32::MAX, u32::MAX)] {
            assert_eq!(code(text("a😀b", &[bad])), Some(ErrorCode::BadEntities), "{bad:?}");
        }
    }

    #[test]
    fn entities_come_out_in_reading_order_the_outer_first() {
        let checked = check_text(text("abcdef", &[(2, 1), (0, 2), (0, 6)])).expect("fits");
        let order: Vec<_> = checked.entities.iter().map(|e| (e.offset, e.length)).collect();
        assert_eq!(order, [(0, 6), (0, 2), (2, 1)]);
    }

    /// The same samples as the TypeScript SDK's test of its own measure.
    #[test]
    fn bodies_are_measured_as_the_vectors_say() {
        #[derive(serde::Deserialize)]
        struct Sample {
            title: String,
            repeat: String,
            times: usize,
            end: String,
            mark: serde_json::Map<String, serde_json::Value>,
            marks: usize,
            bytes: usize,
            fits: bool,
        }
        let samples: Vec<Sample> =
            serde_json::from_str(include_str!("../vectors/bodies/sizes.json")).expect("is the list of samples");
        assert!(samples.len() >= 5);
        for sample in samples {
            let entities = (0..sample.marks).map(|_| sample.mark.clone().into()).map(serde_json::from_value);
            let entities = entities.collect::<Result<Vec<Entity>, _>>().expect("are marks");
            let body = NewBody::Text(Text { text: sample.repeat.repeat(sample.times) + &sample.end, entities });
            assert_eq!(json_len(&body), sample.bytes, "{}", sample.title);
            assert_eq!(check_body_size(&body).is_ok(), sample.fits, "{}", sample.title);
            let refused = check_body(body).err().map(|error| error.code);
            assert_eq!(refused, (!sample.fits).then_some(ErrorCode::TooLarge), "{}", sample.title);
        }
    }

    #[test]
    fn only_web_links_are_links() {
        for (url, good) in [
            ("https://example.ir/راه", true),
            ("HTTP://a", true),
            ("javascript:alert(1)", false),
            ("https://", false),
            ("ftp://a", false),
            ("https://a b", false),
            ("://a", false),
        ] {
            assert_eq!(is_web_link(url), good, "{url}");
        }
    }

    #[test]
    fn handles_fold_and_reactions_are_emoji() {
        assert_eq!(check_handle(" @Sara_1 ").expect("fits"), "sara_1");
        for bad in ["", "ab", "1abc", "سارا", "a b c", "a-b-c"] {
            assert!(check_handle(bad).is_err(), "{bad}");
        }
        for good in ["👍", "❤️", "👨‍👩‍👧‍👦", "1️⃣", "🇮🇷"] {
            assert!(check_reaction(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "سلام", "👍 👍", "!", "1", "\n"] {
            assert!(check_reaction(bad).is_err(), "{bad}");
        }
        assert_eq!(check_reaction("❤"), check_reaction("❤️"));
    }

    #[test]
    fn nothing_invisible_or_unstorable_is_a_text() {
        assert_eq!(code(text(" \n ", &[])), Some(ErrorCode::BadText));
        assert_eq!(code(text("\u{200B}\u{2800}", &[])), Some(ErrorCode::BadText));
        assert_eq!(code(text("a\0b", &[])), Some(ErrorCode::BadText));
        assert_eq!(check_title("x\u{2069}\u{202E}evil").expect("fits"), "xevil");
        assert!(check_title("\u{200C}").is_err() && check_title("a\u{1}").is_err());
    }
}
