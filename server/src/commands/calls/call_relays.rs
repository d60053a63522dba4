//! `call_relays`: credentials for one call, at the relays that are nearest to the asking device.

use std::sync::Arc;

use chapar_protocol::{WireError, call::Party, command::CallRelays, frame};

use crate::app::App;
use crate::commands::{Asker, Pending, Request, answered, count_error, refused};

/// Takes its place in the call's lane at once: right behind the invite of the same connection it finds the call.
pub(in crate::commands) fn start(app: &Arc<App>, asker: &Asker, request: &Request<'_>) -> Pending {
    match accept(app, asker, request.params) {
        Ok(ask) => {
            let who = Party { user_id: asker.user, device_id: asker.device };
            answered(app, request.id, app.calls.relays(who, ask))
        }
        Err(error) => {
            count_error(app, &error);
            refused(request.id, &error)
        }
    }
}

fn accept(app: &App, asker: &Asker, params: &str) -> Result<CallRelays, WireError> {
    let ask: CallRelays = frame::parse_params(params)?;
    app.limits.relays(asker.user)?;
    Ok(ask)
}
