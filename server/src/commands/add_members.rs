//! `add_members`: owners and admins bring users in.

use std::sync::Arc;

use chapar_protocol::{
    ChatKind, ErrorCode, Role, ServiceAction, UserId,
    command::{AddMembers, Changed},
    limit,
};

use super::{Asker, Effect, Outcome, Result, knows, may_moderate, refuse, toll};
use crate::{
    app::App,
    store::{chat_tx::Newcomers, people::all_known},
};

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
    let Newcomers { all: newcomers, left } = chat.newcomers(&add.user_ids).await?;
    // Whoever went by themselves is brought back only by somebody whom they have answered: to go must be the end of it.
    let answered = |user: &UserId| known.iter().any(|it| it.user == *user && it.has_answered());
    if let Some(gone) = left.iter().find(|user| !answered(user)) {
        let message = format!("user {} has left this chat, and comes back only by joining it", gone.0);
        return refuse(ErrorCode::HasLeft, &message);
    }
    if !newcomers.is_empty() {
        if chat.kind() == ChatKind::Group && chat.member_count().await? + newcomers.len() > limit::GROUP_MEMBERS {
            return Err(ErrorCode::ChatFull.into());
        }
        chat.pay(&app.store, &toll(&app, &known, &newcomers)).await?;
        chat.lift_bans(&newcomers).await?;
        let roles: Vec<_> = newcomers.iter().map(|user| (*user, Some(Role::Member))).collect();
        chat.set_roles(&roles).await?;
        chat.tell(ServiceAction::Added { user_ids: newcomers }).await?;
    }
    let (version, changes) = chat.commit().await?;
    Ok(Outcome::new(Changed { version }).and(Effect::Changed(changes)))
}
