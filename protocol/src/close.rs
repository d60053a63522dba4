//! Why a server closes a WebSocket (RFC 6455 section 7.4), and what a client should do.

use crate::Action;

/// A close code. Codes that a client does not know: [`Action::Resume`] with back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// 1000: the client asked for it.
    Normal,
    /// 1002: not WebSocket, or a frame of a forbidden kind.
    Protocol,
    /// 1009: a frame beyond the limit of 128 KiB.
    TooLarge,
    /// 4001: no `hello` in time.
    HelloTimeout,
    /// 4002: nothing was heard from the client for too long.
    Idle,
    /// 4003: the token is unknown, expired or revoked.
    InvalidToken,
    /// 4004: the client did not read fast enough. It has lost nothing: it resumes from its cursors.
    SlowReader,
    /// 4005: the node is going away.
    Drain,
    /// 4006: the epoch changed: the cursors must be checked.
    EpochChanged,
    /// 4008: a client that keeps sending what no client would send.
    Abuse,
}

impl CloseCode {
    /// Every code, with its number, what to do and its sentence.
    pub const ALL: &[(Self, u16, Action, &str)] = &[
        (Self::Normal, 1000, Action::GiveUp, "closed as asked"),
        (Self::Protocol, 1002, Action::GiveUp, "protocol violation"),
        (Self::TooLarge, 1009, Action::GiveUp, "frame too large"),
        (Self::HelloTimeout, 4001, Action::Resume, "no hello in time"),
        (Self::Idle, 4002, Action::Resume, "nothing heard for too long"),
        (Self::InvalidToken, 4003, Action::ReAuthenticate, "token unknown, expired or revoked"),
        (Self::SlowReader, 4004, Action::Resume, "reading too slowly: resume from your cursors"),
        (Self::Drain, 4005, Action::Resume, "node going away: resume elsewhere"),
        (Self::EpochChanged, 4006, Action::Resume, "epoch changed: resume"),
        (Self::Abuse, 4008, Action::GiveUp, "too many errors"),
    ];

    fn row(self) -> &'static (Self, u16, Action, &'static str) {
        Self::ALL.iter().find(|row| row.0 == self).unwrap_or(&Self::ALL[0])
    }

    /// Its number on the wire.
    pub fn number(self) -> u16 {
        self.row().1
    }

    /// What a client should do.
    pub fn action(self) -> Action {
        self.row().2
    }

    /// Its sentence, at most 123 bytes.
    pub fn reason(self) -> &'static str {
        self.row().3
    }

    /// What a client should do about a number, known or not.
    pub fn action_of(number: u16) -> Action {
        Self::ALL.iter().find(|row| row.1 == number).map_or(Action::Resume, |row| row.2)
    }
}
