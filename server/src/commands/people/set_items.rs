//! `set_items`: what the caller sets of their own, on all their devices.

use std::{collections::HashSet, sync::Arc};

use chapar_domain::{Principal, change::Change};
use chapar_protocol::{
    ErrorCode, OwnItem,
    call::Party,
    command::{ItemsSet, SetItems},
    item::{self, WHO_MAY_SEE},
    limit,
};

use crate::commands::{Asker, Outcome, Result, refuse};
use crate::{app::App, store::StoreError};

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
    // Each is a change of a chat as well, which the other one's devices take in.
    for _ in items.iter().filter(|it| matches!(it, OwnItem::Block { .. })) {
        app.limits.message(asker.user)?;
    }
    let (version, delta) = app.store.people.set_items(asker.user, &items).await?;
    if let Some(delta) = delta {
        app.fanout.publish_own(asker.user, delta);
    }
    // Also of what was so already: whoever got no answer asks again, and then all of it is done.
    take_effect(&app, &asker, &items).await?;
    Ok(Outcome::new(ItemsSet { version }))
}

/// What others must not do or see any more, or may again.
async fn take_effect(app: &App, asker: &Asker, items: &[OwnItem]) -> std::result::Result<(), StoreError> {
    let people = &app.store.people;
    let mut hidden = false;
    for item in items {
        match item {
            OwnItem::Block { user_id, value } => {
                let blocked = value.is_some();
                hidden = true;
                if blocked {
                    app.calls.blocked(Party { user_id: asker.user, device_id: asker.device }, *user_id).await;
                }
                // In the chat it is noted as well: messages are judged without a look at the people's side.
                if let Some(chat) = people.direct_chat(asker.user, *user_id).await? {
                    let shut = Change::Shut(*user_id, blocked);
                    match app.committer.change(Principal::User(asker.user), chat, shut).await {
                        // Its id was given out, and it is being made: whoever makes it looks for blocks afterwards.
                        Err(error) if error.code == ErrorCode::ChatNotFound => {}
                        done => drop(done?),
                    }
                }
            }
            OwnItem::Setting { name, .. } => hidden |= name == WHO_MAY_SEE,
            _ => {}
        }
    }
    if hidden {
        app.fanout.publish_hidden(asker.user);
    }
    Ok(())
}
