//! Every request has an id, in the logs and in the answer: a proxy's, or one of ours.

use axum::{extract::Request, http::HeaderValue, middleware::Next, response::Response};
use tracing::Instrument;
use uuid::Uuid;

const HEADER: &str = "x-request-id";
/// Longest id of another's that is taken over.
const LONGEST: usize = 64;

/// Names a request, and what is logged while it runs.
pub(super) async fn name(request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).and_then(|value| value.to_str().ok());
    let fits =
        |id: &&str| id.len() <= LONGEST && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let id = given.filter(fits).map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_owned);
    // The path of every route but call/<method> is fixed, and none holds a secret.
    let span = tracing::info_span!("http", id, method = %request.method(), path = request.uri().path());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, id);
    }
    response
}
