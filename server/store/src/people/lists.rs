//! Each person's list of chats, and what else moves with the person's own version.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use chapar_domain::judge::Membership;
use chapar_protocol::{
    ChatId, DeviceId, Epoch, ErrorCode, Item, MyChat, Resume, Seq, UserDelta, UserId, Version, WireError,
    item::MissedCalls, limit,
};
use serde::Serialize;
use serde_json::Value;
use sqlx::{Row, postgres::PgRow};

use super::{People, Result, StoreError, items, row};
use crate::{
    Tx,
    chats::{feed::Cursor, readers::Reader},
};

/// Bytes of an answer to `user_difference` that are for its rows.
const ROWS: usize = limit::ANSWER_BYTES - 2048;
/// Items in one answer, of all kinds together.
const ITEMS: usize = 2000;
/// So many are read of each, to see whether there are more.
const READ: i64 = 2001;

/// Bytes of one's own things in an answer to `hello`.
const OWN_BYTES: usize = 96 * 1024;

/// Somebody who comes back.
#[derive(Clone, Debug)]
pub struct ComingBack {
    /// Who.
    pub user: UserId,
    /// By which device.
    pub device: DeviceId,
    /// What the device knows already.
    pub resume: Option<Arc<Resume>>,
}

/// The own things of somebody who comes back.
#[derive(Clone, Debug)]
pub struct OwnThings {
    /// Names the history that they belong to.
    pub(crate) epoch: String,
    /// The device knows what has been up to its version, and is told what changed since; else everything.
    pub(crate) known: bool,
    /// Where they stand; the answer may lead to an earlier version.
    pub version: Version,
    /// The list of chats, with those left since.
    pub(crate) chats: Vec<MyChat>,
    /// What changed.
    pub(crate) delta: UserDelta,
}

impl OwnThings {
    /// The chats that the person is in.
    pub fn inside(&self) -> impl Iterator<Item = ChatId> {
        self.chats.iter().filter(|it| it.role.is_some()).map(|it| it.chat_id)
    }
}

/// Each kind of row has an arm of its own. One statement, because each costs a way to the database and back, and all must be of one
/// moment. Each person by their own look into the indices: OFFSET keeps it from joining with the whole table. A version that nobody
/// was told, or from which it is not known any more what was taken back since, counts as none.
const OWN_THINGS: &str = "
    WITH who AS MATERIALIZED (
        SELECT i.place::integer AS place, u.*, e.epoch,
            CASE WHEN i.epoch = e.epoch AND i.since <= u.version AND (i.since = 0 OR i.since >= u.forgotten_version)
                THEN i.since END AS since
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) WITH ORDINALITY AS i (usr, device, since, epoch, place)
        CROSS JOIN LATERAL (SELECT * FROM users u WHERE u.id = i.usr LIMIT 1) u
        CROSS JOIN LATERAL (SELECT FROM devices d WHERE d.user_id = i.usr AND d.id = i.device LIMIT 1) d
        CROSS JOIN (
            SELECT m.epoch::text || '.' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS epoch FROM meta m
        ) e
    )
    SELECT w.place, 0::smallint AS what, w.version, w.missed_calls, w.missed_version, w.forgotten_version, w.since, w.epoch,
        NULL::bigint AS chat_id, NULL::smallint AS role, NULL::bigint AS read_seq, NULL::boolean AS request,
        NULL::text AS kind, NULL::text AS key, NULL::text AS value
    FROM who w
    UNION ALL
    SELECT w.place, 1::smallint, k.version, NULL, NULL, NULL, NULL, NULL, k.chat_id, k.role, k.read_seq, k.request = 1, NULL, NULL, NULL
    FROM who w CROSS JOIN LATERAL (
        SELECT * FROM user_chats k
        WHERE k.user_id = w.id AND (k.role IS NOT NULL OR (w.since > 0 AND k.version > w.since)) OFFSET 0
    ) k
    UNION ALL
    SELECT w.place, 2::smallint, i.version, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, i.kind, i.key, i.value
    FROM who w CROSS JOIN LATERAL (
        SELECT * FROM items i
        WHERE i.user_id = w.id AND i.version > coalesce(w.since, 0) AND i.version > 0
            AND (i.value IS NOT NULL OR w.since > 0) ORDER BY i.version LIMIT $5
    ) i";

/// Where somebody's own things stand.
pub(crate) struct Own {
    pub(crate) version: Version,
    /// Up to here it is not known any more what was taken back.
    forgotten: Version,
    missed: MissedCalls,
}

impl People {
    /// The own things of some people who come back: where they stand, the list of chats, and what changed since a version, as far as
    /// that is known. All of one moment. None for whoever is signed out. What was left out for its bytes or number follows by
    /// [`Self::difference`].
    pub async fn own_things(&self, of: &[ComingBack]) -> Result<Vec<Option<OwnThings>>> {
        let cursor = |it: &ComingBack| it.resume.as_ref().map(|resume| resume.user_version.0);
        let epoch = |it: &ComingBack| {
            let resume = it.resume.as_ref()?;
            resume.epochs.iter().find(|it| it.0 == Epoch::PEOPLE).map(|it| it.1.clone())
        };
        let rows = sqlx::query(OWN_THINGS)
            .bind(of.iter().map(|it| it.user.0).collect::<Vec<_>>())
            .bind(of.iter().map(|it| it.device.0).collect::<Vec<_>>())
            .bind(of.iter().map(cursor).collect::<Vec<_>>())
            .bind(of.iter().map(epoch).collect::<Vec<_>>())
            .bind(READ)
            .fetch_all(&self.pool)
            .await?;
        let mut read: Vec<Option<(Own, OwnThings, Vec<Item>)>> = of.iter().map(|_| None).collect();
        for found in &rows {
            let Some(place) = read.get_mut(row::place(found)?) else { continue };
            match (found.try_get::<i16, _>("what")?, place) {
                (0, place) => {
                    let own = own_of(found)?;
                    let since: Option<i64> = found.try_get("since")?;
                    let things = OwnThings {
                        epoch: found.try_get("epoch")?,
                        known: since.is_some(),
                        version: own.version,
                        chats: Vec::new(),
                        delta: UserDelta::empty(Version(since.unwrap_or(0))),
                    };
                    *place = Some((own, things, Vec::new()));
                }
                (1, Some((_, things, _))) => things.chats.push(row::my_chat(found)?),
                (_, Some((_, _, set))) => set.push(items::item(found)?),
                _ => {}
            }
        }
        let whole = |(own, mut things, set): (Own, OwnThings, Vec<Item>)| {
            let from = things.delta.version;
            let changed = things.chats.iter().filter(|mine| mine.version > from).cloned().map(Item::Chat);
            things.delta = own.delta(from, changed.chain(set).collect(), OWN_BYTES);
            things
        };
        Ok(read.into_iter().map(|it| it.map(whole)).collect())
    }

    /// What changed of a user's own things; with `more` only the earlier part of it.
    ///
    /// # Errors
    /// [`ErrorCode::TooFarBehind`] where it is not known any more what was taken back since.
    pub async fn difference(&self, user: UserId, from: Version) -> Result<UserDelta> {
        let mut tx = self.snapshot().await?;
        let own = own(&mut tx, user).await?;
        if !own.knows(from) {
            let message = "it is not known any more what was taken back since: begin anew";
            return Err(WireError::new(ErrorCode::TooFarBehind, message).into());
        }
        let rows = sqlx::query(
            "SELECT chat_id, role, read_seq, request = 1 AS request, version FROM user_chats WHERE user_id = $1 AND version > $2
                 AND version > 0
             ORDER BY version FETCH FIRST $3 ROWS WITH TIES",
        )
        .bind(user.0)
        .bind(from.0)
        .bind(READ)
        .fetch_all(&mut *tx)
        .await?;
        let set = items::since(&mut tx, user, from, READ).await?;
        let chats = rows.iter().map(row::my_chat).collect::<sqlx::Result<Vec<_>>>()?;
        Ok(own.delta(from, chats.into_iter().map(Item::Chat).chain(set).collect(), ROWS))
    }

    /// The versions of some users.
    pub async fn user_versions(&self, users: &[UserId]) -> Result<Vec<(UserId, Version)>> {
        let rows = sqlx::query("SELECT id, version FROM users WHERE id = ANY ($1)")
            .bind(users.iter().map(|user| user.0).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .iter()
            .map(|row| Ok((UserId(row.try_get(0)?), Version(row.try_get(1)?))))
            .collect::<sqlx::Result<_>>()?)
    }

    /// Brings people's lists into line with how they stand in chats. What is older than what a list says is left out, so it may
    /// come twice and in any order; but turns below `first` are of an earlier history of the chats' side, which has lost some. Returns
    /// what has changed of whose own things.
    ///
    /// # Errors
    /// With `InDoubt` the outcome is unknown: doing it again does no harm.
    pub async fn apply(&self, memberships: &[Membership], first: i64) -> Result<Vec<(UserId, UserDelta)>> {
        let mut last: BTreeMap<(UserId, ChatId), &Membership> = BTreeMap::new();
        for it in memberships {
            let known = last.entry((it.user, it.chat)).or_insert(it);
            if it.turn > known.turn {
                *known = it;
            }
        }
        if last.is_empty() {
            return Ok(Vec::new());
        }
        let column = |value: fn(&Membership) -> i64| last.values().map(|it| value(it)).collect::<Vec<i64>>();
        let rows = sqlx::query("SELECT * FROM apply_memberships($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(column(|it| it.user.0))
            .bind(column(|it| it.chat.0))
            .bind(last.values().map(|it| row::kind_number(it.kind)).collect::<Vec<_>>())
            .bind(last.values().map(|it| it.role.map(row::role_number)).collect::<Vec<_>>())
            .bind(column(|it| it.read_seq.0))
            .bind(last.values().map(|it| it.engaged).collect::<Vec<_>>())
            .bind(column(|it| it.turn))
            .bind(first)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| StoreError::of_commit(error, last.keys().map(|it| it.0).collect()))?;
        deltas(&rows)
    }

    /// A page of all lists of chats, by person and chat.
    pub async fn listed_after(&self, after: Reader, most: i64) -> Result<Vec<Reader>> {
        let rows = sqlx::query(
            "SELECT user_id, chat_id FROM user_chats WHERE (user_id, chat_id) > ($1, $2) ORDER BY user_id, chat_id LIMIT $3",
        )
        .bind(after.user.0)
        .bind(after.chat.0)
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &PgRow| Ok(Reader { user: UserId(row.try_get(0)?), chat: ChatId(row.try_get(1)?) });
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// Moves read marks forward; never back. Returns what has changed of whose own things, and who was passed over because somebody
    /// else has locked their row.
    ///
    /// # Errors
    /// With `InDoubt` the outcome is unknown: doing it again does no harm.
    pub async fn mark_read(&self, marks: &HashMap<Reader, Seq>) -> Result<(Vec<(UserId, UserDelta)>, HashSet<UserId>)> {
        let rows = sqlx::query("SELECT * FROM mark_read($1, $2, $3)")
            .bind(marks.keys().map(|it| it.user.0).collect::<Vec<_>>())
            .bind(marks.keys().map(|it| it.chat.0).collect::<Vec<_>>())
            .bind(marks.values().map(|seq| seq.0).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await
            .map_err(|error| StoreError::of_commit(error, marks.keys().map(|it| it.user).collect()))?;
        let (mut moved, mut passed_over) = (Vec::new(), HashSet::new());
        for row in rows {
            if row.try_get::<Option<i64>, _>("version")?.is_some() {
                moved.push(row);
            } else {
                passed_over.insert(UserId(row.try_get("user_id")?));
            }
        }
        Ok((deltas(&moved)?, passed_over))
    }

    /// Notes that somebody has opened a direct chat, or accepted it: it is an answer, also while the list does not know of the chat
    /// yet. Returns what has changed of their own things.
    ///
    /// # Errors
    /// With `InDoubt` the outcome is unknown: doing it again does no harm.
    pub async fn engage(&self, user: UserId, chat: ChatId) -> Result<Option<UserDelta>> {
        self.answer_direct(user, chat, true).await
    }

    /// Declines a request: it is gone from the list, and stays away until the person opens it.
    ///
    /// # Errors
    /// As above.
    pub async fn decline(&self, user: UserId, chat: ChatId) -> Result<Option<UserDelta>> {
        self.answer_direct(user, chat, false).await
    }

    async fn answer_direct(&self, user: UserId, chat: ChatId, accept: bool) -> Result<Option<UserDelta>> {
        let rows = sqlx::query("SELECT * FROM answer_direct($1, $2, $3)")
            .bind(user.0)
            .bind(chat.0)
            .bind(accept)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| StoreError::of_commit(error, vec![user]))?;
        Ok(deltas(&rows)?.pop().map(|(_, delta)| delta))
    }
}

/// A follower's turn at the feed: nobody else has it meanwhile.
pub struct FollowersTurn {
    tx: Tx,
    follower: &'static str,
    history: String,
    /// That this history is followed is known.
    noted: bool,
    /// Another history was followed before.
    anew: bool,
    at: Cursor,
}

impl FollowersTurn {
    /// Whether another history was followed before, which may have had more than this one.
    pub fn is_anew(&self) -> bool {
        self.anew
    }

    /// Has work begun at once that stays when this ends.
    pub async fn put_job(&mut self, kind: &str, about: &Value) -> Result<()> {
        sqlx::query("INSERT INTO jobs (kind, about) VALUES ($1, $2)")
            .bind(kind)
            .bind(about)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// How far it has come.
    pub fn at(&self) -> Cursor {
        self.at
    }

    /// Everything up to there is done.
    pub async fn end(mut self, upto: Cursor) -> Result<()> {
        if upto != self.at || !self.noted {
            sqlx::query("UPDATE feed_cursors SET xid = $2::text::xid8, id = $3, history = $4 WHERE consumer = $1")
                .bind(self.follower)
                .bind(upto.xid.to_string())
                .bind(upto.id)
                .bind(&self.history)
                .execute(&mut *self.tx)
                .await?;
        }
        Ok(self.tx.commit().await?)
    }
}

impl People {
    /// A turn at the feed, for one who follows it; `None` while somebody else has it. `history` names the one that the feed
    /// belongs to: in another one transactions may count from the start again, and so does the follower.
    pub async fn follow(&self, follower: &'static str, history: &str) -> Result<Option<FollowersTurn>> {
        sqlx::query("INSERT INTO feed_cursors (consumer) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(follower)
            .execute(&self.pool)
            .await?;
        let mut tx = self.begin().await?;
        let found = sqlx::query(
            "SELECT xid::text::bigint AS xid, id, history FROM feed_cursors WHERE consumer = $1 FOR UPDATE SKIP LOCKED",
        )
        .bind(follower)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(found) = found else { return Ok(None) };
        let before: String = found.try_get("history")?;
        let known = before == history;
        let at =
            if known { Cursor { xid: found.try_get("xid")?, id: found.try_get("id")? } } else { Cursor::default() };
        Ok(Some(FollowersTurn {
            tx,
            follower,
            history: history.to_owned(),
            noted: known,
            anew: !known && !before.is_empty(),
            at,
        }))
    }

    /// How far a follower of the feed has come in a history of the chats' side.
    pub(crate) async fn feed_cursor(&self, follower: &str, history: &str) -> Result<Cursor> {
        let found =
            sqlx::query("SELECT xid::text::bigint AS xid, id FROM feed_cursors WHERE consumer = $1 AND history = $2")
                .bind(follower)
                .bind(history)
                .fetch_optional(&self.pool)
                .await?;
        let Some(found) = found else { return Ok(Cursor::default()) };
        Ok(Cursor { xid: found.try_get("xid")?, id: found.try_get("id")? })
    }
}

/// Rows that each have a version of their own, as the devices of each person hear of them.
fn deltas(rows: &[PgRow]) -> Result<Vec<(UserId, UserDelta)>> {
    let mut by_version: BTreeMap<(UserId, Version), MyChat> = BTreeMap::new();
    for found in rows {
        let mine = row::my_chat(found)?;
        by_version.insert((UserId(found.try_get("user_id")?), mine.version), mine);
    }
    let mut deltas: Vec<(UserId, UserDelta)> = Vec::new();
    for ((user, version), mine) in by_version {
        let last = deltas.last_mut().filter(|(last, delta)| *last == user && delta.version.next() == version);
        if let Some((_, delta)) = last {
            delta.version = version;
            delta.items.push(Item::Chat(mine));
        } else {
            deltas.push((user, UserDelta::of(Version(version.0 - 1), vec![Item::Chat(mine)])));
        }
    }
    Ok(deltas)
}

impl Own {
    /// Whether it can be told what changed since a version.
    pub(crate) fn knows(&self, from: Version) -> bool {
        from == Version(0) || from >= self.forgotten
    }

    /// What changed after a version, as far as it fits.
    fn delta(&self, from: Version, mut items: Vec<Item>, bytes: usize) -> UserDelta {
        if self.missed.version > from {
            items.push(Item::MissedCalls(self.missed));
        }
        items.sort_by_key(Item::version);
        let mut spent = 0;
        let fits = items.iter().take(ITEMS).take_while(|item| {
            spent += encoded(item) + 1;
            spent <= bytes
        });
        let fits = fits.count();
        // Up to before the first that does not fit.
        let cut = items.get(fits.max(1)).map(|item| Version(item.version().0 - 1));
        items.retain(|item| cut.is_none_or(|cut| item.version() <= cut));
        UserDelta { from, version: cut.unwrap_or(self.version), items, more: cut.is_some() }
    }
}

/// What something takes on the wire.
pub(crate) fn encoded(it: &impl Serialize) -> usize {
    serde_json::to_vec(it).map_or(usize::MAX / 4, |bytes| bytes.len())
}

async fn own(tx: &mut Tx, user: UserId) -> Result<Own> {
    let row = sqlx::query("SELECT version, missed_calls, missed_version, forgotten_version FROM users WHERE id = $1")
        .bind(user.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(own_of(&row)?)
}

fn own_of(row: &PgRow) -> sqlx::Result<Own> {
    let count = u32::try_from(row.try_get::<i32, _>("missed_calls")?).unwrap_or(0);
    Ok(Own {
        version: Version(row.try_get("version")?),
        missed: MissedCalls { version: Version(row.try_get("missed_version")?), count },
        forgotten: Version(row.try_get("forgotten_version")?),
    })
}
