//! `see_calls`: the missed calls have been looked at, on all of the caller's devices.

use std::sync::Arc;

use chapar_protocol::command::{Done, SeeCalls};

use crate::app::App;
use crate::commands::{Asker, Effect, Outcome, Result};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, _: SeeCalls) -> Result<Done> {
    let seen = app.store.people.see_calls(asker.user).await?;
    Ok(seen.into_iter().fold(Outcome::new(Done {}), |outcome, delta| outcome.and(Effect::Own(delta))))
}
