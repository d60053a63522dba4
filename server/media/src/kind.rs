//! What a file is sent as, and what that allows.

use serde::{Deserialize, Serialize};

/// What a file is sent as; the `kind` of the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A picture, made anew in bounded sizes.
    Photo,
    /// A film with its sound.
    Video,
    /// A short film that is shown in a circle.
    Round,
    /// A voice message.
    Voice,
    /// Music, a recording.
    Audio,
    /// Anything, with every byte kept.
    Document,
    /// A picture without a frame, which may move.
    Sticker,
    /// The picture that stands for a film until it plays.
    Poster,
    /// The picture of a person or a chat.
    Avatar,
}

impl FileKind {
    /// The seconds of processor time that a worker has. 12 megapixels take a quarter of a second.
    pub(crate) fn cpu_seconds(self) -> u64 {
        match self {
            Self::Photo | Self::Sticker | Self::Poster | Self::Avatar | Self::Document => 20,
            // Copying 2 GiB, or decoding the samples of a voice message of hours.
            Self::Video | Self::Round | Self::Voice | Self::Audio => 60,
        }
    }

    /// How long a worker may take by the clock, which also runs while others have the processor.
    pub(crate) fn patience(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.cpu_seconds() * 6)
    }
}
