//! What a client has missed: the person's list from the people's side, then the chats that it names from theirs.

use std::collections::{HashMap, HashSet};

use chapar_protocol::{ChatCursor, ChatId, ChatKind, Resume, Seq, Sync, UserId, Version};

use super::{
    Result, Store,
    chats::pages::{Head, ROWS, Room},
    people::lists::{Own, encoded},
};

/// Bytes of one's own things in an answer to `hello`.
const OWN: usize = 96 * 1024;
/// Bytes of the chats that an answer to `hello` names as behind.
const BEHIND: usize = 48 * 1024;
/// Chats that one answer to `hello` brings up to date in full; the rest are named as behind.
const CHATS_IN_FULL: usize = 100;
/// Messages of one chat in an answer to `hello`, and their bytes.
const MESSAGES_IN_HELLO: (usize, usize) = (50, 64 * 1024);
/// Bytes that the id of a chat takes in a list at most.
const ID: usize = 17;

/// The answer to `hello`, and the versions that events must follow on.
pub struct Resumed {
    /// For the client.
    pub sync: Sync,
    /// The version of the user's own things; the answer may lead to an earlier one.
    pub user_version: Version,
    /// The version of each of the user's chats.
    pub versions: Vec<(ChatId, Version)>,
}

impl Store {
    /// Everything that changed since a client's cursors; everything, without. The list of chats and the chats are of two moments, the
    /// list's first: whoever was taken out of a chat in between does not get it any more.
    pub async fn resume(&self, user: UserId, resume: Option<&Resume>) -> Result<Resumed> {
        let epoch = self.epoch().await?;
        let mut resume = resume.filter(|it| it.epoch == epoch);
        let from = |own: &Own| {
            resume = resume.filter(|it| it.user_version <= own.version && own.knows(it.user_version));
            resume.map_or(Version(0), |it| it.user_version)
        };
        let (own, list, user_delta) = self.people.own(user, from, OWN).await?;
        let cursors: HashMap<ChatId, (Version, Seq)> = resume
            .map(|it| it.chats.iter().map(|&ChatCursor(chat, version, read)| (chat, (version, read))).collect())
            .unwrap_or_default();

        let ids: Vec<ChatId> = list.iter().filter(|it| it.role.is_some()).map(|it| it.chat_id).collect();
        let mut reading = self.chats.reading().await?;
        let held = reading.heads(user, &ids).await?;
        let known = |it: &Head| cursors.get(&it.chat).map_or(Version(0), |cursor| cursor.0);
        let changed: Vec<Head> = held.iter().copied().filter(|it| known(it) != it.version).collect();

        let (full, rest) = changed.split_at(changed.len().min(CHATS_IN_FULL));
        // What others have read is asked where it can be further than the client knows.
        let new: HashSet<ChatId> = full.iter().filter(|it| known(it) == Version(0)).map(|it| it.chat).collect();
        let reads: Vec<(ChatId, Seq)> = held
            .iter()
            .filter(|it| it.kind != ChatKind::Channel)
            .filter_map(|it| {
                let known = cursors.get(&it.chat).map(|cursor| cursor.1);
                let known = known.or_else(|| new.contains(&it.chat).then_some(Seq(0)))?;
                (it.last_seq > known).then_some((it.chat, known))
            })
            .collect();
        let others_read = reading.others_read(user, &reads).await?;

        let taken = encoded(&user_delta) + encoded(&others_read) + BEHIND.min(changed.len() * ID);
        let (messages, each) = MESSAGES_IN_HELLO;
        let room = Room { messages, each, all: ROWS.saturating_sub(taken) };
        let (chats, mut behind) =
            reading.syncs(user, full, |chat| cursors.get(&chat).map_or(Version(0), |it| it.0), room).await?;
        reading.end().await?;
        behind.extend(rest.iter().map(|it| it.chat));
        // A chat without a cursor is new to the client, which hears of it by the list of its chats as well.
        behind.sort_by_key(|chat| !cursors.contains_key(chat));
        behind.truncate(BEHIND / ID);

        let versions = held.iter().map(|it| (it.chat, it.version)).collect();
        let sync = Sync { epoch, reset: resume.is_none(), user: user_delta, chats, behind, others_read };
        Ok(Resumed { sync, user_version: own.version, versions })
    }
}
