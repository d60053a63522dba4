//! Answers and errors over HTTP.

use std::time::Duration;

use axum::{
    body::HttpBody,
    extract::{FromRequest, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chapar_protocol::{ErrorCode, WireError};
use futures_util::StreamExt;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};

use crate::store::StoreError;

/// An error as an answer: its code's status, its JSON, and `Retry-After` in whole seconds where it says when.
pub(super) struct Failure(pub(super) WireError);

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Self(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::from(StoreError::from(code))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, json(&self.0)).into_response();
        if let Some(wait) = self.0.retry_after_ms {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.div_ceil(1000)));
        }
        response
    }
}

/// JSON that must not be kept by anybody on the way.
pub(super) fn json<T: Serialize>(value: &T) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => raw_json(text),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The same, of JSON that is text already.
pub(super) fn raw_json(text: impl Into<axum::body::Body>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, text.into()).into_response()
}

/// The largest body of a request without a token.
pub(super) const STRANGERS_BYTES: usize = 16 * 1024;
/// How long a request's body may take, and how long nothing of it may come.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
const BODY_PAUSE: Duration = Duration::from_secs(10);

/// The body of a request of somebody whom nobody knows yet, as text.
pub(super) struct Text(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        read_text(request, STRANGERS_BYTES).await.map(Self)
    }
}

/// A request's body as text. Who sends it is looked at before: what nobody may send takes no memory.
///
/// # Errors
/// One of ours, when it is too large, no text, or does not come in time.
pub(super) async fn read_text(request: Request, most: usize) -> Result<String, Failure> {
    let too_large = || {
        let message = format!("this request's body has at most {} KiB", most / 1024);
        Failure(WireError::new(ErrorCode::TooLarge, message))
    };
    let body = request.into_body();
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let (mut text, mut chunks) = (Vec::new(), body.into_data_stream());
    let end = Instant::now() + BODY_PATIENCE;
    loop {
        let Ok(chunk) = timeout_at(end.min(Instant::now() + BODY_PAUSE), chunks.next()).await else {
            return Err(WireError::new(ErrorCode::BadFrame, "the request's body did not come in time").into());
        };
        match chunk {
            None => break,
            Some(Ok(chunk)) if text.len() + chunk.len() > most => return Err(too_large()),
            Some(Ok(chunk)) => text.extend_from_slice(&chunk),
            Some(Err(_)) => return Err(WireError::new(ErrorCode::BadFrame, "the request's body ended early").into()),
        }
    }
    String::from_utf8(text).map_err(|_| WireError::new(ErrorCode::BadFrame, "the request is not UTF-8 text").into())
}

/// Reads a request's body. Its content type does not matter: a page of another origin cannot add the token anyway.
pub(super) fn body<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    chapar_protocol::frame::parse_params(if text.is_empty() { "{}" } else { text }).map_err(Failure)
}
