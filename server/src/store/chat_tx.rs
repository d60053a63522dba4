//! A change of one chat: a transaction that holds the chat's row lock from the first look to the commit, so that
//! what a command checked is still true when it writes.

use std::time::Duration;

use chapar_protocol::{
    Body, ChatDelta, ChatId, ChatInfo, ChatKind, ErrorCode, Message, MyChat, Reacted, ReactionCount, Role, Seq,
    ServiceAction, UserDelta, UserId, Version, WireError, limit,
};
use sqlx::{Row, types::Json};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Changes, ChatChange, Result, Store, StoreError, budgets,
    budgets::{Charge, Toll},
    pool::Tx,
    row,
    row::role_number,
    turns::{For, Turn},
};

/// How long a change may take in all, waiting for its turn included.
const PATIENCE: Duration = Duration::from_millis(5500);

/// Who would come into a chat.
#[derive(Debug, Default)]
pub struct Newcomers {
    /// All of them.
    pub all: Vec<UserId>,
    /// Those who were in it and have left by themselves.
    pub left: Vec<UserId>,
}

/// A locked chat, and what was changed of it so far.
pub struct ChatTx {
    tx: Tx,
    // After `tx`: the next one may go on when this one is through. None for a chat that is being made.
    _turn: Option<Turn>,
    user: UserId,
    role: Option<Role>,
    kind: ChatKind,
    last_seq: Seq,
    delta: ChatDelta,
    users: Vec<(UserId, UserDelta)>,
}

impl Store {
    /// Locks a chat for a change by one of its members.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] when there is none or the user is not in it.
    pub async fn lock_chat(&self, chat: ChatId, user: UserId) -> Result<ChatTx> {
        let tx = self.lock_any_chat(chat, user).await?;
        if tx.role.is_none() { Err(ErrorCode::ChatNotFound.into()) } else { Ok(tx) }
    }

    /// Locks a chat for a user who need not be in it.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] when there is none.
    pub async fn lock_any_chat(&self, chat: ChatId, user: UserId) -> Result<ChatTx> {
        let deadline = Instant::now() + PATIENCE;
        let turn = self.pools.turns.take(chat, For::Change).await?;
        let mut tx = self.pool.begin("BEGIN", Some(deadline)).await?;
        let found = sqlx::query("SELECT kind, seq, version FROM chats WHERE id = $1 FOR NO KEY UPDATE")
            .bind(chat.0)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(found) = found else { return Err(ErrorCode::ChatNotFound.into()) };
        // A statement of its own, after the lock: it sees a role that changed while the lock was waited for.
        let role: Option<Option<i16>> =
            sqlx::query_scalar("SELECT role FROM members WHERE chat_id = $1 AND user_id = $2")
                .bind(chat.0)
                .bind(user.0)
                .fetch_optional(&mut *tx)
                .await?;
        let version = Version(found.try_get("version")?);
        Ok(ChatTx {
            tx,
            _turn: Some(turn),
            user,
            role: row::role(role.flatten()),
            kind: row::kind(found.try_get("kind")?),
            last_seq: Seq(found.try_get("seq")?),
            delta: ChatDelta::empty(chat, version),
            users: Vec::new(),
        })
    }

    /// Waits until this node has few enough readers who come into, or go out of, a channel at the same time. They have no
    /// other queue: they take no lock on the channel.
    pub async fn turn_of_reader(&self, chat: ChatId) -> Result<Turn> {
        self.pools.turns.take(chat, For::Reader).await
    }

    /// For a reader who comes or goes: not under the channel's lock, since nothing of the channel changes, so that posts do not
    /// wait for readers. What another may change at the same time is this user's role, which needs the user's row. `None` when
    /// it is no channel, or the user is more than a reader there.
    pub async fn begin_reader(&self, chat: ChatId, user: UserId, turn: &Turn) -> Result<Option<ChatTx>> {
        let mut tx = self.pool.begin("BEGIN", Some(turn.asked + PATIENCE)).await?;
        // Keeps the last owner of a channel from leaving it in this moment, and holds up no post.
        let found = sqlx::query("SELECT kind, seq, version FROM chats WHERE id = $1 FOR KEY SHARE")
            .bind(chat.0)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(found) = found else { return Err(ErrorCode::ChatNotFound.into()) };
        let kind = row::kind(found.try_get("kind")?);
        sqlx::query("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE").bind(user.0).execute(&mut *tx).await?;
        let role: Option<Option<i16>> =
            sqlx::query_scalar("SELECT role FROM members WHERE chat_id = $1 AND user_id = $2")
                .bind(chat.0)
                .bind(user.0)
                .fetch_optional(&mut *tx)
                .await?;
        let role = row::role(role.flatten());
        if kind != ChatKind::Channel || role > Some(Role::Member) {
            tx.rollback().await?;
            return Ok(None);
        }
        let (version, last_seq) = (Version(found.try_get("version")?), Seq(found.try_get("seq")?));
        let delta = ChatDelta::empty(chat, version);
        Ok(Some(ChatTx { tx, _turn: None, user, role, kind, last_seq, delta, users: Vec::new() }))
    }
}

impl ChatTx {
    /// A chat that this user is making.
    pub(super) fn fresh(tx: Tx, user: UserId, info: ChatInfo) -> Self {
        let mut delta = ChatDelta::empty(info.id, Version(0));
        delta.version = Version(1);
        let kind = info.kind;
        delta.chat = Some(info);
        Self { tx, _turn: None, user, role: Some(Role::Owner), kind, last_seq: Seq(0), delta, users: Vec::new() }
    }

    /// The chat.
    pub fn chat_id(&self) -> ChatId {
        self.delta.chat_id
    }

    /// Its form.
    pub fn kind(&self) -> ChatKind {
        self.kind
    }

    /// The asking user's role; absent when not a member.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// The version that the next change gets. One command moves the version by one, however many rows it touches.
    fn touch(&mut self) -> Version {
        if self.delta.version == self.delta.from {
            self.delta.version = self.delta.from.next();
        }
        self.delta.version
    }

    /// A message of the chat.
    ///
    /// # Errors
    /// [`ErrorCode::MessageNotFound`] when there is none; a tombstone is found.
    pub async fn message(&mut self, seq: Seq) -> Result<Message> {
        let found = sqlx::query(
            "SELECT m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions
             FROM messages m WHERE m.chat_id = $1 AND m.seq = $2",
        )
        .bind(self.delta.chat_id.0)
        .bind(seq.0)
        .fetch_optional(&mut *self.tx)
        .await?;
        match found {
            Some(found) => Ok(row::message(&found)?),
            None => Err(ErrorCode::MessageNotFound.into()),
        }
    }

    /// Gives a message another body. An edit shows; a tombstone also loses its reactions.
    pub async fn rewrite(&mut self, seq: Seq, body: &Body) -> Result<()> {
        let version = self.touch();
        let changed = sqlx::query(
            "UPDATE messages m SET body = $3, version = $4,
                 edited_at = CASE WHEN $5 THEN m.edited_at ELSE clock_timestamp() END,
                 reactions = CASE WHEN $5 THEN NULL ELSE m.reactions END
             WHERE m.chat_id = $1 AND m.seq = $2
             RETURNING m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions",
        )
        .bind(self.delta.chat_id.0)
        .bind(seq.0)
        .bind(Json(body))
        .bind(version.0)
        .bind(*body == Body::Deleted)
        .fetch_one(&mut *self.tx)
        .await?;
        self.delta.messages.push(row::message(&changed)?);
        Ok(())
    }

    /// Sets the asking user's reaction to a message. Returns whether that changed anything.
    pub async fn react(&mut self, message: &Message, emoji: Option<&str>) -> Result<bool> {
        let (chat, seq, user) = (self.delta.chat_id, message.seq, self.user);
        let old: Option<String> =
            sqlx::query_scalar("SELECT emoji FROM reactions WHERE chat_id = $1 AND seq = $2 AND user_id = $3")
                .bind(chat.0)
                .bind(seq.0)
                .bind(user.0)
                .fetch_optional(&mut *self.tx)
                .await?
                .flatten();
        if old.as_deref() == emoji {
            return Ok(false);
        }
        // The counts go with the message in every page: they are bounded as its body is.
        let counts = &message.reactions;
        if counts.len() >= limit::REACTION_KINDS && emoji.is_some_and(|new| counts.iter().all(|it| it.emoji != new)) {
            let sentence = "a message carries at most 50 different reactions";
            return Err(StoreError::Refused(WireError::new(ErrorCode::TooLarge, sentence)));
        }
        let version = self.touch();
        sqlx::query(
            "INSERT INTO reactions (chat_id, seq, user_id, emoji, version) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (chat_id, seq, user_id) DO UPDATE SET emoji = excluded.emoji, version = excluded.version",
        )
        .bind(chat.0)
        .bind(seq.0)
        .bind(user.0)
        .bind(emoji)
        .bind(version.0)
        .execute(&mut *self.tx)
        .await?;
        let mut changed = message.clone();
        changed.version = version;
        changed.reactions = recount(changed.reactions, old.as_deref(), emoji);
        sqlx::query("UPDATE messages SET reactions = $3, version = $4 WHERE chat_id = $1 AND seq = $2")
            .bind(chat.0)
            .bind(seq.0)
            .bind((!changed.reactions.is_empty()).then_some(Json(&changed.reactions)))
            .bind(version.0)
            .execute(&mut *self.tx)
            .await?;
        self.delta.messages.push(changed);
        self.delta.reacted.push(Reacted { seq, user_id: user, emoji: emoji.map(str::to_owned) });
        Ok(true)
    }

    /// Keeps a user from coming into a channel, or going out of it, until the commit: see [`Store::begin_reader`].
    pub async fn hold(&mut self, user: UserId) -> Result<()> {
        sqlx::query("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE").bind(user.0).execute(&mut *self.tx).await?;
        Ok(())
    }

    /// The role of some user here; absent when not a member.
    pub async fn role_of(&mut self, user: UserId) -> Result<Option<Role>> {
        let role: Option<Option<i16>> =
            sqlx::query_scalar("SELECT role FROM members WHERE chat_id = $1 AND user_id = $2")
                .bind(self.delta.chat_id.0)
                .bind(user.0)
                .fetch_optional(&mut *self.tx)
                .await?;
        Ok(row::role(role.flatten()))
    }

    /// How many members there are. Counts no further than one beyond the most that a group may have.
    pub async fn member_count(&mut self) -> Result<usize> {
        let most = i64::try_from(limit::GROUP_MEMBERS + 1).unwrap_or(i64::MAX);
        self.count_up_to(most).await
    }

    /// Whether the asking user is the only member, and stays so until the commit.
    pub async fn is_alone(&mut self) -> Result<bool> {
        if self.kind == ChatKind::Channel {
            // Readers come in without the chat's lock; not while this one is held.
            sqlx::query("SELECT id FROM chats WHERE id = $1 FOR UPDATE")
                .bind(self.delta.chat_id.0)
                .execute(&mut *self.tx)
                .await?;
        }
        Ok(self.count_up_to(2).await? < 2)
    }

    async fn count_up_to(&mut self, most: i64) -> Result<usize> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT 1 FROM members WHERE chat_id = $1 AND role IS NOT NULL LIMIT $2) AS m",
        )
        .bind(self.delta.chat_id.0)
        .bind(most)
        .fetch_one(&mut *self.tx)
        .await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Those of some users who exist and are not members yet, by id, and of them those who have left by themselves.
    ///
    /// # Errors
    /// [`ErrorCode::UserNotFound`] when one does not exist.
    pub async fn newcomers(&mut self, users: &[UserId]) -> Result<Newcomers> {
        let mut ids: Vec<i64> = users.iter().map(|user| user.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let rows = sqlx::query(
            "SELECT u.id, m.role, coalesce(m.left_by_self, false) AS has_left FROM users u
             LEFT JOIN LATERAL (
                 SELECT m.role, m.left_by_self FROM members m WHERE m.chat_id = $1 AND m.user_id = u.id LIMIT 1
             ) m ON true
             WHERE u.id = ANY ($2) ORDER BY u.id",
        )
        .bind(self.delta.chat_id.0)
        .bind(&ids)
        .fetch_all(&mut *self.tx)
        .await?;
        if rows.len() < ids.len() {
            return Err(ErrorCode::UserNotFound.into());
        }
        let mut newcomers = Newcomers::default();
        for found in rows {
            if found.try_get::<Option<i16>, _>("role")?.is_none() {
                let user = UserId(found.try_get("id")?);
                newcomers.all.push(user);
                if found.try_get("has_left")? {
                    newcomers.left.push(user);
                }
            }
        }
        Ok(newcomers)
    }

    /// Pays for what is done here, in the same transaction.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`].
    pub async fn spend(&mut self, store: &Store, charge: Charge) -> Result<()> {
        store.is_spent(self.user, charge)?;
        let paid = budgets::spend(&mut self.tx, &[self.user], charge).await?;
        store.refusals.heed(&charge, paid)
    }

    /// Pays for putting people into the chat, in the same transaction.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`], [`ErrorCode::ReachedTooOften`].
    pub async fn pay(&mut self, store: &Store, toll: &Toll) -> Result<()> {
        toll.pay(store, &mut self.tx, self.user).await
    }

    /// Keeps somebody who is out from joining again.
    pub async fn ban(&mut self, user: UserId) -> Result<()> {
        sqlx::query("INSERT INTO bans (chat_id, user_id, by_user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(self.delta.chat_id.0)
            .bind(user.0)
            .bind(self.user.0)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Lets some users join again.
    pub async fn lift_bans(&mut self, users: &[UserId]) -> Result<()> {
        sqlx::query("DELETE FROM bans WHERE chat_id = $1 AND user_id = ANY ($2)")
            .bind(self.delta.chat_id.0)
            .bind(users.iter().map(|user| user.0).collect::<Vec<_>>())
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Whether the asking user was taken out and not let in again.
    pub async fn is_banned(&mut self) -> Result<bool> {
        let banned = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM bans WHERE chat_id = $1 AND user_id = $2)")
            .bind(self.delta.chat_id.0)
            .bind(self.user.0)
            .fetch_one(&mut *self.tx)
            .await?;
        Ok(banned)
    }

    /// Whether some user has ever been in the chat.
    pub async fn was_member(&mut self, user: UserId) -> Result<bool> {
        let was = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM members WHERE chat_id = $1 AND user_id = $2)")
            .bind(self.delta.chat_id.0)
            .bind(user.0)
            .fetch_one(&mut *self.tx)
            .await?;
        Ok(was)
    }

    /// Gives users roles, or takes them out, each named once. In a channel ordinary readers who come or go are no
    /// change of the chat: nobody else hears of them.
    pub async fn set_roles(&mut self, roles: &[(UserId, Option<Role>)]) -> Result<()> {
        let ids: Vec<i64> = roles.iter().map(|(user, _)| user.0).collect();
        let numbers: Vec<Option<i16>> = roles.iter().map(|(_, role)| role.map(role_number)).collect();
        let chat = self.delta.chat_id.0;
        let quiet = self.kind == ChatKind::Channel && numbers.iter().all(|number| number.unwrap_or(0) == 0) && {
            let heard: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM members WHERE chat_id = $1 AND user_id = ANY ($2) AND role > 0)",
            )
            .bind(chat)
            .bind(&ids)
            .fetch_one(&mut *self.tx)
            .await?;
            !heard
        };
        let version = if quiet { Version(0) } else { self.touch() };
        sqlx::query("SELECT id FROM users WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE")
            .bind(&ids)
            .execute(&mut *self.tx)
            .await?;
        self.still_in(&numbers, &ids).await?;
        let members = sqlx::query(
            "INSERT INTO members (chat_id, user_id, role, read_seq, version, left_by_self)
             SELECT $1, i.id, i.role, $4, $5, i.role IS NULL AND i.id = $6
             FROM unnest($2::bigint[], $3::smallint[]) AS i (id, role)
             ON CONFLICT (chat_id, user_id) DO UPDATE SET role = excluded.role,
                 version = greatest(members.version, excluded.version), left_by_self = excluded.left_by_self,
                 read_seq = CASE WHEN members.role IS NULL THEN excluded.read_seq ELSE members.read_seq END
             RETURNING user_id, role, read_seq",
        )
        .bind(chat)
        .bind(&ids)
        .bind(&numbers)
        .bind(self.last_seq.0)
        .bind(version.0)
        .bind(self.user.0)
        .fetch_all(&mut *self.tx)
        .await?;
        if !quiet {
            for found in &members {
                self.delta.members.push(row::member(found, self.kind)?);
            }
        }
        let rows = sqlx::query(
            "WITH bumped AS (UPDATE users SET version = version + 1 WHERE id = ANY ($2) RETURNING id, version)
             INSERT INTO user_chats (user_id, chat_id, role, read_seq, version)
             SELECT b.id, $1, i.role, $4, b.version
             FROM unnest($2::bigint[], $3::smallint[]) AS i (id, role) JOIN bumped b ON b.id = i.id
             ON CONFLICT (user_id, chat_id) DO UPDATE SET role = excluded.role, version = excluded.version,
                 read_seq = CASE WHEN user_chats.role IS NULL THEN excluded.read_seq ELSE user_chats.read_seq END
             RETURNING user_id, chat_id, role, read_seq, version",
        )
        .bind(chat)
        .bind(&ids)
        .bind(&numbers)
        .bind(self.last_seq.0)
        .fetch_all(&mut *self.tx)
        .await?;
        for found in rows {
            let mine: MyChat = row::my_chat(&found)?;
            let from = Version(mine.version.0 - 1);
            let delta = UserDelta { from, version: mine.version, chats: vec![mine], missed_calls: None, more: false };
            self.users.push((UserId(found.try_get("user_id")?), delta));
        }
        Ok(())
    }

    /// Readers of a channel go without its lock: whoever is to get a role there may have gone since that was checked.
    async fn still_in(&mut self, numbers: &[Option<i16>], ids: &[i64]) -> Result<()> {
        if self.kind != ChatKind::Channel || self.delta.from == Version(0) {
            return Ok(());
        }
        let raised = numbers.iter().zip(ids).filter(|(number, _)| **number > Some(0)).map(|(_, id)| *id);
        let raised: Vec<i64> = raised.collect();
        if raised.is_empty() {
            return Ok(());
        }
        let there: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM members WHERE chat_id = $1 AND user_id = ANY ($2) AND role IS NOT NULL",
        )
        .bind(self.delta.chat_id.0)
        .bind(&raised)
        .fetch_one(&mut *self.tx)
        .await?;
        if usize::try_from(there).is_ok_and(|there| there == raised.len()) {
            Ok(())
        } else {
            Err(ErrorCode::UserNotFound.into())
        }
    }

    /// Tells in the chat what happened. In a channel nothing is told: joins and leaves are no posts.
    pub async fn tell(&mut self, action: ServiceAction) -> Result<()> {
        if self.kind == ChatKind::Channel {
            return Ok(());
        }
        let version = self.touch();
        self.last_seq = self.last_seq.next();
        let stored = sqlx::query(
            "INSERT INTO messages AS m (chat_id, seq, version, sender_id, client_id, client_hash, sent_at, body)
             VALUES ($1, $2, $3, $4, $5, 0,
                     greatest(clock_timestamp(), (SELECT changed_at FROM chats WHERE id = $1)), $6)
             RETURNING m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions",
        )
        .bind(self.delta.chat_id.0)
        .bind(self.last_seq.0)
        .bind(version.0)
        .bind(self.user.0)
        .bind(Uuid::new_v4())
        .bind(Json(Body::Service { action }))
        .fetch_one(&mut *self.tx)
        .await?;
        self.delta.messages.push(row::message(&stored)?);
        Ok(())
    }

    /// Commits, and says what others must hear.
    pub async fn commit(mut self) -> Result<(Version, Changes)> {
        let chat = self.delta.chat_id;
        let touched: Vec<UserId> = self.users.iter().map(|(user, _)| *user).collect();
        if self.delta.version == self.delta.from {
            self.tx.commit().await.map_err(|error| StoreError::of_commit(error, None, touched))?;
            return Ok((self.delta.version, Changes { users: self.users, chat: None }));
        }
        sqlx::query("UPDATE chats SET seq = $2, version = $3, changed_at = greatest(clock_timestamp(), changed_at) WHERE id = $1")
            .bind(self.delta.chat_id.0)
            .bind(self.last_seq.0)
            .bind(self.delta.version.0)
            .execute(&mut *self.tx)
            .await?;
        self.tx.commit().await.map_err(|error| StoreError::of_commit(error, Some(chat), touched))?;
        Ok((self.delta.version, Changes { users: self.users, chat: Some(ChatChange::of(self.kind, self.delta)) }))
    }
}

/// The counts after one user's reaction went from `old` to `new`, the most frequent first, equal ones by emoji.
fn recount(mut counts: Vec<ReactionCount>, old: Option<&str>, new: Option<&str>) -> Vec<ReactionCount> {
    if let Some(old) = old
        && let Some(count) = counts.iter_mut().find(|it| it.emoji == old)
    {
        count.count = count.count.saturating_sub(1);
    }
    if let Some(new) = new {
        match counts.iter_mut().find(|it| it.emoji == new) {
            Some(count) => count.count += 1,
            None => counts.push(ReactionCount { emoji: new.to_owned(), count: 1 }),
        }
    }
    counts.retain(|it| it.count > 0);
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.emoji.cmp(&b.emoji)));
    counts
}

#[cfg(test)]
mod tests {
    use super::recount;
    use chapar_protocol::ReactionCount;

    #[test]
    fn counts_follow_a_change_of_mind() {
        let counts = |list: &[(&str, u32)]| -> Vec<_> {
            list.iter().map(|&(emoji, count)| ReactionCount { emoji: emoji.to_owned(), count }).collect()
        };
        assert_eq!(recount(counts(&[]), None, Some("👍")), counts(&[("👍", 1)]));
        assert_eq!(recount(counts(&[("👍", 2), ("🌹", 2)]), Some("👍"), Some("🌹")), counts(&[("🌹", 3), ("👍", 1)]));
        assert_eq!(recount(counts(&[("👍", 1)]), Some("👍"), None), counts(&[]));
    }
}
