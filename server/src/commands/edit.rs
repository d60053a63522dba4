//! `edit`: another text for one's own message.

use std::sync::Arc;

use chapar_protocol::{
    Body, ErrorCode,
    command::{Changed, Edit},
    text,
};

use super::{Asker, Effect, Outcome, Result, refuse};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, edit: Edit) -> Result<Changed> {
    app.limits.message(asker.user)?;
    let body = Body::from(text::check_body(edit.body)?);
    let mut chat = app.store.lock_chat(edit.chat_id, asker.user).await?;
    let message = chat.message(edit.seq).await?;
    if message.body == Body::Deleted {
        return Err(ErrorCode::MessageNotFound.into());
    }
    if message.sender != asker.user || !matches!(message.body, Body::Text(_)) {
        return refuse(ErrorCode::Forbidden, "only one's own texts can be edited");
    }
    // A retry of an edit that took effect changes nothing.
    if message.body != body {
        chat.rewrite(edit.seq, &body).await?;
    }
    let (version, changes) = chat.commit().await?;
    Ok(Outcome::new(Changed { version }).and(Effect::Changed(changes)))
}
