//! A load generator for Chapar, with an auditor that proves that nothing was lost.
//!
//! It sees the server as a user does: HTTP, one WebSocket per user, and the version rule of the protocol. One thread
//! serves all connections, because server, database and generator often share two cores and what the generator burns
//! is missing in the figures. The parts that decide are pure and take the time as a parameter:
//!
//! * [`schedule`] who sends when, [`message`] what is said, [`ledger`] what was sent, seen and acknowledged,
//! * [`cursor`] the version rule for one reader of one chat, [`session`] one user's connection,
//! * [`audit`] the proof, [`stats`] the figures,
//! * [`calls`] the same for calls; `media` measures calls with real sound (feature `calls`), [`impair`] makes a network bad,
//!   [`nat`] hides a person behind another address.
//!
//! [`engine`] is the one driver with sockets; [`scenario`] holds the named loads.
//!
//! Two more own what they try: [`faults`] starts nodes, Postgres and Redis and breaks them in the middle of traffic, [`abuse`]
//! lets attackers at a node in which innocent people chat.
#![forbid(unsafe_code)]

pub mod abuse;
pub mod args;
pub mod audit;
pub mod calls;
pub mod cursor;
pub mod engine;
pub mod faults;
pub mod frames;
pub mod http;
pub mod impair;
pub mod ledger;
mod line;
#[cfg(feature = "calls")]
pub mod media;
pub mod message;
pub mod nat;
pub mod network;
pub mod outcome;
pub mod process;
pub mod report;
mod rig;
pub mod scenario;
pub mod schedule;
pub mod session;
pub mod stats;
pub mod watch;
pub mod websocket;
pub mod world;
