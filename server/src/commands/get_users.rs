//! `get_users`: who some users are.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode,
    command::{GetUsers, Users},
    limit,
};

use super::{Asker, Outcome, Result, refuse};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, _: Asker, get: GetUsers) -> Result<Users> {
    if get.user_ids.len() > limit::USERS_PER_COMMAND {
        return refuse(ErrorCode::TooLarge, "at most 200 users at once");
    }
    Ok(Outcome::new(Users { users: app.store.users(&get.user_ids).await? }))
}
