//! `get_admin_log`: what was done in a chat by those who may. For owners and admins.

use std::sync::Arc;

use chapar_domain::rights::{Action, may};
use chapar_protocol::{
    command::{AdminLog, GetAdminLog},
    limit,
};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, get: GetAdminLog) -> Result<AdminLog> {
    let inside = app.store.chats.inside_as(get.chat_id, asker.user).await?;
    may(inside.place, asker.user, Some(&inside.standing), Action::SeeLog)?;
    let page = limit::ADMIN_LOG_PAGE;
    let rows = i64::try_from(page).unwrap_or(0) + 1;
    let mut entries = app.store.chats.admin_log(get.chat_id, get.before.unwrap_or(i64::MAX), rows).await?;
    let more = entries.len() > page;
    entries.truncate(page);
    Ok(Outcome::new(AdminLog { entries, more }))
}
