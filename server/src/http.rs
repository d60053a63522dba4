//! Every route of the node, in one list.

mod accounts;
mod address;
mod admin;
mod call;
mod files;
mod guard;
mod operations;
mod reply;
mod request_id;
mod upgrade;
mod web;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use prometheus_client::registry::Registry;

pub use address::Peer;

use crate::app::App;

/// What routes share.
#[derive(Clone)]
pub struct Routes {
    app: Arc<App>,
    registry: Arc<Registry>,
}

async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let _answer = app.answering.begin();
    next.run(request).await
}

/// All routes.
pub fn router(app: Arc<App>, registry: Arc<Registry>) -> Router {
    let routes = Routes { app, registry };
    Router::new()
        .route("/healthz", get(operations::health))
        .route("/readyz", get(operations::ready))
        .route("/metrics", get(operations::metrics))
        .route("/ws", get(upgrade::websocket))
        .route("/api/v1/openapi.json", get(operations::openapi))
        .route("/api/v1/register", post(accounts::register))
        .route("/api/v1/sign-in", post(accounts::sign_in))
        .route("/api/v1/sign-out", post(accounts::sign_out))
        .route("/api/v1/devices", get(accounts::devices))
        .route("/api/v1/me", get(accounts::me))
        .route("/api/v1/admin/users", post(admin::users))
        .route("/api/v1/admin/calls", get(admin::calls))
        .route("/api/v1/call/{method}", post(call::call))
        // /files, /files/{id}, /files/d/{token}, /files/avatar/{id}/{size}, /files/sticker/{id}
        .merge(files::router(&routes))
        .fallback(web::file)
        .method_not_allowed_fallback(operations::other_method)
        .layer(middleware::from_fn_with_state(routes.clone(), guard::guard))
        .layer(middleware::from_fn(request_id::name))
        .layer(middleware::from_fn_with_state(routes.app.clone(), count))
        .with_state(routes)
}

/// The one route of `metrics-listen`: open to whoever can reach it.
pub fn metrics(app: Arc<App>, registry: Arc<Registry>) -> Router {
    Router::new().route("/metrics", get(operations::open_metrics)).with_state(Routes { app, registry })
}
