//! Messages that are sent later: what their writers ask. Who sends them when their time has come: [`crate::scheduled`].

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode, Timestamp, UserDelta, UserId, WireError,
    command::{DeleteScheduled, Done, EditScheduled, GetScheduled, Schedule, ScheduledMessages, Send, SendScheduled},
    limit,
    message::NewBody,
    text,
};
use uuid::Uuid;

use super::files;
use crate::{
    app::App,
    commands::{Asker, Outcome, Result, refuse},
    store::{
        StoreError,
        people::scheduled::{Ended, When},
    },
};

/// Messages in one command.
const AT_ONCE: usize = 100;
const DAY_MS: i64 = 86_400_000;

pub(in crate::commands) async fn schedule(app: Arc<App>, asker: Asker, wanted: Schedule) -> Result<Done> {
    put(&app, &asker, wanted.message, wanted.at, wanted.when_online).await
}

pub(in crate::commands) async fn edit(app: Arc<App>, asker: Asker, wanted: EditScheduled) -> Result<Done> {
    let Some(known) = app.store.people.scheduled(asker.user, wanted.client_id).await? else {
        return refuse(ErrorCode::MessageNotFound, "it is not there any more: it may have been sent");
    };
    let body = wanted.body.unwrap_or(known.message.body);
    let (at, online) = match (wanted.at, wanted.when_online) {
        // One that failed without a time was to be sent at once.
        (None, false) => (known.at, known.at.is_none() && known.failed.is_none()),
        given => given,
    };
    let message = Send { body, ..known.message };
    put(&app, &asker, message, at.or_else(|| (!online).then(now)), online).await
}

pub(in crate::commands) async fn send(app: Arc<App>, asker: Asker, wanted: SendScheduled) -> Result<Done> {
    few(&wanted.client_ids)?;
    app.limits.messages(asker.user, wanted.client_ids.len())?;
    Ok(told(&app, app.store.people.hurry_scheduled(asker.user, &wanted.client_ids).await?))
}

pub(in crate::commands) async fn delete(app: Arc<App>, asker: Asker, wanted: DeleteScheduled) -> Result<Done> {
    few(&wanted.client_ids)?;
    let ended = |client_id| Ended { user: asker.user, client_id, failed: None };
    let ended: Vec<_> = wanted.client_ids.into_iter().map(ended).collect();
    Ok(told(&app, app.store.people.end_scheduled(&ended, true).await?))
}

pub(in crate::commands) async fn list(app: Arc<App>, asker: Asker, wanted: GetScheduled) -> Result<ScheduledMessages> {
    Ok(Outcome::new(app.store.people.scheduled_in(asker.user, wanted.chat_id).await?))
}

async fn put(app: &App, asker: &Asker, message: Send, at: Option<Timestamp>, online: bool) -> Result<Done> {
    let checked = text::check_body(message.body.clone())?;
    if checked.album().is_some() {
        return refuse(ErrorCode::BadRequest, "an album cannot be scheduled");
    }
    let most = now().as_millis() + i64::try_from(limit::SCHEDULED_DAYS).unwrap_or(0) * DAY_MS;
    let (when, until) = match (at, online) {
        (Some(at), false) if at.as_millis() <= most => (When::At(at), at),
        (Some(_), false) => return refuse(ErrorCode::BadRequest, "a message can be scheduled 366 days ahead"),
        (None, true) => (When::Online, Timestamp::from_millis(most).unwrap_or_else(now)),
        _ => return refuse(ErrorCode::BadRequest, "either a time, or when the other one is online"),
    };
    app.limits.message(asker.user)?;
    if online && !may_wait(app, asker, &message).await? {
        return refuse(ErrorCode::Forbidden, "whether the other one is online is not shown to you");
    }
    keep_files(app, asker, &checked, until).await?;
    Ok(told(app, app.store.people.schedule(asker.user, &message, when).await?))
}

/// Whether the writer may learn when the other one is online. In chats that are not of two, the store says so.
async fn may_wait(app: &App, asker: &Asker, message: &Send) -> std::result::Result<bool, StoreError> {
    let Some(peer) = app.store.people.peer(asker.user, message.chat_id).await? else { return Ok(true) };
    Ok(!app.store.people.may_see(&[(asker.user, peer)]).await?.is_empty())
}

/// A file of the writer's own, which no message names yet, is looked at now and stays until then.
async fn keep_files(app: &App, asker: &Asker, body: &NewBody, until: Timestamp) -> std::result::Result<(), StoreError> {
    let Some((kind, named)) = body.file() else { return Ok(()) };
    let pack = matches!(body, NewBody::Sticker(sticker) if sticker.pack_id.is_some());
    if named.from.is_some() || pack {
        return Ok(());
    }
    let ids: Vec<_> = std::iter::once(named.file_id).chain(body.poster()).collect();
    let held = app.store.people.hold_files(asker.user, &ids).await?;
    files::usable(held.iter().find(|it| it.id == named.file_id), kind)?;
    let ids: Vec<Uuid> = ids.into_iter().map(|it| it.0).collect();
    app.store.people.keep_files(asker.user, &ids, until).await
}

fn few(clients: &[Uuid]) -> std::result::Result<(), StoreError> {
    if clients.len() > AT_ONCE {
        return Err(WireError::new(ErrorCode::TooLarge, "at most 100 messages at once").into());
    }
    Ok(())
}

fn told(app: &App, changes: Vec<(UserId, UserDelta)>) -> Outcome<Done> {
    app.fanout.publish_lists(changes);
    Outcome::new(Done {})
}

fn now() -> Timestamp {
    time::OffsetDateTime::now_utc().into()
}
