//! Connections to Postgres, and for how long each may be waited for.
//!
//! A pool of our own, because what a hung connection does to others is decided here: every wait has an end, and a
//! connection whose answer did not come is closed, never handed on. sqlx's own pool pings a connection without limit before
//! it takes it back, so one frozen backend would keep its place for ever.

use std::{
    ops::{Deref, DerefMut},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, future::BoxFuture, stream, stream::BoxStream};
use parking_lot::Mutex;
use sqlx::{
    ConnectOptions, Connection, Describe, Either, Execute, Executor, PgConnection, Postgres, SqlStr,
    postgres::{PgConnectOptions, PgDatabaseError, PgQueryResult, PgRow, PgSeverity, PgStatement, PgTypeInfo},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

/// How long it may take to connect, and to clean a connection whose statement was given up.
const CONNECT: Duration = Duration::from_secs(2);
/// A connection that rested for so long is asked whether it still lives before it is used.
const CHECK_AFTER: Duration = Duration::from_secs(1);
/// How long the answer to that may take.
const CHECK: Duration = Duration::from_secs(1);
/// After so long unused a connection is closed.
const MAX_REST: Duration = Duration::from_mins(10);
/// No connection lives longer, so that what its backend remembers does not grow without end.
const MAX_AGE: Duration = Duration::from_mins(30);

/// What a pool allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Connections at the same time.
    pub(super) connections: u32,
    /// How long to wait for one of them.
    pub(super) place: Duration,
    /// How long a statement may take; Postgres gives it up by itself after the same time.
    pub(super) statement: Duration,
    /// How long Postgres may wait for a lock that somebody else holds.
    pub(super) lock: Duration,
    /// Whether a connection that rested is checked before use. Not where whoever uses it tries again anyway.
    pub(super) check: bool,
}

/// For how long a statement keeps its turn at the processors: most need less. One that waits, for a lock or for a database that
/// hangs, keeps nobody else.
const TURN: Duration = Duration::from_millis(20);

/// How many statements are carried out at once, over several pools. More than there are processors are not done sooner, and
/// take them from what goes before, which is the messages.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<Semaphore>);

impl Pace {
    pub(super) fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.0.clone().acquire_owned().await.ok()
    }
}

/// Carries something out, with a turn for its first moments.
async fn paced<F: Future>(turn: Option<OwnedSemaphorePermit>, work: F) -> F::Output {
    let Some(turn) = turn else { return work.await };
    let mut work = pin!(work);
    if let Ok(done) = timeout(TURN, work.as_mut()).await {
        return done;
    }
    drop(turn);
    work.await
}

/// Connections for one kind of work.
#[derive(Clone, Debug)]
pub(super) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: PgConnectOptions,
    bounds: Bounds,
    setup: String,
    places: Arc<Semaphore>,
    /// Absent where nothing goes before.
    pace: Option<Pace>,
    resting: Mutex<Vec<Resting>>,
}

#[derive(Debug)]
struct Resting {
    connection: PgConnection,
    born: Instant,
    since: Instant,
}

/// What is known of the state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It waits for a statement.
    Ready,
    /// A statement is under way. Dropped now, somebody gave up waiting for the answer.
    Asked,
    /// The answer did not come, or the connection ended: nobody knows what became of the statement.
    Unknown,
}

/// A connection while it is used. Every statement ends in time: with an answer, or with an error and a closed connection.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<Inner>,
    // Taken out on drop only.
    connection: Option<PgConnection>,
    place: Option<OwnedSemaphorePermit>,
    born: Instant,
    state: State,
    in_transaction: bool,
    /// What is asked next ends the transaction.
    ends: bool,
    deadline: Option<Instant>,
}

/// A transaction. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub(super) struct Tx(Lease);

impl Pool {
    /// `more` are further settings of each session, as SQL.
    pub(super) fn new(options: PgConnectOptions, bounds: Bounds, more: &str, pace: Option<Pace>) -> Self {
        let (statement, lock) = (bounds.statement.as_millis(), bounds.lock.as_millis());
        // Postgres lets go of a node that has vanished as well: otherwise it would hold the node's locks for hours.
        let setup = format!(
            "SET statement_timeout = {statement}; SET lock_timeout = {lock};
             SET idle_in_transaction_session_timeout = {statement};
             SET tcp_user_timeout = 10000; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;
             SET tcp_keepalives_count = 2; SET jit = off; {more}"
        );
        let places = Arc::new(Semaphore::new(usize::try_from(bounds.connections).unwrap_or(1)));
        Self(Arc::new(Inner { options, bounds, setup, places, pace, resting: Mutex::default() }))
    }

    /// How many connections there may be.
    pub(super) fn size(&self) -> u32 {
        self.0.bounds.connections
    }

    /// A connection.
    ///
    /// # Errors
    /// [`sqlx::Error::PoolTimedOut`] when all are in use for too long: then nothing was asked of the database.
    pub(super) async fn lease(&self) -> sqlx::Result<Lease> {
        self.lease_until(None).await
    }

    /// A connection of which everything must be done by then.
    pub(super) async fn lease_until(&self, deadline: Option<Instant>) -> sqlx::Result<Lease> {
        let pool = &self.0;
        let mut patience = Instant::now() + pool.bounds.place;
        if let Some(deadline) = deadline {
            patience = patience.min(deadline);
        }
        let place = timeout_at(patience, pool.places.clone().acquire_owned()).await;
        let place = place.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let (connection, born) = match pool.rested().await {
            Some(rested) => rested,
            None => (pool.connect(deadline).await?, Instant::now()),
        };
        Ok(Lease {
            pool: pool.clone(),
            connection: Some(connection),
            place: Some(place),
            born,
            state: State::Ready,
            in_transaction: false,
            ends: false,
            deadline,
        })
    }

    /// A transaction that `statement` begins.
    pub(super) async fn begin(&self, statement: &'static str, deadline: Option<Instant>) -> sqlx::Result<Tx> {
        let mut lease = self.lease_until(deadline).await?;
        lease.in_transaction = true;
        lease.execute(statement).await?;
        Ok(Tx(lease))
    }

    /// Waits a moment for what is under way, and closes.
    pub(super) async fn close(&self) {
        let _ = timeout(CONNECT, self.0.places.acquire_many(self.0.bounds.connections)).await;
        self.0.places.close();
        let resting = std::mem::take(&mut *self.0.resting.lock());
        for it in resting {
            let _ = timeout(CHECK, it.connection.close()).await;
        }
    }
}

impl Inner {
    async fn rested(&self) -> Option<(PgConnection, Instant)> {
        loop {
            let Resting { mut connection, born, since } = self.resting.lock().pop()?;
            if !self.bounds.check || since.elapsed() < CHECK_AFTER {
                return Some((connection, born));
            }
            match timeout(CHECK, connection.ping()).await {
                Ok(Ok(())) => return Some((connection, born)),
                Ok(Err(_)) => {}
                Err(_) => self.suspect_all(),
            }
        }
    }

    async fn connect(&self, deadline: Option<Instant>) -> sqlx::Result<PgConnection> {
        let mut until = Instant::now() + CONNECT;
        if let Some(deadline) = deadline {
            until = until.min(deadline);
        }
        let connecting = async {
            let mut connection = self.options.connect().await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(self.setup.as_str())).execute(&mut connection).await?;
            Ok(connection)
        };
        timeout_at(until, connecting).await.unwrap_or_else(|_| Err(no_answer()))
    }

    fn put_back(&self, connection: PgConnection, born: Instant) {
        if self.places.is_closed() || born.elapsed() > MAX_AGE {
            return;
        }
        let mut resting = self.resting.lock();
        // The last one in is the first one out, so those that nobody needs are in front.
        let stale = resting.iter().take_while(|it| it.since.elapsed() > MAX_REST).count();
        resting.drain(..stale);
        resting.push(Resting { connection, born, since: Instant::now() });
    }

    /// One connection hangs: those that rest have most likely lost the same server. New ones are cheap.
    fn suspect_all(&self) {
        let suspects = std::mem::take(&mut *self.resting.lock());
        drop(suspects);
    }
}

fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"))
}

/// Whether the connection is over after an error.
fn is_fatal(error: &sqlx::Error) -> bool {
    match error {
        // A server that takes no changes (25006), or writes no log to ask about (55000), is most likely a standby that was the
        // primary: a new connection finds the one that is.
        sqlx::Error::Database(error) => error.try_downcast_ref::<PgDatabaseError>().is_none_or(|error| {
            matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
                || ["25006", "55000"].contains(&error.code())
        }),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

impl Lease {
    /// Closes it, and those that rest.
    pub(super) fn distrust(mut self) {
        self.state = State::Unknown;
    }

    fn until(&self) -> Instant {
        let own = Instant::now() + self.pool.bounds.statement;
        self.deadline.map_or(own, |deadline| deadline.min(own))
    }

    /// A turn at the processors, for all but the end of a transaction: that waits for the disk.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        match &self.pool.pace {
            Some(pace) if !self.ends => pace.turn().await,
            _ => None,
        }
    }

    fn ask(&mut self) -> sqlx::Result<&mut PgConnection> {
        if self.state != State::Ready {
            return Err(no_answer());
        }
        self.state = State::Asked;
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    fn heard<T>(&mut self, answer: Result<sqlx::Result<T>, tokio::time::error::Elapsed>) -> sqlx::Result<T> {
        let answer = answer.unwrap_or_else(|_| Err(no_answer()));
        self.state = match &answer {
            Err(error) if is_fatal(error) => State::Unknown,
            _ => State::Ready,
        };
        answer
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (Some(mut connection), place) = (self.connection.take(), self.place.take()) else { return };
        let (pool, born) = (self.pool.clone(), self.born);
        match self.state {
            State::Ready if !self.in_transaction => pool.put_back(connection, born),
            State::Unknown => pool.suspect_all(),
            // Given up by whoever asked, or not committed: used again only when Postgres says that it is clean.
            State::Ready | State::Asked => {
                let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
                let rollback = self.in_transaction;
                runtime.spawn(async move {
                    let clean = async {
                        if rollback { connection.execute("ROLLBACK").await.map(drop) } else { connection.ping().await }
                    };
                    if let Ok(Ok(())) = timeout(CONNECT, clean).await {
                        pool.put_back(connection, born);
                    }
                    drop(place);
                });
            }
        }
    }
}

impl Tx {
    /// Makes it last.
    ///
    /// # Errors
    /// An error without a word of Postgres leaves the outcome unknown.
    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        self.0.ends = true;
        self.0.execute("COMMIT").await?;
        self.0.in_transaction = false;
        Ok(())
    }

    /// Undoes everything.
    pub(super) async fn rollback(mut self) -> sqlx::Result<()> {
        self.0.ends = true;
        self.0.execute("ROLLBACK").await?;
        self.0.in_transaction = false;
        Ok(())
    }
}

impl Deref for Tx {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Lease {
        &mut self.0
    }
}

type Answers<'e> = BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>;

impl<'c> Executor<'c> for &'c mut Lease {
    type Database = Postgres;

    /// All answers are taken in before the first is handed out: our pages are bounded, and the time-out is for the whole.
    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Answers<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let all = async move {
            let (turn, until) = (self.turn().await, self.until());
            let answer = paced(turn, timeout_at(until, self.ask()?.fetch_many(query).try_collect::<Vec<_>>())).await;
            self.heard(answer)
        };
        all.map_ok(|all| stream::iter(all.into_iter().map(Ok))).try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move {
            let (turn, until) = (self.turn().await, self.until());
            let answer = paced(turn, timeout_at(until, self.ask()?.fetch_optional(query))).await;
            self.heard(answer)
        }
        .boxed()
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        async move {
            let (turn, until) = (self.turn().await, self.until());
            let answer = paced(turn, timeout_at(until, self.ask()?.prepare_with(sql, parameters))).await;
            self.heard(answer)
        }
        .boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        async move {
            let (turn, until) = (self.turn().await, self.until());
            let answer = paced(turn, timeout_at(until, self.ask()?.describe(sql))).await;
            self.heard(answer)
        }
        .boxed()
    }
}

impl<'p> Executor<'p> for &'p Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Answers<'e>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let all = async move { self.lease().await?.fetch_many(query).try_collect::<Vec<_>>().await };
        all.map_ok(|all| stream::iter(all.into_iter().map(Ok))).try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move { self.lease().await?.fetch_optional(query).await }.boxed()
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'p: 'e,
    {
        async move { self.lease().await?.prepare_with(sql, parameters).await }.boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'p: 'e,
    {
        async move { self.lease().await?.describe(sql).await }.boxed()
    }
}
