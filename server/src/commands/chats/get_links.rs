//! `get_links`: where the files of some messages are to be had for a while. What the caller may not read is left out.

use std::{collections::HashMap, sync::Arc};

use chapar_protocol::{
    ErrorCode, Seq, Timestamp,
    command::{GetLinks, Links},
    limit,
    media::{FileAt, FileLink},
};

use crate::{
    app::App,
    commands::{Asker, Outcome, Result, refuse},
    files::{Grant, Links as Signer},
    store::chats::Shown,
};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, get: GetLinks) -> Result<Links> {
    if get.files.len() > limit::LINKS_PER_COMMAND {
        return refuse(ErrorCode::TooLarge, "at most 100 files at once");
    }
    let mut seqs: Vec<Seq> = get.files.iter().map(|at| at.seq).collect();
    seqs.sort_unstable();
    seqs.dedup();
    let shown = app.store.chats.shown(asker.user, get.chat_id, &seqs).await?;
    let there: HashMap<Seq, Shown> = shown.into_iter().map(|it| (it.seq, it)).collect();
    let now: Timestamp = time::OffsetDateTime::now_utc().into();
    let expires_at = Signer::expiry(now);
    let mut links = Vec::new();
    for FileAt { seq, file_id } in get.files {
        let Some(shown) = there.get(&seq) else { continue };
        let image = shown.image.as_ref().filter(|it| it.file.id == file_id);
        if image.is_none() && !shown.body.files().any(|it| it == file_id) {
            continue;
        }
        let sizes = match image {
            Some(image) => image.sizes.as_slice(),
            None if shown.body.file().is_some_and(|file| file.id == file_id) => shown.body.sizes(),
            None => &[],
        };
        for size in std::iter::once(None).chain(sizes.iter().copied().map(Some)) {
            let grant = Grant { user: asker.user, chat: get.chat_id, seq, file: file_id, size };
            let url = app.files.links.sign(&grant, expires_at);
            let size = size.map_or_else(|| "original".to_owned(), |size| size.to_string());
            links.push(FileLink { file_id, size, url });
        }
    }
    Ok(Outcome::new(Links { links, expires_at }))
}
