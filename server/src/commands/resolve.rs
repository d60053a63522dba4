//! `resolve`: what a handle stands for. Whoever was found by handle can be named by id from then on.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode,
    command::{Resolve, Resolved},
    text,
};

use super::{Asker, Outcome, Result, lookup, refuse};
use crate::{app::App, store::chats::Named};

pub(super) async fn run(app: Arc<App>, asker: Asker, resolve: Resolve) -> Result<Resolved> {
    let handle = text::check_handle(&resolve.handle)?;
    let charge = lookup(&app);
    match app.store.resolve(&handle).await? {
        Some(Named::User(user)) => {
            // Whom one may name already costs nothing.
            if app.store.known_among(asker.user, &[user.id], false).await?.is_empty() {
                app.store.find(asker.user, user.id, charge).await?;
            }
            Ok(Outcome::new(Resolved { user: Some(user), chat: None }))
        }
        Some(Named::Chat(chat)) => {
            app.store.spend(asker.user, charge).await?;
            Ok(Outcome::new(Resolved { user: None, chat: Some(chat) }))
        }
        None => {
            app.store.spend(asker.user, charge).await?;
            refuse(ErrorCode::UserNotFound, "nobody and no public chat has this handle")
        }
    }
}
