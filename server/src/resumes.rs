//! Whose turn it is to be brought up to date by the database: a reconnect storm waits here, and one account with very many
//! connections waits for itself, before everybody's queue.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chapar_protocol::{ErrorCode, UserId, WireError};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// For how long a connection waits for its turn before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections of one user that are brought up to date at the same time.
const OF_USER: usize = 2;

/// See the module.
pub struct Resumes {
    turns: Semaphore,
    of_users: Mutex<HashMap<UserId, Arc<Semaphore>>>,
}

/// One of a user's turns, until it is dropped.
pub struct Own<'a> {
    // Before `_entry`, which looks who else has the semaphore.
    _permit: OwnedSemaphorePermit,
    _entry: Entry<'a>,
}

/// Somebody who has or waits for a turn of a user.
struct Entry<'a> {
    resumes: &'a Resumes,
    user: UserId,
    turns: Arc<Semaphore>,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut of_users = self.resumes.of_users.lock();
        // The map's own, and this one: nobody else has or waits for a turn.
        if Arc::strong_count(&self.turns) <= 2 {
            of_users.remove(&self.user);
        }
    }
}

impl Resumes {
    /// With so many turns at the same time.
    pub fn new(turns: usize) -> Self {
        Self { turns: Semaphore::new(turns), of_users: Mutex::default() }
    }

    /// A turn among the connections of one user.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] with the time to wait.
    pub async fn of_user(&self, user: UserId) -> Result<Own<'_>, WireError> {
        let turns = {
            let mut of_users = self.of_users.lock();
            of_users.entry(user).or_insert_with(|| Arc::new(Semaphore::new(OF_USER))).clone()
        };
        let entry = Entry { resumes: self, user, turns };
        let permit = tokio::time::timeout(PATIENCE, entry.turns.clone().acquire_owned()).await;
        match permit {
            Ok(Ok(permit)) => Ok(Own { _permit: permit, _entry: entry }),
            _ => Err(overloaded("too many of your connections resume at once")),
        }
    }

    /// A turn at the database.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] with the time to wait.
    pub async fn turn(&self) -> Result<SemaphorePermit<'_>, WireError> {
        match tokio::time::timeout(PATIENCE, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(overloaded("too many connections resume at once")),
        }
    }

    /// The same for one that has had a turn: it waits for those before it, who are bounded, rather than begin again.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] when the node ends.
    pub async fn turn_again(&self) -> Result<SemaphorePermit<'_>, WireError> {
        self.turns.acquire().await.map_err(|_| overloaded("the node ends"))
    }
}

fn overloaded(message: &str) -> WireError {
    WireError::new(ErrorCode::Overloaded, message).after_ms(rand::random_range(1000..5000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_user_has_two_turns_and_keeps_nobody_else() {
        let resumes = Resumes::new(8);
        let (one, two) =
            (resumes.of_user(UserId(1)).await.expect("one"), resumes.of_user(UserId(1)).await.expect("two"));
        let error = resumes.of_user(UserId(1)).await.map(drop).expect_err("no third");
        assert_eq!(error.code, ErrorCode::Overloaded);
        assert!(error.retry_after_ms.is_some());
        drop(resumes.of_user(UserId(2)).await.expect("another"));
        drop(one);
        drop(resumes.of_user(UserId(1)).await.expect("a turn has come back"));
        drop(two);
        assert!(resumes.of_users.lock().is_empty(), "nothing is kept of those who are through");
    }
}
