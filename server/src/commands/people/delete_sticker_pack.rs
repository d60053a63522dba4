//! `delete_sticker_pack`: deletes a pack of the caller's own. Messages that show its stickers keep them.

use std::sync::Arc;

use chapar_protocol::command::{DeleteStickerPack, Done};

use crate::{
    app::App,
    commands::{Asker, Outcome, Result},
};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, delete: DeleteStickerPack) -> Result<Done> {
    app.store.people.delete_sticker_pack(asker.user, delete.pack_id).await?;
    Ok(Outcome::new(Done {}))
}
