//! `join`: into a public group or channel, by its handle.

use std::sync::Arc;

use chapar_protocol::{ChatKind, ChatSnapshot, ErrorCode, Role, ServiceAction, command::Join, limit, text};

use super::{Asker, Outcome, Result, lookup, refuse};
use crate::{app::App, store::chats::Named};

pub(super) async fn run(app: Arc<App>, asker: Asker, join: Join) -> Result<ChatSnapshot> {
    let handle = text::check_handle(&join.handle)?;
    // As `resolve` does: whoever tries handles out learns no more of them here.
    let charge = lookup(&app);
    let Some(Named::Chat(info)) = app.store.resolve(&handle).await? else {
        app.store.spend(asker.user, charge).await?;
        return Err(ErrorCode::ChatNotFound.into());
    };
    // Held until the answer is read: many who join at once leave connections for the others.
    let mut turn = None;
    let mut reader = None;
    if info.kind == ChatKind::Channel {
        let own = app.store.turn_of_reader(info.id).await?;
        reader = app.store.begin_reader(info.id, asker.user, &own).await?;
        turn = Some(own);
    }
    let mut chat = match reader {
        Some(chat) => chat,
        None => app.store.lock_any_chat(info.id, asker.user).await?,
    };
    if chat.role().is_none() {
        if chat.is_banned().await? {
            return refuse(ErrorCode::Forbidden, "you were removed from this chat: an admin can add you again");
        }
        if chat.kind() == ChatKind::Group && chat.member_count().await? >= limit::GROUP_MEMBERS {
            return Err(ErrorCode::ChatFull.into());
        }
        chat.spend(&app.store, charge).await?;
        chat.set_roles(&[(asker.user, Some(Role::Member))]).await?;
        chat.tell(ServiceAction::Joined).await?;
        let (_, changes) = chat.commit().await?;
        app.fanout.publish(changes);
    } else {
        chat.commit().await?;
    }
    let snapshot = app.store.snapshot_of_changed(asker.user, info.id).await?;
    drop(turn);
    Ok(Outcome::new(snapshot))
}
