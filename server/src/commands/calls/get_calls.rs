//! `get_calls`: the caller's call list.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode,
    command::{Calls, GetCalls},
};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result, refuse};

/// Most calls in one page.
const MOST: u32 = 100;

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, get: GetCalls) -> Result<Calls> {
    if !(1..=MOST).contains(&get.limit) {
        return refuse(ErrorCode::BadRequest, "limit is 1 to 100");
    }
    let (calls, more) = app.store.people.calls(asker.user, get.before, get.limit).await?;
    Ok(Outcome::new(Calls { calls, more }))
}
