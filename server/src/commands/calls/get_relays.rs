//! `get_relays`: which relays there are, to measure the round trip to each.

use std::sync::Arc;

use chapar_protocol::command::{GetRelays, Relays};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result};

pub(in crate::commands) async fn run(app: Arc<App>, _: Asker, _: GetRelays) -> Result<Relays> {
    Ok(Outcome::new(Relays { relays: app.relays.list() }))
}
