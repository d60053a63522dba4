//! Refusals, with the sentence that goes with each code.

use chapar_protocol::{ErrorCode, WireError};

/// A refusal that needs no details.
pub fn refusal(code: ErrorCode) -> WireError {
    WireError::new(code, sentence(code))
}

pub(crate) fn refuse<T>(code: ErrorCode, message: &str) -> Result<T, WireError> {
    Err(WireError::new(code, message))
}

fn sentence(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::ChatNotFound => "there is no such chat, or you are not in it",
        ErrorCode::UserNotFound => "there is no such user",
        ErrorCode::MessageNotFound => "there is no such message, or it was deleted",
        ErrorCode::Forbidden => "you do not have the right to do this here",
        ErrorCode::NoForwarding => "nothing is forwarded from this chat: its admins have set it so",
        ErrorCode::RefusedByUser => "this person does not take it from you",
        ErrorCode::PollClosed => "the poll is closed",
        ErrorCode::ClientIdReused => "this client id was used before for something else",
        ErrorCode::HandleTaken => "somebody has this handle already",
        ErrorCode::ChatFull => "a group has at most 200,000 members",
        ErrorCode::InviteGone => "this invite link does not open the chat, or does not any more",
        ErrorCode::OwnerCannotLeave => "name another owner first",
        ErrorCode::CallNotFound => "there is no such call, or you are not in it",
        ErrorCode::CallForbidden => {
            "before you can call them, they must have written to you in a direct chat, or opened it themselves, and take calls from you"
        }
        ErrorCode::InvalidToken => "the token is unknown or was revoked",
        ErrorCode::InvalidCredentials => "handle or password is wrong",
        _ => "refused",
    }
}
