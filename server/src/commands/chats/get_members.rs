//! `get_members`: who is in a chat. The readers of a channel are for its owner and admins only.

use std::sync::Arc;

use chapar_domain::rights::{Action, may};
use chapar_protocol::{
    UserId,
    command::{GetMembers, Members},
    limit,
};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, get: GetMembers) -> Result<Members> {
    let inside = app.store.chats.inside_as(get.chat_id, asker.user).await?;
    may(inside.place, asker.user, Some(&inside.standing), Action::List)?;
    let page = limit::USERS_PER_COMMAND;
    let after = get.after.unwrap_or(UserId(0));
    let mut members =
        app.store.chats.members(get.chat_id, inside.place.kind, after, i64::try_from(page).unwrap_or(0) + 1).await?;
    let more = members.len() > page;
    members.truncate(page);
    Ok(Outcome::new(Members { members, more }))
}
