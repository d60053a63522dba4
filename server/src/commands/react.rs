//! `react`: one's reaction to a message, or none.

use std::sync::Arc;

use chapar_protocol::{
    Body, ErrorCode,
    command::{Changed, React},
    text,
};

use super::{Asker, Effect, Outcome, Result};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, react: React) -> Result<Changed> {
    app.limits.message(asker.user)?;
    let emoji = react.emoji.as_deref().map(text::check_reaction).transpose()?;
    let mut chat = app.store.lock_chat(react.chat_id, asker.user).await?;
    let message = chat.message(react.seq).await?;
    if message.body == Body::Deleted {
        return Err(ErrorCode::MessageNotFound.into());
    }
    chat.react(&message, emoji.as_deref()).await?;
    let (version, changes) = chat.commit().await?;
    Ok(Outcome::new(Changed { version }).and(Effect::Changed(changes)))
}
