//! The files that messages name: asked of the people's side, and what is known of them put into the bodies. A client's word counts only
//! where the server knows nothing.

use std::collections::{BTreeMap, HashMap};

use chapar_domain::refusal::refusal;
use chapar_protocol::{
    Body, ChatId, ErrorCode, FileId, FileKind, PackId, Seq, UserId, WireError,
    media::{
        AudioBody, DocumentBody, FileSource, FileState, NewSticker, PhotoBody, RoundBody, StickerBody, StoredFile,
        VideoBody, VoiceBody,
    },
    message::NewBody,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::send::New;
use crate::{
    app::App,
    store::{StoreError, people::files::KnownFile},
};

/// After so long a file that is looked at is asked for again: most are ready by then.
const NOT_READY_MS: u32 = 250;

/// What is known of files, by the id under which a new message names them.
pub(super) type Known = HashMap<FileId, KnownFile>;

/// Bodies as they are stored, in the order of the messages. Files of others, from messages that may be read, are copied first.
pub(super) async fn bodies(app: &App, user: UserId, new: &[New]) -> Result<Vec<Body>, StoreError> {
    let named = |it: &New| it.checked.file().map(|(_, file)| (file, it.checked.poster()));
    let mut own = Vec::new();
    let mut known = Known::new();
    let mut stickers: HashMap<Uuid, (PackId, Option<String>)> = HashMap::new();
    let mut foreign: BTreeMap<(ChatId, Seq), Vec<(FileId, FileId)>> = BTreeMap::new();
    for it in new {
        let Some((file, poster)) = named(it) else { continue };
        if let NewBody::Sticker(NewSticker { pack_id: Some(pack), .. }) = it.checked {
            // The pack's own file, whoever made the pack: so each sticker is loaded once, however many send it.
            let held = app.store.people.hold_sticker(pack, file.file_id).await?;
            let (held, emoji) = held.ok_or_else(not_found)?;
            known.insert(held.id, held);
            stickers.insert(it.client_id, (pack, emoji));
            continue;
        }
        let ids = std::iter::once(file.file_id).chain(poster);
        match file.from {
            None => own.extend(ids),
            Some(FileSource { chat_id, seq }) => {
                let copies = ids.map(|id| (id, copy_id(user, it.client_id, id)));
                foreign.entry((chat_id, seq)).or_default().extend(copies);
            }
        }
    }
    if !own.is_empty() {
        let held = app.store.people.hold_files(user, &own).await?;
        known.extend(held.into_iter().map(|file| (file.id, file)));
    }
    if !foreign.is_empty() {
        let (copies, packs) = readable(app, user, foreign).await?;
        for it in new {
            let from = it.checked.file().and_then(|(_, file)| file.from);
            if let Some(pack) = from.and_then(|from| packs.get(&(from.chat_id, from.seq))) {
                stickers.insert(it.client_id, (*pack, None));
            }
        }
        let held = app.store.people.copy_files(user, &copies).await?;
        known.extend(held.into_iter().map(|file| (file.id, file)));
    }
    let stored = |it: &New| {
        let mut body = it.checked.clone();
        if let NewBody::Sticker(sticker) = &mut body
            && let Some((pack, emoji)) = stickers.get(&it.client_id)
        {
            sticker.pack_id = Some(*pack);
            sticker.emoji = emoji.clone().or(sticker.emoji.take());
        }
        if named(it).is_some_and(|(file, _)| file.from.is_some()) {
            body.rename_files(|id| copy_id(user, it.client_id, id));
        }
        stored(body, &known)
    };
    Ok(new.iter().map(stored).collect::<Result<_, _>>()?)
}

/// Copies of files, each by original and copy, and the packs of the stickers among the originals, by their messages.
type Readable = (Vec<(FileId, FileId)>, HashMap<(ChatId, Seq), PackId>);

/// Those copies whose originals stand in messages that the user may read, or a refusal if there is one that does not.
async fn readable(
    app: &App,
    user: UserId,
    foreign: BTreeMap<(ChatId, Seq), Vec<(FileId, FileId)>>,
) -> Result<Readable, StoreError> {
    let mut by_chat: BTreeMap<ChatId, Vec<Seq>> = BTreeMap::new();
    for (chat, seq) in foreign.keys() {
        by_chat.entry(*chat).or_default().push(*seq);
    }
    let mut there = HashMap::new();
    for (chat, seqs) in by_chat {
        let shown = match app.store.chats.shown(user, chat, &seqs).await {
            // Whoever is not in it learns nothing of what is in it.
            Err(StoreError::Refused(error)) if error.code == ErrorCode::ChatNotFound => return Err(not_found().into()),
            shown => shown?,
        };
        // To send a file of another's message is to forward it.
        if app.store.chats.info(chat).await?.is_some_and(|info| info.settings.no_forwarding) {
            return Err(refusal(ErrorCode::NoForwarding).into());
        }
        there.extend(shown.into_iter().map(|it| ((chat, it.seq), it.body)));
    }
    let mut copies = Vec::new();
    for (place, wanted) in foreign {
        let shows = |id: FileId| there.get(&place).is_some_and(|body| body.files().any(|it| it == id));
        if !wanted.iter().all(|(id, _)| shows(*id)) {
            return Err(not_found().into());
        }
        copies.extend(wanted);
    }
    let pack = |(place, body): (_, Body)| match body {
        Body::Sticker(sticker) => sticker.pack_id.map(|pack| (place, pack)),
        _ => None,
    };
    Ok((copies, there.into_iter().filter_map(pack).collect()))
}

/// The id of a copy: the same for every try of the same message, and not to be guessed by whoever does not know the file.
pub(super) fn copy_id(user: UserId, message: Uuid, file: FileId) -> FileId {
    let digest = Sha256::new()
        .chain_update(b"chapar copy")
        .chain_update(user.0.to_be_bytes())
        .chain_update(message)
        .chain_update(file.0)
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Made of a hash: version 8 (RFC 9562, section 5.8).
    FileId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

fn not_found() -> WireError {
    WireError::new(ErrorCode::FileNotFound, "there is no such file, or you may not name it")
}

/// A file of this kind that messages can name.
///
/// # Errors
/// Why it is none.
pub(in crate::commands) fn usable(file: Option<&KnownFile>, kind: FileKind) -> Result<&KnownFile, WireError> {
    let file = file.ok_or_else(not_found)?;
    match file.state {
        FileState::Uploading | FileState::Preparing => {
            let error =
                WireError::new(ErrorCode::FileNotReady, "not all of the file is there, or it is still looked at");
            return Err(error.after_ms(NOT_READY_MS));
        }
        FileState::Refused => {
            let code = file.refused.unwrap_or(ErrorCode::FileRefused);
            return Err(WireError::new(code, "this file cannot be sent as what it was uploaded as"));
        }
        FileState::Held => {
            return Err(WireError::new(ErrorCode::FileHeld, "the operator's scanner found something in this file"));
        }
        FileState::Ready => {}
    }
    if file.kind == kind {
        Ok(file)
    } else {
        Err(WireError::new(ErrorCode::FileRefused, "this file was uploaded as something else"))
    }
}

/// A body as it is stored: what is known of its files in the place of their ids.
///
/// # Errors
/// Why its file cannot be named.
pub(super) fn stored(body: NewBody, known: &Known) -> Result<Body, WireError> {
    let main = match body.file() {
        Some((kind, named)) => Some(usable(known.get(&named.file_id), kind)?),
        None => None,
    };
    if let Some(poster) = body.poster() {
        usable(known.get(&poster), FileKind::Poster)?;
    }
    Ok(match (body, main) {
        (NewBody::Text(text), _) => Body::Text(text),
        (NewBody::Location(place), _) => Body::Location(place),
        (NewBody::Contact(contact), _) => Body::Contact(contact),
        (NewBody::Poll(poll), _) => Body::Poll(poll.begin()),
        (NewBody::Photo(it), Some(of)) => Body::Photo(PhotoBody {
            file: shown(of),
            width: of.width.unwrap_or(0),
            height: of.height.unwrap_or(0),
            preview: of.preview.clone(),
            sizes: of.sizes.clone(),
            caption: it.caption,
            spoiler: it.spoiler,
            album: it.album,
        }),
        (NewBody::Video(it), Some(of)) => Body::Video(VideoBody {
            file: shown(of),
            width: of.width.unwrap_or(it.width),
            height: of.height.unwrap_or(it.height),
            duration_ms: of.duration_ms.unwrap_or(it.duration_ms),
            preview: of.preview.clone().or(it.preview),
            poster: it.poster,
            caption: it.caption,
            spoiler: it.spoiler,
            album: it.album,
        }),
        (NewBody::Round(it), Some(of)) => Body::Round(RoundBody {
            file: shown(of),
            duration_ms: of.duration_ms.unwrap_or(it.duration_ms),
            preview: of.preview.clone().or(it.preview),
            poster: it.poster,
        }),
        (NewBody::Voice(it), Some(of)) => Body::Voice(VoiceBody {
            file: shown(of),
            duration_ms: of.duration_ms.or(it.duration_ms).unwrap_or(0),
            waveform: of.waveform.clone().or(it.waveform),
            caption: it.caption,
        }),
        (NewBody::Audio(it), Some(of)) => Body::Audio(AudioBody {
            file: shown(of),
            duration_ms: of.duration_ms.or(it.duration_ms).unwrap_or(0),
            title: it.title,
            performer: it.performer,
            caption: it.caption,
            album: it.album,
        }),
        (NewBody::Document(it), Some(of)) => Body::Document(DocumentBody {
            file: shown(of),
            width: of.width,
            height: of.height,
            preview: of.preview.clone(),
            sizes: of.sizes.clone(),
            caption: it.caption,
            album: it.album,
        }),
        (NewBody::Sticker(it), Some(of)) => Body::Sticker(StickerBody {
            file: shown(of),
            width: of.width.unwrap_or(0),
            height: of.height.unwrap_or(0),
            emoji: it.emoji,
            animated: of.animated,
            pack_id: it.pack_id,
        }),
        (_, None) => return Err(not_found()),
    })
}

pub(super) fn shown(file: &KnownFile) -> StoredFile {
    StoredFile {
        id: file.id,
        size: file.size,
        mime: file.mime.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
        name: file.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(kind: FileKind) -> KnownFile {
        KnownFile {
            id: FileId(Uuid::from_u128(1)),
            kind,
            state: FileState::Ready,
            size: 7,
            received: 7,
            mime: Some("video/mp4".into()),
            name: None,
            width: None,
            height: Some(20),
            duration_ms: Some(3000),
            preview: None,
            waveform: None,
            animated: false,
            title: None,
            performer: None,
            sizes: Vec::new(),
            refused: None,
        }
    }

    #[test]
    fn the_servers_word_counts_and_the_clients_where_there_is_none() {
        let json = r#"{"kind":"video","file_id":"00000000-0000-0000-0000-000000000001","width":10,"height":10,"duration_ms":9,
            "preview":"AAAAAAA"}"#;
        let new: NewBody = serde_json::from_str(json).expect("is a body");
        let known = |kind| HashMap::from([(FileId(Uuid::from_u128(1)), ready(kind))]);
        let Body::Video(video) = stored(new.clone(), &known(FileKind::Video)).expect("is ready") else {
            unreachable!()
        };
        assert_eq!((video.width, video.height, video.duration_ms), (10, 20, 3000));
        assert_eq!(video.preview.as_deref(), Some("AAAAAAA"));
        let code = |known: &Known| stored(new.clone(), known).map_err(|error| error.code).err();
        assert_eq!(code(&known(FileKind::Photo)), Some(ErrorCode::FileRefused));
        assert_eq!(code(&HashMap::new()), Some(ErrorCode::FileNotFound));
        for (state, expected) in [
            (FileState::Uploading, ErrorCode::FileNotReady),
            (FileState::Preparing, ErrorCode::FileNotReady),
            (FileState::Refused, ErrorCode::FileRefused),
            (FileState::Held, ErrorCode::FileHeld),
        ] {
            let mut known = known(FileKind::Video);
            for file in known.values_mut() {
                file.state = state;
            }
            assert_eq!(code(&known), Some(expected), "{state:?}");
        }
    }

    #[test]
    fn a_copy_has_one_id_for_each_message() {
        let (file, message) = (FileId(Uuid::from_u128(1)), Uuid::from_u128(2));
        let id = copy_id(UserId(1), message, file);
        assert_eq!(copy_id(UserId(1), message, file), id);
        assert_eq!(id.0.get_version_num(), 8);
        for other in [
            copy_id(UserId(2), message, file),
            copy_id(UserId(1), Uuid::from_u128(3), file),
            copy_id(UserId(1), message, FileId(Uuid::from_u128(4))),
        ] {
            assert_ne!(other, id);
        }
    }
}
