//! `pin_message`, `unpin_message` and `unpin_all`: what is shown above the other messages.

use chapar_domain::change::Change;
use chapar_protocol::command::{PinMessage, UnpinAll, UnpinMessage};

use super::change::Asked;
use crate::{app::App, commands::Asker};

pub(in crate::commands) fn pin(app: &App, asker: &Asker, pin: &PinMessage) -> Asked {
    app.limits.message(asker.user)?;
    Ok((pin.chat_id, Change::Pin(pin.seq)))
}

pub(in crate::commands) fn unpin(app: &App, asker: &Asker, unpin: &UnpinMessage) -> Asked {
    app.limits.message(asker.user)?;
    Ok((unpin.chat_id, Change::Unpin(unpin.seq)))
}

pub(in crate::commands) fn unpin_all(app: &App, asker: &Asker, unpin: &UnpinAll) -> Asked {
    app.limits.message(asker.user)?;
    Ok((unpin.chat_id, Change::UnpinAll))
}
