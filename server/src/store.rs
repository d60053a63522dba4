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
pub mod create;
mod delta;
pub mod people;
mod pool;
pub mod row;
pub mod send;
mod snapshot;
pub mod sync;
mod turns;
pub mod unfinished_calls;

use std::{sync::Arc, time::Duration};

use chapar_protocol::{ChatDelta, ChatId, ChatKind, ErrorCode, Reacted, UserDelta, UserId, WireError};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};
use tokio::time::Instant;

use pool::{Bounds, Pace, Pool, Tx};
use turns::Turns;

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
                    || source
                        .as_database_error()
                        .and_then(sqlx::error::DatabaseError::code)
                        .is_some_and(|code| code.starts_with("40")) =>
            {
                Self::Unavailable(source)
            }
            Self::Unavailable(source) => Self::InDoubt { source, chat, users },
            other => other,
        }
    }
}

impl StoreError {
    /// Whether Postgres could not write: the disk is full (53100), or has failed (class 58), or it takes no changes (25006).
    pub fn could_not_write(&self) -> bool {
        let (Self::Unavailable(error) | Self::InDoubt { source: error, .. }) = self else { return false };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| ["53100", "25006"].contains(&&*code) || code.starts_with("58"))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            // Nothing was asked of the database yet.
            E::PoolTimedOut => busy("too much waits for the database: nothing was changed, try again"),
            E::Io(_) | E::Tls(_) | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) => Self::Unavailable(error),
            // 08 connection, 25006 read-only (a demoted primary), 25P03 the transaction paused for too long, 40 rollback, 53 out of resources, 57 shut down, 58 system.
            E::Database(db) => match db.code().as_deref().unwrap_or("") {
                // A lock was not to be had in time: the transaction is undone.
                "55P03" => busy("others change the same just now: nothing was changed, try again"),
                code if ["08", "40", "53", "57", "58"].contains(&code.get(..2).unwrap_or(""))
                    || ["25006", "25P03"].contains(&code) =>
                {
                    Self::Unavailable(error)
                }
                _ => Self::Fault(error),
            },
            _ => Self::Fault(error),
        }
    }
}

/// An error as a client sees it. Logged here, once: whoever turns it into an answer has handled it.
impl From<StoreError> for WireError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(error) => error,
            StoreError::Unavailable(error) | StoreError::InDoubt { source: error, .. } => {
                tracing::warn!(%error, "the database did not answer a request");
                let message = "the database did not answer: whether this took effect is unknown, try again";
                Self::new(ErrorCode::Unavailable, message).after_ms(1000)
            }
            StoreError::Fault(error) => {
                tracing::error!(%error, "a statement failed");
                Self::new(ErrorCode::Internal, "a fault of the server")
            }
        }
    }
}

impl From<WireError> for StoreError {
    fn from(error: WireError) -> Self {
        Self::Refused(error)
    }
}

/// Refused before anything was changed, for a moment.
pub(crate) fn busy(why: &str) -> StoreError {
    StoreError::Refused(WireError::new(ErrorCode::Overloaded, why).after_ms(rand::random_range(300..900)))
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
async fn claim_handle(tx: &mut Tx, handle: &str, user: Option<UserId>, chat: Option<ChatId>) -> Result<()> {
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
    pub chat: Option<ChatChange>,
}

/// What changed of a chat, as it is told to those who watch it.
#[derive(Debug)]
pub struct ChatChange {
    /// Told to everybody.
    pub delta: ChatDelta,
    /// Reactions that are nobody's business but of those whose they are.
    pub own: Vec<Reacted>,
}

impl ChatChange {
    /// Readers of a channel do not know each other: neither whose a reaction is.
    pub fn of(kind: ChatKind, mut delta: ChatDelta) -> Self {
        let own = if kind == ChatKind::Channel { std::mem::take(&mut delta.reacted) } else { Vec::new() };
        Self { delta, own }
    }
}

/// How the connections of a node are shared out, so that no kind of work takes those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// For batches of messages: one for each worker, and [`Shares::LANES`].
    pub commit: u32,
    /// For `hello`.
    pub hello: u32,
    /// For all other requests.
    pub commands: u32,
    /// For what the node does by itself: healing, records of calls, the epoch.
    pub upkeep: u32,
    /// For `/readyz`, which must not wait behind what it is asked about.
    pub probe: u32,
}

impl Shares {
    /// Connections for messages to chats that somebody else has locked.
    pub const LANES: u32 = 2;
    const UPKEEP: u32 = 2;
    const PROBE: u32 = 1;
    /// The least for `hello` and commands together.
    const REST: u32 = 2;

    /// The least of connections with so many workers.
    pub fn least(workers: u32) -> u32 {
        workers + Self::LANES + Self::UPKEEP + Self::PROBE + Self::REST
    }

    /// Shares out `total` connections. With fewer than [`Self::least`] there are more than `total`.
    pub fn of(total: u32, workers: u32) -> Self {
        let (commit, upkeep) = (workers.max(1) + Self::LANES, Self::UPKEEP);
        let rest = total.saturating_sub(commit + upkeep + Self::PROBE).max(Self::REST);
        let hello = (rest * 2 / 5).max(1);
        Self { commit, hello, commands: rest - hello, upkeep, probe: Self::PROBE }
    }
}

impl From<u32> for Shares {
    fn from(total: u32) -> Self {
        Self::of(total, 1)
    }
}

/// The database. Clones share their connections.
#[derive(Clone)]
pub struct Store {
    /// What requests use; [`Self::hello`] and [`Self::upkeep`] put another in its place.
    pool: Pool,
    pools: Arc<Pools>,
    refusals: Arc<budgets::Refusals>,
}

struct Pools {
    options: PgConnectOptions,
    commit: Pool,
    hello: Pool,
    commands: Pool,
    upkeep: Pool,
    probe: Pool,
    turns: Turns,
}

/// How long a request waits for a connection before it is told to come back.
const PLACE: Duration = Duration::from_secs(2);
/// How long a statement of a request may take.
const STATEMENT: Duration = Duration::from_secs(4);
/// How long a request waits for what somebody else has locked.
const LOCK: Duration = Duration::from_secs(2);
/// How long a batch of messages may take. Its worker does nothing else meanwhile.
pub const BATCH: Duration = Duration::from_secs(2);
/// How long a statement of the upkeep may take: it sums up much, and nobody waits for it.
const UPKEEP: Duration = Duration::from_secs(30);

impl Store {
    /// Connects, trying for up to `patience` while the database does not answer.
    ///
    /// # Errors
    /// What the last try met. What waiting cannot help, such as a wrong password, at once.
    pub async fn connect(options: PgConnectOptions, shares: impl Into<Shares>, patience: Duration) -> Result<Self> {
        let options = options.statement_cache_capacity(256);
        let deadline = Instant::now() + patience;
        while let Err(error) = reach(&options).await {
            if Instant::now() >= deadline || !may_pass(&error) {
                return Err(error.into());
            }
            tracing::warn!(%error, "the database does not answer yet");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let shares = shares.into();
        let pool = |connections, statement, lock, check, more, pace| {
            Pool::new(options.clone(), Bounds { connections, place: PLACE, statement, lock, check }, more, pace)
        };
        let pace = Some(Pace::new(std::thread::available_parallelism().map_or(1, usize::from).max(2)));
        let pools = Pools {
            commit: pool(shares.commit, BATCH, BATCH / 2, false, send::SESSION, None),
            hello: pool(shares.hello, STATEMENT, LOCK, true, "", pace.clone()),
            commands: pool(shares.commands, STATEMENT, LOCK, true, "", pace),
            upkeep: pool(shares.upkeep, UPKEEP, STATEMENT, true, "", None),
            probe: pool(shares.probe, BATCH, BATCH, true, "", None),
            // At most half of the connections, for one channel.
            turns: Turns::new(shares.commands / 2),
            options,
        };
        tracing::info!(?shares, "connections to the database");
        Ok(Self { pool: pools.commands.clone(), pools: Arc::new(pools), refusals: Arc::default() })
    }

    /// The same, over the connections that are kept for `hello`.
    #[must_use]
    pub fn hello(&self) -> Self {
        Self { pool: self.pools.hello.clone(), ..self.clone() }
    }

    /// The same, over the connections that are kept for what the node does by itself.
    #[must_use]
    pub fn upkeep(&self) -> Self {
        Self { pool: self.pools.upkeep.clone(), ..self.clone() }
    }

    /// How many may say `hello` at the same time.
    pub fn hellos(&self) -> u32 {
        self.pools.hello.size()
    }

    /// Applies the migrations that are missing. Several nodes may do so at once: they take turns. Without time-outs: an
    /// index over much takes its time.
    pub async fn migrate(&self) -> std::result::Result<(), sqlx::migrate::MigrateError> {
        let mut connection = self.pools.options.connect().await?;
        sqlx::migrate!("../migrations").run(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Whether the database takes changes, if it answers: a standby does not, nor does one that was made read-only.
    pub async fn takes_changes(&self) -> Result<bool> {
        let mut lease = self.pools.probe.lease().await?;
        let read_only: bool =
            sqlx::query_scalar("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean")
                .fetch_one(&mut lease)
                .await?;
        if read_only {
            lease.distrust();
        }
        Ok(!read_only)
    }

    /// Whether the database has room for what is new: it makes a file grow, and takes that back.
    pub async fn has_room(&self) -> Result<()> {
        let mut tx = self.pools.probe.begin("BEGIN", None).await?;
        sqlx::raw_sql(
            "CREATE TEMPORARY TABLE room ON COMMIT DROP AS
             SELECT string_agg(md5(n::text), '') AS filler FROM generate_series(1, 20000) AS n GROUP BY n / 40",
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.rollback().await?)
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
    async fn begin(&self) -> Result<Tx> {
        self.begin_with("BEGIN").await
    }

    /// A transaction whose statements all see one moment.
    async fn snapshot(&self) -> Result<Tx> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    async fn begin_with(&self, statement: &'static str) -> Result<Tx> {
        Ok(self.pool.begin(statement, None).await?)
    }

    /// Closes all connections, after the statements under way.
    pub async fn close(&self) {
        let Pools { commit, hello, commands, upkeep, probe, .. } = &*self.pools;
        futures_util::future::join_all([commit, hello, commands, upkeep, probe].map(Pool::close)).await;
    }
}

async fn reach(options: &PgConnectOptions) -> std::result::Result<(), sqlx::Error> {
    let connection = tokio::time::timeout(Duration::from_secs(5), options.connect());
    let late = || sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"));
    connection.await.map_err(|_| late())??.close().await
}

/// Whether the same attempt may succeed later: not with a wrong name or password (class 28 of SQLSTATE), nor without
/// the database (3D000).
fn may_pass(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    !code.is_some_and(|code| code.starts_with("28") || code == "3D000")
}

const EPOCH: &str = "SELECT epoch::text || '.' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM meta";
