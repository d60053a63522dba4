//! `mark_read`: how far the caller has read, on all devices, and for the others to see.

use std::sync::Arc;

use chapar_protocol::command::{Done, MarkRead};

use crate::commands::{Asker, Outcome, Result};
use crate::{app::App, store::chats::readers::Reader};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, read: MarkRead) -> Result<Done> {
    app.readers.mark(Reader { chat: read.chat_id, user: asker.user }, read.seq).await?;
    Ok(Outcome::new(Done {}))
}
