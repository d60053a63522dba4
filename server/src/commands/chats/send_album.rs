//! `send_album`: some messages that belong together, in one change.

use std::sync::Arc;

use chapar_protocol::{
    command::{SendAlbum, SentAlbum},
    media::check::check_album,
    text,
};

use super::{
    change::Reply,
    send::{How, New, carry_out},
};
use crate::{
    app::App,
    commands::{Asker, Outcome, Result},
};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, album: SendAlbum) -> Result<SentAlbum> {
    let sent: Vec<_> = album.items.iter().map(|item| item.body.clone()).collect();
    let checked = check_album(album.items)?;
    app.limits.messages(asker.user, checked.len())?;
    let mut new = Vec::with_capacity(checked.len());
    for (item, sent) in checked.into_iter().zip(sent) {
        let checked = text::check_body(item.body)?;
        new.push(New { client_id: item.client_id, sent, checked });
    }
    let how = How { reply_to: album.reply_to, silent: album.silent };
    let done = carry_out(&app, asker.user, album.chat_id, new, how).await?;
    Ok(Outcome::new(Reply(done).into()))
}
