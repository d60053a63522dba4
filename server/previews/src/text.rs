//! Words of strangers, made harmless: one line, bounded, and nothing that turns the text around it.

/// Longest name of a site, title and description, in characters.
pub(crate) const SITE: usize = 80;
pub(crate) const TITLE: usize = 200;
pub(crate) const DESCRIPTION: usize = 300;

/// One line of at most `most` characters; `None` when nothing is left.
pub(crate) fn clean(text: &str, most: usize) -> Option<String> {
    let plain = unescape(text);
    let mut out = String::new();
    let (mut count, mut gap) = (0, false);
    for it in plain.chars() {
        if it.is_whitespace() || it.is_control() {
            gap = !out.is_empty();
            continue;
        }
        if turns(it) {
            continue;
        }
        if count + usize::from(gap) >= most {
            // The last place is that of the sign that there was more.
            out.pop();
            out.push('…');
            break;
        }
        if std::mem::take(&mut gap) {
            out.push(' ');
            count += 1;
        }
        out.push(it);
        count += 1;
    }
    out.chars().any(char::is_alphanumeric).then_some(out)
}

/// Marks of direction that reach beyond what they stand in, and characters that are none.
fn turns(it: char) -> bool {
    matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// References such as `&amp;`, `&zwnj;` and `&#1587;`: those that pages use in words about themselves.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // The longest that is known has 8 characters.
        let end = rest.char_indices().take(12).find(|(_, it)| *it == ';').map(|(end, _)| end);
        if let Some((end, it)) = end.and_then(|end| Some((end, reference(&rest[1..end])?))) {
            out.push(it);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let number = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(number).filter(|it| *it != '\0');
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "zwnj" => '\u{200c}',
        "zwj" => '\u{200d}',
        "lrm" => '\u{200e}',
        "rlm" => '\u{200f}',
        "shy" => '\u{ad}',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "laquo" => '«',
        "raquo" => '»',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "bull" => '•',
        "middot" => '·',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        "deg" => '°',
        "times" => '×',
        "eacute" => 'é',
        "uuml" => 'ü',
        "ouml" => 'ö',
        "auml" => 'ä',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_one_harmless_line() {
        assert_eq!(clean("  سلام \n\t دنیا  ", 80).as_deref(), Some("سلام دنیا"));
        assert_eq!(
            clean("می&zwnj;خواهم &#1587;&#x633; &amp;lt; &bogus; & x", 80).as_deref(),
            Some("می\u{200c}خواهم سس &lt; &bogus; & x")
        );
        assert_eq!(clean("a\u{202e}gnp.exe\u{2066}", 80).as_deref(), Some("agnp.exe"));
        assert_eq!(clean(" \u{202e} … ", 80), None);
        assert_eq!(clean("&#0;&#xd800;&#99999999999;x", 80).as_deref(), Some("&#0;&#xd800;&#99999999999;x"));
        assert_eq!(clean("abcdefgh", 5).as_deref(), Some("abcd…"));
        assert_eq!(clean("abcde", 5).as_deref(), Some("abcde"));
        assert_eq!(clean("abcd efgh", 5).as_deref(), Some("abc…"), "no more than may be");
    }
}
