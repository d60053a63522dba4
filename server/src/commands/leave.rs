//! `leave`: out of a group or channel, and not to be brought back by strangers. It also closes the door behind whoever is out
//! already.

use std::sync::Arc;

use chapar_protocol::{
    ChatKind, ErrorCode, Role, ServiceAction,
    command::{Done, Leave},
};

use super::{Asker, Effect, Outcome, Result, refuse};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, leave: Leave) -> Result<Done> {
    if app.store.stay_out(leave.chat_id, asker.user).await? {
        return Ok(Outcome::new(Done {}));
    }
    if app.store.membership(leave.chat_id, asker.user).await? == (ChatKind::Channel, Role::Member) {
        let turn = app.store.turn_of_reader(leave.chat_id).await?;
        if let Some(mut chat) = app.store.begin_reader(leave.chat_id, asker.user, &turn).await? {
            if chat.role().is_none() {
                return Err(ErrorCode::ChatNotFound.into());
            }
            chat.set_roles(&[(asker.user, None)]).await?;
            let (_, changes) = chat.commit().await?;
            return Ok(Outcome::new(Done {}).and(Effect::Changed(changes)));
        }
    }
    let mut chat = app.store.lock_chat(leave.chat_id, asker.user).await?;
    if chat.kind() == ChatKind::Direct {
        return refuse(ErrorCode::Forbidden, "a direct chat cannot be left");
    }
    if chat.role() == Some(Role::Owner) && !chat.is_alone().await? {
        return Err(ErrorCode::OwnerCannotLeave.into());
    }
    chat.set_roles(&[(asker.user, None)]).await?;
    chat.tell(ServiceAction::Left).await?;
    let (_, changes) = chat.commit().await?;
    Ok(Outcome::new(Done {}).and(Effect::Changed(changes)))
}
