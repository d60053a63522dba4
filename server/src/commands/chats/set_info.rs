//! `set_info`: another title, description or photo for a group or channel. Without a photo it is queued at once, so that it keeps its place
//! among what the connection asks of the chat; with one, when the people's side has told what the file is.

use std::sync::Arc;

use chapar_domain::{
    Principal,
    change::{Change, NewInfo},
};
use chapar_protocol::{
    ErrorCode, FileKind, WireError,
    command::{Changed, SetInfo},
    frame, text,
};

use super::{
    change::{Reply, answer},
    files::usable,
    send::queued,
};
use crate::{
    app::App,
    commands::{Asker, Outcome, Pending, Request, Result, apart},
    store::StoreError,
};

/// Checks, and queues or goes on by itself.
pub(in crate::commands) fn start(app: &Arc<App>, asker: &Asker, request: &Request<'_>) -> Pending {
    let checked = frame::parse_params::<SetInfo>(request.params).and_then(|set| {
        let new = check(&set)?;
        // All in the chat hear it.
        app.limits.message(asker.user)?;
        Ok((set, new))
    });
    let queued = match checked {
        Ok((set, new)) if matches!(new.photo, Some(Some(_))) => {
            return apart::<SetInfo>(app, asker, request.id, with_photo(app.clone(), asker.clone(), set, new));
        }
        Ok((set, new)) => app.committer.queue(Principal::User(asker.user), set.chat_id, Change::SetInfo(new)),
        Err(error) => Err(error),
    };
    answer::<SetInfo>(app, request.id, queued)
}

fn check(set: &SetInfo) -> std::result::Result<NewInfo, WireError> {
    if set.title.is_none() && set.description.is_none() && set.photo.is_none() {
        return Err(WireError::new(ErrorCode::BadRequest, "neither a title nor a description nor a photo is named"));
    }
    let title = set.title.as_deref().map(text::check_title).transpose()?;
    let description = set.description.as_deref().map(text::check_description).transpose()?;
    Ok(NewInfo { title, description, photo: set.photo })
}

async fn with_photo(app: Arc<App>, asker: Asker, set: SetInfo, new: NewInfo) -> Result<Changed> {
    if let Some(Some(file)) = new.photo {
        // Held for a day: by then it is known to be in use.
        let held = app.store.people.hold_files(asker.user, &[file]).await?;
        usable(held.first(), FileKind::Avatar)?;
    }
    let done = queued(&app, Principal::User(asker.user), set.chat_id, Change::SetInfo(new)).await;
    Ok(Outcome::new(Reply(done.map_err(StoreError::Refused)?).into()))
}
