//! What becomes of a change once it is asked for: the committer stores it, the fan-out tells it, the hub and the outboxes bring it to
//! each connection. And what looks after that by itself: counters, people's lists, readers, jobs.
#![forbid(unsafe_code)]

pub mod blocks;
pub mod committer;
pub mod counters;
pub mod expiring;
pub mod fanout;
pub mod file_uses;
pub mod health;
pub mod hub;
pub mod jobs;
pub mod joining;
pub mod lists;
pub mod metrics;
pub mod outbox;
pub mod polls;
pub mod readers;
pub mod threads;
pub mod together;

// The crates below.
use chapar_bus as bus;
use chapar_store as store;
