//! `send_album`: some messages that belong together, in one change.

use std::sync::Arc;

use chapar_domain::chat::Beside;
use chapar_protocol::{
    command::{SendAlbum, SentAlbum},
    media::check::check_album,
    text,
};

use super::{
    change::Reply,
    send::{New, carry_out},
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
        let beside = Beside { silent: album.silent, ..Beside::default() };
        new.push(New { client_id: item.client_id, sent, checked, beside });
    }
    let done = carry_out(&app, asker.user, album.chat_id, new, album.reply_to).await?;
    Ok(Outcome::new(Reply(done).into()))
}
