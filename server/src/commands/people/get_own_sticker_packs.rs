//! `get_own_sticker_packs`: the packs that the caller has made.

use std::sync::Arc;

use chapar_protocol::command::{GetOwnStickerPacks, OwnStickerPacks};

use crate::{
    app::App,
    commands::{Asker, Outcome, Result},
};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, _: GetOwnStickerPacks) -> Result<OwnStickerPacks> {
    let packs = app.store.people.own_sticker_packs(asker.user).await?;
    Ok(Outcome::new(OwnStickerPacks { packs }))
}
