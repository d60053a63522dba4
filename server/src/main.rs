//! Chapar, the chat node.
fn main() {}
