//! `get_sticker_packs`: packs by their ids, whoever made them.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode,
    command::{GetStickerPacks, StickerPacks},
    limit,
};

use crate::{
    app::App,
    commands::{Asker, Outcome, Result, refuse},
};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, mut get: GetStickerPacks) -> Result<StickerPacks> {
    if get.pack_ids.len() > limit::PACKS_PER_COMMAND {
        return refuse(ErrorCode::TooLarge, "at most 8 packs at once");
    }
    let mut seen = std::collections::HashSet::new();
    get.pack_ids.retain(|id| seen.insert(*id));
    let packs = app.store.people.sticker_packs(asker.user, &get.pack_ids).await?;
    Ok(Outcome::new(StickerPacks { packs }))
}
