//! `get_users`: who some users are. Of people whom the asker may not name nothing is told, not even that they exist.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode,
    command::{GetUsers, Users},
    limit,
};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result, knows, refuse};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, get: GetUsers) -> Result<Users> {
    if get.user_ids.len() > limit::USERS_PER_COMMAND {
        return refuse(ErrorCode::TooLarge, "at most 200 users at once");
    }
    // Whether they may be named is looked up for each.
    app.limits.people(asker.user, get.user_ids.len())?;
    let known: Vec<_> = knows(&app, &asker, &get.user_ids).await?.into_iter().map(|it| it.user).collect();
    Ok(Outcome::new(Users { users: app.store.people.users(&known).await? }))
}
