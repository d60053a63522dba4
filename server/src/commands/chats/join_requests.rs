//! Those who ask to be let in: `get_join_requests` and `answer_join_request`, for those who may add.

use std::sync::Arc;

use chapar_domain::{Principal, change::Change};
use chapar_protocol::{
    OwnItem, UserId,
    command::{AnswerJoinRequest, Changed, GetJoinRequests, JoinRequests},
    item::AskedToJoin,
    limit,
};
use time::OffsetDateTime;

use super::invites::{may_add, note};
use crate::{
    app::App,
    commands::{Asker, Outcome, Result},
};

pub(in crate::commands) async fn list(app: Arc<App>, asker: Asker, get: GetJoinRequests) -> Result<JoinRequests> {
    may_add(&app, &asker, get.chat_id).await?;
    let page = limit::USERS_PER_COMMAND;
    let (after, rows) = (get.after.unwrap_or(UserId(0)), i64::try_from(page).unwrap_or(0) + 1);
    let mut requests = app.store.chats.join_requests(get.chat_id, after, rows).await?;
    let more = requests.len() > page;
    requests.truncate(page);
    // Whoever is to answer may see who asks.
    let who: Vec<UserId> = requests.iter().map(|it| it.user_id).collect();
    app.store.people.meet(asker.user, &who).await?;
    Ok(Outcome::new(JoinRequests { requests, more }))
}

/// Who is let in finds the chat in their list, and takes the item back. Who is not is told so first: when the request cannot be taken away
/// then, it is answered again.
pub(in crate::commands) async fn answer(app: Arc<App>, asker: Asker, answer: AnswerJoinRequest) -> Result<Changed> {
    let AnswerJoinRequest { chat_id, user_id, accept } = answer;
    app.limits.message(asker.user)?;
    may_add(&app, &asker, chat_id).await?;
    if !accept {
        let before = UserId(user_id.0 - 1);
        let asks = app.store.chats.join_requests(chat_id, before, 1).await?.into_iter().any(|it| it.user_id == user_id);
        if asks {
            let info = app.store.chats.info(chat_id).await?;
            let title = info.and_then(|it| it.title).unwrap_or_default();
            let value = AskedToJoin { title, at: OffsetDateTime::now_utc().into(), declined: true };
            note(&app, user_id, OwnItem::JoinRequest { chat_id, value: Some(value) }).await?;
        }
    }
    let by = Principal::User(asker.user);
    let version = app.committer.change(by, chat_id, Change::AnswerRequest(user_id, accept)).await?;
    Ok(Outcome::new(Changed { version }))
}
