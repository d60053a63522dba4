//! Posts of channels come into the groups that discuss them, and posts are told how many comments they have.
//!
//! The feed says which channels have posted. A post is carried under an id made of its place, so that it comes once, whoever dies; how many
//! comments there are stands in the rows of threads, and is told by whoever finds it untold, at most once a second for each post.

use std::{sync::Arc, time::Duration};

use chapar_domain::{
    Principal,
    change::{Change, NewMessage},
    chat::Beside,
};
use chapar_protocol::{Action, Body, ChatId, FileId, Message, Seq, UserId, message::Forwarded};
use futures_util::{StreamExt as _, stream};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    committer::Committer,
    store::{Result, Store, StoreError},
};

/// How often the feed is looked at, and what is untold.
const LOOK: Duration = Duration::from_millis(500);
/// Commits read at a time.
const PAGE: i64 = 200;
/// Posts that are told of their comments at the same time.
const AT_ONCE: usize = 32;
/// Under this name the feed knows how far this has come.
pub const FOLLOWER: &str = "threads";

/// Carries and tells. Does not end by itself.
pub async fn follow(store: Store, committer: Arc<Committer>) {
    loop {
        loop {
            match follow_page(&store, &committer).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "posts cannot be carried into their groups now");
                    break;
                }
            }
        }
        if let Err(error) = tell(&store, &committer).await {
            tracing::warn!(%error, "posts cannot be told of their comments now");
        }
        tokio::time::sleep(LOOK.mul_f64(rand::random_range(0.8..1.2))).await;
    }
}

/// Returns whether there may be more.
async fn follow_page(store: &Store, committer: &Committer) -> Result<bool> {
    let history = store.chats.epoch().await?;
    // Another node is at it.
    let Some(turn) = store.people.follow(FOLLOWER, &history).await? else { return Ok(false) };
    let (channels, upto, full) = store.chats.posted_since(turn.at(), PAGE).await?;
    for channel in channels {
        carry(store, committer, channel).await?;
    }
    turn.end(upto).await?;
    Ok(full)
}

/// Carries what a channel has posted into its group.
///
/// # Errors
/// What cannot be done now: it is to be tried again.
pub async fn carry(store: &Store, committer: &Committer, channel: ChatId) -> Result<()> {
    loop {
        let Some(due) = store.chats.to_carry(channel).await? else { return Ok(()) };
        let Some(last) = due.posts.last().map(|it| it.seq) else { return Ok(()) };
        for post in due.posts {
            if post.body == Body::Deleted || matches!(post.body, Body::Service { .. }) {
                continue;
            }
            let author = post.sender;
            let message = carried(store, channel, due.title.clone(), post).await?;
            match committer.change(Principal::System(author), due.group, Change::Carry(message)).await {
                // The group does not say that it belongs to the channel, or there is none.
                Err(error) if error.action != Action::Retry => break,
                done => drop(done.map_err(StoreError::Refused)?),
            }
        }
        store.chats.carried(channel, due.group, last).await?;
    }
}

/// A post as it stands in the group: with files of its author's own.
async fn carried(store: &Store, channel: ChatId, name: Option<String>, post: Message) -> Result<NewMessage> {
    let id = place_id(channel, post.seq);
    let (author, seq, sent_at) = (post.sender, post.seq, post.sent_at);
    let copy = |file: FileId| FileId(named(&[b"chapar carried file", id.as_bytes(), file.0.as_bytes()]));
    let mut preview = post.preview;
    let mut body = match post.body {
        // A poll in the group would be another one.
        Body::Poll(poll) => Body::text(format!("📊 {}", poll.question)),
        body => body,
    };
    let mut copies: Vec<(FileId, FileId)> = body.files().map(|file| (file, copy(file))).collect();
    if let Some(image) = preview.as_mut().and_then(|it| it.image.as_mut()) {
        copies.push((image.file.id, copy(image.file.id)));
        image.file.id = copy(image.file.id);
    }
    // Stickers of packs stay the packs'.
    if let Body::Sticker(sticker) = &body
        && let Some(pack) = sticker.pack_id
        && store.people.hold_sticker(pack, sticker.file.id).await?.is_some()
    {
        copies.clear();
    } else {
        body.rename_files(copy);
    }
    if !copies.is_empty() {
        store.people.copy_files(author, &copies).await?;
    }
    let forwarded = Forwarded { user_id: None, name, chat_id: Some(channel), seq: Some(seq), sent_at: Some(sent_at) };
    let beside = Beside { forwarded: Some(Box::new(forwarded)), preview, post: Some(seq), ..Beside::default() };
    Ok(NewMessage::forwarded(id, (channel, seq), body, beside))
}

async fn tell(store: &Store, committer: &Arc<Committer>) -> Result<()> {
    let untold = store.chats.untold_comments().await?;
    stream::iter(untold)
        .for_each_concurrent(AT_ONCE, |it| async move {
            let by = Principal::System(UserId(0));
            let told = committer.change(by, it.channel, Change::TellComments(it.post, it.comments)).await;
            // A post that is gone is told nothing, for good.
            let settled = told.as_ref().err().is_none_or(|error| error.action != Action::Retry);
            if settled && let Err(error) = store.chats.comments_told(&it.comments).await {
                tracing::warn!(%error, "that a post was told of its comments is not noted: it is told again");
            }
        })
        .await;
    Ok(())
}

/// The client id of a carried post: always the same.
fn place_id(channel: ChatId, post: Seq) -> Uuid {
    named(&[b"chapar carried post", &channel.0.to_be_bytes(), &post.0.to_be_bytes()])
}

/// An id made of a hash: version 8 (RFC 9562, section 5.8).
fn named(parts: &[&[u8]]) -> Uuid {
    let digest = parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
