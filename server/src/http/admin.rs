//! What the operator's token opens.

use axum::{
    extract::{Query, Request, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use chapar_protocol::{
    ErrorCode, WireError,
    account::{BulkUsers, BulkUsersMade, SignedIn},
    limit, text,
};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    Routes,
    accounts::bearer,
    reply::{Failure, body, json, read_text},
};
use crate::{
    app::App,
    call_report::{self, Asked, Question},
    tokens,
};

const MOST: u32 = 10_000;

/// Refuses whoever has not the operator's token.
pub(super) fn check_operator(app: &App, headers: &HeaderMap) -> Result<(), Failure> {
    let Some(expected) = &app.settings.admin_token else {
        return Err(WireError::new(ErrorCode::Forbidden, "set admin-token to open the operator's routes").into());
    };
    match bearer(headers) {
        Some(given) if tokens::same(given, expected.expose()) => Ok(()),
        _ => Err(WireError::new(ErrorCode::Unauthenticated, "send the operator's token").into()),
    }
}

/// `POST /api/v1/admin/users`: accounts in bulk, without the cost of a password.
pub(super) async fn users(
    State(routes): State<Routes>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Failure> {
    let app = &routes.app;
    check_operator(app, &headers)?;
    let request = read_text(request, limit::FRAME_BYTES).await?;
    let bulk: BulkUsers = body(&request)?;
    if bulk.count > MOST {
        return Err(WireError::new(ErrorCode::TooLarge, "at most 10,000 accounts at once").into());
    }
    let handles: Vec<String> = (1..=bulk.count)
        .map(|number| text::check_handle(&format!("{}{number}", bulk.prefix)))
        .collect::<Result<_, _>>()?;
    let made = app.store.create_users_in_bulk(&handles, tokens::generate).await?;
    let users = made.into_iter().map(|(user, token, device_id)| SignedIn { token, user, device_id }).collect();
    Ok(json(&BulkUsersMade { users }))
}

/// What stands behind the `?` of [`calls`].
#[derive(Deserialize)]
pub(super) struct CallsQuery {
    #[serde(flatten)]
    asked: Asked,
    format: Option<String>,
}

/// `GET /api/v1/admin/calls`: how calls went, as JSON or CSV.
pub(super) async fn calls(
    State(routes): State<Routes>,
    headers: HeaderMap,
    query: Result<Query<CallsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Failure> {
    let app = &routes.app;
    check_operator(app, &headers)?;
    let Query(query) = query.map_err(|error| WireError::new(ErrorCode::BadRequest, error.body_text()))?;
    let as_csv = match query.format.as_deref() {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(WireError::new(ErrorCode::BadRequest, "format is json or csv").into()),
    };
    let report = Question::read(&query.asked, OffsetDateTime::now_utc())?.answer(&app.store).await?;
    if !as_csv {
        return Ok(json(&report));
    }
    let text = call_report::csv(&report).map_err(|_| Failure::from(ErrorCode::Internal))?;
    let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((kind, text).into_response())
}
