//! Answers and errors over HTTP.

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chapar_protocol::{ErrorCode, WireError};
use serde::{Serialize, de::DeserializeOwned};

use crate::{commands, store::StoreError};

/// An error as an answer: its code's status, its JSON, and `Retry-After` in whole seconds where it says when.
pub(super) struct Failure(pub(super) WireError);

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Self(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(commands::wire_error(error))
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

/// A request's body as text, refused with an error of ours when it is too large or no text.
pub(super) struct Text(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match String::from_request(request, state).await {
            Ok(text) => Ok(Self(text)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(WireError::new(ErrorCode::TooLarge, "a request has at most 128 KiB").into())
            }
            Err(_) => Err(WireError::new(ErrorCode::BadFrame, "the request is not UTF-8 text").into()),
        }
    }
}

/// Reads a request's body. Its content type does not matter: a page of another origin cannot add the token anyway.
pub(super) fn body<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    chapar_protocol::frame::parse_params(if text.is_empty() { "{}" } else { text }).map_err(Failure)
}
