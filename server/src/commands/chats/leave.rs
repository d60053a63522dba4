//! `leave`: out of a group or channel, and not to be brought back by strangers. It also closes the door behind whoever is out
//! already.

use std::sync::Arc;

use chapar_domain::{Principal, change::Change, readers::Move};
use chapar_protocol::command::{Done, Leave};

use crate::commands::{Asker, Outcome, Result};
use crate::{app::App, readers::Moved, store::chats::readers::Reader};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, leave: Leave) -> Result<Done> {
    let reader = Reader { chat: leave.chat_id, user: asker.user };
    if app.readers.go(reader, Move::Leave).await? == Moved::NotAReader {
        app.committer.change(Principal::User(asker.user), leave.chat_id, Change::Leave).await?;
    }
    Ok(Outcome::new(Done {}))
}
