//! `get_reactions` and `get_readers`: who has reacted to a message, and who has read it. Readers of a channel do not learn of each other.

use std::sync::Arc;

use chapar_protocol::{
    Body, ChatKind, ErrorCode, UserId,
    command::{GetReactions, GetReaders, Reactors, Readers},
    limit, text,
};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result, refuse};

pub(in crate::commands) async fn reactions(app: Arc<App>, asker: Asker, get: GetReactions) -> Result<Reactors> {
    let emoji = get.emoji.as_deref().map(text::check_reaction).transpose()?;
    let inside = app.store.chats.inside_as(get.chat_id, asker.user).await?;
    if inside.place.kind == ChatKind::Channel {
        return refuse(ErrorCode::Forbidden, "readers of a channel do not learn of each other");
    }
    let shown = app.store.chats.shown(asker.user, get.chat_id, &[get.seq]).await?;
    // A deleted message has lost its reactions, though their rows are there.
    if shown.first().is_none_or(|it| it.body == Body::Deleted) {
        return Ok(Outcome::new(Reactors { reactions: Vec::new(), after: None }));
    }
    let (after, page) = (get.after.unwrap_or(UserId(0)), limit::USERS_PER_COMMAND);
    let (reactions, after) = app.store.chats.reactors(get.chat_id, get.seq, emoji.as_deref(), after, page).await?;
    Ok(Outcome::new(Reactors { reactions, after }))
}

pub(in crate::commands) async fn readers(app: Arc<App>, asker: Asker, get: GetReaders) -> Result<Readers> {
    let inside = app.store.chats.inside_as(get.chat_id, asker.user).await?;
    if inside.place.kind != ChatKind::Group {
        return refuse(ErrorCode::Forbidden, "who has read a message is told in groups");
    }
    let shown = app.store.chats.shown(asker.user, get.chat_id, &[get.seq]).await?;
    if shown.first().is_none_or(|it| it.body == Body::Deleted) {
        return refuse(ErrorCode::MessageNotFound, "there is no such message, or it was deleted");
    }
    match app.store.chats.readers_of(get.chat_id, get.seq, limit::READERS_TOLD).await? {
        Some(user_ids) => Ok(Outcome::new(Readers { user_ids })),
        None => refuse(ErrorCode::TooLarge, "who has read a message is told in groups of at most 100"),
    }
}
