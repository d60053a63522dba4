//! The STUN/TURN relay: RFC 8489, RFC 8656 over UDP, TCP and TLS, both address families.
//!
//! ```text
//!  UDP datagrams ─┐                                ┌─ sendmmsg to clients
//!  TCP/TLS frames ┼─> shard ─> core::Core ─> Outputs ─> relayed sockets
//!  relayed packets┘   (one thread per core)        └─ streams
//! ```
//!
//! [`core::Core`] decides and does no IO; a shard is a thread with its own socket on each listening address (the kernel
//! spreads clients over them), its own core and its own relayed sockets.

pub mod address;
pub mod advert;
pub mod allocation;
pub mod auth;
pub mod certificate;
pub mod config;
pub mod core;
pub mod counters;
pub mod directory;
pub mod frame;
pub mod ledger;
pub mod outputs;
pub mod ports;
pub mod rate;
pub mod registry;
pub mod replies;
pub mod secrets;
pub mod server;
mod shard;
mod socket;
pub mod streams;
