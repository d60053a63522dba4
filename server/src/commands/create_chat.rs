//! `create_chat`: a group or a channel.

use std::{collections::BTreeSet, sync::Arc};

use chapar_protocol::{ChatKind, ChatSnapshot, ErrorCode, Role, ServiceAction, command::CreateChat, limit, text};

use super::{Asker, Outcome, Result, knows, lookup, refuse, toll};
use crate::{
    app::App,
    store::{StoreError, create::Created, people::all_known},
};

pub(super) async fn run(app: Arc<App>, asker: Asker, create: CreateChat) -> Result<ChatSnapshot> {
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
    let known = knows(&app, &asker, &named).await?;
    let created = app.store.create_chat(asker.user, create.client_id, create.kind, &title, handle.as_deref()).await;
    // That a handle is taken is what `resolve` tells, and costs the same.
    if matches!(&created, Err(StoreError::Refused(error)) if error.code == ErrorCode::HandleTaken) {
        app.store.spend(asker.user, lookup(&app)).await?;
    }
    let mut chat = match created? {
        Created::Existed(chat) => return Ok(Outcome::new(app.store.chat_snapshot(asker.user, chat).await?)),
        Created::New(chat) => chat,
    };
    all_known(&known, &named)?;
    if handle.is_some() {
        chat.spend(&app.store, lookup(&app)).await?;
    }
    let others = chat.newcomers(&named).await?.all;
    chat.pay(&app.store, &toll(&app, &known, &others)).await?;
    let mut roles = vec![(asker.user, Some(Role::Owner))];
    roles.extend(others.into_iter().map(|user| (user, Some(Role::Member))));
    chat.set_roles(&roles).await?;
    chat.tell(ServiceAction::Created).await?;
    let id = chat.chat_id();
    let (_, changes) = chat.commit().await?;
    app.fanout.publish(changes);
    Ok(Outcome::new(app.store.snapshot_of_changed(asker.user, id).await?))
}
