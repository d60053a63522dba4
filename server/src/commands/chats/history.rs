//! Reading: `history`, `difference`, `user_difference`, `get_chat`.

use std::sync::Arc;

use chapar_protocol::{
    ChatSnapshot, ErrorCode, UserDelta,
    command::{Difference, Differences, GetChat, History, Page, UserDifference},
    limit,
};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result, refuse};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, page: History) -> Result<Page> {
    if (page.before as usize).saturating_add(page.after as usize) > limit::PAGE {
        return refuse(ErrorCode::TooLarge, "a page has at most 200 messages");
    }
    let (before, after) = (i64::from(page.before), i64::from(page.after));
    Ok(Outcome::new(app.store.chats.history(asker.user, page.chat_id, page.seq, before, after).await?))
}

pub(in crate::commands) async fn difference(app: Arc<App>, asker: Asker, it: Difference) -> Result<Differences> {
    if it.chats.len() > limit::DIFFERENCE_CHATS {
        return refuse(ErrorCode::TooLarge, "at most 100 chats at once");
    }
    Ok(Outcome::new(app.store.chats.differences(asker.user, &it.chats).await?))
}

pub(in crate::commands) async fn user_difference(app: Arc<App>, asker: Asker, it: UserDifference) -> Result<UserDelta> {
    Ok(Outcome::new(app.store.people.difference(asker.user, it.from).await?))
}

pub(in crate::commands) async fn get_chat(app: Arc<App>, asker: Asker, it: GetChat) -> Result<ChatSnapshot> {
    Ok(Outcome::new(app.store.chats.chat_snapshot(asker.user, it.chat_id).await?))
}
