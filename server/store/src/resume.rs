//! What a client has missed: the person's list from the people's side, then the chats that it names from theirs.

use std::collections::{HashMap, HashSet};

use chapar_protocol::{ChatCursor, ChatId, ChatKind, Epoch, Resume, Seq, Sync, UserId, Version};

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
        let epochs = self.epochs().await?;
        let mut forgotten: Vec<String> = Vec::new();
        for epoch in &epochs {
            if !resume.is_some_and(|it| it.epochs.contains(epoch)) {
                forgotten.push(epoch.0.clone());
            }
        }
        let known = |database: &str, forgotten: &[String]| resume.filter(|_| forgotten.iter().all(|it| it != database));
        let mut from = known(Epoch::PEOPLE, &forgotten).map(|it| it.user_version);
        let since = |own: &Own| {
            // Nobody has been told of it, or it is not known any more what was taken back since.
            if from.take_if(|from| *from > own.version || !own.knows(*from)).is_some() {
                forgotten.push(Epoch::PEOPLE.to_owned());
            }
            from.unwrap_or_default()
        };
        let (own, list, user_delta) = self.people.own(user, since, OWN).await?;
        let cursors: HashMap<ChatId, (Version, Seq)> = known(Epoch::CHATS, &forgotten)
            .map(|it| it.chats.iter().map(|&ChatCursor(chat, version, read)| (chat, (version, read))).collect())
            .unwrap_or_default();

        let ids: Vec<ChatId> = list.iter().filter(|it| it.role.is_some()).map(|it| it.chat_id).collect();
        let mut reading = self.chats.reading().await?;
        let held = reading.heads(user, &ids).await?;
        let known_version = |chat: ChatId| cursors.get(&chat).map_or(Version(0), |cursor| cursor.0);
        let changed: Vec<Head> = held.iter().copied().filter(|it| known_version(it.chat) != it.version).collect();

        let (full, rest) = changed.split_at(changed.len().min(CHATS_IN_FULL));
        // What others have read is asked where it can be further than the client knows.
        let new: HashSet<ChatId> =
            full.iter().filter(|it| known_version(it.chat) == Version(0)).map(|it| it.chat).collect();
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
        let (chats, mut behind) = reading.syncs(user, full, known_version, room).await?;
        reading.end().await?;
        behind.extend(rest.iter().map(|it| it.chat));
        // A chat without a cursor is new to the client, which hears of it by the list of its chats as well.
        behind.sort_by_key(|chat| !cursors.contains_key(chat));
        behind.truncate(BEHIND / ID);

        let versions = held.iter().map(|it| (it.chat, it.version)).collect();
        let sync = Sync { epochs, reset: forgotten, user: user_delta, chats, behind, others_read };
        Ok(Resumed { sync, user_version: own.version, versions })
    }
}
