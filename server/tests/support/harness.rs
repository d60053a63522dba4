//! What the scenarios stand on: real Postgres, real Redis, `chapar` nodes as child processes, and people with real sockets.

#![allow(dead_code, unused_imports, reason = "the scenarios and the calls use another part each")]

pub mod audit;
pub mod device;
pub mod files;
pub mod http;
pub mod janitor;
pub mod model;
pub mod node;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod socket;
pub mod traffic;
pub mod turn;
pub mod tus;
pub mod watchdog;
pub mod world;

use std::time::Duration;

pub use audit::Audit;
pub use device::{Device, Failure};
pub use model::Model;
pub use node::{Node, NodeOptions};
pub use process::Signal;
pub use socket::RawSocket;
pub use traffic::Traffic;
pub use world::World;

/// No single wait of a test is longer than this. It is generous: the suite shares two cores with other work.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a future.
///
/// # Panics
/// With what was waited for, after [`PATIENCE`].
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("waited {} s in vain for {what}", PATIENCE.as_secs()))
}
