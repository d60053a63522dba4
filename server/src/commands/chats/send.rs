//! `send`: a message. One without a file is queued at once, so that it keeps its place among what the connection asks of the chat; one with a
//! file, or with what stands behind a link in it, is queued when the people's side has told what that is.

use std::{collections::HashMap, sync::Arc};

use chapar_domain::{
    Principal,
    change::{Change, Done, NewMessage},
    chat::Beside,
};
use chapar_protocol::{
    Action, ChatId, ErrorCode, Seq, UserId, WireError,
    command::{Send, Sent},
    frame,
    message::NewBody,
    text,
};
use uuid::Uuid;

use super::{
    change::{Reply, answer},
    files, previews,
};
use crate::{
    app::App,
    commands::{Asker, Outcome, Pending, Request, Result, apart},
    store::StoreError,
};

/// Checks, and queues or goes on by itself.
pub(in crate::commands) fn start(app: &Arc<App>, asker: &Asker, request: &Request<'_>) -> Pending {
    let checked = frame::parse_params::<Send>(request.params).and_then(|send| {
        let body = text::check_body(send.body.clone())?;
        if body.album().is_some() {
            return Err(WireError::new(
                ErrorCode::BadRequest,
                "the messages of an album are sent together: send_album",
            ));
        }
        text::check_quote(send.quote.as_ref(), send.reply_to)?;
        app.limits.message(asker.user)?;
        Ok((send, body))
    });
    let queued = match checked {
        Ok((send, body)) if body.file().is_some() || send.preview.is_some() => {
            return apart::<Send>(app, asker, request.id, with_more(app.clone(), asker.clone(), send, body));
        }
        Ok((send, body)) => files::stored(body, &HashMap::new()).and_then(|stored| {
            let Send { quote, silent, thread, .. } = send;
            let beside = Beside { quote, silent, thread, ..Beside::default() };
            let message = NewMessage::new(send.client_id, &send.body, stored, send.reply_to).beside(beside);
            app.committer.queue(Principal::User(asker.user), send.chat_id, Change::Send(message))
        }),
        Err(error) => Err(error),
    };
    answer::<Send>(app, request.id, queued)
}

async fn with_more(app: Arc<App>, asker: Asker, send: Send, checked: NewBody) -> Result<Sent> {
    let done = one(&app, asker.user, send, checked).await?;
    Ok(Outcome::new(Reply(done).into()))
}

/// Sends a message that was scheduled.
pub(in crate::commands) async fn send_for(app: &App, user: UserId, send: Send) -> std::result::Result<(), WireError> {
    let checked = text::check_body(send.body.clone())?;
    text::check_quote(send.quote.as_ref(), send.reply_to)?;
    Ok(one(app, user, send, checked).await.map(drop)?)
}

async fn one(app: &App, user: UserId, send: Send, checked: NewBody) -> std::result::Result<Done, StoreError> {
    let Send { chat_id, client_id, body, reply_to, quote, preview, silent, thread } = send;
    let beside = previews::beside(app, user, client_id, preview.as_deref(), &checked).await?;
    let beside = Beside { quote, silent, thread, ..beside };
    carry_out(app, user, chat_id, vec![New { client_id, sent: body, checked, beside }], reply_to).await
}

/// A message to be stored.
pub(super) struct New {
    /// The client's id for it.
    pub(super) client_id: Uuid,
    /// As it was sent, by which a retry is known.
    pub(super) sent: NewBody,
    /// As it may be stored.
    pub(super) checked: NewBody,
    /// The marks beside it.
    pub(super) beside: Beside,
}

/// Stores one message with a file, or an album of several.
pub(super) async fn carry_out(
    app: &App,
    user: UserId,
    chat: ChatId,
    new: Vec<New>,
    reply_to: Option<Seq>,
) -> std::result::Result<Done, StoreError> {
    let by = Principal::User(user);
    let bodies = match files::bodies(app, user, &new).await {
        Ok(bodies) => bodies,
        Err(StoreError::Refused(error)) if error.action != Action::Retry => {
            // A retry may come after the message was deleted and its file with it, or the one from which it was forwarded.
            let sent = new.iter().map(|it| (it.client_id, NewMessage::hash_of(&it.sent, reply_to))).collect();
            return match queued(app, by, chat, Change::Recall(sent)).await {
                Err(none) if none.code == ErrorCode::MessageNotFound => Err(StoreError::Refused(error)),
                known => known.map_err(StoreError::Refused),
            };
        }
        Err(error) => return Err(error),
    };
    let message = |(new, body): (New, _)| NewMessage::new(new.client_id, &new.sent, body, reply_to).beside(new.beside);
    let mut messages: Vec<_> = new.into_iter().zip(bodies).map(message).collect();
    let change = match messages.pop() {
        Some(one) if messages.is_empty() => Change::Send(one),
        last => {
            messages.extend(last);
            Change::SendAlbum(messages)
        }
    };
    queued(app, by, chat, change).await.map_err(StoreError::Refused)
}

/// Queues a change, and waits for what becomes of it.
pub(super) async fn queued(app: &App, by: Principal, chat: ChatId, change: Change) -> crate::committer::Outcome {
    let outcome = app.committer.queue(by, chat, change)?;
    outcome.await.unwrap_or_else(|_| Err(crate::committer::going_away()))
}
