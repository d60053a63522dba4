//! `forward`: messages of one chat into another, with a word about where they come from. They are read first, so they take their place among
//! what the connection asks of the chat when that is done.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chapar_domain::{
    Principal,
    change::{Change, NewMessage},
    chat::Beside,
    refusal::refusal,
};
use chapar_protocol::{
    Action, Body, ChatKind, ErrorCode, FileId, Seq, UserId, WireError,
    command::{Forward, ForwardedItem, SentAlbum},
    limit,
    message::Forwarded,
    preview::LinkPreview,
};
use uuid::Uuid;

use super::{
    change::Reply,
    files::{copy_id, usable},
    send::queued,
};
use crate::{
    app::App,
    commands::{Asker, Outcome, Result, refuse},
    store::{
        StoreError,
        chats::{Original, Originals},
    },
};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, forward: Forward) -> Result<SentAlbum> {
    if !(1..=limit::FORWARDED).contains(&forward.messages.len()) {
        return refuse(ErrorCode::TooLarge, "1 to 30 messages are forwarded at once");
    }
    let mut ids = HashSet::new();
    if !forward.messages.iter().all(|it| ids.insert(it.client_id)) {
        return refuse(ErrorCode::BadRequest, "each message has its own client id");
    }
    app.limits.messages(asker.user, forward.messages.len())?;
    let change = match messages(&app, asker.user, &forward).await {
        Ok(messages) => Change::Forward(messages),
        // A retry may come after the originals were deleted, or whoever forwards them has left.
        Err(StoreError::Refused(error)) if error.action != Action::Retry => {
            let hash = |it: &ForwardedItem| NewMessage::hash_of_forwarded((forward.from, it.seq));
            let sent = forward.messages.iter().map(|it| (it.client_id, hash(it))).collect();
            let known = queued(&app, Principal::User(asker.user), forward.chat_id, Change::Recall(sent)).await;
            return match known {
                Ok(done) => Ok(Outcome::new(Reply(done).into())),
                Err(none) if none.code == ErrorCode::MessageNotFound => Err(StoreError::Refused(error)),
                Err(other) => Err(StoreError::Refused(other)),
            };
        }
        Err(error) => return Err(error),
    };
    let done = queued(&app, Principal::User(asker.user), forward.chat_id, change).await;
    Ok(Outcome::new(Reply(done.map_err(StoreError::Refused)?).into()))
}

/// What is to be stored.
async fn messages(app: &App, user: UserId, forward: &Forward) -> std::result::Result<Vec<NewMessage>, StoreError> {
    let seqs: Vec<Seq> = forward.messages.iter().map(|it| it.seq).collect();
    let from = app.store.chats.originals(user, forward.from, &seqs).await?;
    if from.no_forwarding {
        return Err(refusal(ErrorCode::NoForwarding).into());
    }
    let there: HashMap<Seq, &Original> = from.messages.iter().map(|it| (it.seq, it)).collect();
    let mut bodies = Vec::with_capacity(seqs.len());
    for it in &forward.messages {
        let original = there.get(&it.seq).filter(|it| it.body != Body::Deleted);
        let original =
            original.ok_or_else(|| WireError::new(ErrorCode::MessageNotFound, "there is no such message"))?;
        if !original.body.is_forwardable() {
            return Err(WireError::new(ErrorCode::Forbidden, "what happened in a chat is not forwarded").into());
        }
        bodies.push(Onward { it, original, body: original.body.clone(), preview: original.beside.preview.clone() });
    }
    with_copies(app, user, &mut bodies).await?;
    in_new_albums(&mut bodies);
    let names = names(app, forward, &from).await?;
    let message = |Onward { it, original, body, preview }: Onward<'_>| {
        let origin = if forward.hide_origin { Forwarded::default() } else { origin(forward, &from, original, &names) };
        let beside = Beside { forwarded: Some(Box::new(origin)), preview, ..Beside::default() };
        NewMessage::forwarded(it.client_id, (forward.from, it.seq), body, beside)
    };
    Ok(bodies.into_iter().map(message).collect())
}

/// A message to be forwarded.
struct Onward<'a> {
    it: &'a ForwardedItem,
    original: &'a Original,
    /// As it is to be.
    body: Body,
    /// What stands behind a link in it, the same.
    preview: Option<Box<LinkPreview>>,
}

/// Has the bodies name files of the forwarder's own, of the same content. Stickers of packs stay the packs' files, as long as these have them.
async fn with_copies(app: &App, user: UserId, bodies: &mut [Onward<'_>]) -> std::result::Result<(), StoreError> {
    let mut copies = Vec::new();
    for Onward { it, body, preview, .. } in bodies.iter_mut() {
        if let Body::Sticker(sticker) = &body
            && let Some(pack) = sticker.pack_id
            && app.store.people.hold_sticker(pack, sticker.file.id).await?.is_some()
        {
            continue;
        }
        let copy = |id| copy_id(user, it.client_id, id);
        copies.extend(body.files().map(|id| (id, copy(id))));
        body.rename_files(copy);
        if let Some(image) = preview.as_mut().and_then(|it| it.image.as_mut()) {
            copies.push((image.file.id, copy(image.file.id)));
            image.file.id = copy(image.file.id);
        }
    }
    if copies.is_empty() {
        return Ok(());
    }
    let made = app.store.people.copy_files(user, &copies).await?;
    let made: HashMap<FileId, _> = made.into_iter().map(|file| (file.id, file)).collect();
    for (_, copy) in &copies {
        let kind = made.get(copy).map(|file| file.kind);
        usable(made.get(copy), kind.unwrap_or(chapar_protocol::FileKind::Document))?;
    }
    Ok(())
}

/// What stood together in an album stands together again, in one of its own.
fn in_new_albums(bodies: &mut [Onward<'_>]) {
    let (mut last, mut album) = (None, Uuid::nil());
    for Onward { it, original, body, .. } in bodies {
        let old = original.body.album();
        if old != last {
            album = it.client_id;
        }
        last = old;
        if old.is_some() {
            body.set_album(album);
        }
    }
}

/// The names of those who wrote what is forwarded, where they are told.
async fn names(
    app: &App,
    forward: &Forward,
    from: &Originals,
) -> std::result::Result<HashMap<UserId, String>, StoreError> {
    if forward.hide_origin || from.kind == ChatKind::Channel {
        return Ok(HashMap::new());
    }
    let first = from.messages.iter().filter(|it| it.beside.forwarded.is_none());
    let senders: HashSet<UserId> = first.map(|it| it.sender).collect();
    if senders.is_empty() {
        return Ok(HashMap::new());
    }
    let users = app.store.people.users(&senders.into_iter().collect::<Vec<_>>()).await?;
    Ok(users.into_iter().map(|user| (user.id, user.name)).collect())
}

fn origin(forward: &Forward, from: &Originals, original: &Original, names: &HashMap<UserId, String>) -> Forwarded {
    if let Some(first) = &original.beside.forwarded {
        return Forwarded::clone(first);
    }
    let (author, name) = (Some(original.sender), names.get(&original.sender).cloned());
    let place = (Some(forward.from), Some(original.seq));
    let (user_id, name, (chat_id, seq)) = match from.kind {
        ChatKind::Channel => (None, from.title.clone(), place),
        ChatKind::Group => (author, name, place),
        // Others learn nothing of a chat between two.
        ChatKind::Direct => (author, name, (None, None)),
    };
    Forwarded { user_id, name, chat_id, seq, sent_at: Some(original.sent_at) }
}
