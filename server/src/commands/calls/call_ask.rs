//! `call_ask`: what a device asks of a call. Those of one connection about one call keep their order.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode, WireError,
    call::{CallAsk, Party},
    command::AskCall,
    frame,
};
use chapar_signaling::call::exchange::MAX_BATCH;

use crate::app::App;
use crate::commands::{Asker, Pending, Request, answered, count_error, refused};

/// Checks and takes its place in the call's lane at once.
pub(in crate::commands) fn start(app: &Arc<App>, asker: &Asker, request: &Request<'_>) -> Pending {
    match accept(app, asker, request.params) {
        Ok(AskCall { call_id, ask }) => {
            let who = Party { user_id: asker.user, device_id: asker.device };
            answered(app, request.id, app.calls.ask(who, call_id, ask))
        }
        Err(error) => {
            count_error(app, &error);
            refused(request.id, &error)
        }
    }
}

fn accept(app: &App, asker: &Asker, params: &str) -> std::result::Result<AskCall, WireError> {
    let ask: AskCall = frame::parse_params(params)?;
    let candidates = if let CallAsk::Candidates { candidates, .. } = &ask.ask { candidates.len() } else { 0 };
    if candidates > MAX_BATCH {
        return Err(WireError::new(ErrorCode::TooLarge, "at most 16 candidates at once"));
    }
    app.limits.call_ask(asker.device, ask.call_id, candidates)?;
    Ok(ask)
}
