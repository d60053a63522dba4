//! Writes what was judged: one call for all chats of a batch.

use std::collections::HashSet;

use chapar_domain::{
    chat::Standing,
    judge::{Membership, Written},
};
use chapar_protocol::{Body, ChatId, ChatKind, Seq, Timestamp, UserId, Version};
use serde_json::{Value, json};
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Result, apart,
    feed::{FILES, PHOTO, POSTS},
    row, threads,
};
use crate::pool::Lease;

const WRITE: &str = "SELECT write_changes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
const WITH_MORE: &str = "
    WITH written AS MATERIALIZED (
        SELECT write_changes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) AS held
    )
    SELECT w.held FROM written w CROSS JOIN LATERAL write_more(w.held, $17)";

/// Lists of rows by their names.
#[derive(Default)]
struct Lists(serde_json::Map<String, Value>);

impl Lists {
    fn put(&mut self, list: &str, row: Value) {
        match self.0.entry(list).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(rows) => rows.push(row),
            _ => unreachable!("only lists are put in"),
        }
    }
}

/// Columns of the new messages.
#[derive(Default)]
struct Fresh<'a> {
    chats: Vec<i64>,
    seqs: Vec<i64>,
    versions: Vec<i64>,
    senders: Vec<i64>,
    clients: Vec<Uuid>,
    hashes: Vec<i64>,
    sent_at: Vec<OffsetDateTime>,
    replies: Vec<Option<i64>>,
    bodies: Vec<&'a str>,
}

/// Writes some chats, and says which: those that nobody else has changed or locked since they were read.
#[expect(clippy::too_many_lines, reason = "each kind of row and where it goes, in one place")]
pub(super) async fn write(lease: &mut Lease, written: &[Written]) -> Result<HashSet<ChatId>> {
    let column = |value: fn(&Written) -> i64| written.iter().map(value).collect::<Vec<i64>>();
    let mut fresh = Fresh::default();
    let (mut more, mut polls) = (Lists::default(), Lists::default());
    let mut put = |list: &str, row: Value| more.put(list, row);
    for it in written {
        fresh.add(it);
        if it.from == Version(0) {
            put("created", created(it));
        } else if let Some(version) = it.rows.info {
            let told_members = it.chat.info.member_count.unwrap_or(0);
            put(
                "info",
                json!({ "chat": it.chat.info.id, "rights": it.chat.rights.0, "told_members": told_members, "info_version": version,
                    "title": it.chat.info.title, "about": about(it) }),
            );
        }
        for (seq, stored) in it.rows.changed.iter().filter_map(|seq| Some((seq, it.chat.messages.get(seq)?))) {
            let message = &stored.message;
            let reactions = (!message.reactions.is_empty()).then_some(&message.reactions);
            put(
                "messages",
                json!({ "chat": it.chat.info.id, "seq": seq, "version": message.version, "body": stored.json,
                    "edited_at": message.edited_at, "reactions": reactions, "views": message.views }),
            );
        }
        let mut count = 0;
        for (user, told) in &it.rows.members {
            let Some(standing) = it.chat.members.get(user) else { continue };
            count += i64::from(standing.role.is_some()) - i64::from(told.was_in);
            put("members", member(it.chat.info.id, *user, standing, told.before, told.version));
        }
        if count != 0 {
            put(
                "counts",
                json!({ "chat": it.chat.info.id, "more": count, "left_over": it.chat.count,
                "stale": it.chat.info.kind == ChatKind::Channel && it.from > Version(0) }),
            );
        }
        for (&(seq, user), version) in &it.rows.reactions {
            let emoji = it.chat.reactions.get(&(seq, user));
            put(
                "reactions",
                json!({ "chat": it.chat.info.id, "seq": seq, "usr": user, "emoji": emoji, "version": version }),
            );
        }
        for (&(seq, user), counted) in &it.rows.counted {
            put(
                "counted",
                json!({ "chat": it.chat.info.id, "seq": seq, "usr": user, "emoji": counted.emoji, "counted": counted.stands,
                    "version": counted.version }),
            );
        }
        for (user, since) in &it.rows.shut {
            put("shut", json!({ "chat": it.chat.info.id, "usr": user, "since": since }));
        }
        for (seq, seen) in &it.rows.viewed {
            put("viewed", json!({ "chat": it.chat.info.id, "seq": seq, "told": seen }));
        }
        if let Some(at) = it.rows.told {
            put("told", json!({ "chat": it.chat.info.id, "at": at }));
            polls.put("told", json!({ "chat": it.chat.info.id }));
        }
        put_polls(it, &mut polls);
        for Membership { user, chat, .. } in it.memberships() {
            put("people", json!([chat, user]));
        }
    }
    // What few batches have is written by functions of its own, in the same statement and after the rest.
    let mut apart = apart::rows(written);
    if !polls.0.is_empty() {
        apart.insert("polls".to_owned(), Value::Object(polls.0));
    }
    if let Some(threads) = threads::rows(written) {
        apart.insert("threads".to_owned(), Value::Object(threads));
    }
    let apart = (!apart.is_empty()).then_some(Json(apart));
    let held = match apart {
        None => sqlx::query_scalar(WRITE),
        Some(_) => sqlx::query_scalar(WITH_MORE),
    };
    let held = held
        .bind(column(|it| it.chat.info.id.0))
        .bind(column(|it| it.from.0))
        .bind(column(|it| it.chat.seq.0))
        .bind(column(|it| it.chat.version.0))
        .bind(written.iter().map(|it| moment(it.chat.changed_at)).collect::<Vec<_>>())
        .bind(written.iter().map(kinds).collect::<Vec<i16>>())
        .bind(fresh.chats)
        .bind(fresh.seqs)
        .bind(fresh.versions)
        .bind(fresh.senders)
        .bind(fresh.clients)
        .bind(fresh.hashes)
        .bind(fresh.sent_at)
        .bind(fresh.replies)
        .bind(fresh.bodies)
        .bind((!more.0.is_empty()).then_some(Json(more.0)));
    let held = if let Some(apart) = apart { held.bind(apart) } else { held };
    let held: Vec<i64> = held.fetch_one(lease).await?;
    Ok(held.into_iter().map(ChatId).collect())
}

fn put_polls(it: &Written, polls: &mut Lists) {
    let chat = it.chat.info.id;
    for (seq, key) in &it.rows.polls {
        let closes_at = match it.chat.messages.get(seq).map(|it| &it.message.body) {
            Some(Body::Poll(poll)) => poll.closes_at,
            _ => None,
        };
        polls.put(
            "polls",
            json!({ "chat": chat, "seq": seq, "closes_at": closes_at, "right_place": key.right, "explanation": key.explanation }),
        );
    }
    for (seq, gone) in &it.rows.ended {
        polls.put("ended", json!({ "chat": chat, "seq": seq, "gone": gone }));
    }
    for (&(seq, user), voting) in &it.rows.votes {
        let vote = it.chat.votes.get(&(seq, user)).copied().unwrap_or_default();
        polls.put(
            "votes",
            json!({ "chat": chat, "seq": seq, "usr": user, "choice": vote.choice.0, "before": voting.before, "turn": vote.turn,
                "quiet": voting.quiet }),
        );
    }
    for (&(seq, user), choice) in &it.rows.tallied {
        polls.put("tallied", json!({ "chat": chat, "seq": seq, "usr": user, "choice": choice.0 }));
    }
}

impl<'a> Fresh<'a> {
    fn add(&mut self, written: &'a Written) {
        for stored in written.rows.fresh.iter().filter_map(|seq| written.chat.messages.get(seq)) {
            let message = &stored.message;
            self.chats.push(written.chat.info.id.0);
            self.seqs.push(message.seq.0);
            self.versions.push(message.version.0);
            self.senders.push(message.sender.0);
            self.clients.push(message.client_id);
            self.hashes.push(stored.hash);
            self.sent_at.push(moment(message.sent_at));
            self.replies.push(message.reply_to.map(|seq: Seq| seq.0));
            self.bodies.push(stored.json.as_deref().unwrap_or("null"));
        }
    }
}

fn about(it: &Written) -> row::About {
    let info = &it.chat.info;
    row::About {
        description: info.description.clone(),
        photo: info.photo,
        pinned: info.pinned.clone(),
        slow: info.slow_seconds,
        discussion: info.discussion,
        settings: info.settings,
        hidden_upto: it.chat.hidden_upto,
    }
}

fn created(it: &Written) -> Value {
    let info = &it.chat.info;
    json!({ "id": info.id, "kind": row::kind_number(info.kind), "title": info.title, "handle": info.handle,
        "rights": it.chat.rights.0, "created_at": info.created_at, "info_version": it.rows.info, "told_members": info.member_count.unwrap_or(0) })
}

fn member(chat: ChatId, user: UserId, it: &Standing, before: i64, version: Option<Version>) -> Value {
    json!({ "chat": chat, "usr": user, "role": it.role.map(row::role_number), "rights": it.rights.0, "denied": it.denied.0,
        "denied_until": it.denied_until, "banned": it.banned, "went": it.left, "engaged": it.engaged,
        "read_seq": it.read_seq, "before": before, "turn": it.turn, "version": version.unwrap_or_default() })
}

/// Which kinds of rows have changed, as the feed says it; 32: which messages name which files, 64: the chat's photo, 128: posts
/// that come into another chat.
fn kinds(written: &Written) -> i16 {
    let rows = &written.rows;
    let message = |seq| written.chat.messages.get(seq).map(|it| &it.message);
    // Whatever moves the version of such a message, also a reaction: whoever follows finds it at its last version alone.
    let mut moved = rows.fresh.union(&rows.changed).filter_map(message);
    let files = moved.any(|it| {
        // An edited text may have had a preview, whose picture it names no more.
        let preview = it.preview.as_ref().is_some_and(|it| it.image.is_some()) || it.edited_at.is_some();
        it.body.file().is_some() || it.body == Body::Deleted || preview
    });
    let info = &written.chat.info;
    let posts = !rows.fresh.is_empty() && info.kind == ChatKind::Channel && info.discussion.is_some();
    i16::from(rows.info.is_some())
        + 2 * i16::from(!rows.members.is_empty())
        + 4 * i16::from(!rows.fresh.is_empty())
        + 8 * i16::from(!rows.changed.is_empty())
        + 16 * i16::from(!rows.reactions.is_empty() || !rows.counted.is_empty())
        + FILES * i16::from(files)
        + PHOTO * i16::from(rows.photo)
        + POSTS * i16::from(posts)
}

fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_millis()) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
