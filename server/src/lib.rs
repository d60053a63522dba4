//! The chat node of Chapar.
#![forbid(unsafe_code)]

pub mod store;
