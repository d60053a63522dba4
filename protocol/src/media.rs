//! Files, and the bodies that show them: photos, video, voice, music, documents, stickers; places and contacts, which have no file.
//!
//! A file is uploaded first (`/files`, tus 1.0), under an id that is the upload's own. A message names it by that id; what the server
//! knows of the file (size, type, width, length …) it puts into the message by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

use crate::{ChatId, ErrorCode, Seq, UserId, limit, message::Entity, sticker::PackId};

mod access;
pub mod check;

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

/// What the own user may know of a file of theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct FileInfo {
    /// Which.
    pub id: FileId,
    /// What it was uploaded as.
    pub kind: FileKind,
    /// How far it has come.
    pub state: FileState,
    /// Its length in bytes: of what readers are given, once it is ready.
    pub size: u64,
    /// Bytes of it that are stored.
    pub received: u64,
    /// What it is, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub mime: Option<String>,
    /// The name that it was uploaded under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
    /// In pixels, upright.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub width: Option<u32>,
    /// In pixels, upright.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub height: Option<u32>,
    /// How long it plays, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub duration_ms: Option<u32>,
    /// A tiny preview: see [`PhotoBody::preview`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub preview: Option<String>,
    /// How loud it is: see [`VoiceBody::waveform`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub waveform: Option<String>,
    /// The sizes that were made of it: see [`PhotoBody::sizes`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<u16>>", optional)]
    pub sizes: Vec<u16>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub refused: Option<ErrorCode>,
}

/// A file as a message shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct StoredFile {
    /// Which.
    pub id: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// What it is, as the server found: never by its name.
    pub mime: String,
    /// The name to save it under: no path, and nothing that would turn the text around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
}

/// A message that shows a file already, where whoever names it may read it: so a file is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct FileSource {
    /// In which chat.
    pub chat_id: ChatId,
    /// Which message.
    pub seq: Seq,
}

/// The file that a new message names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct NamedFile {
    /// One's own, or, with `from`, the one of that message.
    pub file_id: FileId,
    /// The message that shows it already. The new message then has a file of one's own, of the same content, under another id: it lives
    /// on when the other message is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub from: Option<FileSource>,
}

/// Text under a file. The rules of [`crate::message::Text`], but that there may be none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Caption {
    /// At most 4096 UTF-16 code units, without U+0000; absent when there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[ts(as = "Option<String>", optional)]
    pub text: String,
    /// The marks, by offset; an outer one before those inside it. At most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Entity>>", optional)]
    pub entities: Vec<Entity>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(crate) fn is_false(flag: &bool) -> bool {
    !*flag
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )+};
}

bodies! {
    /// A picture.
    PhotoBody {
        /// As large as it is kept.
        file: StoredFile,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// What is shown until the picture has come: a thumbhash of at most 40 bytes, in base64 without padding.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        preview: Option<String>,
        /// The smaller sizes in which there is a JPEG of it, by the longer side: of 320, 800, 1280 and 2560.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<u16>>", optional)]
        sizes: Vec<u16>,
        #[serde(flatten)]
        #[doc = "The text under it."]
        caption: Caption,
        /// Covered until it is touched.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        spoiler: bool,
        /// The same in all messages of one album, which stand one after the other.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        album: Option<Uuid>,
    }
    /// A film.
    VideoBody {
        /// The file.
        file: StoredFile,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// How long it plays, in milliseconds.
        duration_ms: u32,
        /// What is shown until its poster has come: see [`PhotoBody::preview`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        preview: Option<String>,
        /// The picture that stands for it until it plays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        poster: Option<FileId>,
        #[serde(flatten)]
        #[doc = "The text under it."]
        caption: Caption,
        /// Covered until it is touched.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        spoiler: bool,
        /// The same in all messages of one album.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        album: Option<Uuid>,
    }
    /// A film in a circle, of whoever speaks.
    RoundBody {
        /// The file.
        file: StoredFile,
        /// How long it plays, in milliseconds.
        duration_ms: u32,
        /// What is shown until its poster has come: see [`PhotoBody::preview`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        preview: Option<String>,
        /// The picture that stands for it until it plays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        poster: Option<FileId>,
    }
    /// Speech.
    VoiceBody {
        /// Ogg Opus.
        file: StoredFile,
        /// How long it plays, in milliseconds.
        duration_ms: u32,
        /// How loud it is: 100 values of 5 bits, packed from the lowest bit on into 63 bytes, in base64 without padding.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        waveform: Option<String>,
        #[serde(flatten)]
        #[doc = "The text under it."]
        caption: Caption,
    }
    /// Music.
    AudioBody {
        /// The file.
        file: StoredFile,
        /// How long it plays, in milliseconds; 0 when nobody knows.
        duration_ms: u32,
        /// What it is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        title: Option<String>,
        /// Who plays or sings.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        performer: Option<String>,
        #[serde(flatten)]
        #[doc = "The text under it."]
        caption: Caption,
        /// The same in all messages of one album.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        album: Option<Uuid>,
    }
    /// Any file.
    DocumentBody {
        /// The file, every byte as it was.
        file: StoredFile,
        /// In pixels, where it is a picture.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        width: Option<u32>,
        /// In pixels, where it is a picture.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        height: Option<u32>,
        /// See [`PhotoBody::preview`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        preview: Option<String>,
        /// See [`PhotoBody::sizes`].
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<u16>>", optional)]
        sizes: Vec<u16>,
        #[serde(flatten)]
        #[doc = "The text under it."]
        caption: Caption,
        /// The same in all messages of one album.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        album: Option<Uuid>,
    }
    /// A small picture or animation without a background.
    StickerBody {
        /// The file.
        file: StoredFile,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// The emoji that it stands for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        emoji: Option<String>,
        /// It moves.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        animated: bool,
        /// The pack that it is of. The file is the pack's own then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        pack_id: Option<PackId>,
    }
    /// A place on the earth (WGS 84), to a millionth of a degree.
    LocationBody {
        /// In degrees, −90 to 90.
        latitude: f64,
        /// In degrees, −180 to 180.
        longitude: f64,
        /// How far it may be off, in metres.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        accuracy_m: Option<u32>,
    }
    /// Somebody's address.
    ContactBody {
        /// 1 to 128 characters.
        name: String,
        /// Digits, 3 to 15 of them, with or without a `+` before them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        phone: Option<String>,
        /// Who it is here. The server does not look whether there is somebody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        user_id: Option<UserId>,
    }
    /// A picture to be sent.
    NewPhoto {
        #[serde(flatten)]
        #[doc = "A `photo`."]
        file: NamedFile,
        #[serde(flatten)]
        #[doc = "The text under it."]
        caption: Caption,
        /// Covered until it is touched.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        spoiler: bool,
        /// In `send_album` only, the same in all its items; the first client id when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        album: Option<Uuid>,
    }
    /// A film to be sent. What the server finds in the file counts more than what is said here.
    NewVideo {
        #[serde(flatten)]
        #[doc = "A `video`."]
        file: NamedFile,
        /// In pixels, 1 to 65,535.
        width: u32,
        /// In pixels, 1 to 65,535.
        height: u32,
        /// How long it plays, in milliseconds, at most a day.
        duration_ms: u32,
        /// A thumbhash of at most 40 bytes, in base64 without padding.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        preview: Option<String>,
        /// A file of the kind `poster`; where the film is forwarded, its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        poster: Option<FileId>,
        #[serde(flatten)]
        #[doc = "The text under it."]
        caption: Caption,
        /// Covered until it is touched.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        spoiler: bool,
        /// In `send_album` only: see [`NewPhoto::album`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        album: Option<Uuid>,
    }
    /// A film in a circle to be sent.
    NewRound {
        #[serde(flatten)]
        #[doc = "A `round`."]
        file: NamedFile,
        /// How long it plays, in milliseconds, at most a day.
        duration_ms: u32,
        /// A thumbhash of at most 40 bytes, in base64 without padding.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        preview: Option<String>,
        /// A file of the kind `poster`; where the film is forwarded, its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        poster: Option<FileId>,
    }
    /// Speech to be sent.
    NewVoice {
        #[serde(flatten)]
        #[doc = "A `voice`."]
        file: NamedFile,
        /// How long it plays, in milliseconds, at most a day. The server counts by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        duration_ms: Option<u32>,
        /// How loud it is: see [`VoiceBody::waveform`]. The server computes it where it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        waveform: Option<String>,
        #[serde(flatten)]
        #[doc = "The text under it."]
        caption: Caption,
    }
    /// Music to be sent.
    NewAudio {
        #[serde(flatten)]
        #[doc = "An `audio`."]
        file: NamedFile,
        /// How long it plays, in milliseconds, at most a day. The server counts by itself where it can.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        duration_ms: Option<u32>,
        /// What it is called, 1 to 128 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        title: Option<String>,
        /// Who plays or sings, 1 to 128 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        performer: Option<String>,
        #[serde(flatten)]
        #[doc = "The text under it."]
        caption: Caption,
        /// In `send_album` only: see [`NewPhoto::album`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        album: Option<Uuid>,
    }
    /// Any file to be sent.
    NewDocument {
        #[serde(flatten)]
        #[doc = "A `document`, or a file of any kind that could not be read as what it was uploaded as."]
        file: NamedFile,
        #[serde(flatten)]
        #[doc = "The text under it."]
        caption: Caption,
        /// In `send_album` only: see [`NewPhoto::album`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        album: Option<Uuid>,
    }
    /// A sticker to be sent.
    NewSticker {
        #[serde(flatten)]
        #[doc = "A `sticker`."]
        file: NamedFile,
        /// The emoji that it stands for. That of the pack counts more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        emoji: Option<String>,
        /// The pack of which it is: its file then need not be one's own. Not together with `from`, which brings the pack of that message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        pack_id: Option<PackId>,
    }
    /// One message of an album.
    AlbumItem {
        /// Made by the client, as for a single message.
        client_id: Uuid,
        /// A photo, a video, music or a document.
        body: crate::message::NewBody,
    }
    /// A file in a message.
    FileAt {
        /// In which message.
        seq: Seq,
        /// Which of its files.
        file_id: FileId,
    }
    /// Where a file is to be had for a while.
    FileLink {
        /// Which.
        file_id: FileId,
        /// `original`, or one of its sizes: `320` …
        size: String,
        /// A path on this server, with nothing to be added. It is for the asking user alone.
        url: String,
    }
}
