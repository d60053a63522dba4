//! Everything that is kept, in Postgres. The only place with SQL.
//!
//! Two sides, which may be two databases: what belongs to people and what belongs to chats. Each has a schema, connections and
//! migrations of its own; a statement that names a table of the other side finds none. What concerns both is written to the
//! chats' side first and applied to the people's afterwards, so that doing it twice does no harm ([`people::lists`]).
//!
//! Invariant: versions and seqs are dense and move only under the chat's (or the user's) row lock, in the transaction that
//! writes the change.
#![forbid(unsafe_code)]

pub mod admin;
pub mod chats;
pub mod people;
mod pool;
pub mod resume;
mod row;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chapar_domain::refusal::refusal;
use chapar_protocol::{ChatDelta, ChatKind, ChatRow, Epoch, ErrorCode, Reacted, Seq, UserId, WireError};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};
use tokio::time::Instant;

pub use self::{chats::Chats, people::People};
use pool::{Bounds, Pace, Pool, Tx};

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
        /// The people whose own things may have changed.
        users: Vec<UserId>,
    },
    /// A fault of ours.
    #[error("the database refused a statement: {0}")]
    Fault(#[source] sqlx::Error),
}

impl StoreError {
    /// The same for a write that commits, which may have been sent.
    fn of_commit(error: sqlx::Error, users: Vec<UserId>) -> Self {
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
            Self::Unavailable(source) => Self::InDoubt { source, users },
            other => other,
        }
    }
}

impl StoreError {
    /// Whether Postgres has undone it, and it may be tried again: a deadlock, or others came first (class 40).
    pub fn was_undone(&self) -> bool {
        let Self::Unavailable(error) = self else { return false };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| code.starts_with("40"))
    }

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
pub fn busy(why: &str) -> StoreError {
    StoreError::Refused(WireError::new(ErrorCode::Overloaded, why).after_ms(rand::random_range(300..900)))
}

impl From<ErrorCode> for StoreError {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(refusal(code))
    }
}

/// A result of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What changed of a chat, as it is told to those who watch it.
#[derive(Debug)]
pub struct ChatChange {
    /// Told to everybody.
    pub delta: ChatDelta,
    /// Reactions that are nobody's business but of those whose they are.
    pub own: BTreeMap<UserId, Vec<Reacted>>,
    /// Some of it is hidden from somebody: each hears where the chat stands, and asks.
    pub apart: bool,
}

impl ChatChange {
    /// Readers of a channel do not know each other: neither whose a reaction is.
    pub fn of(kind: ChatKind, hidden_upto: Seq, mut delta: ChatDelta) -> Self {
        let apart = delta.rows.iter().any(|row| chats::hidden::is_about(row).is_some_and(|seq| seq <= hidden_upto));
        let mut own: BTreeMap<UserId, Vec<Reacted>> = BTreeMap::new();
        if kind == ChatKind::Channel {
            for row in std::mem::take(&mut delta.rows) {
                match row {
                    ChatRow::Reaction(reacted) => own.entry(reacted.user_id).or_default().push(reacted),
                    row => delta.rows.push(row),
                }
            }
        }
        Self { delta, own, apart }
    }
}

/// How the connections of a node to both sides are shared out, so that no kind of work takes those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// To the chats' side: for changes of chats, one for each worker, and [`Shares::LANES`].
    pub commit: u32,
    /// For `hello`, to each side.
    pub hello: u32,
    /// For all other requests, to the chats' side.
    pub chats: u32,
    /// The same, to the people's side.
    pub people: u32,
    /// For what the node does by itself, to each side: healing, the feed, records of calls, the epoch.
    pub upkeep: u32,
    /// For `/readyz`, to each side, which must not wait behind what it is asked about.
    pub probe: u32,
}

impl Shares {
    /// Connections for changes of chats that somebody else has locked.
    pub const LANES: u32 = 2;
    const UPKEEP: u32 = 2;
    const PROBE: u32 = 1;
    /// The least for `hello` and requests together, over both sides.
    const REST: u32 = 4;

    /// The least of connections with so many workers.
    pub fn least(workers: u32) -> u32 {
        workers + Self::LANES + 2 * (Self::UPKEEP + Self::PROBE) + Self::REST
    }

    /// Shares out `total` connections. With fewer than [`Self::least`] there are more than `total`.
    pub fn of(total: u32, workers: u32) -> Self {
        let commit = workers.max(1) + Self::LANES;
        let rest = total.saturating_sub(commit + 2 * (Self::UPKEEP + Self::PROBE)).max(Self::REST);
        let hello = (rest / 4).max(1);
        let requests = rest - 2 * hello;
        let chats = (requests / 2).max(1);
        Self { commit, hello, chats, people: (requests - chats).max(1), upkeep: Self::UPKEEP, probe: Self::PROBE }
    }
}

impl From<u32> for Shares {
    fn from(total: u32) -> Self {
        Self::of(total, 1)
    }
}

/// Where the two sides are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The database of the chats.
    pub chats: PgConnectOptions,
    /// The database of the people; it may be the same.
    pub people: PgConnectOptions,
}

impl From<PgConnectOptions> for Places {
    fn from(both: PgConnectOptions) -> Self {
        Self { chats: both.clone(), people: both }
    }
}

/// Both sides. Clones share their connections.
#[derive(Clone)]
pub struct Store {
    /// What belongs to people.
    pub people: People,
    /// What belongs to chats.
    pub chats: Chats,
}

/// The connections to one side, by what they are for.
struct Pools {
    options: PgConnectOptions,
    schema: &'static str,
    hello: Pool,
    requests: Pool,
    upkeep: Pool,
    probe: Pool,
}

/// How long a request waits for a connection before it is told to come back.
const PLACE: Duration = Duration::from_secs(2);
/// How long a statement of a request may take.
const STATEMENT: Duration = Duration::from_secs(4);
/// How long a request waits for what somebody else has locked.
const LOCK: Duration = Duration::from_secs(2);
/// How long a batch of changes may take. Its worker does nothing else meanwhile.
pub const BATCH: Duration = Duration::from_secs(2);
/// How long a statement of the upkeep may take: it sums up much, and nobody waits for it.
const UPKEEP: Duration = Duration::from_secs(30);

/// One side, over the connections for one kind of work.
#[derive(Clone)]
pub struct Side {
    pool: Pool,
    pools: Arc<Pools>,
}

impl Side {
    fn new(options: PgConnectOptions, schema: &'static str, shares: Shares, requests: u32, pace: &Pace) -> Self {
        let options = options.statement_cache_capacity(256);
        let path = format!("SET search_path = {schema};");
        let pool = |connections, statement, lock, pace| {
            let bounds = Bounds { connections, place: PLACE, statement, lock, check: true };
            Pool::new(options.clone(), bounds, &path, pace)
        };
        let pools = Pools {
            schema,
            hello: pool(shares.hello, STATEMENT, LOCK, Some(pace.clone())),
            requests: pool(requests, STATEMENT, LOCK, Some(pace.clone())),
            upkeep: pool(shares.upkeep, UPKEEP, STATEMENT, None),
            probe: pool(shares.probe, BATCH, BATCH, None),
            options,
        };
        Self { pool: pools.requests.clone(), pools: Arc::new(pools) }
    }

    fn over(&self, pool: &Pool) -> Self {
        Self { pool: pool.clone(), pools: self.pools.clone() }
    }

    /// Applies the migrations that are missing. Several nodes may do so at once: they take turns. Without time-outs: an
    /// index over much takes its time.
    async fn migrate(
        &self,
        migrator: &sqlx::migrate::Migrator,
    ) -> std::result::Result<(), sqlx::migrate::MigrateError> {
        let mut connection = self.pools.options.connect().await?;
        let schema = self.pools.schema;
        let setup = format!("CREATE SCHEMA IF NOT EXISTS {schema}; SET search_path = {schema};");
        // Two nodes that start at once may both find none, and one of them then fails at the catalogue.
        let mut made = sqlx::raw_sql(sqlx::AssertSqlSafe(setup.as_str())).execute(&mut connection).await;
        if made.is_err() {
            made = sqlx::raw_sql(sqlx::AssertSqlSafe(setup.as_str())).execute(&mut connection).await;
        }
        made?;
        migrator.run(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Whether the database takes changes, if it answers: a standby does not, nor does one that was made read-only.
    async fn takes_changes(&self) -> Result<bool> {
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
    async fn has_room(&self) -> Result<()> {
        let mut tx = self.pools.probe.begin("BEGIN", None).await?;
        sqlx::raw_sql(
            "CREATE TEMPORARY TABLE room ON COMMIT DROP AS
             SELECT string_agg(md5(n::text), '') AS filler FROM generate_series(1, 20000) AS n GROUP BY n / 40",
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.rollback().await?)
    }

    /// Names the history that this side's versions and feed belong to.
    pub async fn epoch(&self) -> Result<String> {
        Ok(sqlx::query_scalar(EPOCH).fetch_one(&self.pool).await?)
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

    async fn close(&self) {
        let Pools { hello, requests, upkeep, probe, .. } = &*self.pools;
        futures_util::future::join_all([hello, requests, upkeep, probe].map(Pool::close)).await;
    }
}

impl Store {
    /// Connects, trying for up to `patience` while a database does not answer.
    ///
    /// # Errors
    /// What the last try met. What waiting cannot help, such as a wrong password, at once.
    pub async fn connect(places: impl Into<Places>, shares: impl Into<Shares>, patience: Duration) -> Result<Self> {
        let places = places.into();
        let deadline = Instant::now() + patience;
        for options in [&places.people, &places.chats] {
            while let Err(error) = reach(options).await {
                if Instant::now() >= deadline || !may_pass(&error) {
                    return Err(error.into());
                }
                tracing::warn!(%error, "the database does not answer yet");
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
        let shares = shares.into();
        tracing::info!(?shares, "connections to the database");
        let pace = Pace::new(std::thread::available_parallelism().map_or(1, usize::from).max(2));
        Ok(Self { people: People::new(places.people, shares, &pace), chats: Chats::new(places.chats, shares, &pace) })
    }

    /// The same, over the connections that are kept for `hello`.
    #[must_use]
    pub fn hello(&self) -> Self {
        self.over(|pools| &pools.hello)
    }

    /// The same, over the connections that are kept for what the node does by itself.
    #[must_use]
    pub fn upkeep(&self) -> Self {
        self.over(|pools| &pools.upkeep)
    }

    fn over(&self, choose: fn(&Pools) -> &Pool) -> Self {
        let (mut people, mut chats) = (self.people.clone(), self.chats.clone());
        people.side = people.side.over(choose(&people.side.pools));
        chats.side = chats.side.over(choose(&chats.side.pools));
        Self { people, chats }
    }

    /// How many may say `hello` at the same time.
    pub fn hellos(&self) -> u32 {
        self.chats.side.pools.hello.size()
    }

    /// Applies the migrations that are missing, on both sides.
    pub async fn migrate(&self) -> std::result::Result<(), sqlx::migrate::MigrateError> {
        self.people.side.migrate(&sqlx::migrate!("../../migrations/people")).await?;
        self.chats.side.migrate(&sqlx::migrate!("../../migrations/chats")).await
    }

    /// Whether both sides take changes, if they answer: a standby does not, nor does one that was made read-only.
    pub async fn takes_changes(&self) -> Result<bool> {
        let (people, chats) = tokio::join!(self.people.side.takes_changes(), self.chats.side.takes_changes());
        Ok(people? && chats?)
    }

    /// Whether both sides have room for what is new.
    pub async fn has_room(&self) -> Result<()> {
        let (people, chats) = tokio::join!(self.people.side.has_room(), self.chats.side.has_room());
        people.and(chats)
    }

    /// Names the histories that versions belong to: for each side a stored id and the timeline of Postgres, which a promotion
    /// changes.
    pub async fn epochs(&self) -> Result<Vec<Epoch>> {
        let (people, chats) = tokio::join!(self.people.side.epoch(), self.chats.side.epoch());
        Ok(vec![Epoch(Epoch::PEOPLE.to_owned(), people?), Epoch(Epoch::CHATS.to_owned(), chats?)])
    }

    /// Begins a new epoch on both sides: every client takes a fresh snapshot, and who follows the feed begins anew, since a restored
    /// database may count its transactions from the start again.
    pub async fn new_epoch(&self) -> Result<()> {
        sqlx::query("UPDATE meta SET epoch = gen_random_uuid()").execute(&self.people.pool).await?;
        // Turns go on above all that was ever given out, whatever was restored: by the clock, with room for those of a second.
        sqlx::query("UPDATE meta SET epoch = gen_random_uuid(), turns = extract(epoch FROM now())::bigint << 28")
            .execute(&self.chats.pool)
            .await?;
        self.chats.tell_feed_anew().await
    }

    /// Before a name is claimed: one that somebody else claimed long ago, without a word since, is theirs if they have made their
    /// chat with it after all.
    pub async fn settle_claim(&self, handle: &str) -> Result<()> {
        if let Some(chat) = self.people.stale_claim(handle).await?
            && self.chats.info(chat).await?.is_some_and(|it| it.handle.as_deref() == Some(handle))
        {
            self.people.confirm_handle(handle, chat).await?;
        }
        Ok(())
    }

    /// Gives names free that were claimed for chats that were never made, and confirms those whose chats are there, the oldest first.
    pub async fn expire_claims(&self, most: i64) -> Result<()> {
        for (handle, chat) in self.people.stale_claims(most).await? {
            if self.chats.info(chat).await?.is_some_and(|it| it.handle.as_deref() == Some(&handle)) {
                self.people.confirm_handle(&handle, chat).await?;
            } else {
                self.people.free_handle(&handle, chat).await?;
            }
        }
        Ok(())
    }

    /// For how long what a follower of the feed has yet to follow has waited; absent where it has followed all.
    pub async fn feed_behind(&self, follower: &str) -> Result<Option<Duration>> {
        let history = self.chats.epoch().await?;
        let at = self.people.feed_cursor(follower, &history).await?;
        self.chats.feed_waits(at).await
    }

    /// Whether both sides are in the same database.
    fn are_one_database(&self) -> bool {
        let place = |options: &PgConnectOptions| {
            (
                options.get_host().to_owned(),
                options.get_port(),
                options.get_socket().cloned(),
                options.get_database().map(str::to_owned),
            )
        };
        place(&self.people.side.pools.options) == place(&self.chats.side.pools.options)
    }

    /// Closes all connections, after the statements under way.
    pub async fn close(&self) {
        tokio::join!(self.people.side.close(), self.chats.close());
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
