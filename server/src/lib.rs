//! The chat node of Chapar: it sees all the crates below it, and serves. `docs/ARCHITECTURE.md` is the map.
#![forbid(unsafe_code)]

pub mod admin;
pub mod app;
pub mod cli;
pub mod commands;
pub mod connection;
pub mod http;
pub mod limits;
pub mod listener;
pub mod passwords;
pub mod resumes;
pub mod scheduled;
pub mod serve;
pub mod session;
pub mod shares;
pub mod strangers;
pub mod telemetry;
pub mod tls;
pub mod tokens;

// The crates below.
pub use chapar_bus as bus;
pub use chapar_calls::{call_report, calls, relays};
pub use chapar_files as files;
pub use chapar_live::{
    blocks, committer, counters, expiring, fanout, file_uses, health, hub, jobs, joining, lists, metrics, outbox,
    polls, readers, threads, together,
};
pub use chapar_postgres as embedded_postgres;
pub use chapar_previews as previews;
pub use chapar_settings as settings;
pub use chapar_store as store;
