//! `create_chat`: a group or a channel. Its id and its name are claimed first, and the chat is made with them afterwards: a retry
//! completes what was begun.

use std::{collections::BTreeSet, sync::Arc};

use chapar_domain::{
    Principal,
    change::{Change, NewChat},
};
use chapar_protocol::{ChatKind, ChatSnapshot, ErrorCode, command::CreateChat, limit, text};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result, all_take_invitations, lookup, refuse, toll};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, create: CreateChat) -> Result<ChatSnapshot> {
    app.limits.creation(asker.user)?;
    if create.kind == ChatKind::Direct {
        return refuse(ErrorCode::BadRequest, "a direct chat is opened by open_direct");
    }
    if create.members.len() > limit::USERS_PER_COMMAND {
        return refuse(ErrorCode::TooLarge, "at most 200 users at once");
    }
    let title = text::check_title(&create.title)?;
    let handle = create.handle.as_deref().map(text::check_handle).transpose()?;
    let named: BTreeSet<_> = create.members.into_iter().filter(|user| *user != asker.user).collect();
    let named: Vec<_> = named.into_iter().collect();
    let people = &app.store.people;
    // A retry pays for nothing once the chat is there. Until then it is checked like the first try: another one may come first.
    let begun = people.created_chat(asker.user, create.client_id, create.kind).await?;
    let made = match begun {
        Some(chat) => app.store.chats.info(chat).await?.is_some(),
        None => false,
    };
    let chat = if let Some(chat) = begun.filter(|_| made) {
        chat
    } else {
        let doors = crate::commands::named(&app, &asker, &named).await?;
        all_take_invitations(&doors, &named)?;
        // That a handle is taken is what `resolve` tells, and costs the same.
        if let Some(handle) = &handle {
            people.spend(asker.user, lookup(&app)).await?;
            app.store.settle_claim(handle).await?;
        }
        let toll = toll(&app, &asker, &doors, &named);
        people.claim_chat(asker.user, create.client_id, create.kind, handle.as_deref(), &toll).await?
    };
    let new = NewChat { kind: create.kind, title: Some(title), handle: handle.clone(), members: named };
    app.committer.change(Principal::User(asker.user), chat, Change::Create(new)).await?;
    if let Some(handle) = handle {
        people.confirm_handle(&handle, chat).await?;
    }
    Ok(Outcome::new(app.store.chats.snapshot_of_changed(asker.user, chat).await?))
}
