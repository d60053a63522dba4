//! Chapar.

pub mod call;
pub mod credentials;
pub mod quality;
pub mod sas;
pub mod sdp;
