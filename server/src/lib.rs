//! The chat node of Chapar.
#![forbid(unsafe_code)]

pub mod bus;
pub mod store;
