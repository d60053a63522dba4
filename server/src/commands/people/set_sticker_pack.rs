//! `set_sticker_pack`: makes a pack of stickers, or replaces the whole of one's own.

use std::{collections::HashMap, sync::Arc};

use chapar_protocol::{
    FileId, FileKind,
    command::SetStickerPack,
    sticker::{PackSticker, StickerPack, check_pack},
};

use crate::{
    app::App,
    commands::{Asker, Outcome, Result, chats::files::usable},
};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, set: SetStickerPack) -> Result<StickerPack> {
    let (title, stickers) = check_pack(&set.title, set.stickers)?;
    app.limits.items(asker.user, stickers.len())?;
    let files: Vec<FileId> = stickers.iter().map(|it| it.file_id).collect();
    let held = app.store.people.hold_files(asker.user, &files).await?;
    let held: HashMap<FileId, _> = held.into_iter().map(|file| (file.id, file)).collect();
    let mut shown = Vec::with_capacity(stickers.len());
    for sticker in &stickers {
        let file = usable(held.get(&sticker.file_id), FileKind::Sticker)?;
        shown.push(PackSticker {
            file_id: file.id,
            emoji: sticker.emoji.clone(),
            width: file.width.unwrap_or(0),
            height: file.height.unwrap_or(0),
            animated: file.animated,
            preview: file.preview.clone(),
        });
    }
    app.store.people.set_sticker_pack(asker.user, set.pack_id, &title, &stickers).await?;
    Ok(Outcome::new(StickerPack { id: set.pack_id, title, own: true, stickers: shown }))
}
