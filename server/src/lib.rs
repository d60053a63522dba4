//! Chapar.

pub mod bus;
