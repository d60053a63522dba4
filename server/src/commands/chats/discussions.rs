//! `set_discussion`: a channel's posts are discussed in a group; `join_discussion`: into that group; `get_thread`: what is said under a post.

use std::sync::Arc;

use chapar_domain::{
    Principal,
    change::Change,
    rights::{Action, may},
};
use chapar_protocol::{
    ChatId, ChatKind, ChatSnapshot, ErrorCode, UserId,
    command::{Changed, GetThread, JoinDiscussion, Page, SetDiscussion},
    limit,
};

use crate::{
    app::App,
    commands::{Asker, Outcome, Result, refuse},
    store::{StoreError, chats::readers::Reader},
};

pub(in crate::commands) async fn set(app: Arc<App>, asker: Asker, set: SetDiscussion) -> Result<Changed> {
    app.limits.message(asker.user)?;
    match set.group_id {
        Some(group) => link(&app, &asker, set.chat_id, group).await,
        None => end(&app, &asker, set.chat_id).await,
    }
}

async fn link(app: &App, asker: &Asker, channel: ChatId, group: ChatId) -> Result<Changed> {
    // Looked at before either of the two says anything: what is judged then is judged again.
    for (chat, kind) in [(channel, ChatKind::Channel), (group, ChatKind::Group)] {
        let inside = app.store.chats.inside_as(chat, asker.user).await?;
        may(inside.place, asker.user, Some(&inside.standing), Action::Link)?;
        if inside.place.kind != kind {
            return refuse(ErrorCode::BadRequest, "the posts of a channel are discussed in a group");
        }
    }
    // A group that was left behind by a channel which says so no more is free again.
    if let Some(old) = app.store.chats.says_of_discussion(group).await?
        && old != channel
        && app.store.chats.says_of_discussion(old).await? != Some(group)
    {
        change(app, Principal::System(UserId(0)), group, Change::Link(None)).await?;
    }
    let by = Principal::User(asker.user);
    change(app, by, group, Change::Link(Some(channel))).await?;
    // Whatever happens now, nothing is discussed before both say so.
    match change(app, by, channel, Change::Link(Some(group))).await {
        Err(StoreError::Refused(error)) if error.action != chapar_protocol::Action::Retry => {
            change(app, Principal::System(UserId(0)), group, Change::Link(None)).await?;
            Err(StoreError::Refused(error))
        }
        done => Ok(Outcome::new(Changed { version: done? })),
    }
}

async fn end(app: &App, asker: &Asker, chat: ChatId) -> Result<Changed> {
    let other = app.store.chats.discussion_of(asker.user, chat).await?;
    let version = change(app, Principal::User(asker.user), chat, Change::Link(None)).await?;
    if let Some(other) = other {
        change(app, Principal::System(UserId(0)), other, Change::Link(None)).await?;
    }
    Ok(Outcome::new(Changed { version }))
}

async fn change(
    app: &App,
    by: Principal,
    chat: ChatId,
    change: Change,
) -> std::result::Result<chapar_protocol::Version, StoreError> {
    app.committer.change(by, chat, change).await.map_err(StoreError::Refused)
}

pub(in crate::commands) async fn join(app: Arc<App>, asker: Asker, join: JoinDiscussion) -> Result<ChatSnapshot> {
    let Some(group) = app.store.chats.discussion_of(asker.user, join.chat_id).await? else {
        return refuse(ErrorCode::ChatNotFound, "this channel has no discussion, or you are not in it");
    };
    if !app.joining.is_inside(Reader { chat: group, user: asker.user }).await? {
        change(&app, Principal::User(asker.user), group, Change::JoinFrom(join.chat_id)).await?;
    }
    Ok(Outcome::new(app.store.chats.snapshot_of_changed(asker.user, group).await?))
}

pub(in crate::commands) async fn thread(app: Arc<App>, asker: Asker, get: GetThread) -> Result<Page> {
    if (get.before as usize).saturating_add(get.after as usize) > limit::PAGE {
        return refuse(ErrorCode::TooLarge, "a page has at most 200 messages");
    }
    let (before, after) = (i64::from(get.before), i64::from(get.after));
    Ok(Outcome::new(app.store.chats.thread(asker.user, get.chat_id, get.root, get.seq, before, after).await?))
}
