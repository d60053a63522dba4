//! Which part of a file a request wants (RFC 9110 sections 13 and 14). No IO.

use std::ops::Range;

use axum::http::{HeaderMap, header};

/// What is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing: whoever asks has it.
    NotModified,
    /// Everything.
    Whole,
    /// A part.
    Part(Range<u64>),
    /// A part that there is not.
    Nothing,
}

/// Reads it of a file with this tag and so many bytes. Several ranges at once are answered with the whole, as section 14.2 allows.
pub(crate) fn wanted(headers: &HeaderMap, tag: &str, size: u64) -> Wanted {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(known) = text(header::IF_NONE_MATCH) {
        let same = |it: &str| it == "*" || it.trim().strip_prefix("W/").unwrap_or(it.trim()) == tag;
        if known.split(',').any(same) {
            return Wanted::NotModified;
        }
    }
    let Some(asked) = text(header::RANGE) else { return Wanted::Whole };
    // What was begun of another file, or is known by its date, is not gone on with.
    if text(header::IF_RANGE).is_some_and(|known| known.trim() != tag) {
        return Wanted::Whole;
    }
    let Some((first, last)) = asked.trim().strip_prefix("bytes=").and_then(|it| it.split_once('-')) else {
        return Wanted::Whole;
    };
    let number = |text: &str| {
        let text = text.trim();
        (text.is_empty() || text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<u64>().ok())
    };
    let part = match (number(first), number(last)) {
        (Some(Some(first)), Some(Some(last))) if first > last => return Wanted::Whole,
        (Some(Some(first)), Some(last)) => first..last.map_or(size, |last| last.saturating_add(1).min(size)),
        (Some(None), Some(Some(last))) => size.saturating_sub(last)..size,
        _ => return Wanted::Whole,
    };
    if part.start >= size || part.is_empty() { Wanted::Nothing } else { Wanted::Part(part) }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn of(pairs: &[(HeaderName, &str)]) -> Wanted {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a value")));
        wanted(&headers.collect(), "\"tag\"", 100)
    }

    #[test]
    fn parts_are_cut_at_the_end_and_what_is_beyond_is_nothing() {
        let cases = [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-", Wanted::Part(0..100)),
            ("bytes=10-19", Wanted::Part(10..20)),
            ("bytes=90-1000", Wanted::Part(90..100)),
            ("bytes=-10", Wanted::Part(90..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=0-18446744073709551615", Wanted::Part(0..100)),
            ("bytes=20-10", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("", Wanted::Whole),
        ];
        for (asked, wanted) in cases {
            assert_eq!(of(&[(header::RANGE, asked)]), wanted, "{asked}");
        }
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let range = (header::RANGE, "bytes=0-1");
        assert_eq!(of(&[(header::IF_NONE_MATCH, "\"other\", W/\"tag\"")]), Wanted::NotModified);
        assert_eq!(of(&[(header::IF_NONE_MATCH, "\"other\"")]), Wanted::Whole);
        assert_eq!(of(&[range.clone(), (header::IF_RANGE, "\"tag\"")]), Wanted::Part(0..2));
        assert_eq!(of(&[range, (header::IF_RANGE, "\"other\"")]), Wanted::Whole);
    }
}
