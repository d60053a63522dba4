//! Calls: the pure rules (state machine, descriptions and candidates, authentication string, quality, credentials), and
//! the STUN/TURN relay that `chapar-relay` runs. Not wired to the chat node yet.
#![forbid(unsafe_code)]

pub mod address;
pub mod call;
pub mod credentials;
pub mod quality;
pub mod relay;
pub mod sas;
pub mod satisfaction;
pub mod sdp;
