//! Calls with sound: see [`audio`] for what is heard, `peer` for how it travels.

pub mod audio;
mod peer;
