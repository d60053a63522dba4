//! `add_members`: owners and admins bring users in.

use std::sync::Arc;

use chapar_protocol::{
    ChatKind, ErrorCode, Role, ServiceAction,
    command::{AddMembers, Changed},
    limit,
};

use super::{Asker, Effect, Outcome, Result, may_moderate, refuse};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, add: AddMembers) -> Result<Changed> {
    app.limits.creation(asker.user)?;
    if add.user_ids.len() > limit::USERS_PER_COMMAND {
        return refuse(ErrorCode::TooLarge, "at most 200 users at once");
    }
    let mut chat = app.store.lock_chat(add.chat_id, asker.user).await?;
    if !may_moderate(chat.kind(), chat.role()) {
        return Err(ErrorCode::Forbidden.into());
    }
    let newcomers = chat.newcomers(&add.user_ids).await?;
    if !newcomers.is_empty() {
        if chat.kind() == ChatKind::Group && chat.member_count().await? + newcomers.len() > limit::GROUP_MEMBERS {
            return Err(ErrorCode::ChatFull.into());
        }
        let roles: Vec<_> = newcomers.iter().map(|user| (*user, Some(Role::Member))).collect();
        chat.set_roles(&roles).await?;
        chat.tell(ServiceAction::Added { user_ids: newcomers }).await?;
    }
    let (version, changes) = chat.commit().await?;
    Ok(Outcome::new(Changed { version }).and(Effect::Changed(changes)))
}
