//! Chats from scratch, as far as they fit into an answer.

use std::collections::{BTreeSet, HashMap};

use chapar_protocol::{ChatId, ChatRow, ChatSnapshot, Seq, UserId, Version, limit};
use sqlx::Row;

use super::{
    Chats, Result, Tx,
    pages::{Room, Slices},
    polls::Wanted as Votes,
    readers::Reader,
    row,
};

/// Members in a snapshot.
const MEMBERS: i32 = 200;

/// Bytes of an answer that its lists of mentions take at most.
const MENTIONS: usize = 8 * 1024;
/// Of which one takes so many at most, with its comma.
const MENTION: usize = 17;

/// Bytes that one's own reactions to the messages of a snapshot take at most.
const REACTIONS: usize = limit::SNAPSHOT_MESSAGES * 160;

impl Chats {
    /// Channels from scratch for some of their readers, in one moment; none for whoever is not in it. What all see of a channel is read once
    /// for all of them. No chat that is none: those are read one by one.
    pub async fn channel_snapshots(&self, who: &[Reader]) -> Result<Vec<Option<ChatSnapshot>>> {
        let mut tx = self.snapshot().await?;
        let chats: BTreeSet<ChatId> = who.iter().map(|it| it.chat).collect();
        // Of nobody: what nobody has done in a channel is in what all see.
        let asked = |chat| {
            let mut room = Room::page(limit::SNAPSHOT_MESSAGES);
            room.all -= REACTIONS;
            Asked { user: UserId(0), chats: vec![chat], room }
        };
        let asked: Vec<Asked> = chats.into_iter().map(asked).collect();
        let shared: HashMap<ChatId, ChatSnapshot> =
            read(&mut tx, &asked).await?.into_iter().flatten().map(|it| (it.chat.id, it)).collect();
        let mut own: Vec<Option<ChatSnapshot>> = who.iter().map(|_| None).collect();
        let rows = sqlx::query(
            "SELECT i.place::integer AS place, m.user_id, m.version, m.role, m.read_seq, m.rights, m.denied, m.denied_until
             FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS i (chat, usr, place)
             CROSS JOIN LATERAL (
                 SELECT * FROM members m WHERE m.chat_id = i.chat AND m.user_id = i.usr AND m.role IS NOT NULL LIMIT 1
             ) m",
        )
        .bind(who.iter().map(|it| it.chat.0).collect::<Vec<_>>())
        .bind(who.iter().map(|it| it.user.0).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await?;
        for found in &rows {
            let place = row::place(found)?;
            let Some(shared) = who.get(place).and_then(|it| shared.get(&it.chat)) else { continue };
            let mut snapshot = shared.clone();
            snapshot.rows.insert(0, ChatRow::Member(row::member(found, shared.chat.kind)?));
            own[place] = Some(snapshot);
        }
        // Only where there are any; one that is not counted yet is told with the counts.
        let (mut places, mut reacted) = (Vec::new(), Vec::new());
        for ((snapshot, it), place) in own.iter().zip(who).zip(1_i32..) {
            let messages = snapshot.iter().flat_map(|it| &it.rows).filter_map(ChatRow::message);
            for message in messages.filter(|it| !it.reactions.is_empty()) {
                places.push(place);
                reacted.push((it, message.seq, message.version));
            }
        }
        if !places.is_empty() {
            let rows = sqlx::query(
                "SELECT i.place, r.seq, least(r.version, i.version) AS version, r.user_id, r.emoji
                 FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
                     AS i (place, chat, usr, seq, version)
                 CROSS JOIN LATERAL (
                     SELECT * FROM reactions r
                     WHERE r.chat_id = i.chat AND r.seq = i.seq AND r.user_id = i.usr AND r.emoji IS NOT NULL LIMIT 1
                 ) r",
            )
            .bind(places)
            .bind(reacted.iter().map(|it| it.0.chat.0).collect::<Vec<_>>())
            .bind(reacted.iter().map(|it| it.0.user.0).collect::<Vec<_>>())
            .bind(reacted.iter().map(|it| it.1.0).collect::<Vec<_>>())
            .bind(reacted.iter().map(|it| it.2.0).collect::<Vec<_>>())
            .fetch_all(&mut *tx)
            .await?;
            for found in &rows {
                if let Some(Some(snapshot)) = own.get_mut(row::place(found)?) {
                    snapshot.rows.push(ChatRow::Reaction(row::reacted(found)?));
                }
            }
        }
        let mut votes = Votes::default();
        for (place, (snapshot, it)) in own.iter().zip(who).enumerate() {
            votes.add(place, it.chat, it.user, snapshot.iter().flat_map(ChatSnapshot::messages));
        }
        for (place, vote) in votes.read(&mut tx).await? {
            if let Some(Some(snapshot)) = own.get_mut(place) {
                snapshot.rows.push(ChatRow::Vote(vote));
            }
        }
        tx.commit().await?;
        Ok(own)
    }
}

/// Which chats somebody is told from scratch.
pub(crate) struct Asked {
    pub(crate) user: UserId,
    pub(crate) chats: Vec<ChatId>,
    pub(crate) room: Room,
}

/// Some chats from scratch, for each of some people, and for all of these at once. Those for which there is no room are left out, but
/// never one's first.
pub(crate) async fn read(tx: &mut Tx, asked: &[Asked]) -> Result<Vec<Vec<ChatSnapshot>>> {
    let chats = || asked.iter().flat_map(|it| &it.chats);
    if chats().next().is_none() {
        return Ok(asked.iter().map(|_| Vec::new()).collect());
    }
    let mut slices = Slices::default();
    for it in asked {
        slices.add(it.chats.len(), Room { all: it.room.all.saturating_sub(MENTIONS), ..it.room });
    }
    let rows = sqlx::query(
        "SELECT p.person::integer AS person, k.*
         FROM unnest($2::bigint[], $3::integer[], $4::integer[], $5::integer[], $6::bigint[], $7::bigint[]) WITH ORDINALITY
             AS p (usr, low, high, each_rows, each_bytes, all_bytes, person)
         CROSS JOIN LATERAL last_messages(($1::bigint[])[p.low:p.high], p.usr, $8, p.each_rows, p.each_bytes, p.all_bytes) k",
    )
    .bind(chats().map(|it| it.0).collect::<Vec<_>>())
    .bind(asked.iter().map(|it| it.user.0).collect::<Vec<_>>())
    .bind(slices.low)
    .bind(slices.high)
    .bind(slices.rows)
    .bind(slices.each)
    .bind(slices.all)
    .bind(MEMBERS)
    .fetch_all(&mut **tx)
    .await?;
    // Of all at first: whose, which chat, and its rows.
    let mut read: Vec<(usize, i64, Vec<_>, Vec<_>)> = Vec::new();
    let (mut messages, mut reacted) = (Vec::new(), Vec::new());
    for found in &rows {
        let person = row::number(found, "person")?;
        let Some(it) = asked.get(person) else { continue };
        if found.try_get::<Option<i64>, _>("seq")?.is_some() {
            messages.push(row::message(found)?);
            reacted.extend(row::my_reaction(found, it.user)?.filter(|it| it.emoji.is_some()));
        } else if let Some(chat) = it.chats.get(row::place(found)?) {
            messages.reverse();
            read.push((person, chat.0, std::mem::take(&mut messages), std::mem::take(&mut reacted)));
        }
    }
    let ids: Vec<i64> = read.iter().map(|it| it.1).collect();
    let users: Vec<i64> = read.iter().map(|it| asked[it.0].user.0).collect();
    let mut snapshots = empty(tx, &ids, &users, &read.iter().map(|it| it.0).collect::<Vec<_>>()).await?;
    // In a channel only the asking user: two arms, because a condition with OR could not use the index.
    let rows = sqlx::query(
        "SELECT i.place::integer AS place, c.kind, m.user_id, m.version, m.role, m.read_seq, m.rights, m.denied, m.denied_until
         FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS i (chat, usr, place)
         CROSS JOIN LATERAL (SELECT c.id, c.kind FROM chats c WHERE c.id = i.chat LIMIT 1) c
         CROSS JOIN LATERAL (
             (SELECT m.user_id, m.version, m.role, m.read_seq, m.rights, m.denied, m.denied_until FROM members m
              WHERE c.kind <> 2 AND m.chat_id = c.id AND m.role IS NOT NULL ORDER BY m.user_id LIMIT $3)
             UNION ALL
             (SELECT m.user_id, m.version, m.role, m.read_seq, m.rights, m.denied, m.denied_until FROM members m
              WHERE c.kind = 2 AND m.chat_id = c.id AND m.user_id = i.usr AND m.role IS NOT NULL)
         ) m ORDER BY i.place, m.user_id",
    )
    .bind(&ids)
    .bind(&users)
    .bind(i64::from(MEMBERS))
    .fetch_all(&mut **tx)
    .await?;
    for found in &rows {
        if let Some(snapshot) = snapshots.get_mut(row::place(found)?) {
            snapshot.rows.push(ChatRow::Member(row::member(found, row::kind(found.try_get("kind")?))?));
        }
    }
    let mut by_person: Vec<Vec<ChatSnapshot>> = asked.iter().map(|_| Vec::new()).collect();
    for (mut snapshot, (person, _, messages, reacted)) in snapshots.into_iter().zip(read) {
        snapshot.rows.extend(messages.into_iter().map(ChatRow::Message));
        snapshot.rows.extend(reacted.into_iter().map(ChatRow::Reaction));
        by_person[person].push(snapshot);
    }
    let mut votes = Votes::default();
    let all = asked.iter().zip(&by_person).flat_map(|(it, some)| some.iter().map(|snapshot| (it.user, snapshot)));
    for (place, (user, snapshot)) in all.enumerate() {
        votes.add(place, snapshot.chat.id, user, snapshot.messages());
    }
    let mut rows: Vec<_> = by_person.iter_mut().flatten().map(|it| &mut it.rows).collect();
    votes.read_into(tx, &mut rows).await?;
    Ok(by_person)
}

/// Chats without their rows, each for one of some people, with the unread messages that call them.
async fn empty(tx: &mut Tx, ids: &[i64], users: &[i64], whose: &[usize]) -> Result<Vec<ChatSnapshot>> {
    let rows = sqlx::query(
        "SELECT i.place::integer AS place, c.id, c.kind, c.title, c.handle, c.created_at, c.info_version, c.rights,
             c.told_members, c.about, c.seq, c.version,
             ARRAY(
                 SELECT k.seq FROM mentions k
                 WHERE k.chat_id = i.chat AND k.user_id = i.usr
                   AND k.seq > (SELECT m.read_seq FROM members m WHERE m.chat_id = i.chat AND m.user_id = i.usr)
                 ORDER BY k.seq LIMIT $3
             ) AS mentions
         FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS i (chat, usr, place)
         CROSS JOIN LATERAL (SELECT * FROM chats c WHERE c.id = i.chat LIMIT 1) c ORDER BY i.place",
    )
    .bind(ids)
    .bind(users)
    .bind(i64::try_from(limit::MENTIONS_TOLD).unwrap_or(i64::MAX))
    .fetch_all(&mut **tx)
    .await?;
    let mut snapshots = Vec::with_capacity(rows.len());
    let mut named: HashMap<usize, usize> = HashMap::new();
    for (found, person) in rows.iter().zip(whose) {
        let mut mentions: Vec<i64> = found.try_get("mentions")?;
        let named = named.entry(*person).or_default();
        mentions.truncate((MENTIONS / MENTION).saturating_sub(*named));
        *named += mentions.len();
        snapshots.push(ChatSnapshot {
            chat: row::chat_info(found)?,
            version: Version(found.try_get("version")?),
            last_seq: Seq(found.try_get("seq")?),
            rows: Vec::new(),
            mentions: mentions.into_iter().map(Seq).collect(),
        });
    }
    Ok(snapshots)
}
