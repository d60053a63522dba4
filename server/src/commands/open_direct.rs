//! `open_direct`: the chat of two people, made when there is none. Among strangers it is a request to the other one.

use std::sync::Arc;

use chapar_domain::{
    Principal,
    change::{Change, NewChat},
};
use chapar_protocol::{ChatId, ChatKind, ChatSnapshot, ErrorCode, command::OpenDirect};

use super::{Asker, Outcome, Result, answer_request::accept, refuse, toll};
use crate::{app::App, store::StoreError};

pub(super) async fn run(app: Arc<App>, asker: Asker, open: OpenDirect) -> Result<ChatSnapshot> {
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
    let named = super::named(&app, &asker, &[open.user_id]).await?;
    let door = named.doors.iter().find(|door| door.of.user != asker.user);
    if door.is_some_and(|door| !door.takes_messages()) {
        return refuse(ErrorCode::RefusedByUser, "this person does not take messages from you");
    }
    app.limits.creation(asker.user)?;
    let request = door.is_some_and(|door| !door.known);
    let toll = toll(&app, &named, &[open.user_id]);
    let chat = people.claim_direct(asker.user, open.user_id, request, &toll).await?;
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
