//! Bytes of a page as text. UTF-8, UTF-16 and the two code pages in which old Persian, Arabic and Western pages are written; what is said to
//! be anything else is read as UTF-8.

/// 0x80 to 0xff of windows-1256 and windows-1252; what a code page leaves open is the control character of that number.
const WINDOWS_1256: &str = "\
\u{20ac}\u{67e}\u{201a}\u{192}\u{201e}\u{2026}\u{2020}\u{2021}\u{2c6}\u{2030}\u{679}\u{2039}\u{152}\u{686}\u{698}\u{688}\
\u{6af}\u{2018}\u{2019}\u{201c}\u{201d}\u{2022}\u{2013}\u{2014}\u{6a9}\u{2122}\u{691}\u{203a}\u{153}\u{200c}\u{200d}\u{6ba}\
\u{a0}\u{60c}\u{a2}\u{a3}\u{a4}\u{a5}\u{a6}\u{a7}\u{a8}\u{a9}\u{6be}\u{ab}\u{ac}\u{ad}\u{ae}\u{af}\
\u{b0}\u{b1}\u{b2}\u{b3}\u{b4}\u{b5}\u{b6}\u{b7}\u{b8}\u{b9}\u{61b}\u{bb}\u{bc}\u{bd}\u{be}\u{61f}\
\u{6c1}\u{621}\u{622}\u{623}\u{624}\u{625}\u{626}\u{627}\u{628}\u{629}\u{62a}\u{62b}\u{62c}\u{62d}\u{62e}\u{62f}\
\u{630}\u{631}\u{632}\u{633}\u{634}\u{635}\u{636}\u{d7}\u{637}\u{638}\u{639}\u{63a}\u{640}\u{641}\u{642}\u{643}\
\u{e0}\u{644}\u{e2}\u{645}\u{646}\u{647}\u{648}\u{e7}\u{e8}\u{e9}\u{ea}\u{eb}\u{649}\u{64a}\u{ee}\u{ef}\
\u{64b}\u{64c}\u{64d}\u{64e}\u{f4}\u{64f}\u{650}\u{f7}\u{651}\u{f9}\u{652}\u{fb}\u{fc}\u{200e}\u{200f}\u{6d2}";
const WINDOWS_1252: &str = "\
\u{20ac}\u{81}\u{201a}\u{192}\u{201e}\u{2026}\u{2020}\u{2021}\u{2c6}\u{2030}\u{160}\u{2039}\u{152}\u{8d}\u{17d}\u{8f}\
\u{90}\u{2018}\u{2019}\u{201c}\u{201d}\u{2022}\u{2013}\u{2014}\u{2dc}\u{2122}\u{161}\u{203a}\u{153}\u{9d}\u{17e}\u{178}\
\u{a0}\u{a1}\u{a2}\u{a3}\u{a4}\u{a5}\u{a6}\u{a7}\u{a8}\u{a9}\u{aa}\u{ab}\u{ac}\u{ad}\u{ae}\u{af}\
\u{b0}\u{b1}\u{b2}\u{b3}\u{b4}\u{b5}\u{b6}\u{b7}\u{b8}\u{b9}\u{ba}\u{bb}\u{bc}\u{bd}\u{be}\u{bf}\
\u{c0}\u{c1}\u{c2}\u{c3}\u{c4}\u{c5}\u{c6}\u{c7}\u{c8}\u{c9}\u{ca}\u{cb}\u{cc}\u{cd}\u{ce}\u{cf}\
\u{d0}\u{d1}\u{d2}\u{d3}\u{d4}\u{d5}\u{d6}\u{d7}\u{d8}\u{d9}\u{da}\u{db}\u{dc}\u{dd}\u{de}\u{df}\
\u{e0}\u{e1}\u{e2}\u{e3}\u{e4}\u{e5}\u{e6}\u{e7}\u{e8}\u{e9}\u{ea}\u{eb}\u{ec}\u{ed}\u{ee}\u{ef}\
\u{f0}\u{f1}\u{f2}\u{f3}\u{f4}\u{f5}\u{f6}\u{f7}\u{f8}\u{f9}\u{fa}\u{fb}\u{fc}\u{fd}\u{fe}\u{ff}";
/// So many bytes are looked through for what a page says of its own encoding, as browsers do.
const LOOKED_THROUGH: usize = 1024;

/// The text: a byte-order mark says most, then what the answer's header says, then the page itself.
pub(crate) fn decode(bytes: &[u8], header: Option<&str>) -> String {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => return String::from_utf8_lossy(rest).into_owned(),
        [0xff, 0xfe, rest @ ..] => return utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return utf16(rest, u16::from_be_bytes),
        _ => {}
    }
    let said = header.map(str::to_owned).or_else(|| said_within(bytes)).unwrap_or_default().to_ascii_lowercase();
    match said.as_str() {
        "windows-1256" | "cp1256" | "x-cp1256" => by_page(bytes, WINDOWS_1256),
        "windows-1252" | "cp1252" | "iso-8859-1" | "latin1" | "us-ascii" | "ascii" => by_page(bytes, WINDOWS_1252),
        "utf-16le" | "utf-16" => utf16(bytes, u16::from_le_bytes),
        "utf-16be" => utf16(bytes, u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// `<meta charset=…>`, or the same within `<meta http-equiv=content-type content="…; charset=…">`.
fn said_within(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(LOOKED_THROUGH)]).to_ascii_lowercase();
    head.split("<meta").skip(1).find_map(|rest| {
        let (_, value) = rest.split('>').next()?.split_once("charset")?;
        let value = value.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
        let name: String = value.chars().take_while(|it| it.is_ascii_alphanumeric() || "-_".contains(*it)).collect();
        // What could be read so far is not UTF-16.
        (!name.is_empty() && !name.starts_with("utf-16")).then_some(name)
    })
}

fn by_page(bytes: &[u8], page: &str) -> String {
    let upper: Vec<char> = page.chars().collect();
    let one = |byte: &u8| match byte.checked_sub(0x80) {
        None => char::from(*byte),
        Some(at) => upper.get(usize::from(at)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    bytes.iter().map(one).collect()
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_whole() {
        for page in [WINDOWS_1256, WINDOWS_1252] {
            assert_eq!(page.chars().count(), 128);
        }
    }

    #[test]
    fn an_old_persian_page_is_read() {
        // «روزنامه» as windows-1256 has it.
        let word = [0xd1, 0xe6, 0xd2, 0xe4, 0xc7, 0xe3, 0xe5];
        assert_eq!(decode(&word, Some("Windows-1256")), "روزنامه");
        let mut page =
            b"<html><head><meta http-equiv='Content-Type' content='text/html; charset=windows-1256'><title>".to_vec();
        page.extend(word);
        page.extend([0x81, 0x8d, 0x98, 0x90]);
        assert!(decode(&page, None).ends_with("روزنامهپچکگ"), "the letters that only Persian has");
    }

    #[test]
    fn a_mark_says_more_than_the_header_and_the_header_more_than_the_page() {
        assert_eq!(decode("\u{feff}سلام".as_bytes(), Some("windows-1256")), "سلام");
        assert_eq!(decode(b"<meta charset=\"windows-1256\">\xe4", Some("iso-8859-1")).chars().last(), Some('ä'));
        assert_eq!(decode(b"\xff\xfe\x33\x06", None), "س");
        assert_eq!(decode("<meta charset=utf-8>سلام".as_bytes(), None), "<meta charset=utf-8>سلام");
        assert_eq!(decode(b"\xd8", Some("no such thing")), "\u{fffd}");
    }
}
