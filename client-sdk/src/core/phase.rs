//! Where a session stands with its connection.

use super::{Millis, event::Stop};

/// ```text
///             ┌──────────── token given ◄──────────────┐
///             ▼                                        │
///   ┌──► Waiting ──time──► Connecting ──open──► Greeting ──welcome──► Live ──drain──► Draining
///   │         ▲               │                  │   │                  │  │              │
///   │         └─── failed ────┴───── lost ───────┘   │                  │  │              │
///   │                                                │                  │  │              │
///   ├────────────────────── lost, silent ────────────┼──────────────────┘  │              │
///   └────────────────────── lost, time ──────────────┼─────────────────────┼──────────────┘
///                                                    ▼                     ▼
///                                                 Stopped  ◄── signed out, refused, closed
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not connected; connects at a time, in milliseconds of the core's clock.
    Waiting {
        /// When.
        until: Millis,
        /// Whether the server named the time. Then nothing shortens it.
        named: bool,
    },
    /// A socket is being opened.
    Connecting,
    /// `hello` was written; its answer is awaited. Events are kept back.
    Greeting {
        /// When the answer is given up on.
        until: Millis,
    },
    /// Welcome was applied.
    Live {
        /// Since when.
        since: Millis,
    },
    /// The server is going away: requests under way finish, new ones wait for the next connection.
    Draining {
        /// When to change over; the server may close before.
        until: Millis,
    },
    /// Over, until a new token is given.
    Stopped(Stop),
}

impl Phase {
    /// Whether there is a socket, open or being opened.
    pub fn has_socket(&self) -> bool {
        matches!(self, Self::Connecting | Self::Greeting { .. } | Self::Live { .. } | Self::Draining { .. })
    }

    /// Whether events may be applied.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Live { .. } | Self::Draining { .. })
    }
}
