//! `open_direct`: the chat of two people, made when there is none.

use std::sync::Arc;

use chapar_domain::{
    Principal,
    change::{Change, NewChat},
};
use chapar_protocol::{ChatKind, ChatSnapshot, ErrorCode, command::OpenDirect};

use super::{Asker, Outcome, Result, knows, toll};
use crate::{app::App, store::StoreError};

pub(super) async fn run(app: Arc<App>, asker: Asker, open: OpenDirect) -> Result<ChatSnapshot> {
    let people = &app.store.people;
    if let Some(chat) = people.direct_chat(asker.user, open.user_id).await? {
        match app.store.chats.chat_snapshot(asker.user, chat).await {
            Ok(snapshot) => {
                // That this user has opened it too is an answer.
                people.engage(asker.user, chat).await?;
                return Ok(Outcome::new(snapshot));
            }
            // Its id was given out, and then something came between.
            Err(StoreError::Refused(error)) if error.code == ErrorCode::ChatNotFound => {}
            Err(error) => return Err(error),
        }
    }
    let known = knows(&app, &asker, &[open.user_id]).await?;
    if known.is_empty() {
        return Err(ErrorCode::UserNotFound.into());
    }
    app.limits.creation(asker.user)?;
    people.pay(asker.user, &toll(&app, &known, &[open.user_id])).await?;
    let chat = people.claim_direct(asker.user, open.user_id).await?;
    let new = NewChat { kind: ChatKind::Direct, title: None, handle: None, members: vec![open.user_id] };
    app.committer.change(Principal::User(asker.user), chat, Change::Create(new)).await?;
    // The other one may have made it at the same moment.
    people.engage(asker.user, chat).await?;
    Ok(Outcome::new(app.store.chats.snapshot_of_changed(asker.user, chat).await?))
}
