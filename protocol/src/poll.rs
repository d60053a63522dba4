//! Polls and quizzes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, ErrorCode, Seq, Timestamp, WireError, limit, media::is_false, text, visible};

/// A question to all in the chat, as its message shows it. It counts the answers of everybody; one's own come apart, as [`OwnVote`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the wire")]
pub struct Poll {
    /// What is asked.
    pub question: String,
    /// What can be answered, 2 to 10.
    pub options: Vec<PollOption>,
    /// Everybody in the chat can see who has chosen what. Otherwise nobody learns it.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub public: bool,
    /// One may choose several.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub multiple: bool,
    /// One of them is right. An answer stands: it is neither changed nor taken back.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub quiz: bool,
    /// Until when one can vote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub closes_at: Option<Timestamp>,
    /// Nobody can vote any more.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub closed: bool,
    /// How many people have voted.
    #[serde(default, skip_serializing_if = "is_none")]
    #[ts(as = "Option<u32>", optional)]
    pub voters: u32,
    /// What is right and why: of a quiz that is closed. Before that whoever has answered is told it with their own vote.
    #[serde(flatten, default)]
    pub key: QuizKey,
}

/// An answer that a poll offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct PollOption {
    /// What it says.
    pub text: String,
    /// How many have chosen it.
    #[serde(default, skip_serializing_if = "is_none")]
    #[ts(as = "Option<u32>", optional)]
    pub votes: u32,
}

/// What is right in a quiz.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct QuizKey {
    /// The place of the right answer, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub right: Option<u8>,
    /// Why it is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub explanation: Option<String>,
}

/// A poll to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct NewPoll {
    /// 1 to 300 UTF-16 code units.
    pub question: String,
    /// 2 to 10, each of 1 to 100 UTF-16 code units, none twice.
    pub options: Vec<String>,
    /// Everybody in the chat can see who has chosen what. Not in channels.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub public: bool,
    /// One may choose several. Not in a quiz.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub multiple: bool,
    /// In the future; absent: until its author closes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub closes_at: Option<Timestamp>,
    /// With `right` it is a quiz. `explanation` has at most 200 UTF-16 code units.
    #[serde(flatten, default)]
    pub key: QuizKey,
}

/// What one has chosen oneself. Told to nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct OwnVote {
    /// In which message.
    pub seq: Seq,
    /// Counts one's changes of it: the greatest holds, in whatever order they come.
    pub turn: u32,
    /// The places of what was chosen, from 0; none when it was taken back.
    pub options: Vec<u8>,
    /// Of a quiz that one has answered.
    #[serde(flatten, default)]
    pub key: QuizKey,
}

/// One's own vote, told at once to all own devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ChatVote {
    /// Where.
    pub chat_id: ChatId,
    /// What was chosen.
    pub vote: OwnVote,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

fn refuse<T>(message: &str) -> Result<T, WireError> {
    Err(WireError::new(ErrorCode::BadPoll, message))
}

impl NewPoll {
    /// Checks a poll and puts it into the form in which it is stored: trimmed.
    ///
    /// # Errors
    /// [`ErrorCode::BadPoll`].
    pub fn check(self) -> Result<Self, WireError> {
        let Some(question) = line(&self.question, limit::POLL_QUESTION_UNITS) else {
            return refuse("a question has 1 to 300 UTF-16 code units, and shows something");
        };
        if !limit::POLL_OPTIONS.contains(&self.options.len()) {
            return refuse("a poll has 2 to 10 options");
        }
        let Some(options) =
            self.options.iter().map(|it| line(it, limit::POLL_OPTION_UNITS)).collect::<Option<Vec<_>>>()
        else {
            return refuse("an option has 1 to 100 UTF-16 code units, and shows something");
        };
        if options.iter().enumerate().any(|(place, it)| options[..place].contains(it)) {
            return refuse("no option stands twice");
        }
        let key = match self.key {
            QuizKey { right: Some(right), .. } if usize::from(right) >= options.len() || self.multiple => {
                return refuse("in a quiz one option is right: `right` is its place, and one cannot choose several");
            }
            QuizKey { right: None, explanation: Some(_) } => return refuse("only a quiz has an explanation"),
            QuizKey { right, explanation: Some(why) } if visible::shows(&why) => {
                let Some(why) = line(&why, limit::POLL_EXPLANATION_UNITS) else {
                    return refuse("an explanation has at most 200 UTF-16 code units");
                };
                QuizKey { right, explanation: Some(why) }
            }
            QuizKey { right, .. } => QuizKey { right, explanation: None },
        };
        Ok(Self { question, options, key, ..self })
    }

    /// As it begins, with its key still in it.
    pub fn begin(self) -> Poll {
        let Self { question, options, public, multiple, closes_at, key } = self;
        let options = options.into_iter().map(|text| PollOption { text, votes: 0 }).collect();
        Poll {
            question,
            options,
            public,
            multiple,
            quiz: key.right.is_some(),
            closes_at,
            closed: false,
            voters: 0,
            key,
        }
    }
}

fn line(given: &str, most: usize) -> Option<String> {
    let line = given.trim();
    (visible::shows(line) && !line.contains('\0') && text::utf16_len(line) <= most).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(options: &[&str], key: QuizKey) -> NewPoll {
        let options = options.iter().map(|&it| it.to_owned()).collect();
        NewPoll {
            question: " چای یا قهوه؟ ".to_owned(), options, public: false, multiple: false, closes_at: None, key
        }
    }

    fn key(right: Option<u8>, explanation: Option<&str>) -> QuizKey {
        QuizKey { right, explanation: explanation.map(str::to_owned) }
    }

    #[test]
    fn what_is_no_poll_is_refused() {
        let ok = new(&[" چای", "قهوه"], key(None, None)).check().expect("a poll");
        assert_eq!((ok.question.as_str(), ok.options[0].as_str()), ("چای یا قهوه؟", "چای"));
        let quiz = new(&["۱", "۲"], key(Some(1), Some("  "))).check().expect("a quiz");
        assert_eq!(quiz.key, key(Some(1), None), "an explanation that shows nothing is none");
        let long = "ب".repeat(101);
        let several = NewPoll { multiple: true, ..new(&["a", "b"], key(Some(0), None)) };
        for bad in [
            new(&["a"], key(None, None)),
            new(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"], key(None, None)),
            new(&["a", " a "], key(None, None)),
            new(&["a", " "], key(None, None)),
            new(&["a", &long], key(None, None)),
            new(&["a", "b"], key(Some(2), None)),
            new(&["a", "b"], key(None, Some("why"))),
            new(&["a", "b"], key(Some(0), Some(&"ب".repeat(201)))),
            several,
            NewPoll { question: "\u{200c}".to_owned(), ..new(&["a", "b"], key(None, None)) },
        ] {
            let error = bad.clone().check().expect_err(&format!("{bad:?}"));
            assert_eq!(error.code, ErrorCode::BadPoll);
        }
    }

    #[test]
    fn a_poll_that_is_open_keeps_its_key_to_itself() {
        let mut poll = new(&["۱", "۲"], key(Some(1), Some("چون"))).begin();
        assert_eq!(std::mem::take(&mut poll.key).right, Some(1));
        let json = serde_json::to_string(&poll).expect("serialises");
        assert_eq!(json, r#"{"question":" چای یا قهوه؟ ","options":[{"text":"۱"},{"text":"۲"}],"quiz":true}"#);
        assert_eq!(serde_json::from_str::<Poll>(&json).expect("parses"), poll);
    }
}
