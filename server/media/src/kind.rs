//! What a worker may spend on a file, by what it is sent as.

use std::time::Duration;

use chapar_protocol::FileKind;

/// In a debug build the generic parts of the decoders are many times slower.
const SLOWER: u64 = if cfg!(debug_assertions) { 4 } else { 1 };

/// The seconds of processor time that a worker has. 12 megapixels take a quarter of a second.
pub(crate) fn cpu_seconds(kind: FileKind) -> u64 {
    let seconds = match kind {
        FileKind::Photo | FileKind::Sticker | FileKind::Poster | FileKind::Avatar | FileKind::Document => 20,
        // Copying 2 GiB, or decoding the samples of a voice message of hours.
        FileKind::Video | FileKind::Round | FileKind::Voice | FileKind::Audio => 60,
    };
    seconds * SLOWER
}

/// How long a worker may take by the clock, which also runs while others have the processor.
pub(crate) fn patience(kind: FileKind) -> Duration {
    Duration::from_secs(cpu_seconds(kind) * 6)
}
