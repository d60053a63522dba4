//! Files, and the bodies that show them: photos, video, voice, music, documents, stickers; places and contacts, which have no file.
//!
//! A file is uploaded first (`/files`, tus 1.0), under an id that is the upload's own. A message names it by that id; what the server
//! knows of the file (size, type, width, length …) it puts into the message by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

use crate::limit;

/// A file, and the upload that brought it: a random UUID, which nobody guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(transparent)]
#[ts(type = "string")]
pub struct FileId(pub Uuid);

impl std::fmt::Display for FileId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a file was uploaded as (`kind` of the upload's metadata). It decides how large it may be and what is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A picture, made anew without what a camera notes in it.
    Photo,
    /// A film.
    Video,
    /// A film in a circle, of whoever speaks.
    Round,
    /// Speech.
    Voice,
    /// Music.
    Audio,
    /// Any file, every byte as it is.
    Document,
    /// A small picture or animation without a background.
    Sticker,
    /// The picture that stands for a video until it plays.
    Poster,
    /// The picture of a person.
    Avatar,
}

impl FileKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Photo,
        Self::Video,
        Self::Round,
        Self::Voice,
        Self::Audio,
        Self::Document,
        Self::Sticker,
        Self::Poster,
        Self::Avatar,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Video => "video",
            Self::Round => "round",
            Self::Voice => "voice",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Sticker => "sticker",
            Self::Poster => "poster",
            Self::Avatar => "avatar",
        }
    }

    /// The kind with this name on the wire.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Most bytes that such a file may have.
    pub fn most_bytes(self) -> u64 {
        match self {
            Self::Video | Self::Audio | Self::Document => limit::UPLOAD_BYTES,
            Self::Photo => limit::PHOTO_BYTES,
            Self::Round | Self::Voice => limit::VOICE_BYTES,
            Self::Sticker => limit::STICKER_BYTES,
            Self::Poster | Self::Avatar => limit::AVATAR_BYTES,
        }
    }
}

/// How far a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Not all of it is there.
    Uploading,
    /// It is looked at.
    Preparing,
    /// Messages can name it.
    Ready,
    /// It is not what it was uploaded as, or cannot be read: `refused` says why. As a document it can still be sent.
    Refused,
    /// The operator's scanner found something in it.
    Held,
}
