//! What comes as a file is looked at, made safe and made small, in a process that can do no harm.
//!
//! ```text
//! node: prepare ──▶ Workers ──spawn──▶ `chapar media-worker`: limits, landlock, then work()
//!                      ▲                    │ kind ──▶ picture | movie | voice | sound | document
//!                      └──── answer ────────┘ files into the job's own folder
//! ```
//! [`prepare`] is what the node calls; [`work`] is what the worker does. The node itself reads only the first 4 KiB of a
//! file ([`Format::of`]); everything that parses or decodes happens in the worker.
#![forbid(unsafe_code)]

mod film;
mod kind;
mod magic;
mod mp4;
mod picture;
mod sound;
mod voice;
mod webm;
pub mod work;
pub mod worker;

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use chapar_protocol::FileKind;
pub use magic::{Format, HEAD, may_stand_inline};
pub use work::work;
pub use worker::Workers;

/// What is known of a file, and what was made from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The media type of what is kept: of `replaced` where there is one.
    pub mime: String,
    /// In pixels, upright.
    pub width: Option<u32>,
    /// In pixels, upright.
    pub height: Option<u32>,
    /// In milliseconds.
    pub duration_ms: Option<u32>,
    /// A thumbhash of at most 40 bytes, base64 without padding.
    pub preview: Option<String>,
    /// 100 values of 5 bits, the lowest bits first: 63 bytes, base64 without padding.
    pub waveform: Option<String>,
    /// Whether a picture moves.
    pub animated: bool,
    /// What a piece of music says of itself, at most 200 characters.
    pub title: Option<String>,
    /// Who plays it, at most 200 characters.
    pub performer: Option<String>,
    /// What is kept instead of the original: a photo made anew, a voice message as Ogg, a film put right.
    pub replaced: Option<PathBuf>,
    /// Smaller JPEGs: the longer side's bound (320, 800, 1280; 80 and 320 of an avatar) and the file.
    pub variants: Vec<(u16, PathBuf)>,
}

/// Why a file cannot be sent as what it was sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A format that this kind does not take.
    #[error("this format cannot be sent as this kind of message, but as a document")]
    WrongFormat,
    /// The container is known, what is in it is not.
    #[error("the codec inside is not one that people's devices play")]
    WrongCodec,
    /// It cannot be decoded, ends too early, or contradicts itself.
    #[error("the file is damaged or incomplete")]
    Broken,
    /// The worker died of its limits.
    #[error("the file needs more memory or time than it may")]
    Bomb,
}

/// Why there is no [`Prepared`].
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// It will never do; the same file is refused again.
    #[error("{0}")]
    Refused(Reason),
    /// More pixels, frames or time than this kind may have.
    #[error("more pixels, frames or seconds than may be")]
    TooLarge,
    /// This machine failed, not the file: worth another try.
    #[error("the worker failed: {0}")]
    Failed(#[from] io::Error),
}

/// Looks at `input` in a worker of its own and puts what is made from it into the empty folder `out`.
///
/// A document is never refused: one that cannot be decoded, or whose worker dies of it, is kept as it is.
///
/// # Errors
/// See [`PrepareError`]; only [`PrepareError::Failed`] is worth another try.
pub async fn prepare(workers: &Workers, kind: FileKind, input: &Path, out: &Path) -> Result<Prepared, PrepareError> {
    match workers.run(kind, input, out).await {
        Err(PrepareError::Refused(_) | PrepareError::TooLarge) if kind == FileKind::Document => {
            Ok(work::as_it_is(work::format_of(input)?))
        }
        answer => answer,
    }
}
