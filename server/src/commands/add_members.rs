//! `add_members`: owners and admins bring users in.

use std::sync::Arc;

use chapar_protocol::{
    ChatKind, ErrorCode, Role, ServiceAction,
    command::{AddMembers, Changed},
    limit,
};

use super::{Asker, Effect, Outcome, Result, contacts, knows, may_moderate, price, refuse};
use crate::{app::App, store::people::all_known};

pub(super) async fn run(app: Arc<App>, asker: Asker, add: AddMembers) -> Result<Changed> {
    app.limits.creation(asker.user)?;
    if add.user_ids.len() > limit::USERS_PER_COMMAND {
        return refuse(ErrorCode::TooLarge, "at most 200 users at once");
    }
    let known = knows(&app, &asker, &add.user_ids).await?;
    let mut chat = app.store.lock_chat(add.chat_id, asker.user).await?;
    if !may_moderate(chat.kind(), chat.role()) {
        return Err(ErrorCode::Forbidden.into());
    }
    all_known(&known, &add.user_ids)?;
    let newcomers = chat.newcomers(&add.user_ids).await?;
    if !newcomers.is_empty() {
        if chat.kind() == ChatKind::Group && chat.member_count().await? + newcomers.len() > limit::GROUP_MEMBERS {
            return Err(ErrorCode::ChatFull.into());
        }
        chat.spend(&app.store, contacts(&app, price(&known, &newcomers))).await?;
        chat.lift_bans(&newcomers).await?;
        let roles: Vec<_> = newcomers.iter().map(|user| (*user, Some(Role::Member))).collect();
        chat.set_roles(&roles).await?;
        chat.tell(ServiceAction::Added { user_ids: newcomers }).await?;
    }
    let (version, changes) = chat.commit().await?;
    Ok(Outcome::new(Changed { version }).and(Effect::Changed(changes)))
}
