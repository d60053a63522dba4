//! `get_relays`: which relays there are, to measure the round trip to each.

use std::sync::Arc;

use chapar_protocol::command::{GetRelays, Relays};

use super::{Asker, Outcome, Result};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, _: Asker, _: GetRelays) -> Result<Relays> {
    Ok(Outcome::new(Relays { relays: app.relays.list() }))
}
