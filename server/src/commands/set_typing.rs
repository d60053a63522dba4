//! `set_typing`: tells the others that the caller is writing.

use std::sync::Arc;

use chapar_protocol::{
    ChatKind, ErrorCode, Role,
    command::{Done, SetTyping},
    event::Typing,
};

use super::{Asker, Effect, Outcome, Result, refuse};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, typing: SetTyping) -> Result<Done> {
    app.limits.typing(asker.user)?;
    let (kind, role) = app.store.membership(typing.chat_id, asker.user).await?;
    if kind == ChatKind::Channel && role == Role::Member {
        return refuse(ErrorCode::Forbidden, "readers of a channel do not write in it");
    }
    let typing = Typing { chat_id: typing.chat_id, user_id: asker.user };
    Ok(Outcome::new(Done {}).and(Effect::Typing(typing)))
}
