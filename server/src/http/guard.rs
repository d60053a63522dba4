//! What holds for every request: strangers are counted by their network, nothing takes longer than a minute, and answers
//! say how browsers are to take them.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use chapar_protocol::{ErrorCode, WireError};

use super::{Routes, accounts::bearer, address::network_of, reply::Failure};
use crate::tokens;

/// How long a request may take, its body and its answer's making included.
const PATIENCE: Duration = Duration::from_mins(1);
/// Requests that look no token up.
const TAKE_NO_TOKEN: [&str; 4] = ["/ws", "/api/v1/register", "/api/v1/sign-in", "/api/v1/openapi.json"];
/// For a year: whoever was served over TLS once asks for it from then on.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Wraps every route.
pub(super) async fn guard(State(routes): State<Routes>, request: Request, next: Next) -> Response {
    let app = &routes.app;
    let path = request.uri().path();
    let is_api = path.starts_with("/api/");
    // What is signed is looked up for nobody without the signature.
    let is_link = path.starts_with("/files/d/");
    let is_file = path == "/files" || path.starts_with("/files/");
    let counts = is_api || path == "/ws" || (is_file && !is_link);
    // What reads as a token is looked up, and counted when nobody has it; where none is looked up, it says nothing.
    let shows_token =
        !TAKE_NO_TOKEN.contains(&path) && bearer(request.headers()).is_some_and(|token| tokens::read(token).is_some());
    if counts && !shows_token {
        let network = network_of(&request, &app.settings.trusted_proxies);
        if let Err(error) = app.strangers.request(network) {
            return Failure(error).into_response();
        }
    }
    // Files come and go for as long as something of them does: their own time-outs see to that.
    let answered =
        if is_file { Ok(next.run(request).await) } else { tokio::time::timeout(PATIENCE, next.run(request)).await };
    let mut response = answered.unwrap_or_else(|_| {
        let message = "this took too long: whether it took effect is unknown, try again";
        Failure(WireError::new(ErrorCode::Unavailable, message).after_ms(1000)).into_response()
    });
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if app.settings.tls_cert.is_some() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    response
}
