//! Reads what the changes of a batch are judged by: in one statement, so of one moment.

use std::collections::{BTreeSet, HashMap, HashSet};

use chapar_domain::{
    change::{Asked, Change},
    chat::{Chat, Sent, Standing, Stored},
    rights::Rights,
};
use chapar_protocol::{ChatId, ChatInfo, Message, ReactionCount, Seq, Timestamp, UserId, Version};
use serde_json::value::RawValue;
use sqlx::{Row, postgres::PgRow, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Result, apart, entry, polls, row, untold};
use crate::pool::Lease;

/// The chats of a batch, as far as it is about them, and the clock of the database.
pub(super) struct Loaded {
    pub(super) chats: HashMap<ChatId, Chat>,
    pub(super) now: Timestamp,
    /// Where turns of memberships begin in this history of the database.
    pub(super) first_turn: i64,
}

/// Each kind of row has an arm of its own; the columns mean something else in each. One statement, because each costs a way to
/// the database and back, and all must be of one moment. How many are in a chat is asked only where it matters.
const LOAD: &str = "
    SELECT 0::smallint, c.id, c.kind::bigint, c.seq, c.version, c.rights::bigint,
        CASE WHEN $12 THEN coalesce((SELECT k.members FROM counts k WHERE k.chat_id = c.id), 0) ELSE 0 END, c.info_version,
        c.told_members, c.created_at, c.changed_at, NULL::timestamptz, NULL::uuid, c.title, c.handle, c.about, NULL::jsonb
    FROM unnest($1::bigint[]) AS i (chat) JOIN chats c ON c.id = i.chat
    UNION ALL
    SELECT 1::smallint, m.chat_id, m.user_id, m.role::bigint, m.read_seq, m.turn,
        m.banned::integer + 2 * m.went::integer + 4 * m.engaged::integer + 8 * m.shut, m.rights::bigint, m.denied::bigint,
        m.denied_until, NULL, NULL, NULL, nullif(m.sees_after, 0)::text, NULL, NULL, NULL
    FROM unnest($2::bigint[], $3::bigint[]) AS i (chat, usr)
    JOIN members m ON m.chat_id = i.chat AND m.user_id = i.usr
    UNION ALL
    SELECT 2::smallint, m.chat_id, m.sender_id, m.seq, m.version, m.client_hash, NULL, NULL, NULL,
        m.sent_at, NULL, NULL, m.client_id, NULL, NULL, NULL, NULL
    FROM unnest($4::bigint[], $5::bigint[], $6::uuid[]) AS i (chat, usr, client)
    JOIN messages m ON m.chat_id = i.chat AND m.sender_id = i.usr AND m.client_id = i.client
    UNION ALL
    SELECT 3::smallint, m.chat_id, m.seq, m.version, m.sender_id, m.reply_to, m.client_hash, m.views, NULL,
        m.sent_at, m.edited_at, NULL, m.client_id, NULL, NULL, m.body, m.reactions
    FROM unnest($7::bigint[], $8::bigint[]) AS i (chat, seq) JOIN messages m ON m.chat_id = i.chat AND m.seq = i.seq
    UNION ALL
    SELECT 4::smallint, r.chat_id, r.seq, r.user_id, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, r.emoji, NULL, NULL, NULL
    FROM unnest($9::bigint[], $10::bigint[], $11::bigint[]) AS i (chat, seq, usr)
    JOIN reactions r ON r.chat_id = i.chat AND r.seq = i.seq AND r.user_id = i.usr WHERE r.emoji IS NOT NULL
    UNION ALL
    SELECT 5::smallint, 0, first_turn(), NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, clock_timestamp(), NULL, NULL, NULL, NULL, NULL";

/// What a batch asks for, each once.
#[derive(Default)]
struct Wanted {
    chats: HashSet<ChatId>,
    people: HashSet<(ChatId, UserId)>,
    clients: HashSet<(ChatId, UserId, Uuid)>,
    messages: HashSet<(ChatId, Seq)>,
    reactions: HashSet<(ChatId, Seq, UserId)>,
    votes: HashSet<(ChatId, Seq, UserId)>,
    counts: bool,
    untold: BTreeSet<ChatId>,
    entry: entry::Wanted,
}

impl Wanted {
    fn of(asked: &[&Asked]) -> Self {
        let mut wanted = Self::default();
        for it in asked {
            let (chat, user) = (it.chat, it.by.user());
            wanted.chats.insert(chat);
            wanted.people.extend(it.people().map(|user| (chat, user)));
            wanted.clients.extend(it.client_ids().map(|id| (chat, user, id)));
            wanted.messages.extend(it.messages().map(|seq| (chat, seq)));
            wanted.counts |= matches!(
                it.change,
                Change::Add(..)
                    | Change::Join
                    | Change::JoinFrom(_)
                    | Change::Enter(_)
                    | Change::AnswerRequest(..)
                    | Change::Leave
                    | Change::Count
            );
            wanted.entry.add(it);
            if matches!(it.change, Change::Count) {
                wanted.untold.insert(chat);
            }
            match it.change {
                Change::React(seq, _) => drop(wanted.reactions.insert((chat, seq, user))),
                Change::Vote(seq, _) | Change::ClosePoll(seq) => drop(wanted.votes.insert((chat, seq, user))),
                _ => {}
            }
        }
        wanted
    }
}

pub(super) async fn load(lease: &mut Lease, asked: &[&Asked]) -> Result<Loaded> {
    let wanted = Wanted::of(asked);
    let (mut people, mut clients) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new(), Vec::new()));
    for (chat, user) in &wanted.people {
        people.0.push(chat.0);
        people.1.push(user.0);
    }
    for (chat, user, client) in &wanted.clients {
        clients.0.push(chat.0);
        clients.1.push(user.0);
        clients.2.push(*client);
    }
    let (mut messages, mut reactions) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new(), Vec::new()));
    for (chat, seq) in &wanted.messages {
        messages.0.push(chat.0);
        messages.1.push(seq.0);
    }
    for (chat, seq, user) in &wanted.reactions {
        reactions.0.push(chat.0);
        reactions.1.push(seq.0);
        reactions.2.push(user.0);
    }
    let rows = sqlx::query(LOAD)
        .bind(wanted.chats.iter().map(|chat| chat.0).collect::<Vec<_>>())
        .bind(people.0)
        .bind(people.1)
        .bind(clients.0)
        .bind(clients.1)
        .bind(clients.2)
        .bind(messages.0)
        .bind(messages.1)
        .bind(reactions.0)
        .bind(reactions.1)
        .bind(reactions.2)
        .bind(wanted.counts)
        .fetch_all(&mut *lease)
        .await?;
    let mut loaded = Loaded {
        chats: HashMap::with_capacity(wanted.chats.len()),
        now: OffsetDateTime::now_utc().into(),
        first_turn: 0,
    };
    // The chats come first.
    for found in &rows {
        read(found, &mut loaded)?;
    }
    if !wanted.votes.is_empty() {
        polls::load(lease, &wanted.votes, &mut loaded.chats).await?;
    }
    if !wanted.untold.is_empty() {
        untold::load(lease, &wanted.untold, &mut loaded.chats).await?;
    }
    apart::load_posts(lease, asked, &mut loaded.chats).await?;
    if !wanted.entry.is_empty() {
        entry::load(lease, &wanted.entry, &mut loaded.chats).await?;
    }
    Ok(loaded)
}

fn read(found: &PgRow, loaded: &mut Loaded) -> sqlx::Result<()> {
    let id = ChatId(found.try_get(1)?);
    let number = |column: usize| found.try_get::<i64, _>(column);
    let arm: i16 = found.try_get(0)?;
    if arm == 0 {
        let kind = row::kind(i16::try_from(number(2)?).unwrap_or(i16::MAX));
        let (title, handle) = (found.try_get(13)?, found.try_get(14)?);
        let member_count = row::member_count(kind, number(8)?);
        let (rights, created_at, version) = (rights(number(5)?), moment(found, 9)?, Version(number(7)?));
        let row::About { description, photo, pinned, slow: slow_seconds, settings, hidden_upto, discussion } =
            row::about(found.try_get(15)?);
        let info = ChatInfo {
            id,
            version,
            kind,
            title,
            handle,
            created_at,
            rights: rights.list(),
            member_count,
            description,
            photo,
            pinned,
            slow_seconds,
            discussion,
            settings,
        };
        let chat = Chat {
            seq: Seq(number(3)?),
            version: Version(number(4)?),
            rights,
            count: number(6)?,
            changed_at: moment(found, 10)?,
            hidden_upto,
            ..Chat::nothing(info)
        };
        loaded.chats.insert(id, chat);
        return Ok(());
    }
    if arm == 5 {
        // The clock of the database, also where there is no chat yet.
        loaded.now = moment(found, 11)?;
        loaded.first_turn = number(2)?;
        return Ok(());
    }
    // Members of a chat that is not there: nothing that the judge could use.
    let Some(chat) = loaded.chats.get_mut(&id) else { return Ok(()) };
    match arm {
        1 => {
            let flags = number(6)?;
            let role: Option<i64> = found.try_get(3)?;
            let standing = Standing {
                role: row::role(role.map(|role| i16::try_from(role).unwrap_or(0))),
                read_seq: Seq(number(4)?),
                turn: number(5)?,
                banned: flags & 1 != 0,
                left: flags & 2 != 0,
                engaged: flags & 4 != 0,
                shut: flags >> 3,
                rights: rights(number(7)?),
                denied: rights(number(8)?),
                denied_until: found.try_get::<Option<OffsetDateTime>, _>(9)?.map(Timestamp::from),
                sees_after: hidden(found.try_get(13)?),
            };
            chat.members.insert(UserId(number(2)?), standing);
        }
        2 => {
            let sent = Sent {
                seq: Seq(number(3)?),
                version: Version(number(4)?),
                hash: number(5)?,
                sent_at: moment(found, 9)?,
            };
            chat.sent.insert((UserId(number(2)?), found.try_get(12)?), sent);
        }
        3 => {
            let (body, beside) = row::body(found.try_get::<Json<&RawValue>, _>(15)?.0)?;
            let (seq, version, sender) = (Seq(number(2)?), Version(number(3)?), UserId(number(4)?));
            let mut message = Message {
                reply_to: found.try_get::<Option<i64>, _>(5)?.map(Seq),
                edited_at: found.try_get::<Option<OffsetDateTime>, _>(10)?.map(Timestamp::from),
                reactions: found.try_get::<Option<Json<Vec<ReactionCount>>>, _>(16)?.map(|it| it.0).unwrap_or_default(),
                views: row::views(found.try_get(7)?),
                ..Message::new(seq, version, sender, found.try_get(12)?, moment(found, 9)?, body)
            };
            beside.mark(&mut message);
            chat.messages.insert(message.seq, Stored { message, json: None, hash: number(6)? });
        }
        _ => {
            chat.reactions.insert((Seq(number(2)?), UserId(number(3)?)), found.try_get(13)?);
        }
    }
    Ok(())
}

/// What is hidden from somebody, as the arm of members tells it: few have any.
fn hidden(sees_after: Option<&str>) -> Seq {
    Seq(sees_after.and_then(|it| it.parse().ok()).unwrap_or(0))
}

fn moment(found: &PgRow, column: usize) -> sqlx::Result<Timestamp> {
    Ok(found.try_get::<OffsetDateTime, _>(column)?.into())
}

fn rights(bits: i64) -> Rights {
    Rights(i32::try_from(bits).unwrap_or(0))
}
