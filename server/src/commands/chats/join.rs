//! `join`: into a public group or channel, by its handle.

use std::sync::Arc;

use chapar_domain::{Principal, change::Change, readers::Move};
use chapar_protocol::{ChatSnapshot, ErrorCode, command::Join, text};

use crate::commands::{Asker, Outcome, Result, lookup};
use crate::{
    app::App,
    readers::Moved,
    store::{chats::readers::Reader, people::names::Named},
};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, join: Join) -> Result<ChatSnapshot> {
    let handle = text::check_handle(&join.handle)?;
    // As `resolve` does: whoever tries handles out learns no more of them here.
    let charge = lookup(&app);
    let found = app.store.people.resolve(&handle).await?;
    let Some(Named::Chat(chat)) = found else {
        app.store.people.spend(asker.user, charge).await?;
        return Err(ErrorCode::ChatNotFound.into());
    };
    let reader = Reader { chat, user: asker.user };
    if app.store.chats.ever_inside(chat, &[asker.user]).await?.get(&asker.user) != Some(&true) {
        app.store.people.spend(asker.user, charge).await?;
        if app.readers.go(reader, Move::Join).await? == Moved::NotAReader {
            app.committer.change(Principal::User(asker.user), chat, Change::Join).await?;
        }
    }
    Ok(Outcome::new(app.store.chats.snapshot_of_changed(asker.user, chat).await?))
}
