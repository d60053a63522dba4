//! Chapar.

pub mod call;
pub mod sas;
pub mod sdp;
