//! The rules of chats, without IO, clock or dice: who may do what, and what becomes of a chat when changes are asked of it.
//!
//! ```text
//! what is asked ─┐
//! rows of a chat ┴─▶ judge ─▶ an answer to each, rows to write, one stretch of versions to tell
//! ```
//!
//! Invariant: versions and seqs that a judgement gives out follow on those of the chat, without holes.
//! Invariant: a refused change changes nothing.

pub mod change;
pub mod chat;
pub mod judge;
pub mod poll;
mod reactions;
pub mod readers;
pub mod refusal;
pub mod rights;

/// On whose word something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A person, on one of their devices, or a bot.
    User(chapar_protocol::UserId),
    /// The server itself, which tells what has happened to somebody: it may write lines that nobody else may.
    System(chapar_protocol::UserId),
}

impl Principal {
    /// In whose name it is done.
    pub fn user(self) -> chapar_protocol::UserId {
        match self {
            Self::User(user) | Self::System(user) => user,
        }
    }
}
