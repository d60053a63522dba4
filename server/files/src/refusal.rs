//! An error as an answer over HTTP: the same JSON as on every other route.

use std::io;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chapar_protocol::{ErrorCode, WireError};

use crate::store::StoreError;

/// Why something is not done, and the status that says so.
#[derive(Debug)]
pub struct Refusal {
    error: WireError,
    status: StatusCode,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        WireError::new(code, message).into()
    }

    /// With another status than the code's own, where a protocol asks for it.
    pub(crate) fn with(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { status, ..Self::new(code, message) }
    }

    pub(crate) fn after_ms(mut self, wait: u32) -> Self {
        self.error.retry_after_ms = Some(wait);
        self
    }

    /// There is no room on the disk. What has come stays.
    pub(crate) fn no_room() -> Self {
        Self::new(ErrorCode::Overloaded, "there is no room on the server's disk: what has come is kept, go on later")
            .after_ms(30_000)
    }

    /// Its code.
    pub fn code(&self) -> ErrorCode {
        self.error.code
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { error, status }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        WireError::from(error).into()
    }
}

/// A fault of the disk. Logged here, once.
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        if is_full(&error) {
            tracing::error!(%error, "no room for uploads");
            return Self::no_room();
        }
        tracing::error!(%error, "a file cannot be read or written");
        Self::new(ErrorCode::Internal, "a fault of the server's disk").after_ms(1000)
    }
}

/// Whether there was no room, for all or for this user of the disk.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let text = serde_json::to_string(&self.error).unwrap_or_default();
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
        let mut response = (self.status, headers, text).into_response();
        if let Some(wait) = self.error.retry_after_ms {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.div_ceil(1000)));
        }
        response
    }
}
