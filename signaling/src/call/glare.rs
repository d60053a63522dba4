//! Two calls that meet: both call at once, or one of the two is engaged.

use chapar_protocol::UserId;
use chapar_protocol::call::CallId;

use super::{Call, Invite, Phase};

/// How a new invite stands to a call that one of its two people has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// They do not touch: let it ring.
    Apart,
    /// The same invite again, from the same device: answer with the call as it is.
    Repeat,
    /// That id belongs to another call.
    IdTaken,
    /// The caller is in a call already.
    CallerEngaged,
    /// The callee is in a call already: by policy ring all the same (call waiting), or [`super::Fate::Busy`].
    CalleeEngaged,
    /// Both call each other at once. The winner goes on, the other one ends: see [`winner`].
    Glare(CallId),
}

/// Which of two calls goes on when both people call at once: that with the higher id. Whoever compares, in whatever
/// order the two came in, finds the same.
pub fn winner(one: CallId, other: CallId) -> CallId {
    one.max(other)
}

/// How `invite` stands to `existing`.
pub fn meet(existing: &Call, invite: &Invite) -> Meeting {
    if existing.id == invite.call_id {
        let same = existing.caller.party() == Some(invite.caller) && existing.callee.user == invite.callee;
        return if same { Meeting::Repeat } else { Meeting::IdTaken };
    }
    if !existing.is_live() {
        return Meeting::Apart;
    }
    let rings = matches!(existing.phase, Phase::Ringing { .. });
    if rings && existing.people() == [invite.callee, invite.caller.user_id] {
        return Meeting::Glare(winner(existing.id, invite.call_id));
    }
    if engaged(existing, invite.caller.user_id) {
        return Meeting::CallerEngaged;
    }
    if engaged(existing, invite.callee) { Meeting::CalleeEngaged } else { Meeting::Apart }
}

/// Being rung is not yet being in a call.
fn engaged(call: &Call, user: UserId) -> bool {
    call.seats().into_iter().flatten().any(|seat| seat.user_id == user)
}
