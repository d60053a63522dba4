//! `send`: a message, stored with others in one commit and acknowledged after it.

use std::sync::Arc;

use chapar_protocol::{
    WireError,
    command::{Send, Sent},
    frame, text,
};
use tokio::sync::oneshot;

use super::{Asker, Pending, Request, count_error, refused};
use crate::{
    app::App,
    committer::{self, Outcome},
    store::send::NewMessage,
};

/// Checks and queues at once, so that a connection's messages keep their order.
pub(super) fn start(app: &Arc<App>, asker: &Asker, request: &Request<'_>) -> Pending {
    let id = request.id;
    match queue(app, asker, request.params) {
        Ok(outcome) => {
            let app = app.clone();
            Box::pin(async move {
                let reply: Result<Sent, WireError> = outcome.await.unwrap_or_else(|_| Err(committer::going_away()));
                if let Err(error) = &reply {
                    count_error(&app, error);
                }
                frame::reply(id, &reply).into()
            })
        }
        Err(error) => {
            count_error(app, &error);
            refused(id, &error)
        }
    }
}

fn queue(app: &App, asker: &Asker, params: &str) -> Result<oneshot::Receiver<Outcome>, WireError> {
    let send: Send = frame::parse_params(params)?;
    let body = text::check_body(send.body)?;
    app.limits.message(asker.user)?;
    app.committer.queue(NewMessage::new(send.chat_id, asker.user, send.client_id, body, send.reply_to))
}
