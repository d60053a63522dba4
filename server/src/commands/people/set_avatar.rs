//! `set_avatar`: changes the caller's own picture, or takes it away. Those who know the caller hear of it at once.

use std::sync::Arc;

use chapar_protocol::{FileKind, User, command::SetAvatar};

use crate::{
    app::App,
    commands::{Asker, Effect, Outcome, Result, chats::files::usable},
};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, set: SetAvatar) -> Result<User> {
    if let Some(file) = set.file_id {
        let held = app.store.people.hold_files(asker.user, &[file]).await?;
        usable(held.first(), FileKind::Avatar)?;
    }
    // Each is told to all in the caller's chats.
    app.limits.name(asker.user)?;
    let user = app.store.people.set_photo(asker.user, set.file_id).await?;
    let chats = app.store.people.chats_that_know(asker.user).await?;
    Ok(Outcome::new(user.clone()).and(Effect::Named(user, chats)))
}
