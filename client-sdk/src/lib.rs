//! The Rust SDK of Chapar.
//!
//! [`transport`] moves text frames over a WebSocket and knows nothing of sessions.
#![forbid(unsafe_code)]

pub mod endpoint;
pub mod tls;
pub mod transport;
