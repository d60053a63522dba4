//! Lines.

use super::SdpError;
use super::candidate::number;

/// The most lines.
const MAX_LINES: usize = 600;
const MAX_LINE: usize = 512;

/// The lines of a description, each `(x, …)` for `x=…`.
pub(crate) struct Lines<'a> {
    lines: std::vec::IntoIter<(char, &'a str)>,
}

impl<'a> Lines<'a> {
    /// Splits at CRLF or LF (RFC 8866 section 5 asks parsers to take both). A CR in another place, any other control
    /// character and everything outside ASCII is refused: whoever reads it next may split there.
    pub(crate) fn new(text: &'a str) -> Result<Self, SdpError> {
        let mut lines = Vec::new();
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if !line.bytes().all(|b| (0x20..0x7f).contains(&b)) {
                return Err(SdpError::Control);
            }
            if lines.len() == MAX_LINES {
                return Err(SdpError::TooMany("lines"));
            }
            if line.len() > MAX_LINE {
                return Err(SdpError::Malformed("a line over 512 bytes"));
            }
            let (kind, value) = line.split_once('=').ok_or(SdpError::Malformed("a line without ="))?;
            let mut kinds = kind.chars();
            match (kinds.next(), kinds.next()) {
                (Some(kind), None) if kind.is_ascii_lowercase() => lines.push((kind, value)),
                _ => return Err(SdpError::Malformed("a line that does not begin with one letter")),
            }
        }
        Ok(Self { lines: lines.into_iter() })
    }

    /// The next line, unless a media section begins there.
    pub(crate) fn next_before_media(&mut self) -> Option<(char, &'a str)> {
        if self.lines.as_slice().first()?.0 == 'm' { None } else { self.lines.next() }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (char, &'a str);
    fn next(&mut self) -> Option<Self::Item> {
        self.lines.next()
    }
}

/// The session's id and version in `o=`.
pub(crate) fn origin(value: &str) -> Result<(u64, u64), SdpError> {
    let mut words = value.split(' ').skip(1);
    let id = words.next().and_then(number);
    let version = words.next().and_then(number);
    id.zip(version).ok_or(SdpError::Malformed("origin"))
}
