//! Everything that is kept, in Postgres. The only place with SQL.
//!
//! Invariant: locks are taken in the order chat, users (by id), other rows. Invariant: versions and seqs are dense
//! and move only under the chat's (or the user's) row lock, in the transaction that writes the change.

pub mod accounts;
pub mod admin;
pub mod budgets;
pub mod call_quality;
pub mod call_report;
pub mod calls;
pub mod chat_tx;
pub mod chats;
mod delta;
pub mod people;
pub mod row;
pub mod send;
mod snapshot;
pub mod sync;

use std::{sync::Arc, time::Duration};

use chapar_protocol::{ChatDelta, ChatId, ErrorCode, UserDelta, UserId, WireError};
use sqlx::{
    ConnectOptions, Connection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Why the store did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A rule says no; the caller is told.
    #[error("{0}")]
    Refused(WireError),
    /// The database is away or busy.
    #[error("the database did not answer: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// The answer to a commit was lost. If it took effect, nobody was told.
    #[error("the database did not answer to a commit: {source}")]
    InDoubt {
        /// Why.
        source: sqlx::Error,
        /// The chat that may have changed.
        chat: Option<ChatId>,
        /// The people whose own things may have changed.
        users: Vec<UserId>,
    },
    /// A fault of ours.
    #[error("the database refused a statement: {0}")]
    Fault(#[source] sqlx::Error),
}

impl StoreError {
    /// The same for a write that commits, which may have been sent.
    fn of_commit(error: sqlx::Error, chat: Option<ChatId>, users: Vec<UserId>) -> Self {
        match Self::from(error) {
            // Nothing was begun, or it was rolled back (class 40).
            Self::Unavailable(source)
                if matches!(source, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)
                    || source.as_database_error().and_then(|it| it.code()).is_some_and(|it| it.starts_with("40")) =>
            {
                Self::Unavailable(source)
            }
            Self::Unavailable(source) => Self::InDoubt { source, chat, users },
            other => other,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) => {
                Self::Unavailable(error)
            }
            // 08 connection, 25006 read-only (a demoted primary), 40 rollback, 53 out of resources, 57 shut down, 58 system.
            E::Database(db) => match db.code().as_deref().unwrap_or("") {
                code if ["08", "40", "53", "57", "58"].contains(&code.get(..2).unwrap_or("")) || code == "25006" => {
                    Self::Unavailable(error)
                }
                _ => Self::Fault(error),
            },
            _ => Self::Fault(error),
        }
    }
}

impl From<ErrorCode> for StoreError {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(WireError::new(code, sentence(code)))
    }
}

/// The sentence for a refusal that needs no details.
fn sentence(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::ChatNotFound => "there is no such chat, or you are not in it",
        ErrorCode::UserNotFound => "there is no such user",
        ErrorCode::MessageNotFound => "there is no such message, or it was deleted",
        ErrorCode::Forbidden => "your role does not allow this",
        ErrorCode::ClientIdReused => "this client id was used before for something else",
        ErrorCode::HandleTaken => "somebody has this handle already",
        ErrorCode::ChatFull => "a group has at most 1000 members",
        ErrorCode::OwnerCannotLeave => "name another owner first",
        ErrorCode::CallNotFound => "there is no such call, or you are not in it",
        ErrorCode::CallForbidden => {
            "before you can call them, they must have written to you in a direct chat, or opened it themselves"
        }
        ErrorCode::InvalidToken => "the token is unknown or was revoked",
        ErrorCode::InvalidCredentials => "handle or password is wrong",
        _ => "refused",
    }
}

/// A result of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Takes a handle for a user or a chat: one name space for both.
///
/// # Errors
/// [`ErrorCode::HandleTaken`].
async fn claim_handle(
    tx: &mut Transaction<'static, Postgres>,
    handle: &str,
    user: Option<UserId>,
    chat: Option<ChatId>,
) -> Result<()> {
    let claimed =
        sqlx::query("INSERT INTO handles (handle, user_id, chat_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(handle)
            .bind(user.map(|user| user.0))
            .bind(chat.map(|chat| chat.0))
            .execute(&mut **tx)
            .await?;
    if claimed.rows_affected() == 1 { Ok(()) } else { Err(ErrorCode::HandleTaken.into()) }
}

/// What a command changed and others must hear of.
#[derive(Debug, Default)]
pub struct Changes {
    /// For each touched user, what changed of that user's own things. Told before the chat's delta.
    pub users: Vec<(UserId, UserDelta)>,
    /// What changed of the chat.
    pub chat: Option<ChatDelta>,
}

/// The database.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
    refusals: Arc<budgets::Refusals>,
}

impl Store {
    /// Connects, trying for up to `patience` while the database does not answer.
    ///
    /// # Errors
    /// What the last try met. What waiting cannot help, such as a wrong password, at once.
    pub async fn connect(options: PgConnectOptions, connections: u32, patience: Duration) -> Result<Self> {
        let options = options.statement_cache_capacity(256);
        let deadline = tokio::time::Instant::now() + patience;
        // Not by the pool, whose error after a while is that time is over, and not why.
        while let Err(error) = reach(&options).await {
            if tokio::time::Instant::now() >= deadline || !may_pass(&error) {
                return Err(error.into());
            }
            tracing::warn!(%error, "the database does not answer yet");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(options);
        Ok(Self { pool, refusals: Arc::default() })
    }

    /// Applies the migrations that are missing. Several nodes may do so at once: they take turns.
    pub async fn migrate(&self) -> std::result::Result<(), sqlx::migrate::MigrateError> {
        sqlx::migrate!("../migrations").run(&self.pool).await
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Names the history that versions belong to: a stored id and the timeline of Postgres, which a promotion changes.
    pub async fn epoch(&self) -> Result<String> {
        Ok(sqlx::query_scalar(EPOCH).fetch_one(&self.pool).await?)
    }

    /// Begins a new epoch: every client takes a fresh snapshot.
    pub async fn new_epoch(&self) -> Result<()> {
        sqlx::query("UPDATE meta SET epoch = gen_random_uuid()").execute(&self.pool).await?;
        Ok(())
    }

    /// A transaction.
    async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        self.begin_with("BEGIN").await
    }

    /// A transaction whose statements all see one moment.
    async fn snapshot(&self) -> Result<Transaction<'static, Postgres>> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// Begins in a task of its own, so that it ends also when nobody waits any more. Given up between its question and the
    /// answer, sqlx 0.9 would hand the connection on with an open transaction, in which others would store in vain.
    async fn begin_with(&self, statement: &'static str) -> Result<Transaction<'static, Postgres>> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(statement).await }).await;
        Ok(begun.map_err(|_| sqlx::Error::WorkerCrashed)??)
    }

    /// Closes all connections, after the statements under way.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

async fn reach(options: &PgConnectOptions) -> std::result::Result<(), sqlx::Error> {
    let connection = tokio::time::timeout(Duration::from_secs(5), options.connect());
    connection.await.map_err(|_| sqlx::Error::PoolTimedOut)??.close().await
}

/// Whether the same attempt may succeed later: not with a wrong name or password (class 28 of SQLSTATE), nor without
/// the database (3D000).
fn may_pass(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    !code.is_some_and(|code| code.starts_with("28") || code == "3D000")
}

const EPOCH: &str = "SELECT epoch::text || '.' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM meta";
