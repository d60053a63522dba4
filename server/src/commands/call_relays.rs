//! `call_relays`: credentials for one call, at the relays that are nearest to the asking device.

use std::sync::Arc;

use chapar_protocol::command::{CallRelays, CallServers};
use time::OffsetDateTime;

use super::{Asker, Outcome, Result};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, ask: CallRelays) -> Result<CallServers> {
    app.limits.relays(asker.user)?;
    let now = OffsetDateTime::now_utc().into();
    let given = app.relays.servers(asker.user, ask.call_id, &ask.round_trips, now)?;
    if let Some(nearest) = given.servers.first() {
        app.call_quality.relay_given(ask.call_id, asker.user, &nearest.name);
    }
    Ok(Outcome::new(given))
}
