//! `call_ask`: what a device asks of a call. Those of one connection about one call keep their order.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode, WireError,
    call::{CallAsk, Party},
    command::{AskCall, Done},
    frame,
};
use chapar_signaling::call::exchange::MAX_BATCH;

use super::{Asker, Outcome, Pending, Request, Result, apart, count_error, refuse, refused};
use crate::app::App;

/// Checks and takes its place in the call's lane at once.
pub(super) fn start(app: &Arc<App>, asker: &Asker, request: &Request<'_>) -> Pending {
    let ask = match accept(app, asker, request.params) {
        Ok(ask) => ask,
        Err(error) => {
            count_error(app, &error);
            return refused(request.id, &error);
        }
    };
    let mut turn = app.calls.queue(ask.call_id);
    let work = {
        let (app, asker) = (app.clone(), asker.clone());
        async move {
            turn.come().await;
            run(app, asker, ask).await
        }
    };
    apart::<AskCall>(app, asker, request.id, work)
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

async fn run(app: Arc<App>, asker: Asker, AskCall { call_id, ask }: AskCall) -> Result<Done> {
    if let CallAsk::Transfer { to } = &ask
        && !app.store.owns_device(asker.user, *to).await?
    {
        return refuse(ErrorCode::BadRequest, "that is none of your devices");
    }
    let who = Party { user_id: asker.user, device_id: asker.device };
    app.calls.ask(who, call_id, &ask).await?;
    Ok(Outcome::new(Done {}))
}
