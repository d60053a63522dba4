//! The routes of files: who asks is found out here, the rest is crate `files`'.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::{self, Next},
    response::Response,
};

use super::{Routes, accounts::caller, address::From, reply::Failure, upgrade::is_allowed};
use crate::files::Uploader;

/// Headers of tus that pages of other origins send, and read.
const SENT: &str = "Authorization, Content-Type, Tus-Resumable, Upload-Length, Upload-Defer-Length, Upload-Offset, Upload-Metadata, \
    Upload-Checksum, Upload-Concat, X-HTTP-Method-Override, X-Request-ID, Range, If-Range, If-None-Match";
const READ: &str = "Location, Upload-Offset, Upload-Length, Upload-Defer-Length, Upload-Metadata, Upload-Expires, Upload-Concat, \
    Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Retry-After, Content-Range, Accept-Ranges, \
    Content-Disposition, ETag";

/// All of them.
pub(super) fn router(routes: &Routes) -> Router<Routes> {
    let files = &routes.app.files;
    let uploads = files.uploads().layer(middleware::from_fn_with_state(routes.clone(), signed_in));
    uploads
        .merge(files.capabilities())
        .merge(files.downloads())
        .layer(middleware::from_fn_with_state(routes.clone(), other_origins))
        .with_state(())
}

/// Lets in who has a token.
async fn signed_in(
    State(routes): State<Routes>,
    From(network): From,
    headers: HeaderMap,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let caller = caller(&routes.app, network, &headers).await?;
    request.extensions_mut().insert(Uploader(caller.user.id));
    Ok(next.run(request).await)
}

/// Lets pages of the origins that the operator names upload and download.
async fn other_origins(State(routes): State<Routes>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let asks_first = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let allowed = origin.filter(|it| it.to_str().is_ok_and(|origin| is_allowed(&routes.app.settings, origin)));
    let Some(origin) = allowed else { return response };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    if asks_first {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, HEAD, PATCH, DELETE, OPTIONS"),
        );
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(SENT));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    response
}
