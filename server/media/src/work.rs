//! What the worker does with one file. It may die of any of it.

use std::{fs::File, io, io::Read as _, path::Path};

use serde::{Deserialize, Serialize};

use crate::{FileKind, Format, HEAD, Prepared, Reason, film, picture, sound, voice};

/// Why the worker has no [`Prepared`]; [`crate::PrepareError`] that can be written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It will never do.
    Refused(Reason),
    /// More than this kind may have.
    TooLarge,
    /// This machine failed.
    Failed(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A parser's word for "ends too early" and "cannot be".
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => BROKEN,
            _ => Self::Failed(error.to_string()),
        }
    }
}

pub(crate) const BROKEN: Refusal = Refusal::Refused(Reason::Broken);
pub(crate) const WRONG_FORMAT: Refusal = Refusal::Refused(Reason::WrongFormat);

/// Looks at `input` and puts what is made from it into `out`, in this process: what [`crate::prepare`] has done elsewhere.
///
/// # Errors
/// When it cannot be sent as `kind`.
pub fn work(kind: FileKind, input: &Path, out: &Path) -> Result<Prepared, Refusal> {
    let format = format_of(input)?;
    match kind {
        FileKind::Photo => picture::photo(format, input, out),
        FileKind::Poster => picture::poster(format, input, out),
        FileKind::Avatar => picture::avatar(format, input, out),
        FileKind::Sticker => picture::sticker(format, input, out),
        FileKind::Document if format.image().is_some() => {
            picture::of_document(format, input, out).or_else(|refusal| unless_failed(refusal, format))
        }
        FileKind::Document => Ok(as_it_is(format)),
        FileKind::Video | FileKind::Round => film::video(kind, format, input, out),
        FileKind::Voice => voice::voice(format, input, out),
        FileKind::Audio => sound::audio(format, input),
    }
}

fn unless_failed(refusal: Refusal, format: Format) -> Result<Prepared, Refusal> {
    if matches!(refusal, Refusal::Failed(_)) { Err(refusal) } else { Ok(as_it_is(format)) }
}

/// A file of which nothing is known but its format.
pub(crate) fn as_it_is(format: Format) -> Prepared {
    Prepared { mime: format.mime().to_owned(), ..Prepared::default() }
}

/// The format of the file at `path`.
pub(crate) fn format_of(path: &Path) -> io::Result<Format> {
    let mut head = Vec::with_capacity(HEAD);
    File::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(Format::of(&head))
}
