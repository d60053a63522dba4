//! What one person may do in a day: token buckets in Postgres, so that spreading over nodes, devices or connections
//! gains nothing.

use std::time::Duration;

use chapar_protocol::{ErrorCode, UserId, WireError};

use super::{Result, Store, StoreError, pool::Lease};

/// A bucket holds what refills in this time.
const WINDOW: f64 = 86_400.0;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BudgetKind {
    /// People reached who have not answered yet: direct chats opened, people added to chats.
    Contacts,
    /// Handles looked up.
    Lookups,
}

impl BudgetKind {
    fn number(self) -> i16 {
        match self {
            Self::Contacts => 0,
            Self::Lookups => 1,
        }
    }

    fn refusal(self) -> &'static str {
        match self {
            Self::Contacts => "too many new people in a day",
            Self::Lookups => "too many handles looked up in a day",
        }
    }
}

/// Something that costs, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    /// Which budget pays.
    pub kind: BudgetKind,
    /// How many seconds of refilling it costs.
    seconds: f64,
}

impl Charge {
    /// So many quarters, of a budget of `per_day` wholes. Nothing when that is 0: the operator has switched it off.
    pub fn quarters(kind: BudgetKind, per_day: u32, quarters: u32) -> Self {
        let seconds = if per_day == 0 { 0.0 } else { f64::from(quarters) * WINDOW / (f64::from(per_day) * 4.0) };
        Self { kind, seconds }
    }

    /// Whether there is nothing to pay.
    pub fn is_free(&self) -> bool {
        self.seconds <= 0.0
    }

    /// How long until this can be paid from a bucket that is full in `full_in` seconds; absent when it can be now. What
    /// costs more than a bucket holds is let through when the bucket is full, and leaves a debt.
    pub fn wait(&self, full_in: f64) -> Option<Duration> {
        let wait = full_in.max(0.0) + self.seconds.min(WINDOW) - WINDOW;
        (wait > 0.0).then(|| Duration::from_secs_f64(wait))
    }

    /// The refusal, with the time to wait.
    pub fn refusal(&self, wait: Duration) -> WireError {
        // Rounded up, so that whoever waits exactly this long is let in.
        let wait = u32::try_from(wait.as_millis() + 1).unwrap_or(u32::MAX);
        WireError::new(ErrorCode::RateLimited, self.kind.refusal()).after_ms(wait)
    }
}

impl Store {
    /// Pays from somebody's budget.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`] with the time to wait; then nothing was paid.
    pub async fn spend(&self, user: UserId, charge: Charge) -> Result<()> {
        if charge.is_free() {
            return Ok(());
        }
        let refusal = self.refusals.wait(user, &charge);
        if let Some(wait) = refusal {
            return Err(charge.refusal(wait).into());
        }
        let mut connection = self.pool.lease().await?;
        let full_in = spend(&mut connection, user, charge).await?;
        self.refusals.heed(user, &charge, full_in)
    }

    /// Whether a charge is known to be refused, without asking the database.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`].
    pub fn is_spent(&self, user: UserId, charge: Charge) -> Result<()> {
        let wait = if charge.is_free() { None } else { self.refusals.wait(user, &charge) };
        wait.map_or(Ok(()), |wait| Err(charge.refusal(wait).into()))
    }
}

/// Pays, within the transaction of what is paid for. `Err` holds the seconds until the bucket is full, when they are too
/// many: then nothing was paid.
pub(super) async fn spend(connection: &mut Lease, user: UserId, charge: Charge) -> Result<Result<(), f64>> {
    if charge.is_free() {
        return Ok(Ok(()));
    }
    let paid = sqlx::query(
        "INSERT INTO budgets AS b (user_id, kind, full_at)
         VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
         ON CONFLICT (user_id, kind) DO UPDATE
             SET full_at = greatest(b.full_at, clock_timestamp()) + make_interval(secs => $3)
             WHERE greatest(b.full_at, clock_timestamp()) + make_interval(secs => least($3, $4))
                 <= clock_timestamp() + make_interval(secs => $4)",
    )
    .bind(user.0)
    .bind(charge.kind.number())
    .bind(charge.seconds)
    .bind(WINDOW)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if paid == 1 {
        return Ok(Ok(()));
    }
    let full_in: f64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM full_at - clock_timestamp())::float8 FROM budgets WHERE user_id = $1 AND kind = $2",
    )
    .bind(user.0)
    .bind(charge.kind.number())
    .fetch_one(connection)
    .await?;
    Ok(Err(full_in))
}

/// What this node knows of empty budgets, so that whoever goes on asking costs the database nothing. A bucket only gets
/// emptier than what was seen, so a refusal from here is one that Postgres would give too.
#[derive(Debug, Default)]
pub(super) struct Refusals(parking_lot::Mutex<std::collections::HashMap<(UserId, BudgetKind), tokio::time::Instant>>);

/// People of whom a node remembers that; beyond, the database says it again.
const MOST_REMEMBERED: usize = 10_000;

impl Refusals {
    fn wait(&self, user: UserId, charge: &Charge) -> Option<Duration> {
        let full_at = *self.0.lock().get(&(user, charge.kind))?;
        charge.wait(full_at.saturating_duration_since(tokio::time::Instant::now()).as_secs_f64())
    }

    /// Keeps what a payment has shown.
    pub(super) fn heed(&self, user: UserId, charge: &Charge, paid: Result<(), f64>) -> Result<()> {
        let Err(full_in) = paid else { return Ok(()) };
        let now = tokio::time::Instant::now();
        let mut known = self.0.lock();
        if known.len() >= MOST_REMEMBERED {
            known.retain(|_, full_at| *full_at > now);
            if known.len() >= MOST_REMEMBERED {
                known.clear();
            }
        }
        known.insert((user, charge.kind), now + Duration::from_secs_f64(full_in.max(0.0)));
        let wait = charge.wait(full_in).unwrap_or(Duration::from_millis(1));
        Err(StoreError::Refused(charge.refusal(wait)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_pays_for_everything_once_and_an_empty_one_says_when() {
        let charge = |quarters| Charge::quarters(BudgetKind::Contacts, 100, quarters);
        assert_eq!(charge(400).wait(0.0), None, "a day's worth");
        assert_eq!(charge(800).wait(0.0), None, "more than a day's worth, once");
        assert_eq!(charge(1).wait(WINDOW), Some(Duration::from_secs(216)), "a quarter comes back in 216 s");
        assert_eq!(charge(1).wait(WINDOW - 216.0), None);
        assert_eq!(charge(800).wait(2.0 * WINDOW), Some(Duration::from_hours(48)), "the debt is paid off first");
    }

    #[test]
    fn nothing_costs_where_the_operator_has_switched_it_off() {
        assert!(Charge::quarters(BudgetKind::Lookups, 0, 4000).is_free());
    }
}
