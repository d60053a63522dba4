//! `hide_messages`: somebody deletes messages for themselves. They stay where they are; the person's devices show nothing of them.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode, Seq,
    command::{HideMessages, ItemsSet},
    limit,
};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result, refuse};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, hide: HideMessages) -> Result<ItemsSet> {
    if !(1..=limit::DELETED).contains(&hide.seqs.len()) {
        return refuse(ErrorCode::TooLarge, "1 to 100 messages are hidden at once");
    }
    app.limits.items(asker.user, 1)?;
    let inside = app.store.chats.inside_as(hide.chat_id, asker.user).await?;
    if hide.seqs.iter().any(|seq| *seq < Seq(1) || *seq > inside.last_seq) {
        return refuse(ErrorCode::MessageNotFound, "there is no such message");
    }
    let written = app.store.people.hide_messages(asker.user, hide.chat_id, &hide.seqs).await?;
    if let Some(delta) = written.delta {
        app.fanout.publish_own(asker.user, delta);
    }
    Ok(Outcome::new(ItemsSet { version: written.version }))
}
