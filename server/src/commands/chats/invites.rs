//! Invite links: `set_invite`, `revoke_invite`, `get_invites` and `get_invite_uses` for those who may add, `preview_invite` and
//! `join_by_invite` for whoever has a link.

use std::sync::Arc;

use chapar_domain::{
    Principal,
    change::{Change, Done, NewInvite},
    rights::{Action, may},
};
use chapar_protocol::{
    ChatId, ErrorCode, Invite, InviteId, InvitePreview, InviteToken, OwnItem, UserId,
    command::{
        GetInviteUses, GetInvites, InviteUses, Invites, JoinByInvite, JoinedByInvite, PreviewInvite, RevokeInvite,
        SetInvite,
    },
    item::AskedToJoin,
    limit, text,
};
use time::OffsetDateTime;

use super::send::queued;
use crate::{
    app::App,
    commands::{Asker, Outcome, Result, refuse},
    store::{StoreError, chats::pages::once_changed},
};

pub(in crate::commands) async fn set(app: Arc<App>, asker: Asker, set: SetInvite) -> Result<Invite> {
    app.limits.message(asker.user)?;
    let title = set.title.as_deref().map(text::check_title).transpose()?;
    if set.max_uses.is_some_and(|most| !(1..=limit::INVITE_USES).contains(&most)) {
        return refuse(ErrorCode::BadRequest, "a link can be used 1 to 100,000 times");
    }
    let SetInvite { chat_id, invite_id: id, expires_at, max_uses, approval, .. } = set;
    let new = NewInvite { id, title, expires_at, max_uses, approval };
    change(&app, &asker, chat_id, id, Change::SetInvite(new)).await
}

pub(in crate::commands) async fn revoke(app: Arc<App>, asker: Asker, revoke: RevokeInvite) -> Result<Invite> {
    app.limits.message(asker.user)?;
    change(&app, &asker, revoke.chat_id, revoke.invite_id, Change::RevokeInvite(revoke.invite_id)).await
}

async fn change(app: &App, asker: &Asker, chat: ChatId, id: InviteId, change: Change) -> Result<Invite> {
    app.committer.change(Principal::User(asker.user), chat, change).await?;
    Ok(Outcome::new(once_changed(|| app.store.chats.invite(chat, id)).await?))
}

/// Whether somebody may look after a chat's links and requests.
pub(super) async fn may_add(app: &App, asker: &Asker, chat: ChatId) -> std::result::Result<(), StoreError> {
    let inside = app.store.chats.inside_as(chat, asker.user).await?;
    Ok(may(inside.place, asker.user, Some(&inside.standing), Action::Add)?)
}

pub(in crate::commands) async fn list(app: Arc<App>, asker: Asker, get: GetInvites) -> Result<Invites> {
    may_add(&app, &asker, get.chat_id).await?;
    let invites = app.store.chats.invites(get.chat_id).await?;
    let page = i64::try_from(limit::USERS_PER_COMMAND).unwrap_or(0);
    let requests = app.store.chats.join_requests(get.chat_id, UserId(0), page).await?.len();
    Ok(Outcome::new(Invites { invites, requests: u32::try_from(requests).unwrap_or(u32::MAX) }))
}

pub(in crate::commands) async fn uses(app: Arc<App>, asker: Asker, get: GetInviteUses) -> Result<InviteUses> {
    may_add(&app, &asker, get.chat_id).await?;
    let page = limit::USERS_PER_COMMAND;
    let (after, rows) = (get.after.unwrap_or(UserId(0)), i64::try_from(page).unwrap_or(0) + 1);
    let mut uses = app.store.chats.invite_uses(get.chat_id, get.invite_id, after, rows).await?;
    let more = uses.len() > page;
    uses.truncate(page);
    Ok(Outcome::new(InviteUses { uses, more }))
}

pub(in crate::commands) async fn preview(app: Arc<App>, asker: Asker, it: PreviewInvite) -> Result<InvitePreview> {
    Ok(Outcome::new(app.store.chats.preview(&InviteToken::parse(&it.token)?, asker.user).await?))
}

pub(in crate::commands) async fn join(app: Arc<App>, asker: Asker, join: JoinByInvite) -> Result<JoinedByInvite> {
    app.limits.message(asker.user)?;
    let token = InviteToken::parse(&join.token)?;
    let chat = token.chat;
    let entered = queued(&app, Principal::User(asker.user), chat, Change::Enter(token.secret.clone())).await;
    let waits = match entered {
        // Whoever has a link is told that it opens nothing, as for one that never was.
        Err(error) if error.code == ErrorCode::ChatNotFound => return Err(ErrorCode::InviteGone.into()),
        entered => matches!(entered?, Done::Waits(_)),
    };
    if !waits {
        let chat = Some(app.store.chats.snapshot_of_changed(asker.user, chat).await?);
        return Ok(Outcome::new(JoinedByInvite { chat, asked: false }));
    }
    let title = once_changed(|| app.store.chats.preview(&token, asker.user)).await?.title;
    let at = OffsetDateTime::now_utc().into();
    let item = OwnItem::JoinRequest { chat_id: chat, value: Some(AskedToJoin { title, at, declined: false }) };
    note(&app, asker.user, item).await?;
    Ok(Outcome::new(JoinedByInvite { chat: None, asked: true }))
}

/// Sets something of somebody's own, and tells all their devices. Who has too much already is not told.
pub(super) async fn note(app: &App, user: UserId, item: OwnItem) -> std::result::Result<(), StoreError> {
    match app.store.people.set_items(user, &[item]).await {
        Ok(written) => {
            if let Some(delta) = written.delta {
                app.fanout.publish_own(user, delta);
            }
            Ok(())
        }
        Err(StoreError::Refused(error)) if error.code == ErrorCode::TooLarge => Ok(()),
        Err(error) => {
            if let StoreError::InDoubt { users, .. } = &error {
                app.fanout.doubt(None, users.iter().copied());
            }
            Err(error)
        }
    }
}
