//! Why an ask about a call is refused. A refused ask changes nothing.

use chapar_protocol::call::EndReason;

/// Why an ask about a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Whoever asks is neither caller nor callee. To be answered like a call that does not exist.
    #[error("not one of the two people of this call")]
    NotInCall,
    /// It has ended.
    #[error("the call has ended")]
    Ended(EndReason),
    /// Another device of the same person is in the call.
    #[error("another device of this person is in the call")]
    AnsweredElsewhere,
    /// Only the other side may do that.
    #[error("only the other side may do that")]
    WrongSide,
    /// It was not answered yet.
    #[error("the call was not answered yet")]
    NotAnswered,
    /// It does not ring any more.
    #[error("the call does not ring any more")]
    NotRinging,
    /// This device was not told of the call.
    #[error("this device does not ring")]
    NotRung,
    /// There is no offer to answer in this generation.
    #[error("there is no offer of this generation yet")]
    NoOffer,
    /// The offer, answer or nonce of this generation is there already, and it is another one.
    #[error("this generation has another one already")]
    AlreadyThere,
    /// Of an exchange that is over, or not begun.
    #[error("not the current generation")]
    StaleGeneration,
    /// Media before the first answer.
    #[error("no answer yet, so no media")]
    NoAnswer,
    /// Nobody asked for what is granted.
    #[error("nobody asked for that")]
    NothingAsked,
    /// A transfer to the device that is in the call.
    #[error("that device is in the call already")]
    SameDevice,
    /// An ICE restart less than a second after the last.
    #[error("too soon after the last restart")]
    TooSoon,
    /// Checked for a call that is not relay-only, and it is: check again with [`super::Call::relay_only_now`].
    #[error("the call is relay-only")]
    NotRelayOnly,
    /// Checked for a call with video, and it is a voice call: check again with [`super::Call::media`].
    #[error("the call is a voice call")]
    NotForVoice,
    /// More candidates before the answer than are held.
    #[error("too many candidates before the answer")]
    TooManyCandidates,
    /// More devices than a call knows.
    #[error("too many devices")]
    TooManyDevices,
    /// Somebody calls themselves.
    #[error("nobody can call themselves")]
    SelfCall,
}
