//! `call_rate`: how one of the two people of a call that has ended found it. The last word counts.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode, WireError,
    command::{Done, RateCall},
};
use chapar_signaling::satisfaction::Rating;

use crate::app::App;
use crate::commands::{Asker, Outcome, Result, refuse};

/// Most issues in one rating: there are ten kinds.
const MOST_ISSUES: usize = 10;

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, rate: RateCall) -> Result<Done> {
    let Some(rating) = Rating::new(rate.stars) else {
        return refuse(ErrorCode::BadRequest, "stars are 1 to 5");
    };
    if rate.issues.len() > MOST_ISSUES {
        return refuse(ErrorCode::TooLarge, "at most 10 issues");
    }
    let mut issues = rate.issues;
    issues.sort_unstable();
    issues.dedup();
    if app.store.people.rate_call(rate.call_id, asker.user, rating, &issues).await? {
        app.call_quality.rated(rating);
        return Ok(Outcome::new(Done {}));
    }
    app.calls.has_just_ended(rate.call_id, asker.user).await?;
    Err(WireError::new(ErrorCode::Unavailable, "the call is being recorded: try again").after_ms(500).into())
}
