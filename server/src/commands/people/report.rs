//! `report`: the caller tells the operator of somebody.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode, Seq,
    command::{Done, Report},
    limit,
};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result, knows, refuse};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, report: Report) -> Result<Done> {
    app.limits.report(asker.user)?;
    let note = report.note.as_deref().unwrap_or_default();
    if note.len() > limit::REPORT_BYTES || note.contains('\0') {
        return refuse(ErrorCode::TooLarge, "a note has at most 1024 bytes, without U+0000");
    }
    if report.user_id == asker.user || knows(&app, &asker, &[report.user_id]).await?.is_empty() {
        return Err(ErrorCode::UserNotFound.into());
    }
    match (report.chat_id, report.seq) {
        (None, None) => {}
        (None, Some(_)) => return refuse(ErrorCode::BadRequest, "a message is named with its chat"),
        (Some(chat), seq) => {
            let (after, last) = app.store.chats.seen_stretch(chat, asker.user).await?;
            if seq.is_some_and(|seq| seq < Seq(1) || seq <= after || seq > last) {
                return Err(ErrorCode::MessageNotFound.into());
            }
        }
    }
    app.store.people.report(asker.user, &report).await?;
    Ok(Outcome::new(Done {}))
}
