//! `remove_member`: out of a group or channel, and kept out. Whoever was removed with a reason is told it.

use std::sync::Arc;

use chapar_domain::{Principal, change::Change};
use chapar_protocol::{
    ErrorCode, OwnItem, WireError,
    command::{Changed, RemoveMember},
    frame,
    item::ToldRemoval,
    limit,
};
use time::OffsetDateTime;

use super::{change, invites::note};
use crate::{
    app::App,
    commands::{Asker, Outcome, Pending, Request, Result, apart},
};

/// Checks, and queues or goes on by itself.
pub(in crate::commands) fn start(app: &Arc<App>, asker: &Asker, request: &Request<'_>) -> Pending {
    match frame::parse_params::<RemoveMember>(request.params) {
        Ok(remove) if remove.reason.is_some() => {
            apart::<RemoveMember>(app, asker, request.id, with_reason(app.clone(), asker.clone(), remove))
        }
        // Also what does not fit: that is said in the same words.
        _ => change::start(app, asker, request, change::remove_member),
    }
}

async fn with_reason(app: Arc<App>, asker: Asker, remove: RemoveMember) -> Result<Changed> {
    let RemoveMember { chat_id, user_id, reason } = remove;
    app.limits.message(asker.user)?;
    let reason = reason.as_deref().map(str::trim).unwrap_or_default().to_owned();
    if reason.chars().count() > limit::REASON_CHARS {
        return Err(WireError::new(ErrorCode::TooLarge, "a reason has at most 255 characters").into());
    }
    if reason.contains('\0') {
        return Err(WireError::new(ErrorCode::BadText, "a reason has no U+0000").into());
    }
    let change = if reason.is_empty() { Change::Remove(user_id) } else { Change::Ban(user_id, reason.clone()) };
    let version = app.committer.change(Principal::User(asker.user), chat_id, change).await?;
    if !reason.is_empty() {
        let title = app.store.chats.info(chat_id).await?.and_then(|it| it.title).unwrap_or_default();
        let value = ToldRemoval { title, at: OffsetDateTime::now_utc().into(), reason };
        note(&app, user_id, OwnItem::Removed { chat_id, value: Some(value) }).await?;
    }
    Ok(Outcome::new(Changed { version }))
}
