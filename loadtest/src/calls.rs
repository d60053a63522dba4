//! Calls: pairs of people who call each other, over the protocol alone, and the proof that both saw the same.
//!
//! * [`pair`] two people and the call between them, as a pure state machine,
//! * [`wire`] what they say and hear,
//! * [`figures`] how long each phase took,
//! * [`audit`] the proof from outside, [`switchboard`] the one driver with sockets.

pub mod audit;
pub mod figures;
pub mod pair;
pub mod switchboard;
pub mod wire;
