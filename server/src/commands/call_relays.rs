//! `call_relays`: credentials for one call, at the relays that are nearest to the asking device.

use std::sync::Arc;

use chapar_protocol::command::{CallRelays, CallServers};
use time::OffsetDateTime;

use super::{Asker, Outcome, Result};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, ask: CallRelays) -> Result<CallServers> {
    app.limits.relays(asker.user)?;
    let now = OffsetDateTime::now_utc().into();
    Ok(Outcome::new(app.relays.servers(asker.user, ask.call_id, &ask.round_trips, now)?))
}
