//! The relay's core, without sockets and with a virtual clock.
#![forbid(unsafe_code)]

mod client;

mod allocations;
mod fuzz;
mod security;
mod vectors;
