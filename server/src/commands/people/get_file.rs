//! `get_file`: how far a file of the caller's own has come.

use std::sync::Arc;

use chapar_protocol::{command::GetFile, media::FileInfo};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, get: GetFile) -> Result<FileInfo> {
    let file = app.store.people.file_info(asker.user, get.file_id).await?;
    Ok(Outcome::new(FileInfo {
        id: file.id,
        kind: file.kind,
        state: file.state,
        size: file.size,
        received: file.received,
        mime: file.mime,
        name: file.name,
        width: file.width,
        height: file.height,
        duration_ms: file.duration_ms,
        preview: file.preview,
        waveform: file.waveform,
        sizes: file.sizes,
        refused: file.refused,
    }))
}
