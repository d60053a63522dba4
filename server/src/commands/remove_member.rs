//! `remove_member`: owners and admins take somebody out, who cannot join again until one of them adds them.

use std::sync::Arc;

use chapar_protocol::{
    ChatKind, ErrorCode, ServiceAction,
    command::{Changed, RemoveMember},
};

use super::{Asker, Effect, Outcome, Result, may_moderate, refuse};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, remove: RemoveMember) -> Result<Changed> {
    let mut chat = app.store.lock_chat(remove.chat_id, asker.user).await?;
    if remove.user_id == asker.user && chat.kind() != ChatKind::Direct {
        return refuse(ErrorCode::BadRequest, "nobody removes themselves: use leave");
    }
    if !may_moderate(chat.kind(), chat.role()) {
        return Err(ErrorCode::Forbidden.into());
    }
    // A reader who comes or goes does not wait for the chat: not between this look and the ban.
    chat.hold(remove.user_id).await?;
    match chat.role_of(remove.user_id).await? {
        Some(role) if Some(role) >= chat.role() => {
            return refuse(ErrorCode::Forbidden, "only somebody of a lower role can be removed");
        }
        Some(_) => {
            chat.set_roles(&[(remove.user_id, None)]).await?;
            chat.tell(ServiceAction::Removed { user_id: remove.user_id }).await?;
        }
        // Whoever has just left must not be able to come and go as they like.
        None if chat.was_member(remove.user_id).await? => {}
        None => return Err(ErrorCode::UserNotFound.into()),
    }
    chat.ban(remove.user_id).await?;
    let (version, changes) = chat.commit().await?;
    Ok(Outcome::new(Changed { version }).and(Effect::Changed(changes)))
}
