//! Names of files: what of a name that somebody gave can be shown, and how it stands in `Content-Disposition`. No IO.

use std::fmt::Write as _;

use chapar_protocol::limit;

/// What somebody called a file, as it can be shown and stored: the last part of a path, without control characters and without what
/// turns the direction of writing, which would show `exe.jpg` for `gpj.exe`. `None`: nothing is left.
pub fn clean(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut clean: String = last.chars().filter(|c| !c.is_control() && !turns(*c)).collect();
    let end = clean.trim_end_matches([' ', '.']).len();
    clean.truncate(end);
    let clean = clean.trim_start();
    if clean.is_empty() || clean.chars().all(|c| c == '.') {
        return None;
    }
    Some(shorten(clean))
}

/// Bidirectional controls (Unicode section 23.2), and those that show nothing at all.
fn turns(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{2028}' | '\u{2029}')
}

/// At most so many bytes, with the ending that says what it is.
fn shorten(name: &str) -> String {
    if name.len() <= limit::FILE_NAME_BYTES {
        return name.to_owned();
    }
    let (stem, ending) = match name.rfind('.') {
        Some(at) if name.len() - at <= 16 && at > 0 => name.split_at(at),
        _ => (name, ""),
    };
    let room = stem.floor_char_boundary(limit::FILE_NAME_BYTES - ending.len());
    format!("{}{ending}", &stem[..room])
}

/// The value of `Content-Disposition` (RFC 6266): the name in ASCII for old readers, and whole (RFC 8187).
pub fn disposition(inline: bool, name: Option<&str>) -> String {
    let mut value = if inline { "inline" } else { "attachment" }.to_owned();
    let Some(name) = name else { return value };
    let plain: String =
        name.chars().map(|c| if c.is_ascii_graphic() && !"\"\\%;".contains(c) || c == ' ' { c } else { '_' }).collect();
    let _ = write!(value, "; filename=\"{plain}\"");
    if plain != name {
        value.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                value.push(char::from(byte));
            } else {
                let _ = write!(value, "%{byte:02X}");
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_harmless_ones() {
        let cases = [
            ("photo.jpg", Some("photo.jpg")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Windows\\evil.exe", Some("evil.exe")),
            ("a\0b\n\r.txt", Some("ab.txt")),
            ("\u{202E}gpj.exe", Some("gpj.exe")),
            ("..", None),
            ("", None),
            ("   ", None),
            ("/", None),
            ("report. ", Some("report")),
            ("نامه\u{200C}ها.pdf", Some("نامه\u{200C}ها.pdf")),
        ];
        for (name, shown) in cases {
            assert_eq!(clean(name).as_deref(), shown, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let long = clean(&format!("{}.tar", "ا".repeat(4096))).expect("a name");
        assert!(long.len() <= limit::FILE_NAME_BYTES && long.ends_with("ا.tar"), "{long}");
        assert!(clean(&"x".repeat(4096)).is_some_and(|name| name.len() == limit::FILE_NAME_BYTES));
    }

    #[test]
    fn names_stand_in_the_header_for_old_and_new_readers() {
        assert_eq!(disposition(true, Some("a b.jpg")), "inline; filename=\"a b.jpg\"");
        assert_eq!(
            disposition(false, Some("a\"; filename=x\\نامه.pdf")),
            "attachment; filename=\"a__ filename=x_____.pdf\"; \
             filename*=UTF-8''a%22%3B%20filename%3Dx%5C%D9%86%D8%A7%D9%85%D9%87.pdf"
        );
        assert_eq!(disposition(false, None), "attachment");
    }
}
