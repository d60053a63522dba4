#![doc = include_str!("../README.md")]
//!
//! # The modules
//!
//! [`Client`] is what an application uses: it connects, signs in, stays in step through losses of the network, and sends
//! every message exactly once. [`core`] is the same without IO, for those who bring their own. [`transport`] moves text
//! frames over a WebSocket and knows nothing of sessions.
#![forbid(unsafe_code)]

#[cfg(feature = "calls")]
pub mod calls;
pub mod client;
mod commands;
pub mod core;
mod driver;
pub mod endpoint;
pub mod error;
pub mod events;
pub mod files;
mod http;
pub mod store;
pub mod tls;
pub mod transport;
mod upload;
pub mod view;

// Tests within and without use the same tones and ears.
#[cfg(all(test, feature = "calls"))]
extern crate self as chapar_client;

pub use chapar_protocol as protocol;
pub use client::{Builder, Client};
pub use core::{
    event::{ClientEvent, Connection, SendState, Stop},
    outbox::{OutboxItem, Upload},
};
pub use error::Error;
pub use events::Events;
pub use files::{Download, FileOf, FileOptions, FileSource};
pub use store::{FileStore, MemoryStore, Store};
pub use tls::Trust;
