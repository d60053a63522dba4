//! `GET /ws`: from HTTP to WebSocket (RFC 6455 section 4.2).

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chapar_protocol::{ErrorCode, SUBPROTOCOL, WireError};
use hyper_util::rt::TokioIo;
use tungstenite::handshake::derive_accept_key;

use super::{Peer, Routes, address::client_address, reply::Failure};
use crate::{connection, limits::network, listener::Place, settings::Settings};

/// Upgrades, if the client speaks our subprotocol and its page may.
pub(super) async fn websocket(
    State(routes): State<Routes>,
    Extension(place): Extension<Arc<Place>>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: Request,
) -> Result<Response, Failure> {
    if routes.app.is_draining() {
        return Err(WireError::new(ErrorCode::Unavailable, "this node is going away: connect to another")
            .after_ms(1000)
            .into());
    }
    let headers = request.headers();
    let Some(key) = upgrade_key(headers) else {
        return Ok(
            (StatusCode::UPGRADE_REQUIRED, [(header::UPGRADE, "websocket")], "this is a WebSocket\n").into_response()
        );
    };
    let accept = derive_accept_key(key.as_bytes());
    if !tokens(headers, header::SEC_WEBSOCKET_PROTOCOL).any(|it| it == SUBPROTOCOL) {
        return Err(WireError::new(ErrorCode::BadRequest, "offer the subprotocol chapar.v1").into());
    }
    if !origin_allowed(headers, &routes.app.settings) {
        return Err(WireError::new(ErrorCode::Forbidden, "pages of this origin may not connect").into());
    }
    let client = client_address(peer, headers, &routes.app.settings.trusted_proxies);
    if !place.belongs_to(client) {
        return Err(WireError::new(ErrorCode::Overloaded, "too many connections from your address")
            .after_ms(5000)
            .into());
    }
    place.is_strange();
    let upgrade = hyper::upgrade::on(&mut request);
    let app = routes.app.clone();
    tokio::spawn(async move {
        match upgrade.await {
            Ok(stream) => connection::run(app, TokioIo::new(stream), place, network(client)).await,
            Err(error) => tracing::debug!(%error, "an upgrade failed"),
        }
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}

fn upgrade_key(headers: &HeaderMap) -> Option<&str> {
    let asks = tokens(headers, header::CONNECTION).any(|it| it.eq_ignore_ascii_case("upgrade"))
        && tokens(headers, header::UPGRADE).any(|it| it.eq_ignore_ascii_case("websocket"))
        && headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks)?.to_str().ok()
}

fn tokens(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Browsers send an origin and cannot help it; other clients send none. A page may connect to its own host and to
/// where the operator says.
fn origin_allowed(headers: &HeaderMap, settings: &Settings) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let same = own.is_some_and(|host| origin.split_once("://").is_some_and(|(_, it)| it.eq_ignore_ascii_case(host)));
    same || is_allowed(settings, origin)
}

/// Whether the operator lets pages of an origin in.
pub(super) fn is_allowed(settings: &Settings, origin: &str) -> bool {
    settings.allowed_origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
}
