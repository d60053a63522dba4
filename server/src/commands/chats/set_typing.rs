//! `set_typing`: tells the others that the caller is writing.

use std::sync::Arc;

use chapar_domain::rights::{Action, may};
use chapar_protocol::{
    ChatKind,
    command::{Done, SetTyping},
    event::Typing,
};

use crate::app::App;
use crate::commands::{Asker, Effect, Outcome, Result};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, typing: SetTyping) -> Result<Done> {
    app.limits.typing(asker.user)?;
    let inside = app.store.chats.inside_as(typing.chat_id, asker.user).await?;
    // Neither sees the other, and neither is told so.
    if inside.parted {
        return Ok(Outcome::new(Done {}));
    }
    may(inside.place, asker.user, Some(&inside.standing), Action::Write)?;
    // Nothing of either is seen before the request of one is answered by the other.
    if inside.place.kind == ChatKind::Direct && app.store.people.is_request(asker.user, typing.chat_id).await? {
        return Ok(Outcome::new(Done {}));
    }
    let typing = Typing { chat_id: typing.chat_id, user_id: asker.user };
    Ok(Outcome::new(Done {}).and(Effect::Typing(typing)))
}
