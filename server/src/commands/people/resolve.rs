//! `resolve`: what a handle stands for. Whoever was found by handle can be named by id from then on.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode,
    command::{Resolve, Resolved},
    text,
};

use crate::commands::{Asker, Outcome, Result, lookup, refuse};
use crate::{app::App, store::people::names::Named};

const NOBODY: &str = "nobody and no public chat has this handle";

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, resolve: Resolve) -> Result<Resolved> {
    let handle = text::check_handle(&resolve.handle)?;
    let charge = lookup(&app);
    match app.store.people.resolve(&handle).await? {
        Some(Named::User(user)) => {
            // Whom one may name already costs nothing.
            if app.store.people.known_among(asker.user, &[user.id], false).await?.is_empty() {
                app.store.people.find(asker.user, user.id, charge).await?;
            }
            Ok(Outcome::new(Resolved { user: Some(user), chat: None }))
        }
        Some(Named::Chat(chat)) => {
            app.store.people.spend(asker.user, charge).await?;
            match app.store.chats.info(chat).await? {
                Some(chat) => Ok(Outcome::new(Resolved { user: None, chat: Some(chat) })),
                // Claimed, and not made yet.
                None => refuse(ErrorCode::UserNotFound, NOBODY),
            }
        }
        None => {
            app.store.people.spend(asker.user, charge).await?;
            refuse(ErrorCode::UserNotFound, NOBODY)
        }
    }
}
