//! What one person may do in a day: token buckets in Postgres, so that spreading over nodes, devices or connections
//! gains nothing.

use std::time::Duration;

use chapar_protocol::{ErrorCode, UserId, WireError};

use super::{
    People, Result, StoreError,
    pool::{Lease, Tx},
};

/// A bucket holds what refills in this time.
const WINDOW: f64 = 86_400.0;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BudgetKind {
    /// People reached who have not answered yet: direct chats opened, people added to chats.
    Contacts,
    /// Handles looked up.
    Lookups,
    /// Chats into which somebody was put by people whom they have not answered. Paid by who is put there, so that many
    /// strangers together reach one person no oftener than this.
    Reached,
    /// What one of those strangers may use of that.
    ReachedBy(UserId),
}

impl BudgetKind {
    /// In the table; a share has a table of its own.
    fn number(self) -> i16 {
        match self {
            Self::Contacts => 0,
            Self::Lookups => 1,
            Self::Reached | Self::ReachedBy(_) => 2,
        }
    }

    fn refusal(self, payer: UserId) -> WireError {
        match self {
            Self::Contacts => WireError::new(ErrorCode::RateLimited, "too many new people in a day"),
            Self::Lookups => WireError::new(ErrorCode::RateLimited, "too many handles looked up in a day"),
            Self::Reached | Self::ReachedBy(_) => {
                let message = format!("strangers have put user {} into too many chats in a day", payer.0);
                WireError::new(ErrorCode::ReachedTooOften, message)
            }
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
    /// Of how many seconds of refilling the bucket holds this may take; what is beyond is kept for others.
    room: f64,
}

impl Charge {
    /// So many quarters, of a budget of `per_day` wholes. Nothing when that is 0: the operator has switched it off.
    pub fn quarters(kind: BudgetKind, per_day: u32, quarters: u32) -> Self {
        let seconds = if per_day == 0 { 0.0 } else { f64::from(quarters) * WINDOW / (f64::from(per_day) * 4.0) };
        Self { kind, seconds, room: WINDOW }
    }

    /// The same, from this part of the bucket only.
    #[must_use]
    pub fn within(self, part: f64) -> Self {
        Self { room: WINDOW * part, ..self }
    }

    /// Whether there is nothing to pay.
    pub fn is_free(&self) -> bool {
        self.seconds <= 0.0
    }

    /// How long until this can be paid from a bucket that is full in `full_in` seconds; absent when it can be now. What
    /// costs more than a bucket holds is let through when the bucket is full, and leaves a debt.
    pub fn wait(&self, full_in: f64) -> Option<Duration> {
        let wait = full_in.max(0.0) + self.seconds.min(self.room) - self.room;
        (wait > 0.0).then(|| Duration::from_secs_f64(wait))
    }

    /// The refusal, with the time to wait.
    pub fn refusal(&self, payer: UserId, wait: Duration) -> WireError {
        // Rounded up, so that whoever waits exactly this long is let in.
        let wait = u32::try_from(wait.as_millis() + 1).unwrap_or(u32::MAX);
        self.kind.refusal(payer).after_ms(wait)
    }
}

/// What it costs to put people into a chat.
#[derive(Clone, Debug)]
pub struct Toll {
    /// Paid by whoever does it.
    pub own: Charge,
    /// Paid by each of the strangers: from all that may reach them, and from the share of whoever does it.
    pub each: Charge,
    /// See above.
    pub share: Charge,
    /// Those who have not answered whoever does it.
    pub strangers: Vec<UserId>,
}

impl Toll {
    /// Whether there is nothing to pay.
    pub fn is_free(&self) -> bool {
        self.own.is_free() && (self.each.is_free() || self.strangers.is_empty())
    }
}

/// One account has a fifth of what strangers may reach a person.
const SHARES: u32 = 5;
/// Accounts younger than this have a part of it together: however many are made for it, older ones find the rest.
const YOUNG_DAYS: u32 = 7;
const OF_THE_YOUNG: f64 = 0.5;

/// What a person pays whom somebody brings into a chat without having been answered by them, when strangers may do that `per_day`: from what
/// there is for all, and from the share of whoever does it.
pub fn reaching(by: UserId, per_day: u32, repute: Repute) -> (Charge, Charge) {
    let share = if per_day == 0 { 0 } else { (per_day / SHARES).max(1) };
    let all = Charge::quarters(BudgetKind::Reached, per_day, 4);
    let all = if repute.days < YOUNG_DAYS { all.within(OF_THE_YOUNG) } else { all };
    (all, Charge::quarters(BudgetKind::ReachedBy(by), share, 4))
}

/// What is known of an account, where strangers are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repute {
    /// How many days old it is.
    pub days: u32,
    /// How many people have reported it in the last 30 days, as far as they count.
    pub reports: u32,
}

/// So many reports say that strangers are to be spared.
pub const MANY_REPORTS: u32 = 3;

impl Repute {
    /// What it may do to strangers in a day, when a new account may do `per_day`: twice that after a week and four times after a
    /// month; a quarter when several people have reported it.
    pub fn allows(self, per_day: u32) -> u32 {
        match self {
            _ if self.reports >= MANY_REPORTS => (per_day / 4).max(1),
            _ if self.days >= 30 => per_day.saturating_mul(4),
            _ if self.days >= 7 => per_day.saturating_mul(2),
            _ => per_day,
        }
    }
}

/// A budget that does not pay: whose, and in how many seconds it is full.
pub(super) type Short = (UserId, f64);

impl People {
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
            return Err(charge.refusal(user, wait).into());
        }
        let mut connection = self.pool.lease().await?;
        let paid = spend(&mut connection, &[user], charge).await?;
        self.refusals.heed(&charge, paid)
    }

    /// Whether a charge is known to be refused, without asking the database.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`].
    pub fn is_spent(&self, user: UserId, charge: Charge) -> Result<()> {
        let wait = if charge.is_free() { None } else { self.refusals.wait(user, &charge) };
        wait.map_or(Ok(()), |wait| Err(charge.refusal(user, wait).into()))
    }
}

/// Lets some people pay alike, within the transaction of what is paid for. `Err` names one who cannot: then the transaction
/// must not be committed, since others may have paid.
pub(super) async fn spend(connection: &mut Lease, users: &[UserId], charge: Charge) -> Result<Result<(), Short>> {
    if charge.is_free() || users.is_empty() {
        return Ok(Ok(()));
    }
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    // In the order of their ids, so that two who reach the same people do not wait for each other.
    let paid: Vec<i64> = sqlx::query_scalar(
        "INSERT INTO budgets AS b (user_id, kind, full_at)
         SELECT i.id, $2, clock_timestamp() + make_interval(secs => $3) FROM unnest($1::bigint[]) AS i (id) ORDER BY i.id
         ON CONFLICT (user_id, kind) DO UPDATE
             SET full_at = greatest(b.full_at, clock_timestamp()) + make_interval(secs => $3)
             WHERE greatest(b.full_at, clock_timestamp()) + make_interval(secs => least($3, $4))
                 <= clock_timestamp() + make_interval(secs => $4)
         RETURNING user_id",
    )
    .bind(&ids)
    .bind(charge.kind.number())
    .bind(charge.seconds)
    .bind(charge.room)
    .fetch_all(&mut *connection)
    .await?;
    if paid.len() == ids.len() {
        return Ok(Ok(()));
    }
    let short: Vec<i64> = ids.into_iter().filter(|id| !paid.contains(id)).collect();
    let (user, full_in): (i64, f64) = sqlx::query_as(
        "SELECT user_id, extract(epoch FROM full_at - clock_timestamp())::float8 FROM budgets
         WHERE user_id = ANY ($1) AND kind = $2 ORDER BY full_at DESC LIMIT 1",
    )
    .bind(&short)
    .bind(charge.kind.number())
    .fetch_one(connection)
    .await?;
    Ok(Err((UserId(user), full_in)))
}

/// The same from the shares that somebody has of what may reach others.
async fn spend_share(connection: &mut Lease, users: &[UserId], by: UserId, share: Charge) -> Result<Result<(), Short>> {
    if share.is_free() || users.is_empty() {
        return Ok(Ok(()));
    }
    let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    let paid: Vec<i64> = sqlx::query_scalar(
        "INSERT INTO reached_by AS b (user_id, by_id, full_at)
         SELECT i.id, $2, clock_timestamp() + make_interval(secs => $3) FROM unnest($1::bigint[]) AS i (id) ORDER BY i.id
         ON CONFLICT (user_id, by_id) DO UPDATE
             SET full_at = greatest(b.full_at, clock_timestamp()) + make_interval(secs => $3)
             WHERE greatest(b.full_at, clock_timestamp()) + make_interval(secs => least($3, $4))
                 <= clock_timestamp() + make_interval(secs => $4)
         RETURNING user_id",
    )
    .bind(&ids)
    .bind(by.0)
    .bind(share.seconds)
    .bind(share.room)
    .fetch_all(&mut *connection)
    .await?;
    let Some(short) = ids.into_iter().find(|id| !paid.contains(id)) else { return Ok(Ok(())) };
    let full_in = sqlx::query_scalar(
        "SELECT extract(epoch FROM full_at - clock_timestamp())::float8 FROM reached_by WHERE user_id = $1 AND by_id = $2",
    );
    Ok(Err((UserId(short), full_in.bind(short).bind(by.0).fetch_one(connection).await?)))
}

impl People {
    /// Pays for putting people into a chat: all of it, or nothing. It is paid before they are put there, and given back to whoever is refused
    /// then.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`], [`ErrorCode::ReachedTooOften`].
    pub async fn pay(&self, user: UserId, toll: &Toll) -> Result<()> {
        if toll.is_free() {
            return Ok(());
        }
        self.is_refused(user, toll)?;
        let mut tx = self.begin().await?;
        self.pay_within(&mut tx, user, toll).await?;
        Ok(tx.commit().await?)
    }

    /// Whether a toll is known to be refused, without asking the database.
    pub(super) fn is_refused(&self, user: UserId, toll: &Toll) -> Result<()> {
        self.is_spent(user, toll.own)?;
        let both = toll.strangers.iter().flat_map(|it| [(*it, toll.each), (*it, toll.share)]);
        both.into_iter().try_for_each(|(stranger, charge)| self.is_spent(stranger, charge))
    }

    /// The same within the transaction of what is paid for, which must not be committed after an error.
    pub(super) async fn pay_within(&self, tx: &mut Tx, user: UserId, toll: &Toll) -> Result<()> {
        let paid = spend(tx, &[user], toll.own).await?;
        self.refusals.heed(&toll.own, paid)?;
        // The share first: whoever has used up theirs does not wait for what others use.
        let paid = spend_share(tx, &toll.strangers, user, toll.share).await?;
        self.refusals.heed(&toll.share, paid)?;
        let paid = spend(tx, &toll.strangers, toll.each).await?;
        self.refusals.heed(&toll.each, paid)
    }

    /// Forgets shares that are full again, at most so many.
    pub async fn forget_full_shares(&self, most: i64) -> Result<()> {
        sqlx::query(
            "DELETE FROM reached_by WHERE ctid = ANY (ARRAY(
                 SELECT b.ctid FROM reached_by b WHERE b.full_at < now() ORDER BY b.full_at LIMIT $1 FOR UPDATE SKIP LOCKED))",
        )
        .bind(most)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives back what was paid for nothing.
    pub async fn give_back(&self, user: UserId, toll: &Toll) -> Result<()> {
        let mut paid: Vec<(UserId, Charge)> = toll.strangers.iter().map(|it| (*it, toll.each)).collect();
        paid.push((user, toll.own));
        paid.retain(|it| !it.1.is_free());
        if paid.is_empty() {
            return Ok(());
        }
        if !toll.share.is_free() && !toll.strangers.is_empty() {
            sqlx::query(
                "WITH there AS MATERIALIZED (
                     SELECT b.user_id, b.by_id FROM unnest($1::bigint[]) AS i (id)
                     JOIN reached_by b ON b.user_id = i.id AND b.by_id = $2 ORDER BY b.user_id FOR NO KEY UPDATE OF b
                 )
                 UPDATE reached_by b SET full_at = b.full_at - make_interval(secs => $3)
                 FROM there t WHERE b.user_id = t.user_id AND b.by_id = t.by_id",
            )
            .bind(toll.strangers.iter().map(|it| it.0).collect::<Vec<_>>())
            .bind(user.0)
            .bind(toll.share.seconds)
            .execute(&self.pool)
            .await?;
        }
        paid.sort_by_key(|it| (it.0, it.1.kind.number()));
        sqlx::query(
            "WITH there AS MATERIALIZED (
                 SELECT b.user_id, b.kind, i.seconds
                 FROM unnest($1::bigint[], $2::smallint[], $3::float8[]) AS i (id, kind, seconds)
                 JOIN budgets b ON b.user_id = i.id AND b.kind = i.kind ORDER BY b.user_id, b.kind FOR NO KEY UPDATE OF b
             )
             UPDATE budgets b SET full_at = b.full_at - make_interval(secs => t.seconds)
             FROM there t WHERE b.user_id = t.user_id AND b.kind = t.kind",
        )
        .bind(paid.iter().map(|it| it.0.0).collect::<Vec<_>>())
        .bind(paid.iter().map(|it| it.1.kind.number()).collect::<Vec<_>>())
        .bind(paid.iter().map(|it| it.1.seconds).collect::<Vec<_>>())
        .execute(&self.pool)
        .await?;
        Ok(())
    }
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
    pub(super) fn heed(&self, charge: &Charge, paid: Result<(), Short>) -> Result<()> {
        let Err((user, full_in)) = paid else { return Ok(()) };
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
        Err(StoreError::Refused(charge.refusal(user, wait)))
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
    fn an_account_may_do_more_with_age_and_less_when_it_is_reported() {
        let allows = |days, reports| Repute { days, reports }.allows(20);
        assert_eq!(
            [allows(0, 0), allows(6, 2), allows(7, 0), allows(29, 0), allows(30, 0), allows(900, 2)],
            [20, 20, 40, 40, 80, 80]
        );
        assert_eq!([allows(0, 3), allows(900, 3)], [5, 5]);
        assert_eq!(Repute { days: 0, reports: 9 }.allows(2), 1, "never nothing");
    }

    #[test]
    fn the_young_leave_room_and_each_has_a_share() {
        let by = UserId(7);
        let (young, share) = reaching(by, 10, Repute { days: 6, reports: 0 });
        let (old, _) = reaching(by, 10, Repute { days: 7, reports: 0 });
        let tenth = WINDOW / 10.0;
        assert_eq!(young.wait(4.0 * tenth), None, "the fifth of ten");
        assert!(young.wait(5.0 * tenth).is_some(), "the sixth");
        assert_eq!(old.wait(9.0 * tenth), None);
        assert_eq!(
            (share.wait(WINDOW / 2.0), share.wait(WINDOW).is_some()),
            (None, true),
            "two of ten are one account's"
        );
        assert!(reaching(by, 0, Repute::default()).1.is_free());
        assert_eq!(reaching(by, 1, Repute::default()).0.wait(0.0), None, "never nothing");
    }

    #[test]
    fn nothing_costs_where_the_operator_has_switched_it_off() {
        assert!(Charge::quarters(BudgetKind::Lookups, 0, 4000).is_free());
    }
}
