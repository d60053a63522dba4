//! Whose turn it is to be brought up to date by the database: a reconnect storm waits here. One account with very many
//! connections waits for itself, before everybody's queue, and so does an address: in the queue stand few of each, so that whoever
//! comes from elsewhere is soon served.

use std::{net::IpAddr, time::Duration};

use chapar_protocol::{ErrorCode, UserId, WireError};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::shares::{Share, Shares};

/// For how long a connection waits for its turn before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections of one user that are brought up to date at the same time.
const OF_USER: usize = 2;

/// See the module.
pub struct Resumes {
    turns: Semaphore,
    of_users: Shares<UserId>,
    of_networks: Shares<IpAddr>,
}

/// A turn at the database, until it is dropped.
pub struct Turn<'a> {
    _turn: SemaphorePermit<'a>,
    _share: Share<'a, IpAddr>,
}

impl Resumes {
    /// With so many turns at the same time. One address may have all of them, when nobody else wants one.
    pub fn new(turns: usize) -> Self {
        let of_networks = Shares::new(turns);
        Self { turns: Semaphore::new(turns), of_users: Shares::new(OF_USER), of_networks }
    }

    /// A turn among the connections of one user.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] with the time to wait.
    pub async fn of_user(&self, user: UserId) -> Result<Share<'_, UserId>, WireError> {
        let share = self.of_users.take(user, PATIENCE).await;
        share.ok_or_else(|| overloaded("too many of your connections resume at once"))
    }

    /// A turn at the database for somebody from `network`.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] with the time to wait.
    pub async fn turn(&self, network: IpAddr) -> Result<Turn<'_>, WireError> {
        let until = Instant::now() + PATIENCE;
        let share = self.of_networks.take(network, PATIENCE).await;
        let share = share.ok_or_else(|| overloaded("too many connections from your address resume at once"))?;
        match tokio::time::timeout_at(until, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(Turn { _turn: turn, _share: share }),
            _ => Err(overloaded("too many connections resume at once")),
        }
    }

    /// The same for one that has had a turn: it waits for those before it, who are bounded, rather than begin again.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] when the node ends.
    pub async fn turn_again(&self, network: IpAddr) -> Result<Turn<'_>, WireError> {
        let ends = || overloaded("the node ends");
        let share = self.of_networks.take(network, Duration::MAX).await.ok_or_else(ends)?;
        let turn = self.turns.acquire().await.map_err(|_| ends())?;
        Ok(Turn { _turn: turn, _share: share })
    }
}

fn overloaded(message: &str) -> WireError {
    WireError::new(ErrorCode::Overloaded, message).after_ms(rand::random_range(1000..5000))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const STORM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const ELSEWHERE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    #[tokio::test]
    async fn one_user_has_two_turns_and_is_told_when_to_come_back() {
        let resumes = Resumes::new(8);
        let _two = (resumes.of_user(UserId(1)).await, resumes.of_user(UserId(1)).await);
        let error = resumes.of_user(UserId(1)).await.map(drop).expect_err("no third");
        assert_eq!(error.code, ErrorCode::Overloaded);
        assert!(error.retry_after_ms.is_some());
        assert!(resumes.of_user(UserId(2)).await.is_ok());
    }

    #[tokio::test]
    async fn whoever_comes_from_elsewhere_waits_for_a_few_of_a_storm_only() {
        let resumes = Resumes::new(2);
        let first = (resumes.turn(STORM).await.expect("free"), resumes.turn(STORM).await.expect("all are free"));
        let mut storm: Vec<_> = (0..100).map(|_| Box::pin(resumes.turn_again(STORM))).collect();
        assert!(storm.iter_mut().all(|it| it.now_or_never().is_none()), "they wait");
        let mut person = Box::pin(resumes.turn(ELSEWHERE));
        assert!((&mut person).now_or_never().is_none(), "all turns are taken");
        drop(first);
        assert!(person.now_or_never().is_some_and(|it| it.is_ok()), "served next, behind nobody of the storm");
    }
}
