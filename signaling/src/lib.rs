//! Calls: the relay, and (by others) the call state machine and the checks of what clients offer.
#![forbid(unsafe_code)]

pub mod relay;
