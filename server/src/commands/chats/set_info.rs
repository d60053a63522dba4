//! `set_info`: another title or description for a group or channel.

use chapar_domain::change::Change;
use chapar_protocol::{ErrorCode, WireError, command::SetInfo, text};

use super::change::Asked;
use crate::{app::App, commands::Asker};

pub(in crate::commands) fn check(app: &App, asker: &Asker, set: &SetInfo) -> Asked {
    if set.title.is_none() && set.description.is_none() {
        return Err(WireError::new(ErrorCode::BadRequest, "neither a title nor a description is named"));
    }
    let title = set.title.as_deref().map(text::check_title).transpose()?;
    let description = set.description.as_deref().map(text::check_description).transpose()?;
    // All in the chat hear it.
    app.limits.message(asker.user)?;
    Ok((set.chat_id, Change::SetInfo(title, description)))
}
