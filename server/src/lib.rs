//! The chat node of Chapar.
#![forbid(unsafe_code)]

pub mod bus;
pub mod cli;
pub mod committer;
pub mod embedded_postgres;
pub mod fanout;
pub mod hub;
pub mod metrics;
pub mod outbox;
pub mod settings;
pub mod store;
