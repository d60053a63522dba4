//! Reading invite links and those who ask to be let in.

use chapar_domain::{
    chat::{Standing, StoredInvite},
    rights::{Action, Place, Rights, may},
};
use chapar_protocol::{
    ChatId, ErrorCode, Invite, InviteId, InvitePreview, InviteToken, InviteUse, JoinRequest, Role, Timestamp, UserId,
};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;

use super::{Chats, Result, entry::invite, row};

impl Chats {
    /// The links of a chat, the one that was made last first.
    pub async fn invites(&self, chat: ChatId) -> Result<Vec<Invite>> {
        let rows = sqlx::query(
            "SELECT k.*, c.kind, c.rights AS everybodys, clock_timestamp() AS now, m.role AS maker_role, m.rights AS maker_rights,
                 m.denied AS maker_denied, m.denied_until AS maker_denied_until
             FROM (SELECT * FROM chats c WHERE c.id = $1) c JOIN invites k ON k.chat_id = c.id
             LEFT JOIN LATERAL (SELECT * FROM members m WHERE m.chat_id = k.chat_id AND m.user_id = k.made_by LIMIT 1) m ON true
             ORDER BY k.made_at DESC, k.id",
        )
        .bind(chat.0)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(|found| shown(chat, found)).collect::<sqlx::Result<_>>()?)
    }

    /// One link of a chat, which has few.
    ///
    /// # Errors
    /// [`ErrorCode::InviteGone`].
    pub async fn invite(&self, chat: ChatId, id: InviteId) -> Result<Invite> {
        self.invites(chat).await?.into_iter().find(|it| it.id == id).ok_or(ErrorCode::InviteGone.into())
    }

    /// What a link shows to somebody who has it.
    ///
    /// # Errors
    /// [`ErrorCode::InviteGone`] when it opens nothing, unless it leads where they are in already.
    pub async fn preview(&self, token: &InviteToken, user: UserId) -> Result<InvitePreview> {
        let found = sqlx::query(
            "SELECT k.*, c.kind, c.rights AS everybodys, c.title AS chat_title, c.about, clock_timestamp() AS now, m.role AS maker_role,
                 m.rights AS maker_rights, m.denied AS maker_denied, m.denied_until AS maker_denied_until,
                 coalesce((SELECT n.members FROM counts n WHERE n.chat_id = k.chat_id), 0) AS members,
                 (SELECT s.role FROM members s WHERE s.chat_id = k.chat_id AND s.user_id = $3) IS NOT NULL AS inside,
                 (SELECT r.turn FROM join_requests r WHERE r.chat_id = k.chat_id AND r.user_id = $3)
                     = coalesce((SELECT s.turn FROM members s WHERE s.chat_id = k.chat_id AND s.user_id = $3), 0) AS asked
             FROM invites k CROSS JOIN LATERAL (SELECT * FROM chats c WHERE c.id = k.chat_id LIMIT 1) c
             LEFT JOIN LATERAL (SELECT * FROM members m WHERE m.chat_id = k.chat_id AND m.user_id = k.made_by LIMIT 1) m ON true
             WHERE k.chat_id = $1 AND k.secret = $2",
        )
        .bind(token.chat.0)
        .bind(&token.secret)
        .bind(user.0)
        .fetch_optional(&self.pool)
        .await?;
        let Some(found) = found else { return Err(ErrorCode::InviteGone.into()) };
        let inside: bool = found.try_get("inside")?;
        let members: i64 = found.try_get("members")?;
        let (link, now) = (invite(&found)?, now(&found)?);
        if !inside && (!may_add(&found, link.made_by, now)? || !link.is_open(now) || members == 0) {
            return Err(ErrorCode::InviteGone.into());
        }
        let row::About { description, photo, .. } = row::about(found.try_get("about")?);
        Ok(InvitePreview {
            chat_id: token.chat,
            kind: row::kind(found.try_get("kind")?),
            title: found.try_get::<Option<String>, _>("chat_title")?.unwrap_or_default(),
            description,
            photo,
            member_count: u32::try_from(members).unwrap_or(0),
            approval: link.approval,
            inside,
            asked: !inside && found.try_get::<Option<bool>, _>("asked")? == Some(true),
        })
    }

    /// A page of those who came through a link, by user id.
    pub async fn invite_uses(&self, chat: ChatId, id: InviteId, after: UserId, page: i64) -> Result<Vec<InviteUse>> {
        let rows = sqlx::query(
            "SELECT user_id, at FROM invite_uses WHERE chat_id = $1 AND invite_id = $2 AND user_id > $3 ORDER BY user_id LIMIT $4",
        )
        .bind(chat.0)
        .bind(id.0)
        .bind(after.0)
        .bind(page)
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &PgRow| -> sqlx::Result<InviteUse> {
            Ok(InviteUse { user_id: UserId(found.try_get(0)?), at: found.try_get::<OffsetDateTime, _>(1)?.into() })
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// A page of those who ask to be let in, by user id. Whoever has come in since, was removed or has gone asks no more.
    pub async fn join_requests(&self, chat: ChatId, after: UserId, page: i64) -> Result<Vec<JoinRequest>> {
        let rows = sqlx::query(
            "SELECT r.user_id, r.at, r.invite_id FROM join_requests r
             LEFT JOIN LATERAL (SELECT * FROM members m WHERE m.chat_id = r.chat_id AND m.user_id = r.user_id LIMIT 1) m ON true
             WHERE r.chat_id = $1 AND r.user_id > $2 AND r.turn = coalesce(m.turn, 0) ORDER BY r.user_id LIMIT $3",
        )
        .bind(chat.0)
        .bind(after.0)
        .bind(page)
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &PgRow| -> sqlx::Result<JoinRequest> {
            let at = found.try_get::<OffsetDateTime, _>(1)?.into();
            Ok(JoinRequest { user_id: UserId(found.try_get(0)?), at, invite_id: InviteId(found.try_get(2)?) })
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }
}

fn now(found: &PgRow) -> sqlx::Result<Timestamp> {
    Ok(found.try_get::<OffsetDateTime, _>("now")?.into())
}

/// Whether whoever made a link may still add.
fn may_add(found: &PgRow, by: UserId, now: Timestamp) -> sqlx::Result<bool> {
    let Some(role) = row::role(found.try_get("maker_role")?) else { return Ok(false) };
    let until: Option<OffsetDateTime> = found.try_get("maker_denied_until")?;
    let place = Place { kind: row::kind(found.try_get("kind")?), rights: Rights(found.try_get("everybodys")?), now };
    let standing = Standing {
        role: Some(role),
        rights: Rights(found.try_get("maker_rights")?),
        denied: Rights(found.try_get("maker_denied")?),
        denied_until: until.map(Timestamp::from),
        ..Standing::with(Role::Member)
    };
    Ok(may(place, by, Some(&standing), Action::Add).is_ok())
}

fn shown(chat: ChatId, found: &PgRow) -> sqlx::Result<Invite> {
    let now = now(found)?;
    let it = invite(found)?;
    let open = it.is_open(now) && may_add(found, it.made_by, now)?;
    let StoredInvite { secret, title, made_by, made_at, expires_at, max_uses, uses, approval, revoked, .. } = it;
    let token = InviteToken { chat, secret }.to_string();
    let id = InviteId(found.try_get("id")?);
    Ok(Invite { id, token, title, made_by, made_at, expires_at, max_uses, uses, approval, revoked, open })
}
