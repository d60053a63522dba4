//! Durable work that some node does at its time, and does again when it fails or its node dies.
//!
//! ```text
//! due ──taken, leased──▶ being done ──done──▶ gone, or due at its next time
//!  ▲                        │  └─fails─▶ due after a pause that grows, in the end a dead letter
//!  └──the lease runs out────┘
//! ```
//!
//! Two may do the same job when the first was given up too early, so doing a job twice does no harm. A try is cut off before its lease
//! runs out. To add a kind is a line here, and what it does.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    blocks,
    committer::Committer,
    lists::{COMPARE, Lists},
    metrics::Metrics,
    store::{
        Store,
        people::{
            items::{SHUT, Shutting},
            jobs::Job,
        },
    },
};

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Makes room in the feed for the days that come, and drops what is too old.
    TendFeed,
    /// Gives names free that were claimed for chats that were never made.
    ExpireClaims,
    /// Forgets what strangers have used of their shares of others, once it is full again.
    ForgetShares,
}

/// A kind of job that a crate above this one does.
pub struct External {
    /// Its name in the table.
    pub name: &'static str,
    /// How often it is done; absent: where a row asks for it.
    pub every: Option<Duration>,
    /// How long a try may take.
    pub patience: Duration,
    /// Does it, with what the row says it is about.
    pub attempt: Box<dyn Fn(Value) -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

/// What is needed to do what is due.
#[derive(Clone)]
pub struct Parts {
    /// What is done elsewhere.
    pub others: Arc<[External]>,
    /// What is kept.
    pub store: Store,
    /// The way of every change of a chat.
    pub committer: Arc<Committer>,
    /// Who brings people's lists into line.
    pub lists: Arc<Lists>,
    /// Metrics.
    pub metrics: Metrics,
}

/// Each kind by its name in the table, and how often it is done.
const RECURRING: [(Kind, &str, Duration); 3] = [
    (Kind::TendFeed, "tend_feed", Duration::from_hours(1)),
    (Kind::ExpireClaims, "expire_claims", Duration::from_mins(10)),
    (Kind::ForgetShares, "forget_shares", Duration::from_mins(10)),
];

/// How often it is looked for jobs that are due.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is seen to the recurring jobs, and the dead letters are counted.
const COUNT: Duration = Duration::from_secs(15);
/// Jobs that one node does at the same time.
const AT_ONCE: usize = 4;
/// How long a try may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// For noting what became of a try.
const SLACK: Duration = Duration::from_secs(5);
/// For how long a node has a job to itself.
const LEASE: Duration = PATIENCE.saturating_add(SLACK);
/// Tries before a job is a dead letter.
const ATTEMPTS: i32 = 8;
/// Claims that are looked at in one try.
const CLAIMS: i64 = 100;
/// Shares that are forgotten in one try.
const SHARES: i64 = 20_000;

/// Does what is due. Does not end by itself.
pub async fn run(parts: Parts) {
    let Parts { store, metrics, others, .. } = &parts;
    let mut under_way = JoinSet::new();
    let mut looked = None::<Instant>;
    loop {
        if looked.is_none_or(|at| at.elapsed() >= COUNT) {
            match look_after(store, metrics, others).await {
                Ok(()) => looked = Some(Instant::now()),
                Err(error) => tracing::warn!(%error, "jobs cannot be looked after now"),
            }
        }
        while let Some(ended) = under_way.try_join_next() {
            if let Err(error) = ended {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        let room = i64::try_from(AT_ONCE - under_way.len()).unwrap_or(0);
        let mut full = room == 0;
        if room > 0 {
            match store.people.take_jobs(room, LEASE, ATTEMPTS).await {
                Ok(jobs) => {
                    full = jobs.len() == AT_ONCE;
                    for job in jobs {
                        under_way.spawn(carry_out(parts.clone(), job));
                    }
                }
                Err(error) => tracing::warn!(%error, "jobs cannot be taken now"),
            }
        }
        if !full {
            // Apart from the other nodes, which began at the same time.
            tokio::time::sleep(LOOK.mul_f64(rand::random_range(0.8..1.2))).await;
        } else if let Some(Err(error)) = under_way.join_next().await {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// Sees to it that the recurring jobs are there, and counts the dead letters.
async fn look_after(store: &Store, metrics: &Metrics, others: &[External]) -> crate::store::Result<()> {
    let own = RECURRING.into_iter().map(|(_, name, every)| (name, every));
    for (name, every) in own.chain(others.iter().filter_map(|it| Some((it.name, it.every?)))) {
        store.people.keep_job(name, every).await?;
    }
    metrics.jobs_dead.set(store.people.count_dead_jobs().await?);
    Ok(())
}

/// Tries a job, and notes what became of it. When that cannot be noted, another try follows when the lease has run out.
async fn carry_out(parts: Parts, job: Job) {
    let other = parts.others.iter().find(|it| it.name == job.kind);
    let patience = other.map_or(PATIENCE, |it| it.patience);
    let trying = async {
        let Some(other) = other else { return attempt(&parts, &job).await };
        match parts.store.people.extend_job(&job, patience + SLACK).await {
            Ok(true) => (other.attempt)(job.about.clone().unwrap_or_default()).await,
            // Somebody else does it.
            Ok(false) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    };
    let result = match timeout(patience, trying).await {
        Ok(result) => result,
        Err(_) => Err(format!("not done within {} s", patience.as_secs())),
    };
    let Parts { store, metrics, .. } = &parts;
    let (outcome, noted) = match result {
        Ok(()) => ("done", store.people.job_done(&job).await),
        Err(why) => {
            let pause = pause(job.attempts, rand::random_range(0.0..1.0));
            let outcome = if pause.is_some() { "failed" } else { "dead" };
            tracing::warn!(kind = job.kind, job = job.id, attempts = job.attempts, outcome, why, "a job was not done");
            (outcome, store.people.job_failed(&job, &why, pause).await)
        }
    };
    metrics.jobs.get_or_create(&[("outcome", outcome)]).inc();
    if let Err(error) = noted {
        tracing::warn!(%error, job = job.id, "what became of a job cannot be noted");
    }
}

async fn attempt(parts: &Parts, job: &Job) -> Result<(), String> {
    let Parts { store, committer, lists, .. } = parts;
    let done = match RECURRING.iter().find(|it| it.1 == job.kind).map(|it| it.0) {
        Some(Kind::TendFeed) => match store.chats.tend_feed().await {
            Ok(()) => store.chats.tend_admin_log().await,
            failed => failed,
        },
        Some(Kind::ExpireClaims) => store.expire_claims(CLAIMS).await,
        Some(Kind::ForgetShares) => store.people.forget_full_shares(SHARES).await,
        None if job.kind == SHUT => {
            let about = job.about.clone().unwrap_or_default();
            match serde_json::from_value(about).map_err(|error| error.to_string())? {
                Shutting { by, user: Some(user) } => blocks::shut(store, committer, by, user).await,
                Shutting { by, user: None } => blocks::shut_all(store, committer, by).await,
            }
        }
        None if job.kind == COMPARE => {
            let from =
                serde_json::from_value(job.about.clone().unwrap_or_default()).map_err(|error| error.to_string())?;
            let until = Instant::now() + PATIENCE / 2;
            match lists.compare(store, from, until).await {
                // The rest is a job of its own: what is done is done.
                Ok(Some(place)) => store.people.put_job(COMPARE, &json!(place)).await,
                done => done.map(drop),
            }
        }
        // Another node may be of a later version.
        None => return Err("this version of the server knows no such job".to_owned()),
    };
    done.map_err(|error| error.to_string())
}

/// How long to wait after so many tries: a second at first, twice as long each time, up to ten minutes; between a half and one and a half
/// of that, as the dice (0 to 1) say. `None`: it is enough.
fn pause(attempts: i32, dice: f64) -> Option<Duration> {
    let doubled = u32::try_from(attempts - 1).unwrap_or(0).min(10);
    let pause = Duration::from_secs(1 << doubled).min(Duration::from_mins(10));
    (attempts < ATTEMPTS).then(|| pause.mul_f64(0.5 + dice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> = (1..ATTEMPTS).filter_map(|attempts| pause(attempts, 0.5)).map(|it| it.as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(pause(1, 0.0), Some(Duration::from_millis(500)));
        assert_eq!(pause(1, 1.0), Some(Duration::from_millis(1500)));
        assert_eq!(pause(ATTEMPTS, 0.5), None);
    }
}
