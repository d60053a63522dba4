//! `resolve`: what a handle stands for.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode,
    command::{Resolve, Resolved},
    text,
};

use super::{Asker, Outcome, Result, refuse};
use crate::{app::App, store::chats::Named};

pub(super) async fn run(app: Arc<App>, _: Asker, resolve: Resolve) -> Result<Resolved> {
    let handle = text::check_handle(&resolve.handle)?;
    match app.store.resolve(&handle).await? {
        Some(Named::User(user)) => Ok(Outcome::new(Resolved { user: Some(user), chat: None })),
        Some(Named::Chat(chat)) => Ok(Outcome::new(Resolved { user: None, chat: Some(chat) })),
        None => refuse(ErrorCode::UserNotFound, "nobody and no public chat has this handle"),
    }
}
