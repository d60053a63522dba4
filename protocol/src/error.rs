//! Errors that a client sees: a stable code, a sentence for people, and what to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What a client should do about an error or a closed connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Send the same request again, after `retry_after_ms` if it is there, else with back-off.
    Retry,
    /// Sign in again; the token is no longer good. Keep the outbox.
    ReAuthenticate,
    /// Connect again and send `hello` with the cursors.
    Resume,
    /// The same request can never succeed. Show the message.
    GiveUp,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $wire:literal => $action:ident, $status:literal;)+) => {
        /// Why a request failed. Codes are stable; new ones may come, so read [`WireError::action`] for those unknown.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)+
            /// A code that this version of the protocol does not know.
            #[serde(other)]
            Unknown,
        }

        impl ErrorCode {
            /// Every code that this version knows.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// What a client should do about it.
            pub fn action(self) -> Action {
                match self {
                    $(Self::$name => Action::$action,)+
                    Self::Unknown => Action::GiveUp,
                }
            }

            /// Its name on the wire.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $wire,)+
                    Self::Unknown => "unknown",
                }
            }

            /// The HTTP status that carries it.
            pub fn http_status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)+
                    Self::Unknown => 500,
                }
            }
        }
    };
}

codes! {
    /// The frame is not a JSON object with `id`, `method` and `params`. The connection stays.
    BadFrame = "bad_frame" => GiveUp, 400;
    /// No such method.
    UnknownMethod = "unknown_method" => GiveUp, 404;
    /// The params do not fit the method.
    BadRequest = "bad_request" => GiveUp, 400;
    /// The request or a list in it is too large.
    TooLarge = "too_large" => GiveUp, 413;
    /// Say `hello` first, or send a token.
    Unauthenticated = "unauthenticated" => ReAuthenticate, 401;
    /// The token is unknown, expired or revoked.
    InvalidToken = "invalid_token" => ReAuthenticate, 401;
    /// Handle or password is wrong.
    InvalidCredentials = "invalid_credentials" => GiveUp, 401;
    /// Somebody has this handle already.
    HandleTaken = "handle_taken" => GiveUp, 409;
    /// A handle has 3 to 32 characters a–z, 0–9 and _, and begins with a letter.
    BadHandle = "bad_handle" => GiveUp, 400;
    /// A password has 8 to 1024 bytes.
    BadPassword = "bad_password" => GiveUp, 400;
    /// A name or title has 1 to 128 characters, of which one shows something, without control characters.
    BadTitle = "bad_title" => GiveUp, 400;
    /// The operator has closed registration.
    RegistrationClosed = "registration_closed" => GiveUp, 403;
    /// The text is empty or has a character that cannot be stored.
    BadText = "bad_text" => GiveUp, 400;
    /// The text is longer than 4096 UTF-16 code units.
    TextTooLong = "text_too_long" => GiveUp, 400;
    /// An entity lies outside the text, splits a character, is empty, or there are more than 100, or they mention more than 50 people.
    BadEntities = "bad_entities" => GiveUp, 400;
    /// An answer quotes words that do not stand there in the message that it answers.
    BadQuote = "bad_quote" => GiveUp, 400;
    /// The reaction is not one emoji.
    BadReaction = "bad_reaction" => GiveUp, 400;
    /// A poll has a question of 1 to 300 UTF-16 code units and 2 to 10 different options of 1 to 100; a quiz has one right option and an
    /// explanation of at most 200. It closes in the future, and in a channel it is not public.
    BadPoll = "bad_poll" => GiveUp, 400;
    /// The message is no poll, or does not take such an answer: an option that it does not have, several where one is to be chosen,
    /// another answer in a quiz.
    BadVote = "bad_vote" => GiveUp, 400;
    /// The poll is closed.
    PollClosed = "poll_closed" => GiveUp, 409;
    /// There is no such chat, or you are not in it.
    ChatNotFound = "chat_not_found" => GiveUp, 404;
    /// There is no such user.
    UserNotFound = "user_not_found" => GiveUp, 404;
    /// There is no such message, or it was deleted.
    MessageNotFound = "message_not_found" => GiveUp, 404;
    /// Your role does not allow this.
    Forbidden = "forbidden" => GiveUp, 403;
    /// Admins have set that nothing is forwarded from this chat.
    NoForwarding = "no_forwarding" => GiveUp, 403;
    /// This client id was used before, for something else.
    ClientIdReused = "client_id_reused" => GiveUp, 409;
    /// So much was taken back since that version that it is not known any more what: begin anew by `hello`.
    TooFarBehind = "too_far_behind" => Resume, 410;
    /// Items of this kind cannot be set.
    UnknownKind = "unknown_kind" => GiveUp, 400;
    /// This person does not take it from you: by their settings, or because they have blocked you. Which of them is not told.
    RefusedByUser = "refused_by_user" => GiveUp, 403;
    /// The group would have more than 200,000 members.
    ChatFull = "chat_full" => GiveUp, 409;
    /// Somebody named has left this chat by themselves: they come back only by joining it, or added by one whom they have answered.
    HasLeft = "has_left" => GiveUp, 409;
    /// There is no such invite link, or it does not open the chat any more: it was taken back, has expired, was used as often as it can
    /// be, or whoever made it may not add people any more.
    InviteGone = "invite_gone" => GiveUp, 410;
    /// In this group somebody who is no admin waits between two posts. Wait for `retry_after_ms`.
    SlowMode = "slow_mode" => Retry, 429;
    /// Strangers have put this person into enough chats for now. Wait for `retry_after_ms`.
    ReachedTooOften = "reached_too_often" => Retry, 429;
    /// An owner cannot leave while others are in the chat: name another owner first.
    OwnerCannotLeave = "owner_cannot_leave" => GiveUp, 409;
    /// There is no such call, or you are not in it.
    CallNotFound = "call_not_found" => GiveUp, 404;
    /// You may not call this person: they have neither written in the direct chat with you nor opened it, or they do not take
    /// calls from you; or you have not accepted their request yet.
    CallForbidden = "call_forbidden" => GiveUp, 403;
    /// You are in another call already.
    CallEngaged = "call_engaged" => GiveUp, 409;
    /// The call has ended.
    CallEnded = "call_ended" => GiveUp, 409;
    /// Another of your devices is in this call.
    CallElsewhere = "call_elsewhere" => GiveUp, 409;
    /// The call does not stand so that this can be done. Its state was told again.
    CallConflict = "call_conflict" => GiveUp, 409;
    /// The session description, candidate, commitment or nonce is not one that a call may have.
    BadDescription = "bad_description" => GiveUp, 400;
    /// There is no such file, or you may not name it.
    FileNotFound = "file_not_found" => GiveUp, 404;
    /// There is no such pack of stickers.
    PackNotFound = "pack_not_found" => GiveUp, 404;
    /// The file is not ready yet: not all of it is there, or it is still looked at. Wait for `retry_after_ms`.
    FileNotReady = "file_not_ready" => Retry, 409;
    /// The file is not what it was uploaded as, or cannot be read; or this kind of message takes no such file.
    FileRefused = "file_refused" => GiveUp, 422;
    /// The operator's scanner found something in the file.
    FileHeld = "file_held" => GiveUp, 423;
    /// Files of this kind are not so large.
    FileTooLarge = "file_too_large" => GiveUp, 413;
    /// You have uploaded enough for now. Wait for `retry_after_ms`.
    QuotaExceeded = "quota_exceeded" => Retry, 429;
    /// The upload has expired or was ended. Begin it anew.
    UploadGone = "upload_gone" => GiveUp, 410;
    /// The upload stands at another offset: ask for it, and go on from there.
    UploadConflict = "upload_conflict" => Retry, 409;
    /// Another connection writes to this upload.
    UploadLocked = "upload_locked" => Retry, 423;
    /// What came is not what the checksum says. Nothing of it was taken.
    ChecksumMismatch = "checksum_mismatch" => Retry, 460;
    /// Too many requests. Wait for `retry_after_ms`.
    RateLimited = "rate_limited" => Retry, 429;
    /// The server has too much to do. Wait for `retry_after_ms`.
    Overloaded = "overloaded" => Retry, 503;
    /// The database did not answer. Whether the request took effect is unknown: send it again with the same client id.
    Unavailable = "unavailable" => Retry, 503;
    /// A fault of the server. It was logged.
    Internal = "internal" => Retry, 500;
}

/// An error as it crosses the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS, thiserror::Error)]
#[error("{message} ({code:?})")]
pub struct WireError {
    /// Why.
    pub code: ErrorCode,
    /// A sentence in English for people who read logs. Never shown by its text alone: translate the code.
    pub message: String,
    /// What to do.
    pub action: Action,
    /// How long to wait before the retry, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub retry_after_ms: Option<u32>,
}

impl WireError {
    /// An error with its code's own action.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), action: code.action(), retry_after_ms: None }
    }

    /// The same, with a time to wait.
    #[must_use]
    pub fn after_ms(mut self, retry_after_ms: u32) -> Self {
        self.retry_after_ms = Some(retry_after_ms);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_on_the_wire() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).expect("serialises"), code.name());
        }
    }
}
