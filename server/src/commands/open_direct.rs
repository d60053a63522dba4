//! `open_direct`: the chat of two people, made when there is none.

use std::sync::Arc;

use chapar_protocol::{ChatSnapshot, ErrorCode, Role, command::OpenDirect};

use super::{Asker, Outcome, Result, knows, toll};
use crate::{app::App, store::create::Created};

pub(super) async fn run(app: Arc<App>, asker: Asker, open: OpenDirect) -> Result<ChatSnapshot> {
    if let Some(chat) = app.store.reopen_direct(asker.user, open.user_id).await? {
        return Ok(Outcome::new(app.store.chat_snapshot(asker.user, chat).await?));
    }
    let known = knows(&app, &asker, &[open.user_id]).await?;
    if known.is_empty() {
        return Err(ErrorCode::UserNotFound.into());
    }
    app.limits.creation(asker.user)?;
    let created = app.store.open_direct(asker.user, open.user_id, &toll(&app, &known, &[open.user_id])).await?;
    let mut chat = match created {
        Created::Existed(chat) => return Ok(Outcome::new(app.store.chat_snapshot(asker.user, chat).await?)),
        Created::New(chat) => chat,
    };
    // Two equals; with oneself, one.
    let mut both = vec![(asker.user, Some(Role::Member)), (open.user_id, Some(Role::Member))];
    both.dedup();
    chat.set_roles(&both).await?;
    let id = chat.chat_id();
    let (_, changes) = chat.commit().await?;
    app.fanout.publish(changes);
    Ok(Outcome::new(app.store.snapshot_of_changed(asker.user, id).await?))
}
