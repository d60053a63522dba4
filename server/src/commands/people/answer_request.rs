//! `answer_request`: a stranger's request is accepted or declined. The stranger learns of neither.

use std::sync::Arc;

use chapar_protocol::{
    ChatId, ChatKind, ErrorCode,
    command::{AnswerRequest, Done},
};

use crate::commands::{Asker, Outcome, Result, refuse};
use crate::{
    app::App,
    store::{StoreError, chats::readers::Reader},
};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, answer: AnswerRequest) -> Result<Done> {
    let chat = answer.chat_id;
    let inside = app.store.chats.inside_as(chat, asker.user).await?;
    if inside.place.kind != ChatKind::Direct {
        return refuse(ErrorCode::BadRequest, "only direct chats are requests");
    }
    if answer.accept {
        accept(&app, &asker, chat).await?;
    } else if let Some(delta) = app.store.people.decline(asker.user, chat).await? {
        app.fanout.publish_lists(vec![(asker.user, delta)]);
    }
    Ok(Outcome::new(Done {}))
}

/// Notes that somebody wants a direct chat. Was it a request, others see from now on how far they have read.
pub(in crate::commands) async fn accept(app: &App, asker: &Asker, chat: ChatId) -> std::result::Result<(), StoreError> {
    let Some(delta) = app.store.people.engage(asker.user, chat).await? else { return Ok(()) };
    let read = delta.items.iter().filter_map(chapar_protocol::Item::chat).map(|mine| mine.read_seq).max();
    app.fanout.publish_lists(vec![(asker.user, delta)]);
    if let Some(seq) = read {
        app.readers.mark(Reader { chat, user: asker.user }, seq).await?;
    }
    Ok(())
}
