//! Calls: those that live, the relays that carry them, and what they were like.
#![forbid(unsafe_code)]

pub mod call_report;
pub mod calls;
pub mod relays;

// The crates below.
use chapar_bus as bus;
use chapar_live::{committer, fanout, metrics};
use chapar_settings as settings;
use chapar_store as store;
