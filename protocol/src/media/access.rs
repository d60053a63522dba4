//! What bodies of different kinds have in common.

use uuid::Uuid;

use super::{Caption, FileId, FileKind, NamedFile, StoredFile};
use crate::message::{Body, NewBody};

impl Body {
    /// Its file, if it has one.
    pub fn file(&self) -> Option<&StoredFile> {
        match self {
            Self::Photo(it) => Some(&it.file),
            Self::Video(it) => Some(&it.file),
            Self::Round(it) => Some(&it.file),
            Self::Voice(it) => Some(&it.file),
            Self::Audio(it) => Some(&it.file),
            Self::Document(it) => Some(&it.file),
            Self::Sticker(it) => Some(&it.file),
            Self::Text(_)
            | Self::Location(_)
            | Self::Contact(_)
            | Self::Poll(_)
            | Self::Service { .. }
            | Self::Deleted
            | Self::Unknown(_) => None,
        }
    }

    /// As what it shows its file.
    pub fn file_kind(&self) -> Option<FileKind> {
        Some(match self {
            Self::Photo(_) => FileKind::Photo,
            Self::Video(_) => FileKind::Video,
            Self::Round(_) => FileKind::Round,
            Self::Voice(_) => FileKind::Voice,
            Self::Audio(_) => FileKind::Audio,
            Self::Document(_) => FileKind::Document,
            Self::Sticker(_) => FileKind::Sticker,
            _ => return None,
        })
    }

    /// The picture that stands for it until it plays.
    pub fn poster(&self) -> Option<FileId> {
        match self {
            Self::Video(it) => it.poster,
            Self::Round(it) => it.poster,
            _ => None,
        }
    }

    /// All files that it names: its own, and its poster.
    pub fn files(&self) -> impl Iterator<Item = FileId> {
        self.file().map(|file| file.id).into_iter().chain(self.poster())
    }

    /// The smaller sizes in which there is a JPEG of it.
    pub fn sizes(&self) -> &[u16] {
        match self {
            Self::Photo(it) => &it.sizes,
            Self::Document(it) => &it.sizes,
            _ => &[],
        }
    }

    /// The text under its file; absent where there can be none.
    pub fn caption(&self) -> Option<&Caption> {
        match self {
            Self::Photo(it) => Some(&it.caption),
            Self::Video(it) => Some(&it.caption),
            Self::Voice(it) => Some(&it.caption),
            Self::Audio(it) => Some(&it.caption),
            Self::Document(it) => Some(&it.caption),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn caption_mut(&mut self) -> Option<&mut Caption> {
        match self {
            Self::Photo(it) => Some(&mut it.caption),
            Self::Video(it) => Some(&mut it.caption),
            Self::Voice(it) => Some(&mut it.caption),
            Self::Audio(it) => Some(&mut it.caption),
            Self::Document(it) => Some(&mut it.caption),
            _ => None,
        }
    }

    /// The album that it stands in.
    pub fn album(&self) -> Option<Uuid> {
        match self {
            Self::Photo(it) => it.album,
            Self::Video(it) => it.album,
            Self::Audio(it) => it.album,
            Self::Document(it) => it.album,
            _ => None,
        }
    }

    /// Puts it into an album, where its kind can stand in one.
    pub fn set_album(&mut self, album: Uuid) {
        let place = match self {
            Self::Photo(it) => &mut it.album,
            Self::Video(it) => &mut it.album,
            Self::Audio(it) => &mut it.album,
            Self::Document(it) => &mut it.album,
            _ => return,
        };
        *place = Some(album);
    }

    /// Has it name other files in the place of those that it names.
    pub fn rename_files(&mut self, other: impl Fn(FileId) -> FileId) {
        let (file, poster) = match self {
            Self::Photo(it) => (&mut it.file, None),
            Self::Video(it) => (&mut it.file, it.poster.as_mut()),
            Self::Round(it) => (&mut it.file, it.poster.as_mut()),
            Self::Voice(it) => (&mut it.file, None),
            Self::Audio(it) => (&mut it.file, None),
            Self::Document(it) => (&mut it.file, None),
            Self::Sticker(it) => (&mut it.file, None),
            _ => return,
        };
        file.id = other(file.id);
        if let Some(poster) = poster {
            *poster = other(*poster);
        }
    }

    /// Whether it can stand in another chat: it says something, and names nothing of the chat that it is in.
    pub fn is_forwardable(&self) -> bool {
        match self {
            Self::Text(_) | Self::Location(_) | Self::Contact(_) => true,
            _ => self.file().is_some(),
        }
    }
}

impl NewBody {
    /// The file that it names, and as what.
    pub fn file(&self) -> Option<(FileKind, NamedFile)> {
        Some(match self {
            Self::Photo(it) => (FileKind::Photo, it.file),
            Self::Video(it) => (FileKind::Video, it.file),
            Self::Round(it) => (FileKind::Round, it.file),
            Self::Voice(it) => (FileKind::Voice, it.file),
            Self::Audio(it) => (FileKind::Audio, it.file),
            Self::Document(it) => (FileKind::Document, it.file),
            Self::Sticker(it) => (FileKind::Sticker, it.file),
            Self::Text(_) | Self::Location(_) | Self::Contact(_) | Self::Poll(_) => return None,
        })
    }

    /// The picture that stands for it until it plays.
    pub fn poster(&self) -> Option<FileId> {
        match self {
            Self::Video(it) => it.poster,
            Self::Round(it) => it.poster,
            _ => None,
        }
    }

    /// The text under its file; absent where there can be none.
    pub fn caption(&self) -> Option<&Caption> {
        match self {
            Self::Photo(it) => Some(&it.caption),
            Self::Video(it) => Some(&it.caption),
            Self::Voice(it) => Some(&it.caption),
            Self::Audio(it) => Some(&it.caption),
            Self::Document(it) => Some(&it.caption),
            _ => None,
        }
    }

    /// The album that it is to stand in.
    pub fn album(&self) -> Option<Uuid> {
        match self {
            Self::Photo(it) => it.album,
            Self::Video(it) => it.album,
            Self::Audio(it) => it.album,
            Self::Document(it) => it.album,
            _ => None,
        }
    }

    /// Puts it into an album, where its kind can stand in one.
    pub fn set_album(&mut self, album: Uuid) {
        let place = match self {
            Self::Photo(it) => &mut it.album,
            Self::Video(it) => &mut it.album,
            Self::Audio(it) => &mut it.album,
            Self::Document(it) => &mut it.album,
            _ => return,
        };
        *place = Some(album);
    }

    /// Has it name this file, as one's own; its poster stays.
    pub fn set_file(&mut self, file_id: FileId) {
        let poster = self.poster();
        self.rename_files(|id| if Some(id) == poster { id } else { file_id });
    }

    /// Has it name other files in the place of those that it names, as one's own.
    pub fn rename_files(&mut self, other: impl Fn(FileId) -> FileId) {
        let (file, poster) = match self {
            Self::Photo(it) => (&mut it.file, None),
            Self::Video(it) => (&mut it.file, it.poster.as_mut()),
            Self::Round(it) => (&mut it.file, it.poster.as_mut()),
            Self::Voice(it) => (&mut it.file, None),
            Self::Audio(it) => (&mut it.file, None),
            Self::Document(it) => (&mut it.file, None),
            Self::Sticker(it) => (&mut it.file, None),
            Self::Text(_) | Self::Location(_) | Self::Contact(_) | Self::Poll(_) => return,
        };
        *file = NamedFile { file_id: other(file.file_id), from: None };
        if let Some(poster) = poster {
            *poster = other(*poster);
        }
    }
}
