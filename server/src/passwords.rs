//! Password hashing: argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane), off the async workers, bounded in
//! number and memory, so that a flood of sign-ins does not stop the chatting.
//!
//! Who is next is decided by [`queue`]: whoever's network has tried least lately.

mod queue;

use std::{net::IpAddr, sync::Arc, thread};

use argon2::{
    Argon2, Params,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use chapar_protocol::{ErrorCode, WireError};
use prometheus_client::metrics::gauge::Gauge;

use tokio::sync::oneshot;

use queue::Queue;

/// How much hashing goes behind other work of the node, where the processors do not suffice for both: it gets a third of what a
/// thread of the runtime gets (`setpriority(2)`; for Linux a thread is what that is for).
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

const _: () = assert!(
    Params::DEFAULT_M_COST == 19 * 1024 && Params::DEFAULT_T_COST == 2 && Params::DEFAULT_P_COST == 1,
    "OWASP's parameters are the library's defaults"
);

/// For whom a password is hashed.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    /// Where the request comes from, see [`crate::limits::subnet`].
    pub network: IpAddr,
    /// Whether the account has been signed in to from there before.
    pub known: bool,
}

/// Hashes and checks passwords, a bounded number at a time.
#[derive(Clone)]
pub struct Passwords {
    queue: Arc<Queue>,
    /// Checked against when the account does not exist, so that the answer takes as long.
    nobody: Arc<str>,
}

impl Passwords {
    /// Hashes at most `concurrency` at a time (19 MiB each), with at most `queue` waiting.
    pub fn new(concurrency: usize, queue: usize, gauge: Gauge) -> Self {
        let nobody = Argon2::default()
            .hash_password(b"nobody has this password")
            .map_or_else(|_| String::new(), |hash| hash.to_string());
        Self { queue: Arc::new(Queue::new(concurrency, queue, gauge)), nobody: nobody.into() }
    }

    /// A new hash, as a PHC string with its salt.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] with a time to come back.
    pub async fn hash(&self, password: String, guest: Guest) -> Result<String, WireError> {
        let work = move || Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string());
        self.bounded(guest, work)
            .await?
            .ok_or_else(|| WireError::new(ErrorCode::Internal, "the password could not be hashed"))
    }

    /// Whether a password fits a hash. Without one it takes as long and says no.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] with a time to come back.
    pub async fn verify(&self, password: String, hash: Option<String>, guest: Guest) -> Result<bool, WireError> {
        let exists = hash.is_some();
        let hash: Arc<str> = hash.map_or_else(|| self.nobody.clone(), Into::into);
        let work = move || {
            PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        };
        let fits = self.bounded(guest, work).await? && exists;
        if fits {
            self.queue.forgive(guest.network);
        }
        Ok(fits)
    }

    async fn bounded<T: Send + 'static>(
        &self,
        guest: Guest,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WireError> {
        let turn = self.queue.enter(guest).await?;
        let fault = |_| WireError::new(ErrorCode::Internal, "the password could not be checked");
        let (say, hear) = oneshot::channel();
        // A thread for each: it goes behind those that chat, and no thread without the right to do so comes back from there.
        let thread = thread::Builder::new().name("password".to_owned()).spawn(move || {
            #[cfg(target_os = "linux")]
            if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                tracing::debug!(%error, "a password is hashed like other work");
            }
            let result = work();
            // Held to the end of the work, also when the caller has gone: the memory is in use until then.
            drop(turn);
            let _ = say.send(result);
        });
        if let Err(error) = thread {
            tracing::error!(%error, "no thread for a password");
        }
        hear.await.map_err(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUEST: Guest = Guest { network: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), known: false };

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::new(2, 8, Gauge::default());
        let hash = passwords.hash("گذرواژه‌ام".to_owned(), GUEST).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("گذرواژه‌ام".to_owned(), Some(hash.clone()), GUEST).await.expect("checked"));
        assert!(!passwords.verify("other".to_owned(), Some(hash), GUEST).await.expect("checked"));
        assert!(!passwords.verify("nobody has this password".to_owned(), None, GUEST).await.expect("checked"));
    }

    #[tokio::test]
    async fn a_flood_is_bounded_and_told_when_to_come_back() {
        let passwords = Passwords::new(1, 2, Gauge::default());
        let all = (0..10).map(|_| passwords.hash("x".to_owned(), GUEST));
        let outcomes = futures_util::future::join_all(all).await;
        let refused: Vec<_> = outcomes.iter().filter_map(|it| it.as_ref().err()).collect();
        assert_eq!(refused.len(), 7);
        assert!(refused.iter().all(|it| it.code == ErrorCode::Overloaded && it.retry_after_ms.is_some()));
        assert!(passwords.hash("x".to_owned(), GUEST).await.is_ok(), "afterwards there is room again");
    }
}
