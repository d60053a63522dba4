//! What can go wrong, and what to do about it.

use chapar_protocol::{Action, WireError};

use crate::{
    core::{Refusal, event::Stop},
    endpoint::BadUrl,
    tls::TlsError,
};

/// Why a call failed. [`Error::action`] says what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused it; the code says why and its action what to do.
    #[error(transparent)]
    Server(#[from] WireError),
    /// The HTTP API could not be reached. Retry.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time, reconnections included. Retry; whether it took effect is unknown, and a repetition does no harm.
    #[error("no answer in time")]
    Timeout,
    /// The session ended: see [`Stop`]. Re-authenticate when signed out, else give up.
    #[error("the session ended: {0}")]
    Stopped(Stop),
    /// The outbox is full, or holds this client id already. Retry when some messages have gone out.
    #[error("the outbox is full")]
    OutboxFull,
    /// The message was cancelled before it was written. Give up.
    #[error("cancelled")]
    Cancelled,
    /// The store cannot be read or written, so nothing was sent. Give up.
    #[error("the store failed: {0}")]
    Store(String),
    /// A file on this device cannot be read or written. Give up.
    #[error("the file cannot be read or written: {0}")]
    File(String),
    /// The server answered what this version cannot read. Give up.
    #[error("an answer that cannot be read")]
    BadReply,
    /// See [`BadUrl`]. Give up.
    #[error(transparent)]
    BadUrl(#[from] BadUrl),
    /// See [`TlsError`]. Give up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Error {
    /// A stable name for it, the same as in the TypeScript SDK: the server's own code, or one of this SDK. For translations.
    pub fn code(&self) -> &str {
        match self {
            Self::Server(error) => error.code.name(),
            Self::Unreachable(_) => "unreachable",
            Self::Timeout => "timeout",
            Self::Stopped(Stop::SignedOut(_)) => "signed_out",
            Self::Stopped(Stop::Closed) => "closed",
            Self::Stopped(Stop::OtherUser) => "other_user",
            Self::Stopped(_) => "refused",
            Self::OutboxFull => "outbox_full",
            Self::Cancelled => "cancelled",
            Self::Store(_) => "store_failed",
            Self::File(_) => "file_failed",
            Self::BadReply => "bad_reply",
            Self::BadUrl(_) => "bad_url",
            Self::Tls(_) => "bad_tls",
        }
    }

    /// What to do about it.
    pub fn action(&self) -> Action {
        match self {
            Self::Server(error) => error.action,
            Self::Unreachable(_) | Self::Timeout | Self::OutboxFull => Action::Retry,
            Self::Stopped(stop) => stop.action(),
            Self::Cancelled | Self::Store(_) | Self::File(_) | Self::BadReply | Self::BadUrl(_) | Self::Tls(_) => {
                Action::GiveUp
            }
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Server(error) => Self::Server(error),
            Refusal::Timeout => Self::Timeout,
            Refusal::Stopped(stop) => Self::Stopped(stop),
            Refusal::Outbox => Self::OutboxFull,
            Refusal::Store => Self::Store("the message could not be kept".into()),
            Refusal::Cancelled => Self::Cancelled,
        }
    }
}
