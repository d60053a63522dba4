//! Invite links and those who ask to be let in: read and written with the batches that are about them, in a statement and a function of
//! their own, so that other batches cost no more for them.

use std::collections::{BTreeSet, HashMap};

use chapar_domain::{
    change::{Asked, Change},
    chat::{Asking, Chat, Standing, StoredInvite},
    judge::Written,
    rights::Rights,
};
use chapar_protocol::{ChatId, InviteId, Role, Seq, Timestamp, UserId};
use serde_json::{Map, Value, json};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;

use super::{Result, row};
use crate::pool::Lease;

/// What a batch is about of links and requests.
#[derive(Default)]
pub(super) struct Wanted {
    /// All links of these chats.
    all: BTreeSet<ChatId>,
    /// A link by its id.
    ids: BTreeSet<(ChatId, InviteId)>,
    /// A link by its secret.
    secrets: BTreeSet<(ChatId, String)>,
    /// Whether somebody asks, and their link.
    asking: BTreeSet<(ChatId, UserId)>,
}

impl Wanted {
    pub(super) fn add(&mut self, it: &Asked) {
        match &it.change {
            Change::SetInvite(_) => drop(self.all.insert(it.chat)),
            Change::RevokeInvite(id) => drop(self.ids.insert((it.chat, *id))),
            Change::Enter(secret) => {
                self.secrets.insert((it.chat, secret.clone()));
                self.asking.insert((it.chat, it.by.user()));
            }
            Change::AnswerRequest(user, _) => drop(self.asking.insert((it.chat, *user))),
            _ => {}
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.ids.is_empty() && self.secrets.is_empty() && self.asking.is_empty()
    }
}

/// Adds to some chats their links that a batch is about, with whoever made them, and those who ask. Read after the chats, so perhaps newer:
/// what is judged by a link is written only where that is still at its turn.
pub(super) async fn load(lease: &mut Lease, wanted: &Wanted, chats: &mut HashMap<ChatId, Chat>) -> Result<()> {
    let asking = sqlx::query(
        "SELECT r.chat_id, r.user_id, r.invite_id, r.turn, r.at FROM unnest($1::bigint[], $2::bigint[]) AS i (chat, usr)
         JOIN join_requests r ON r.chat_id = i.chat AND r.user_id = i.usr",
    )
    .bind(wanted.asking.iter().map(|it| it.0.0).collect::<Vec<_>>())
    .bind(wanted.asking.iter().map(|it| it.1.0).collect::<Vec<_>>())
    .fetch_all(&mut *lease)
    .await?;
    let mut ids = wanted.ids.clone();
    for found in &asking {
        let (chat, user) = (ChatId(found.try_get(0)?), UserId(found.try_get(1)?));
        let at: OffsetDateTime = found.try_get(4)?;
        let asks = Asking { through: InviteId(found.try_get(2)?), turn: found.try_get(3)?, at: at.into() };
        ids.insert((chat, asks.through));
        if let Some(chat) = chats.get_mut(&chat) {
            chat.asking.insert(user, asks);
        }
    }
    let rows = sqlx::query(
        "WITH found AS (
             SELECT k.* FROM unnest($1::bigint[]) AS i (chat) JOIN invites k ON k.chat_id = i.chat
             UNION
             SELECT k.* FROM unnest($2::bigint[], $3::uuid[]) AS i (chat, id) JOIN invites k ON k.chat_id = i.chat AND k.id = i.id
             UNION
             SELECT k.* FROM unnest($4::bigint[], $5::text[]) AS i (chat, secret)
             JOIN invites k ON k.chat_id = i.chat AND k.secret = i.secret
         )
         SELECT k.*, m.user_id, m.role::bigint AS role, m.read_seq, m.turn AS standing_turn, m.banned, m.went, m.engaged, m.rights,
             m.denied, m.denied_until
         FROM found k LEFT JOIN members m ON m.chat_id = k.chat_id AND m.user_id = k.made_by",
    )
    .bind(wanted.all.iter().map(|it| it.0).collect::<Vec<_>>())
    .bind(ids.iter().map(|it| it.0.0).collect::<Vec<_>>())
    .bind(ids.iter().map(|it| it.1.0).collect::<Vec<_>>())
    .bind(wanted.secrets.iter().map(|it| it.0.0).collect::<Vec<_>>())
    .bind(wanted.secrets.iter().map(|it| it.1.as_str()).collect::<Vec<_>>())
    .fetch_all(lease)
    .await?;
    for found in &rows {
        let Some(chat) = chats.get_mut(&ChatId(found.try_get("chat_id")?)) else { continue };
        let invite = invite(found)?;
        if let Some(user) = found.try_get::<Option<i64>, _>("user_id")? {
            // One that the batch is about was read with the chat.
            let standing = maker(found)?;
            chat.members.entry(UserId(user)).or_insert(standing);
        }
        chat.invites.insert(InviteId(found.try_get("id")?), invite);
    }
    Ok(())
}

/// How whoever made a link stands, as far as rights go by it.
fn maker(found: &PgRow) -> sqlx::Result<Standing> {
    let role: Option<i64> = found.try_get("role")?;
    let until: Option<OffsetDateTime> = found.try_get("denied_until")?;
    Ok(Standing {
        role: row::role(role.map(|role| i16::try_from(role).unwrap_or(0))),
        rights: Rights(found.try_get("rights")?),
        denied: Rights(found.try_get("denied")?),
        denied_until: until.map(Timestamp::from),
        banned: found.try_get("banned")?,
        left: found.try_get("went")?,
        engaged: found.try_get("engaged")?,
        read_seq: Seq(found.try_get("read_seq")?),
        turn: found.try_get("standing_turn")?,
        ..Standing::with(Role::Member)
    })
}

/// A row of `invites`.
pub(super) fn invite(found: &PgRow) -> sqlx::Result<StoredInvite> {
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    let moment = |at: OffsetDateTime| Timestamp::from(at);
    Ok(StoredInvite {
        secret: found.try_get("secret")?,
        title: found.try_get("title")?,
        made_by: UserId(found.try_get("made_by")?),
        made_at: moment(found.try_get("made_at")?),
        expires_at: found.try_get::<Option<OffsetDateTime>, _>("expires_at")?.map(moment),
        max_uses: found.try_get::<Option<i32>, _>("max_uses")?.map(count),
        uses: count(found.try_get("uses")?),
        approval: found.try_get("approval")?,
        revoked: found.try_get("revoked")?,
        turn: found.try_get("turn")?,
    })
}

/// What `write_entry` is to write; absent when nothing is.
pub(super) fn rows(written: &[Written]) -> Option<Map<String, Value>> {
    let mut lists = Map::new();
    let mut put = |list: &str, row: Value| match lists.entry(list).or_insert_with(|| Value::Array(Vec::new())) {
        Value::Array(rows) => rows.push(row),
        _ => unreachable!("only lists are put in"),
    };
    for it in written.iter().filter(|it| !it.rows.entry.is_empty()) {
        let (chat, entry, at) = (it.chat.info.id, &it.rows.entry, it.chat.changed_at);
        for (id, before) in &entry.invites {
            let Some(invite) = it.chat.invites.get(id) else { continue };
            put(
                "invites",
                json!({ "chat": chat, "id": id, "secret": invite.secret, "title": invite.title, "made_by": invite.made_by,
                    "made_at": invite.made_at, "expires_at": invite.expires_at, "max_uses": invite.max_uses, "uses": invite.uses,
                    "approval": invite.approval, "revoked": invite.revoked, "before": before, "turn": invite.turn }),
            );
        }
        for id in &entry.forgotten {
            put("forgotten", json!({ "chat": chat, "id": id }));
        }
        for (id, user) in &entry.uses {
            put("uses", json!({ "chat": chat, "id": id, "usr": user, "at": at }));
        }
        for user in &entry.asking {
            let Some(asks) = it.chat.asking.get(user) else { continue };
            put("asking", json!({ "chat": chat, "usr": user, "id": asks.through, "at": asks.at, "turn": asks.turn }));
        }
        for user in &entry.answered {
            put("answered", json!({ "chat": chat, "usr": user }));
        }
    }
    (!lists.is_empty()).then_some(lists)
}
