//! Reading chats: differences, snapshots, history, members. Every answer is of one moment of the database, and of bounded size.
//! Who asks is looked for among the members in the same moment.

use std::{collections::HashMap, time::Duration};

use chapar_domain::{
    chat::Standing,
    rights::{Place, Rights},
};
use chapar_protocol::{
    ChatId, ChatInfo, ChatKind, ChatSnapshot, ChatSync, ErrorCode, Member, Removal, Role, Seq, Timestamp, UserId,
    Version, WireError,
    command::{Differences, Page},
    limit,
};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::people::lists::encoded;

use super::{
    ChatChange, Chats, Result, StoreError, Tx,
    delta::{self, Stretch},
    hidden::{Hidden, hidden_in, hide},
    polls::Wanted as Votes,
    readers::Reader,
    row, snapshot,
};

/// Bytes of an answer that are left for what stands around its rows.
const AROUND: usize = 2048;
/// Bytes of rows in an answer.
pub(crate) const ROWS: usize = limit::ANSWER_BYTES - AROUND;
/// Read marks of others in an answer to `hello`; the next one brings further ones.
const OTHERS_READ: usize = 2000;

/// For how long a chat that was changed is tried to be read, for the answer to whoever changed it.
const AFTER_A_CHANGE: Duration = Duration::from_secs(4);
/// Before it is tried again: who is refused may not have waited for anything.
const PAUSE: Duration = Duration::from_millis(20);

/// What is read of a chat once it was changed: tried for a while, and never `overloaded`, which says that nothing was done.
pub async fn once_changed<T, F: Future<Output = Result<T>>>(read: impl Fn() -> F) -> Result<T> {
    let until = Instant::now() + AFTER_A_CHANGE;
    loop {
        match read().await {
            Err(StoreError::Refused(error)) if error.code == ErrorCode::Overloaded => {
                if Instant::now() >= until {
                    let message = "it was done, but could not be read: ask again, nothing is done twice";
                    return Err(WireError::new(ErrorCode::Unavailable, message).after_ms(1000).into());
                }
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// How much of one chat a page holds, and of all together.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    /// Messages of one chat.
    pub(crate) messages: usize,
    /// Bytes of one chat.
    pub(crate) each: usize,
    /// Bytes of all.
    pub(crate) all: usize,
}

impl Room {
    /// A page of one chat.
    pub(super) const fn page(messages: usize) -> Self {
        Self { messages, each: ROWS, all: ROWS }
    }
}

/// Which part of one list of chats is whose, when many are asked for at once, and how much room each has.
#[derive(Default)]
pub(super) struct Slices {
    pub(super) low: Vec<i32>,
    pub(super) high: Vec<i32>,
    pub(super) rows: Vec<i32>,
    pub(super) each: Vec<i64>,
    pub(super) all: Vec<i64>,
}

impl Slices {
    /// The next has so many.
    pub(super) fn add(&mut self, count: usize, room: Room) {
        let before = self.high.last().copied().unwrap_or(0);
        self.low.push(before + 1);
        self.high.push(before + i32::try_from(count).unwrap_or(i32::MAX));
        self.rows.push(i32::try_from(room.messages).unwrap_or(i32::MAX));
        self.each.push(number(room.each));
        self.all.push(number(room.all));
    }
}

/// Where a chat stands that somebody is in.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Which.
    pub chat: ChatId,
    /// Its form.
    pub kind: ChatKind,
    /// The seq of the last message.
    pub last_seq: Seq,
    /// Its version.
    pub version: Version,
    /// Only what follows this message is seen.
    pub sees_after: Seq,
}

/// What somebody is brought up to date of: each chat from the version that is known, or 0, to the one that it has.
pub(crate) struct Wanted {
    pub(crate) user: UserId,
    pub(crate) stretches: Vec<Stretch>,
    /// What is hidden from them in some of these chats.
    pub(crate) hidden: Hidden,
    pub(crate) room: Room,
}

/// What brings the chats up to date for which there is room; and the others.
pub(crate) type Synced = (Vec<ChatSync>, Vec<ChatId>);

/// So many chats are read in one statement at most, unless one person has more: what is read waits in memory.
const STRETCHES: usize = 160;

/// How somebody stands in a chat, where rights are concerned.
pub struct Inside {
    /// The chat.
    pub place: Place,
    /// The person.
    pub standing: Standing,
    /// The seq of the last message.
    pub last_seq: Seq,
    /// In a direct chat: one of the two has blocked the other, so that neither sees what the other does.
    pub parted: bool,
}

/// Several chats, read in one moment.
pub(crate) struct Reading(Tx);

impl Reading {
    /// Those of some chats that each is in, those that changed last first. With the epoch of the chats' side where it is asked for.
    pub(crate) async fn heads(
        &mut self,
        of: &[(UserId, Vec<ChatId>)],
        with_epoch: bool,
    ) -> Result<(Vec<Vec<Head>>, Option<String>)> {
        let (mut places, mut users, mut chats) = (Vec::new(), Vec::new(), Vec::new());
        for ((user, ids), place) in of.iter().zip(1_i32..) {
            places.extend(ids.iter().map(|_| place));
            users.extend(ids.iter().map(|_| user.0));
            chats.extend(ids.iter().map(|chat| chat.0));
        }
        let rows = sqlx::query(
            "SELECT i.place, c.id, c.kind, c.seq, c.version, c.changed_at, m.sees_after, NULL::text AS epoch
             FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS i (place, usr, chat)
             CROSS JOIN LATERAL (SELECT * FROM chats c WHERE c.id = i.chat LIMIT 1) c
             CROSS JOIN LATERAL (
                 SELECT m.sees_after FROM members m
                 WHERE m.chat_id = i.chat AND m.user_id = i.usr AND m.role IS NOT NULL LIMIT 1
             ) m
             UNION ALL
             SELECT 0, NULL, NULL, NULL, NULL, NULL, NULL, m.epoch::text || '.' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
             FROM meta m WHERE $4
             ORDER BY place, changed_at DESC, id",
        )
        .bind(places)
        .bind(users)
        .bind(chats)
        .bind(with_epoch)
        .fetch_all(&mut *self.0)
        .await?;
        let (mut heads, mut epoch): (Vec<Vec<Head>>, _) = (of.iter().map(|_| Vec::new()).collect(), None);
        for found in &rows {
            match heads.get_mut(row::place(found)?) {
                Some(heads) => heads.push(head(found)?),
                None => epoch = found.try_get("epoch")?,
            }
        }
        Ok((heads, epoch))
    }

    /// What brings each of some people up to date, as far as there is room.
    pub(crate) async fn syncs(&mut self, wanted: Vec<Wanted>) -> Result<Vec<Synced>> {
        let mut synced = Vec::with_capacity(wanted.len());
        let mut wanted = wanted.into_iter().peekable();
        while wanted.peek().is_some() {
            let (mut some, mut stretches): (Vec<Wanted>, _) = (Vec::new(), 0);
            while let Some(next) = wanted.next_if(|it| some.is_empty() || stretches + it.stretches.len() <= STRETCHES) {
                stretches += next.stretches.len();
                some.push(next);
            }
            synced.extend(self.some_syncs(some).await?);
        }
        Ok(synced)
    }

    async fn some_syncs(&mut self, wanted: Vec<Wanted>) -> Result<Vec<Synced>> {
        let (mut deltas, mut snapshots) = (Vec::new(), Vec::new());
        for Wanted { user, stretches, room, .. } in &wanted {
            let (follow, anew): (Vec<Stretch>, Vec<Stretch>) = stretches.iter().partition(|it| follows(it.1, it.2));
            deltas.push(delta::Asked { user: Some(*user), stretches: follow, room: *room });
            let chats = anew.into_iter().map(|it| it.0).collect();
            let room = Room { messages: limit::SNAPSHOT_MESSAGES, ..*room };
            snapshots.push(snapshot::Asked { user: *user, chats, room });
        }
        let mut found: Vec<HashMap<ChatId, ChatSync>> = Vec::new();
        for (told, snapshots) in delta::read(&mut self.0, &deltas).await?.into_iter().zip(&mut snapshots) {
            let mut own = HashMap::new();
            for (delta, more) in told {
                place(&mut own, &mut snapshots.room.all, delta.chat_id, ChatSync::Delta { delta, more });
            }
            found.push(own);
        }
        let read = snapshot::read(&mut self.0, &snapshots).await?;
        for ((some, own), asked) in read.into_iter().zip(&mut found).zip(&mut snapshots) {
            for snapshot in some {
                place(own, &mut asked.room.all, snapshot.chat.id, ChatSync::Snapshot { snapshot });
            }
        }
        let sort = |(wanted, mut found): (&Wanted, HashMap<ChatId, ChatSync>)| {
            let (mut chats, mut behind) = (Vec::new(), Vec::new());
            for (chat, ..) in &wanted.stretches {
                match found.remove(chat) {
                    Some(mut sync) => {
                        let rows = match &mut sync {
                            ChatSync::Delta { delta, .. } => &mut delta.rows,
                            ChatSync::Snapshot { snapshot } => &mut snapshot.rows,
                        };
                        hide(rows, wanted.hidden.get(chat));
                        chats.push(sync);
                    }
                    None => behind.push(*chat),
                }
            }
            (chats, behind)
        };
        Ok(wanted.iter().zip(found).map(sort).collect())
    }

    /// The furthest read marks of anybody else that are beyond those known, in some direct chats and groups of each of some people.
    pub(crate) async fn others_read(
        &mut self,
        known: &[(UserId, Vec<(ChatId, Seq)>)],
    ) -> Result<Vec<Vec<(ChatId, Seq)>>> {
        let mut read: Vec<Vec<(ChatId, Seq)>> = known.iter().map(|_| Vec::new()).collect();
        let each =
            || known.iter().zip(1_i32..).flat_map(|((user, of), place)| of.iter().map(move |it| (place, user, it)));
        if each().next().is_none() {
            return Ok(read);
        }
        let rows = sqlx::query(
            "SELECT i.place, i.chat, r.read_seq
             FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[]) AS i (place, usr, chat, known)
             CROSS JOIN LATERAL (
                 SELECT m.read_seq FROM members m
                 WHERE m.chat_id = i.chat AND m.role IS NOT NULL AND m.version > 0 AND m.user_id <> i.usr
                 ORDER BY m.read_seq DESC LIMIT 1
             ) r
             WHERE r.read_seq > i.known",
        )
        .bind(each().map(|it| it.0).collect::<Vec<_>>())
        .bind(each().map(|it| it.1.0).collect::<Vec<_>>())
        .bind(each().map(|it| it.2.0.0).collect::<Vec<_>>())
        .bind(each().map(|it| it.2.1.0).collect::<Vec<_>>())
        .fetch_all(&mut *self.0)
        .await?;
        for found in &rows {
            if let Some(read) = read.get_mut(row::place(found)?).filter(|it| it.len() < OTHERS_READ) {
                read.push((ChatId(found.try_get("chat")?), Seq(found.try_get("read_seq")?)));
            }
        }
        Ok(read)
    }

    /// The end of the moment.
    pub(crate) async fn end(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }
}

impl Chats {
    /// A moment in which several chats are read.
    pub(crate) async fn reading(&self) -> Result<Reading> {
        Ok(Reading(self.snapshot().await?))
    }

    /// How somebody stands in a chat.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] when they are not in it.
    pub async fn inside_as(&self, chat: ChatId, user: UserId) -> Result<Inside> {
        let found = sqlx::query(
            "SELECT c.kind, c.rights AS everybodys, c.seq, m.role, m.rights, m.denied, m.denied_until, m.shut,
                 c.kind = 0 AND (
                     SELECT s.shut FROM members s WHERE s.chat_id = m.chat_id AND s.shut > 0 ORDER BY s.user_id LIMIT 1
                 ) IS NOT NULL AS parted,
                 clock_timestamp() AS now
             FROM members m JOIN chats c ON c.id = m.chat_id
             WHERE m.chat_id = $1 AND m.user_id = $2 AND m.role IS NOT NULL",
        )
        .bind(chat.0)
        .bind(user.0)
        .fetch_optional(&self.pool)
        .await?;
        let Some(found) = found else { return Err(ErrorCode::ChatNotFound.into()) };
        let until: Option<OffsetDateTime> = found.try_get("denied_until")?;
        let role = row::role(found.try_get("role")?).unwrap_or(Role::Member);
        Ok(Inside {
            place: Place {
                kind: row::kind(found.try_get("kind")?),
                rights: Rights(found.try_get("everybodys")?),
                now: found.try_get::<OffsetDateTime, _>("now")?.into(),
            },
            standing: Standing {
                rights: Rights(found.try_get("rights")?),
                denied: Rights(found.try_get("denied")?),
                denied_until: until.map(Timestamp::from),
                shut: found.try_get("shut")?,
                ..Standing::with(role)
            },
            last_seq: Seq(found.try_get("seq")?),
            parted: found.try_get("parted")?,
        })
    }

    /// After which message and up to which somebody can see a chat: to its end who is in it, as far as they have read who was.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] when they never were in it.
    pub async fn seen_stretch(&self, chat: ChatId, user: UserId) -> Result<(Seq, Seq)> {
        let found: Option<(i64, i64)> = sqlx::query_as(
            "SELECT m.sees_after, CASE WHEN m.role IS NULL THEN least(m.read_seq, c.seq) ELSE c.seq END
             FROM members m JOIN chats c ON c.id = m.chat_id WHERE m.chat_id = $1 AND m.user_id = $2",
        )
        .bind(chat.0)
        .bind(user.0)
        .fetch_optional(&self.pool)
        .await?;
        found.map(|(after, upto)| (Seq(after), Seq(upto))).ok_or(ErrorCode::ChatNotFound.into())
    }

    /// Where each chat stands that its reader is in.
    pub async fn places(&self, who: &[Reader]) -> Result<HashMap<Reader, Head>> {
        let rows = sqlx::query(
            "SELECT i.usr, c.id, c.kind, c.seq, c.version, m.sees_after FROM unnest($1::bigint[], $2::bigint[]) AS i (chat, usr)
             CROSS JOIN LATERAL (SELECT * FROM chats c WHERE c.id = i.chat LIMIT 1) c
             CROSS JOIN LATERAL (
                 SELECT m.sees_after FROM members m
                 WHERE m.chat_id = i.chat AND m.user_id = i.usr AND m.role IS NOT NULL LIMIT 1
             ) m",
        )
        .bind(who.iter().map(|it| it.chat.0).collect::<Vec<_>>())
        .bind(who.iter().map(|it| it.user.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &PgRow| -> sqlx::Result<_> {
            let head = head(found)?;
            Ok((Reader { chat: head.chat, user: UserId(found.try_get("usr")?) }, head))
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// What all see of a chat.
    pub async fn info(&self, chat: ChatId) -> Result<Option<ChatInfo>> {
        let found = sqlx::query(
            "SELECT id, kind, title, handle, created_at, info_version, rights, told_members, about FROM chats
             WHERE id = $1",
        )
        .bind(chat.0)
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.as_ref().map(row::chat_info).transpose()?)
    }

    /// Those of some people who are in a chat, or were, and whether they are now.
    pub async fn ever_inside(&self, chat: ChatId, users: &[UserId]) -> Result<HashMap<UserId, bool>> {
        let rows = sqlx::query(
            "SELECT i.usr, m.role IS NOT NULL AS inside FROM unnest($2::bigint[]) AS i (usr)
             CROSS JOIN LATERAL (SELECT m.role FROM members m WHERE m.chat_id = $1 AND m.user_id = i.usr LIMIT 1) m",
        )
        .bind(chat.0)
        .bind(users.iter().map(|user| user.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &PgRow| -> sqlx::Result<_> { Ok((UserId(found.try_get("usr")?), found.try_get("inside")?)) };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// A page of a chat's members, by user id.
    pub async fn members(&self, chat: ChatId, kind: ChatKind, after: UserId, page: i64) -> Result<Vec<Member>> {
        let rows = sqlx::query(
            "SELECT user_id, version, role, read_seq, rights, denied, denied_until FROM members
             WHERE chat_id = $1 AND role IS NOT NULL AND user_id > $2 ORDER BY user_id LIMIT $3",
        )
        .bind(chat.0)
        .bind(after.0)
        .bind(page)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(|found| row::member(found, kind)).collect::<sqlx::Result<_>>()?)
    }

    /// A page of those who were removed from a chat and cannot come back by themselves, by user id.
    pub async fn banned(&self, chat: ChatId, kind: ChatKind, after: UserId, page: i64) -> Result<Vec<Member>> {
        let rows = sqlx::query(
            "SELECT m.user_id, m.version, m.role, m.read_seq, m.rights, m.denied, m.denied_until, r.by_id, r.at, r.reason
             FROM (SELECT * FROM members WHERE chat_id = $1 AND banned AND user_id > $2 ORDER BY user_id LIMIT $3) m
             LEFT JOIN LATERAL (
                 SELECT * FROM removals r WHERE r.chat_id = m.chat_id AND r.user_id = m.user_id LIMIT 1
             ) r ON true
             ORDER BY m.user_id",
        )
        .bind(chat.0)
        .bind(after.0)
        .bind(page)
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &PgRow| -> sqlx::Result<Member> {
            let removal = match found.try_get::<Option<i64>, _>("by_id")? {
                None => None,
                Some(by) => {
                    let at: OffsetDateTime = found.try_get("at")?;
                    Some(Removal { by: UserId(by), at: at.into(), reason: found.try_get("reason")? })
                }
            };
            Ok(Member { removal, ..row::member(found, kind)? })
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// The changes of some chats for somebody, each since the version that they have.
    pub async fn differences(&self, user: UserId, asked: &[(ChatId, Version)]) -> Result<Differences> {
        let mut known: HashMap<ChatId, Version> = asked.iter().copied().collect();
        let ids: Vec<ChatId> = known.keys().copied().collect();
        let mut reading = self.reading().await?;
        let heads = reading.heads(&[(user, ids)], false).await?.0.pop().unwrap_or_default();
        let from = |chat| known.get(&chat).copied().unwrap_or_default();
        let stretches = heads.iter().map(|it| (it.chat, from(it.chat), it.version)).collect();
        let wanted = Wanted { user, stretches, hidden: hidden_in(&heads), room: Room::page(limit::PAGE) };
        let (chats, behind) = reading.syncs(vec![wanted]).await?.pop().unwrap_or_default();
        reading.end().await?;
        for it in &heads {
            known.remove(&it.chat);
        }
        Ok(Differences { chats, behind, gone: known.into_keys().collect() })
    }

    /// The same once the chat was changed.
    pub async fn snapshot_of_changed(&self, user: UserId, chat: ChatId) -> Result<ChatSnapshot> {
        once_changed(|| self.chat_snapshot(user, chat)).await
    }

    /// A chat from scratch for one of its members.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`].
    pub async fn chat_snapshot(&self, user: UserId, chat: ChatId) -> Result<ChatSnapshot> {
        let mut tx = self.snapshot().await?;
        let head = listed(&mut tx, user, chat).await?;
        let room = Room::page(limit::SNAPSHOT_MESSAGES);
        let asked = snapshot::Asked { user, chats: vec![chat], room };
        let read = snapshot::read(&mut tx, &[asked]).await?.pop().and_then(|mut it| it.pop());
        let mut snapshot = read.ok_or(ErrorCode::ChatNotFound)?;
        hide(&mut snapshot.rows, hidden_in([&head]).get(&chat));
        Ok(snapshot)
    }

    /// The changes of a chat as everybody hears them, with the reactions of all. For filling gaps in the stream of events: when
    /// they are many, the first of them.
    pub async fn chat_changes(&self, chat: ChatId, from: Version) -> Result<Option<ChatChange>> {
        let mut tx = self.snapshot().await?;
        let found = sqlx::query("SELECT kind, version, about FROM chats WHERE id = $1 AND version > $2")
            .bind(chat.0)
            .bind(from.0)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(found) = found else { return Ok(None) };
        let stretch = (chat, from, Version(found.try_get("version")?));
        let asked = delta::Asked { user: None, stretches: vec![stretch], room: Room::page(limit::PAGE) };
        let read = delta::read(&mut tx, &[asked]).await?.pop().and_then(|mut it| it.pop());
        let kind = row::kind(found.try_get("kind")?);
        let hidden_upto = row::about(found.try_get("about")?).hidden_upto;
        Ok(read.map(|(delta, _)| ChatChange::of(kind, hidden_upto, delta)))
    }

    /// The versions of some chats.
    pub async fn chat_versions(&self, chats: &[ChatId]) -> Result<Vec<(ChatId, Version)>> {
        let rows = sqlx::query("SELECT id, version FROM chats WHERE id = ANY ($1)")
            .bind(chats.iter().map(|chat| chat.0).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .iter()
            .map(|row| Ok((ChatId(row.try_get(0)?), Version(row.try_get(1)?))))
            .collect::<sqlx::Result<_>>()?)
    }

    /// Those of some users who are in a chat.
    pub async fn inside(&self, chat: ChatId, users: &[UserId]) -> Result<Vec<UserId>> {
        let ids: Vec<i64> = sqlx::query_scalar(
            "SELECT user_id FROM members WHERE chat_id = $1 AND user_id = ANY ($2) AND role IS NOT NULL",
        )
        .bind(chat.0)
        .bind(users.iter().map(|user| user.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    /// How many there are, and how many messages: by the chats' counters, which costs less than reading the messages.
    pub(crate) async fn count(&self) -> Result<(i64, i64, i64)> {
        let row = sqlx::query(
            "SELECT count(*), coalesce(sum(seq), 0)::bigint, pg_database_size(current_database()) FROM chats",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    }

    /// A page of messages: up to `before` with seq < `seq`, up to `after` with seq ≥ `seq`. When they are too many bytes,
    /// those nearest to the place.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`].
    pub async fn history(&self, user: UserId, chat: ChatId, seq: Seq, before: i64, after: i64) -> Result<Page> {
        let mut tx = self.snapshot().await?;
        let it = listed(&mut tx, user, chat).await?;
        // Seqs are dense: the place and the counts name the stretch.
        let place = seq.0.clamp(it.sees_after.0 + 1, it.last_seq.0 + 1);
        let before = before.min(place - 1 - it.sees_after.0);
        let rows = sqlx::query("SELECT * FROM messages_around($1, $2, $3, $4, $5, $6) ORDER BY seq")
            .bind(chat.0)
            .bind(place)
            .bind(before)
            .bind(after)
            .bind(user.0)
            .bind(number(ROWS))
            .fetch_all(&mut *tx)
            .await?;
        let (version, last_seq) = (it.version, it.last_seq);
        let mut page = Page { messages: Vec::new(), reacted: Vec::new(), voted: Vec::new(), version, last_seq };
        for found in &rows {
            page.messages.push(row::message(found)?);
            page.reacted.extend(row::my_reaction(found, user)?.filter(|it| it.emoji.is_some()));
        }
        let mut votes = Votes::default();
        votes.add(0, chat, user, &page.messages);
        page.voted = votes.read(&mut tx).await?.into_iter().map(|it| it.1).collect();
        Ok(page)
    }
}

/// Whether a difference leads from one version to another; else a snapshot is due.
fn follows(from: Version, to: Version) -> bool {
    from.0 > 0 && from <= to && to.0 - from.0 <= limit::DIFFERENCE_VERSIONS
}

/// Takes a chat into an answer if there is room for it. The first always finds some: it was read as a page.
fn place(found: &mut HashMap<ChatId, ChatSync>, left: &mut usize, chat: ChatId, sync: ChatSync) {
    let bytes = encoded(&sync) + 1;
    if bytes <= *left || found.is_empty() {
        *left = left.saturating_sub(bytes);
        found.insert(chat, sync);
    }
}

pub(crate) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// One chat, for one of its members.
pub(super) async fn listed(tx: &mut Tx, user: UserId, chat: ChatId) -> Result<Head> {
    let found = sqlx::query(
        "SELECT c.id, c.kind, c.seq, c.version, m.sees_after FROM members m JOIN chats c ON c.id = m.chat_id
         WHERE m.chat_id = $2 AND m.user_id = $1 AND m.role IS NOT NULL",
    )
    .bind(user.0)
    .bind(chat.0)
    .fetch_optional(&mut **tx)
    .await?;
    match found {
        Some(found) => Ok(head(&found)?),
        None => Err(ErrorCode::ChatNotFound.into()),
    }
}

fn head(found: &PgRow) -> sqlx::Result<Head> {
    Ok(Head {
        chat: ChatId(found.try_get("id")?),
        kind: row::kind(found.try_get("kind")?),
        last_seq: Seq(found.try_get("seq")?),
        version: Version(found.try_get("version")?),
        sees_after: Seq(found.try_get("sees_after")?),
    })
}
