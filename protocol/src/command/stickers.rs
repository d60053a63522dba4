use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    PackId,
    sticker::{NewPackSticker, OwnPack, StickerPack},
};

params! {
    /// Makes a pack of stickers, or replaces the whole of one's own: its title, its stickers and their order. Again, it changes nothing.
    SetStickerPack {
        /// Made by the client, new for each pack.
        pack_id: PackId,
        /// 1 to 128 characters.
        title: String,
        /// In their order, 1 to 120, none twice.
        stickers: Vec<NewPackSticker>,
    }
    /// Deletes a pack of one's own. Messages that show its stickers keep them.
    DeleteStickerPack {
        /// Which.
        pack_id: PackId,
    }
    /// Some packs of stickers, whoever made them.
    GetStickerPacks {
        /// Which, at most 8.
        pack_ids: Vec<PackId>,
    }
    /// The answer to [`GetStickerPacks`].
    StickerPacks {
        /// In the order in which they were named. Those that there are not are left out.
        packs: Vec<StickerPack>,
    }
    /// The packs that the asking user has made, also those that are not in their list.
    GetOwnStickerPacks {}
    /// The answer to [`GetOwnStickerPacks`].
    OwnStickerPacks {
        /// The one that was changed last stands first. At most 50.
        packs: Vec<OwnPack>,
    }
}
