//! `delete`: a tombstone for all in place of a message.

use std::sync::Arc;

use chapar_protocol::{
    Body, ErrorCode,
    command::{Changed, Delete},
};

use super::{Asker, Effect, Outcome, Result, may_moderate, refuse};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, delete: Delete) -> Result<Changed> {
    app.limits.message(asker.user)?;
    let mut chat = app.store.lock_chat(delete.chat_id, asker.user).await?;
    let message = chat.message(delete.seq).await?;
    if message.sender != asker.user && !may_moderate(chat.kind(), chat.role()) {
        return refuse(ErrorCode::Forbidden, "only one's own messages, or as owner or admin those of others");
    }
    if matches!(message.body, Body::Service { .. }) {
        return refuse(ErrorCode::Forbidden, "what happened in the chat cannot be deleted");
    }
    if message.body != Body::Deleted {
        chat.rewrite(delete.seq, &Body::Deleted).await?;
    }
    let (version, changes) = chat.commit().await?;
    Ok(Outcome::new(Changed { version }).and(Effect::Changed(changes)))
}
