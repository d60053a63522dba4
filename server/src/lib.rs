//! Chapar, the chat node.

pub mod embedded_postgres;
