//! `get_banned`: who was removed from a chat and cannot come back. For those who may remove.

use std::sync::Arc;

use chapar_domain::rights::{Action, may};
use chapar_protocol::{
    UserId,
    command::{GetBanned, Members},
    limit,
};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, get: GetBanned) -> Result<Members> {
    let inside = app.store.chats.inside_as(get.chat_id, asker.user).await?;
    may(inside.place, asker.user, Some(&inside.standing), Action::Remove(None))?;
    let page = limit::USERS_PER_COMMAND;
    let after = get.after.unwrap_or(UserId(0));
    let mut members =
        app.store.chats.banned(get.chat_id, inside.place.kind, after, i64::try_from(page).unwrap_or(0) + 1).await?;
    let more = members.len() > page;
    members.truncate(page);
    Ok(Outcome::new(Members { members, more }))
}
