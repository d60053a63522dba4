//! Chapar, the chat node.

pub mod cli;
pub mod embedded_postgres;
pub mod settings;
