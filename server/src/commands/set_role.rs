//! `set_role`: the owner names admins, or another owner.

use std::sync::Arc;

use chapar_protocol::{
    ChatKind, ErrorCode, Role,
    command::{Changed, SetRole},
};

use super::{Asker, Effect, Outcome, Result, refuse};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, set: SetRole) -> Result<Changed> {
    let mut chat = app.store.lock_chat(set.chat_id, asker.user).await?;
    if chat.kind() == ChatKind::Direct || chat.role() != Some(Role::Owner) {
        return Err(ErrorCode::Forbidden.into());
    }
    if set.user_id == asker.user {
        return refuse(ErrorCode::BadRequest, "an owner stops being one by naming another");
    }
    let Some(old) = chat.role_of(set.user_id).await? else { return Err(ErrorCode::UserNotFound.into()) };
    if old != set.role {
        let mut roles = vec![(set.user_id, Some(set.role))];
        if set.role == Role::Owner {
            roles.push((asker.user, Some(Role::Admin)));
        }
        chat.set_roles(&roles).await?;
    }
    let (version, changes) = chat.commit().await?;
    Ok(Outcome::new(Changed { version }).and(Effect::Changed(changes)))
}
