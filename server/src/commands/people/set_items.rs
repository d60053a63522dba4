//! `set_items`: what the caller sets of their own, on all their devices.

use std::{collections::HashSet, sync::Arc};

use chapar_protocol::{
    ErrorCode, OwnItem,
    call::Party,
    command::{ItemsSet, SetItems},
    item::{self, WHO_MAY_SEE, WHO_MAY_WRITE},
    limit,
};

use crate::commands::{Asker, Outcome, Result, refuse};
use crate::{app::App, blocks::shut};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, set: SetItems) -> Result<ItemsSet> {
    if set.items.len() > limit::ITEMS_PER_COMMAND {
        return refuse(ErrorCode::TooLarge, "at most 100 items at once");
    }
    let items =
        set.items.into_iter().map(|it| item::check(asker.user, it)).collect::<std::result::Result<Vec<_>, _>>()?;
    let named: HashSet<_> = items.iter().map(|it| (it.kind(), it.key())).collect();
    if named.len() < items.len() {
        return refuse(ErrorCode::BadRequest, "an item is named twice");
    }
    app.limits.items(asker.user, items.len())?;
    // Each is a change of a chat as well.
    for _ in items.iter().filter(|it| matches!(it, OwnItem::Block { .. })) {
        app.limits.message(asker.user)?;
    }
    // Changes all of one's direct chats.
    if items.iter().any(|it| matches!(it, OwnItem::Setting { name, .. } if name == WHO_MAY_WRITE)) {
        app.limits.name(asker.user)?;
    }
    let written = app.store.people.set_items(asker.user, &items).await?;
    if let Some(delta) = written.delta {
        app.fanout.publish_own(asker.user, delta);
    }
    // Also of what was so already: whoever got no answer asks again, and then all of it is done.
    take_effect(&app, &asker, &items).await;
    let mut done = Vec::new();
    for (user, job) in written.blocks {
        match shut(&app.store, &app.committer, asker.user, user).await {
            Ok(()) => done.push(job),
            // The job stands, and is done when the chat can be changed.
            Err(error) => tracing::warn!(%error, job, "a block comes into its chat later"),
        }
    }
    if !done.is_empty()
        && let Err(error) = app.store.people.take_back_jobs(&done).await
    {
        tracing::debug!(%error, "what is done is done once more");
    }
    Ok(Outcome::new(ItemsSet { version: written.version }))
}

/// What others must not do or see any more, or may again.
async fn take_effect(app: &App, asker: &Asker, items: &[OwnItem]) {
    let mut hidden = false;
    for item in items {
        match item {
            OwnItem::Block { user_id, value } => {
                hidden = true;
                if value.is_some() {
                    app.calls.blocked(Party { user_id: asker.user, device_id: asker.device }, *user_id).await;
                }
            }
            OwnItem::Setting { name, .. } => hidden |= name == WHO_MAY_SEE,
            _ => {}
        }
    }
    if hidden {
        app.fanout.publish_hidden(asker.user);
    }
}
