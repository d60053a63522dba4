//! What a client has missed: the person's list from the people's side, then the chats that it names from theirs.

use std::collections::{HashMap, HashSet};

use chapar_protocol::{ChatCursor, ChatId, ChatKind, Epoch, Seq, Sync, Version};

use super::{
    Chats, Result, StoreError,
    chats::{
        hidden::hidden_in,
        pages::{Head, ROWS, Room, Wanted},
    },
    people::lists::{ComingBack, OwnThings, encoded},
};

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

type Cursors = HashMap<ChatId, (Version, Seq)>;

impl Chats {
    /// Everything that some people have missed since their cursors; everything, without: of the chats on their lists, which were read
    /// first. Whoever was taken out of a chat in between does not get it any more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database says nothing of its epoch.
    pub async fn missed(&self, of: Vec<(ComingBack, OwnThings)>) -> Result<Vec<Resumed>> {
        let mut reading = self.reading().await?;
        let ids: Vec<_> = of.iter().map(|(who, own)| (who.user, own.inside().collect::<Vec<_>>())).collect();
        let (held, epoch) = reading.heads(&ids, true).await?;
        let epoch = epoch.ok_or(StoreError::Unavailable(sqlx::Error::RowNotFound))?;
        let epoch = Epoch(Epoch::CHATS.to_owned(), epoch);
        let cursors: Vec<Option<Cursors>> = of
            .iter()
            .map(|(who, _)| {
                let resume = who.resume.as_ref().filter(|it| it.epochs.contains(&epoch))?;
                Some(resume.chats.iter().map(|&ChatCursor(chat, version, read)| (chat, (version, read))).collect())
            })
            .collect();
        let known = |place: usize, chat: ChatId| cursors[place].as_ref().and_then(|it| it.get(&chat)).copied();
        let version = |place: usize, chat: ChatId| known(place, chat).map_or(Version(0), |it| it.0);

        // Of each the chats that have changed, of which the first are told in full.
        let changed = |(place, heads): (usize, &Vec<Head>)| -> Vec<Head> {
            heads.iter().copied().filter(|it| version(place, it.chat) != it.version).collect()
        };
        let changed: Vec<Vec<Head>> = held.iter().enumerate().map(changed).collect();
        let full = |place: usize| changed[place].iter().take(CHATS_IN_FULL);
        // What others have read is asked where it can be further than the client knows.
        let reads: Vec<_> = of
            .iter()
            .enumerate()
            .map(|(place, (who, _))| {
                let new: HashSet<ChatId> =
                    full(place).map(|it| it.chat).filter(|it| version(place, *it) == Version(0)).collect();
                let further = held[place].iter().filter(|it| it.kind != ChatKind::Channel).filter_map(|it| {
                    let known = known(place, it.chat).map(|it| it.1);
                    let known = known.or_else(|| new.contains(&it.chat).then_some(Seq(0)))?;
                    (it.last_seq > known).then_some((it.chat, known))
                });
                (who.user, further.collect())
            })
            .collect();
        let others_read = reading.others_read(&reads).await?;

        let (messages, each) = MESSAGES_IN_HELLO;
        let wanted = of.iter().enumerate().map(|(place, (who, own))| {
            let behind = BEHIND.min(changed[place].len() * ID);
            let taken = encoded(&own.delta) + encoded(&others_read[place]) + behind;
            let room = Room { messages, each, all: ROWS.saturating_sub(taken) };
            let stretches = full(place).map(|it| (it.chat, version(place, it.chat), it.version)).collect();
            let hidden = hidden_in(full(place));
            Wanted { user: who.user, stretches, hidden, room }
        });
        let synced = reading.syncs(wanted.collect()).await?;
        reading.end().await?;

        let mut resumed = Vec::with_capacity(synced.len());
        let parts = synced.into_iter().zip(others_read).zip(&of).enumerate();
        for (place, (((chats, mut behind), others_read), (_, own))) in parts {
            behind.extend(changed[place].iter().skip(CHATS_IN_FULL).map(|it| it.chat));
            // A chat without a cursor is new to the client, which hears of it by the list of its chats as well.
            behind.sort_by_key(|chat| known(place, *chat).is_none());
            behind.truncate(BEHIND / ID);
            let mut reset = Vec::new();
            if !own.known {
                reset.push(Epoch::PEOPLE.to_owned());
            }
            if cursors[place].is_none() {
                reset.push(Epoch::CHATS.to_owned());
            }
            let epochs = vec![Epoch(Epoch::PEOPLE.to_owned(), own.epoch.clone()), epoch.clone()];
            let versions = held[place].iter().map(|it| (it.chat, it.version)).collect();
            let sync = Sync { epochs, reset, user: own.delta.clone(), chats, behind, others_read };
            resumed.push(Resumed { sync, user_version: own.version, versions });
        }
        Ok(resumed)
    }
}
