//! `POST /api/v1/call/<method>`: every command that needs no live connection.

use axum::{
    extract::{Path, Request as HttpRequest, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chapar_protocol::{
    ErrorCode, WireError,
    command::METHODS,
    frame::{self, ServerFrame},
    limit,
};

use super::{
    Routes,
    accounts::caller,
    address::From,
    reply::{Failure, raw_json, read_text},
};
use crate::commands::{self, Asker, Request};

/// Runs a command with the body as params.
pub(super) async fn call(
    State(routes): State<Routes>,
    Path(method): Path<String>,
    From(network): From,
    headers: HeaderMap,
    request: HttpRequest,
) -> Result<Response, Failure> {
    let asker = Asker::from(&caller(&routes.app, network, &headers).await?);
    if !METHODS.iter().any(|it| it.http && it.name == method) {
        return Err(WireError::new(ErrorCode::UnknownMethod, "there is no such method over HTTP").into());
    }
    let params = read_text(request, limit::FRAME_BYTES).await?;
    let params = if params.is_empty() { "{}" } else { &params };
    let frame = commands::start(&routes.app, &asker, &Request { id: 0, method: &method, params }).await;
    if let Some(ok) = frame::ok_part(&frame) {
        return Ok(raw_json(ok.to_owned()));
    }
    match ServerFrame::parse(&frame) {
        Ok(ServerFrame::Error { error, .. }) => Ok(Failure(error).into_response()),
        _ => Err(ErrorCode::Internal.into()),
    }
}
