//! `open_direct`: the chat of two people, made when there is none. Among strangers it is a request to the other one.

use std::sync::Arc;

use chapar_domain::{
    Principal,
    change::{Change, NewChat},
};
use chapar_protocol::{ChatKind, ChatSnapshot, ErrorCode, command::OpenDirect};

use crate::commands::{Asker, Outcome, Result, people::answer_request::accept, refuse, toll};
use crate::{app::App, blocks::shut, store::StoreError};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, open: OpenDirect) -> Result<ChatSnapshot> {
    let people = &app.store.people;
    if let Some(chat) = people.direct_chat(asker.user, open.user_id).await? {
        match app.store.chats.chat_snapshot(asker.user, chat).await {
            Ok(snapshot) => {
                // That this user has opened it too is an answer.
                accept(&app, &asker, chat).await?;
                keep_shut(&app, &asker, &open).await?;
                return Ok(Outcome::new(snapshot));
            }
            // Its id was given out, and then something came between.
            Err(StoreError::Refused(error)) if error.code == ErrorCode::ChatNotFound => {}
            Err(error) => return Err(error),
        }
    }
    let named = crate::commands::named(&app, &asker, &[open.user_id]).await?;
    let door = named.doors.iter().find(|door| door.of.user != asker.user);
    if door.is_some_and(|door| !door.takes_messages()) {
        return refuse(ErrorCode::RefusedByUser, "this person does not take messages from you");
    }
    app.limits.creation(asker.user)?;
    let request = door.is_some_and(|door| !door.known);
    let toll = toll(&app, &asker, &named, &[open.user_id]);
    let chat = people.claim_direct(asker.user, open.user_id, request, &toll).await?;
    let new = NewChat { kind: ChatKind::Direct, title: None, handle: None, members: vec![open.user_id] };
    app.committer.change(Principal::User(asker.user), chat, Change::Create(new)).await?;
    // The other one may have made it at the same moment.
    accept(&app, &asker, chat).await?;
    keep_shut(&app, &asker, &open).await?;
    Ok(Outcome::new(app.store.chats.snapshot_of_changed(asker.user, chat).await?))
}

/// Blocks (and who takes messages from nobody) that were there before the chat, or came while it was made, found none to be shut.
async fn keep_shut(app: &App, asker: &Asker, open: &OpenDirect) -> std::result::Result<(), StoreError> {
    for (by, user) in app.store.people.closed_between(asker.user, open.user_id).await? {
        shut(&app.store, &app.committer, by, user).await?;
    }
    Ok(())
}
