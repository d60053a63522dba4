//! `get_members`: who is in a chat. The readers of a channel are for its owner and admins only.

use std::sync::Arc;

use chapar_protocol::{
    ChatKind, ErrorCode, Role, UserId,
    command::{GetMembers, Members},
    limit,
};

use super::{Asker, Outcome, Result};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, get: GetMembers) -> Result<Members> {
    let (kind, role) = app.store.membership(get.chat_id, asker.user).await?;
    if kind == ChatKind::Channel && role == Role::Member {
        return Err(ErrorCode::Forbidden.into());
    }
    let page = limit::USERS_PER_COMMAND;
    let after = get.after.unwrap_or(UserId(0));
    let mut members = app.store.members(get.chat_id, kind, after, i64::try_from(page).unwrap_or(0) + 1).await?;
    let more = members.len() > page;
    members.truncate(page);
    Ok(Outcome::new(Members { members, more }))
}
