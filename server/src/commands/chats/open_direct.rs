//! `open_direct`: the chat of two people, made when there is none. Among strangers it is a request to the other one.

use std::sync::Arc;

use chapar_domain::{
    Principal,
    change::{Change, NewChat},
};
use chapar_protocol::{ChatId, ChatKind, ChatSnapshot, ErrorCode, command::OpenDirect};

use crate::commands::{Asker, Outcome, Result, knows, people::answer_request::accept, refuse, toll};
use crate::{app::App, store::StoreError};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, open: OpenDirect) -> Result<ChatSnapshot> {
    let people = &app.store.people;
    if let Some(chat) = people.direct_chat(asker.user, open.user_id).await? {
        match app.store.chats.chat_snapshot(asker.user, chat).await {
            Ok(snapshot) => {
                // That this user has opened it too is an answer.
                accept(&app, &asker, chat).await?;
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
    let door = people.doors(asker.user, &[open.user_id]).await?.pop();
    if door.is_some_and(|door| !door.takes_messages()) {
        return refuse(ErrorCode::RefusedByUser, "this person does not take messages from you");
    }
    app.limits.creation(asker.user)?;
    people.pay(asker.user, &toll(&app, &asker, &known, &[open.user_id]).await?).await?;
    let request = door.is_some_and(|door| !door.known);
    let chat = people.claim_direct(asker.user, open.user_id, request).await?;
    let new = NewChat { kind: ChatKind::Direct, title: None, handle: None, members: vec![open.user_id] };
    app.committer.change(Principal::User(asker.user), chat, Change::Create(new)).await?;
    // The other one may have made it at the same moment.
    accept(&app, &asker, chat).await?;
    shut_when_blocked(&app, &asker, chat, &open).await?;
    Ok(Outcome::new(app.store.chats.snapshot_of_changed(asker.user, chat).await?))
}

/// Whoever has blocked the asker in between found no chat to be shut.
async fn shut_when_blocked(
    app: &App,
    asker: &Asker,
    chat: ChatId,
    open: &OpenDirect,
) -> std::result::Result<(), StoreError> {
    if open.user_id != asker.user && app.store.people.has_blocked(open.user_id, asker.user).await? {
        let shut = Change::Shut(asker.user, true);
        app.committer.change(Principal::User(open.user_id), chat, shut).await?;
    }
    Ok(())
}
