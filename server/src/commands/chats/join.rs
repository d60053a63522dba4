//! `join`: into a public group or channel, by its handle.

use std::sync::Arc;

use chapar_domain::{Principal, change::Change, readers::Move};
use chapar_protocol::{ChatSnapshot, ErrorCode, command::Join, text};

use crate::commands::{Asker, Outcome, Result, lookup};
use crate::{app::App, readers::Moved, store::chats::readers::Reader};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, join: Join) -> Result<ChatSnapshot> {
    let handle = text::check_handle(&join.handle)?;
    // As `resolve` does: whoever tries handles out learns no more of them here.
    let charge = lookup(&app);
    let Some(chat) = app.joining.chat(handle).await? else {
        app.store.people.spend(asker.user, charge).await?;
        return Err(ErrorCode::ChatNotFound.into());
    };
    let reader = Reader { chat, user: asker.user };
    // Who is in it already pays nothing, and need not come in.
    if !charge.is_free() {
        if app.joining.is_inside(reader).await? {
            return Ok(Outcome::new(app.store.chats.snapshot_of_changed(asker.user, chat).await?));
        }
        app.store.people.spend(asker.user, charge).await?;
    }
    if app.readers.go(reader, Move::Join).await? == Moved::NotAReader {
        if !app.joining.is_inside(reader).await? {
            app.committer.change(Principal::User(asker.user), chat, Change::Join).await?;
        }
        return Ok(Outcome::new(app.store.chats.snapshot_of_changed(asker.user, chat).await?));
    }
    Ok(Outcome::new(app.joining.snapshot(reader).await?))
}
