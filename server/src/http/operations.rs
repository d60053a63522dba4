//! What operators and load balancers ask.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chapar_protocol::{ErrorCode, WireError};

use super::{
    Routes, admin,
    reply::{Failure, json, raw_json},
};
use crate::metrics;

/// `GET /healthz`: the process lives.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: send people here. The bus may be away: then people on this node still chat.
pub(super) async fn ready(State(routes): State<Routes>) -> Response {
    let app = &routes.app;
    if app.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    if let Some(complaint) = app.health.complaint(&app.store, app.committer.hangs()).await {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{complaint}\n")).into_response();
    }
    if app.fanout.bus_connected() { "ready\n" } else { "ready, but the bus is away\n" }.into_response()
}

/// `GET /metrics`: for whoever has the operator's token. Where a request comes from opens nothing, since any proxy on this
/// machine would come from here.
pub(super) async fn metrics(State(routes): State<Routes>, headers: HeaderMap) -> Result<Response, Failure> {
    admin::check_operator(&routes.app, &headers)?;
    Ok(open_metrics(State(routes)).await)
}

/// The same where the operator has opened it to all: `metrics-listen`.
pub(super) async fn open_metrics(State(routes): State<Routes>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    (kind, metrics::render(&routes.registry, &routes.app.relays.metrics())).into_response()
}

/// `GET /api/v1/openapi.json`.
pub(super) async fn openapi() -> Response {
    raw_json(include_str!("../../../protocol/generated/openapi.json"))
}

/// A route, but not with this method. Which ones it has stands in `Allow`, added by the router.
pub(super) async fn other_method() -> Response {
    let error = WireError::new(ErrorCode::UnknownMethod, "not with this method: see Allow");
    (StatusCode::METHOD_NOT_ALLOWED, json(&error)).into_response()
}
