//! What operators and load balancers ask.

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chapar_protocol::{ErrorCode, WireError};

use super::{
    Peer, Routes, admin,
    reply::{Failure, raw_json},
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
    if let Some(complaint) = app.health.complaint(&app.store, &app.committer).await {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{complaint}\n")).into_response();
    }
    if app.fanout.bus_connected() { "ready\n" } else { "ready, but the bus is away\n" }.into_response()
}

/// `GET /metrics`: for the machine itself, and for whoever has the operator's token.
pub(super) async fn metrics(
    State(routes): State<Routes>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    // A proxy on this machine forwards for others.
    if !peer.to_canonical().is_loopback() || headers.contains_key("x-forwarded-for") {
        admin::check_operator(&routes.app, &headers)?;
    }
    let kind = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Ok((kind, metrics::render(&routes.registry, &routes.app.relays.metrics())).into_response())
}

/// `GET /api/v1/openapi.json`.
pub(super) async fn openapi() -> Response {
    raw_json(include_str!("../../../protocol/generated/openapi.json"))
}

/// A route, but not with this method.
pub(super) async fn not_found() -> Failure {
    WireError::new(ErrorCode::UnknownMethod, "there is nothing at this path").into()
}
