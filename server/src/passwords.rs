//! Password hashing: argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane), off the async workers, bounded in
//! number and memory, so that a flood of sign-ins does not stop the chatting.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use argon2::{
    Argon2, Params,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use chapar_protocol::{ErrorCode, WireError};
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Semaphore;

/// About what one hash takes on a slow core; for the time that refused callers are told to wait.
const TYPICAL: Duration = Duration::from_millis(50);

const _: () = assert!(
    Params::DEFAULT_M_COST == 19 * 1024 && Params::DEFAULT_T_COST == 2 && Params::DEFAULT_P_COST == 1,
    "OWASP's parameters are the library's defaults"
);

/// Hashes and checks passwords, a bounded number at a time.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Most that are under way or wait.
    most: usize,
    concurrency: usize,
    gauge: Gauge,
    /// Checked against when the account does not exist, so that the answer takes as long.
    nobody: Arc<str>,
}

impl Passwords {
    /// Hashes at most `concurrency` at a time (19 MiB each), with at most `queue` waiting.
    pub fn new(concurrency: usize, queue: usize, gauge: Gauge) -> Self {
        let nobody = Argon2::default()
            .hash_password(b"nobody has this password")
            .map_or_else(|_| String::new(), |hash| hash.to_string());
        Self {
            permits: Arc::new(Semaphore::new(concurrency)),
            waiting: Arc::new(AtomicUsize::new(0)),
            most: concurrency + queue,
            concurrency,
            gauge,
            nobody: nobody.into(),
        }
    }

    /// A new hash, as a PHC string with its salt.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] with a time to come back.
    pub async fn hash(&self, password: String) -> Result<String, WireError> {
        self.bounded(move || Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string()))
            .await?
            .ok_or_else(|| WireError::new(ErrorCode::Internal, "the password could not be hashed"))
    }

    /// Whether a password fits a hash. Without one it takes as long and says no.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] with a time to come back.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, WireError> {
        let exists = hash.is_some();
        let hash: Arc<str> = hash.map_or_else(|| self.nobody.clone(), Into::into);
        let fits = self
            .bounded(move || {
                PasswordHash::new(&hash)
                    .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(fits && exists)
    }

    async fn bounded<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, WireError> {
        let place = Place::take(self)?;
        let permit = self.permits.clone().acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            // Held to the end of the work, also when the caller has gone: the memory is in use until then.
            drop((permit, place));
            result
        });
        done.await.map_err(|_| WireError::new(ErrorCode::Internal, "the password could not be checked"))
    }
}

/// A place among those under way or waiting.
struct Place(Arc<AtomicUsize>, Gauge);

impl Place {
    fn take(passwords: &Passwords) -> Result<Self, WireError> {
        let before = passwords.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(passwords.waiting.clone(), passwords.gauge.clone());
        place.1.inc();
        if before < passwords.most {
            return Ok(place);
        }
        let turns = u32::try_from(before / passwords.concurrency + 1).unwrap_or(u32::MAX);
        let wait = u32::try_from(TYPICAL.saturating_mul(turns).as_millis()).unwrap_or(u32::MAX);
        Err(WireError::new(ErrorCode::Overloaded, "too many people sign in at once").after_ms(wait.max(1000)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        self.1.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::new(2, 8, Gauge::default());
        let hash = passwords.hash("گذرواژه‌ام".to_owned()).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("گذرواژه‌ام".to_owned(), Some(hash.clone())).await.expect("checked"));
        assert!(!passwords.verify("other".to_owned(), Some(hash)).await.expect("checked"));
        assert!(!passwords.verify("nobody has this password".to_owned(), None).await.expect("checked"));
    }

    #[tokio::test]
    async fn a_flood_is_bounded_and_told_when_to_come_back() {
        let passwords = Passwords::new(1, 2, Gauge::default());
        let all = (0..10).map(|_| passwords.hash("x".to_owned()));
        let outcomes = futures_util::future::join_all(all).await;
        let refused: Vec<_> = outcomes.iter().filter_map(|it| it.as_ref().err()).collect();
        assert_eq!(refused.len(), 7);
        assert!(refused.iter().all(|it| it.code == ErrorCode::Overloaded && it.retry_after_ms.is_some()));
        assert!(passwords.hash("x".to_owned()).await.is_ok(), "afterwards there is room again");
    }
}
