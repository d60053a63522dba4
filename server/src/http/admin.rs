//! What the operator's token opens.

use axum::{extract::State, http::HeaderMap, response::Response};
use chapar_protocol::{
    ErrorCode, WireError,
    account::{BulkUsers, BulkUsersMade, SignedIn},
    text,
};

use super::{
    Routes,
    accounts::bearer,
    reply::{Failure, Text, body, json},
};
use crate::{app::App, tokens};

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
    Text(request): Text,
) -> Result<Response, Failure> {
    let app = &routes.app;
    check_operator(app, &headers)?;
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
