//! Links by which people come into a group or a channel, and those who ask to be let in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

use crate::{ChatId, ChatKind, ErrorCode, FileId, Timestamp, UserId, WireError, media::is_false};

/// An invite link: a random UUID, made by the client. It names the link to those who look after it, and opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(transparent)]
#[ts(type = "string")]
pub struct InviteId(pub Uuid);

/// An invite link, as those see it who may add people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Invite {
    /// Which.
    pub id: InviteId,
    /// What opens the chat: the end of the address. Whoever has it may come in.
    pub token: String,
    /// What those call it who look after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub title: Option<String>,
    /// Who made it. It is good as long as they may add people.
    pub made_by: UserId,
    /// When.
    pub made_at: Timestamp,
    /// Until when it is good; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub expires_at: Option<Timestamp>,
    /// How often it can be used; absent: as often as one likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub max_uses: Option<u32>,
    /// How many have come through it.
    pub uses: u32,
    /// Whoever comes through it asks first, and is let in by those who may add people.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub approval: bool,
    /// It was taken back, for good.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub revoked: bool,
    /// Somebody can come through it now.
    pub open: bool,
}

/// Somebody who came through a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct InviteUse {
    /// Who.
    pub user_id: UserId,
    /// When, the last time.
    pub at: Timestamp,
}

/// Somebody who asks to be let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct JoinRequest {
    /// Who.
    pub user_id: UserId,
    /// Since when.
    pub at: Timestamp,
    /// Through which link.
    pub invite_id: InviteId,
}

/// What a link shows to whoever has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct InvitePreview {
    /// Where it leads.
    pub chat_id: ChatId,
    /// `group` or `channel`.
    pub kind: ChatKind,
    /// The chat's title.
    pub title: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub description: Option<String>,
    /// Its photo, as `/files/avatar/<id>/<80 or 320>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub photo: Option<FileId>,
    /// How many are in it.
    pub member_count: u32,
    /// Whoever comes through it asks first.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub approval: bool,
    /// The asking user is in it.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub inside: bool,
    /// The asking user has asked to be let in, and was not answered yet.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub asked: bool,
}

/// The token of a link: which chat, and a secret that nobody guesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteToken {
    /// Which chat.
    pub chat: ChatId,
    /// Its secret.
    pub secret: String,
}

/// Length of the secret of a link: 16 random bytes in base64url.
pub const SECRET_LENGTH: usize = 22;

impl InviteToken {
    /// Reads a token; a whole address that ends with one is read as well.
    ///
    /// # Errors
    /// [`ErrorCode::InviteGone`] for what cannot be one.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        let gone = || WireError::new(ErrorCode::InviteGone, "this is no invite link");
        let token = text.trim().rsplit('/').next().unwrap_or_default();
        let (chat, secret) = token.split_once('-').ok_or_else(gone)?;
        let digits = !chat.is_empty() && chat.len() <= 16 && chat.bytes().all(|it| it.is_ascii_digit());
        let plain = secret.len() == SECRET_LENGTH
            && secret.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_');
        if !digits || !plain {
            return Err(gone());
        }
        Ok(Self { chat: ChatId(chat.parse().map_err(|_| gone())?), secret: secret.to_owned() })
    }
}

impl std::fmt::Display for InviteToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.chat.0, self.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_itself_and_from_an_address() {
        let token = InviteToken { chat: ChatId(4096), secret: "abcdefghij-klmnop_1234".to_owned() };
        assert_eq!(InviteToken::parse(&token.to_string()), Ok(token.clone()));
        assert_eq!(InviteToken::parse(&format!(" https://chat.example/#/join/{token}\n")), Ok(token));
    }

    #[test]
    fn what_is_no_token_is_a_link_that_is_gone() {
        let long = format!("4-{}", "a".repeat(23));
        for text in
            ["", "-", "4", "4-short", "x-abcdefghijklmnopqrstuv", "99999999999999999-abcdefghijklmnopqrstuv", &long]
        {
            assert_eq!(InviteToken::parse(text).expect_err(text).code, ErrorCode::InviteGone);
        }
    }
}
