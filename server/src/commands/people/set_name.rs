//! `set_name`: changes the caller's own name. Those who know the caller hear of it at once.

use std::sync::Arc;

use chapar_protocol::{User, command::SetName, text};

use crate::app::App;
use crate::commands::{Asker, Effect, Outcome, Result};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, set: SetName) -> Result<User> {
    let name = text::check_title(&set.name)?;
    // Each is told to all in the caller's chats.
    app.limits.name(asker.user)?;
    let user = app.store.people.set_name(asker.user, &name).await?;
    let chats = app.store.people.chats_that_know(asker.user).await?;
    Ok(Outcome::new(user.clone()).and(Effect::Named(user, chats)))
}
