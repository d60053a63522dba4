//! The chat node of Chapar. `docs/ARCHITECTURE.md` is the map.
#![forbid(unsafe_code)]

pub mod admin;
pub mod app;
pub mod blocks;
pub mod bus;
pub mod call_report;
pub mod calls;
pub mod cli;
pub mod commands;
pub mod committer;
pub mod connection;
pub mod counters;
pub mod embedded_postgres;
pub mod fanout;
pub mod health;
pub mod http;
pub mod hub;
pub mod jobs;
pub mod limits;
pub mod listener;
pub mod lists;
pub mod metrics;
pub mod outbox;
pub mod passwords;
pub mod readers;
pub mod relays;
pub mod resumes;
pub mod serve;
pub mod session;
pub mod settings;
pub mod shares;
pub mod store;
pub mod strangers;
pub mod telemetry;
pub mod tls;
pub mod tokens;
