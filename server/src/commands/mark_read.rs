//! `mark_read`: how far the caller has read, on all devices, and for the others to see.

use std::sync::Arc;

use chapar_protocol::{
    command::{Done, MarkRead},
    event::Read,
};

use super::{Asker, Effect, Outcome, Result};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, read: MarkRead) -> Result<Done> {
    let marked = app.store.mark_read(asker.user, read.chat_id, read.seq).await?;
    let mut outcome = Outcome::new(Done {});
    if let Some(mine) = marked.mine {
        outcome = outcome.and(Effect::Own(mine));
    }
    if let Some(seq) = marked.told {
        outcome = outcome.and(Effect::Read(Read { chat_id: read.chat_id, user_id: asker.user, seq }));
    }
    Ok(outcome)
}
