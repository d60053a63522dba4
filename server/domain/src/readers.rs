//! Readers who come into a channel or go. Nothing of the channel changes by it, however many they are: its lock is not taken,
//! its version stays, and nobody else hears of it.

use chapar_protocol::{ErrorCode, Role, Seq, WireError};

use crate::{
    chat::Standing,
    refusal::{refusal, refuse},
};

/// What a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// To come in.
    Join,
    /// To go.
    Leave,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The reader stands so now.
    To(Standing),
    /// It was so already.
    Already,
    /// They are more than a reader: that is a change of the channel.
    NotAReader,
}

/// Judges one reader's move, by how they stand in the channel; `None` for somebody who never was in it. `last` is the seq of
/// its last post; `count` says how many are in it, roughly but never 0 while its owner is.
///
/// # Errors
/// [`ErrorCode::Forbidden`] for whoever was removed, [`ErrorCode::ChatNotFound`] for whoever leaves without being in it,
/// or joins a channel that everybody has left.
pub fn judge(standing: Option<&Standing>, last: Seq, count: i64, wish: Move) -> Result<Moved, WireError> {
    let role = standing.and_then(|it| it.role);
    if role.is_some_and(|role| role > Role::Member) {
        return Ok(Moved::NotAReader);
    }
    let turn = standing.map_or(0, |it| it.turn) + 1;
    match (wish, role) {
        (Move::Join, Some(_)) => Ok(Moved::Already),
        (Move::Leave, None) => match standing {
            None => Err(refusal(ErrorCode::ChatNotFound)),
            Some(gone) if gone.left => Ok(Moved::Already),
            // Was taken out: it closes the door behind them.
            Some(gone) => Ok(Moved::To(Standing { left: true, turn, ..gone.clone() })),
        },
        (Move::Join, None) if standing.is_some_and(|it| it.banned) => {
            refuse(ErrorCode::Forbidden, "you were removed from this chat: an admin can add you again")
        }
        // Everybody has left: nobody owns it.
        (Move::Join, None) if count <= 0 => Err(refusal(ErrorCode::ChatNotFound)),
        (Move::Join, None) => Ok(Moved::To(Standing { read_seq: last, turn, ..Standing::with(Role::Member) })),
        (Move::Leave, Some(_)) => {
            let mut gone = standing.cloned().unwrap_or_else(|| Standing::with(Role::Member));
            (gone.role, gone.left, gone.turn) = (None, true, turn);
            Ok(Moved::To(gone))
        }
    }
}
