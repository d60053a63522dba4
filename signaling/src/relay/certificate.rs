//! The TLS certificate of a program that runs for months: a renewed one is taken up without a restart.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, Weak},
    time::{Duration, SystemTime},
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::rustls::{
    self, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// How often a program looks at the files, unless it has a reason for another time.
pub const LOOK: Duration = Duration::from_secs(10);

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Read(PathBuf, #[source] io::Error),
    /// A file is not PEM, or holds nothing of the kind.
    #[error("{0} holds no usable {1}")]
    Pem(PathBuf, &'static str),
    /// Certificate and key do not fit, or the key is of an unknown kind.
    #[error("certificate and key cannot be used together: {0}")]
    Pair(#[from] rustls::Error),
    /// SIGHUP cannot be listened to.
    #[error("SIGHUP cannot be listened to: {0}")]
    Signal(#[source] io::Error),
}

/// A chain and its key in PEM files, and what of them is in force. The files are looked at until it is dropped.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the files, and takes up newer ones when they change (looked at `every` so often) or, at once, on SIGHUP. A
    /// pair that cannot be used is logged, and the old one stays; running connections keep what they began with. Needs a
    /// tokio runtime.
    ///
    /// # Errors
    /// When the files cannot be used now.
    pub fn watched(chain: PathBuf, key: PathBuf, every: Duration) -> Result<Arc<Self>, CertificateError> {
        // Looked at before they are read: a change meanwhile is then seen as one.
        let known = changed(&chain, &key);
        let current = RwLock::new(Arc::new(load(&chain, &key)?));
        let certificate = Arc::new(Self { chain, key, current });
        let hangups = signal(SignalKind::hangup()).map_err(CertificateError::Signal)?;
        tokio::spawn(watch(Arc::downgrade(&certificate), known, every, hangups));
        Ok(certificate)
    }

    /// TLS 1.2 and 1.3 with whatever certificate is in force when a client comes. Clients may choose one of these
    /// protocols by name (ALPN, RFC 7301), or name none.
    ///
    /// # Errors
    /// Only if the cryptography was built without these versions.
    pub fn config(self: &Arc<Self>, protocols: &[&[u8]]) -> Result<ServerConfig, CertificateError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }

    fn take_up(&self) -> Result<(), CertificateError> {
        let pair = Arc::new(load(&self.chain, &self.key)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

type Times = Option<(SystemTime, SystemTime)>;

async fn watch(
    certificate: Weak<Certificate>,
    mut known: Times,
    every: Duration,
    mut hangups: tokio::signal::unix::Signal,
) {
    loop {
        let asked = tokio::select! {
            () = tokio::time::sleep(every) => false,
            Some(()) = hangups.recv() => true,
        };
        let Some(certificate) = certificate.upgrade() else { return };
        let now = changed(&certificate.chain, &certificate.key);
        if now == known && !asked {
            continue;
        }
        match certificate.take_up() {
            Ok(()) => {
                known = now;
                tracing::info!("took up a renewed certificate");
            }
            // Perhaps only one of the two is written yet: looked at again.
            Err(error) => tracing::warn!(%error, "a renewed certificate cannot be used; the old one stays"),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|error| CertificateError::Read(path.to_owned(), error))
}

fn load(chain: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(chain)?)
        .collect::<Result<_, _>>()
        .ok()
        .filter(|certificates: &Vec<_>| !certificates.is_empty())
        .ok_or_else(|| CertificateError::Pem(chain.to_owned(), "certificate"))?;
    let private =
        PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| CertificateError::Pem(key.to_owned(), "private key"))?;
    Ok(CertifiedKey::from_der(certificates, private, &ring::default_provider())?)
}

/// When the files were last changed; `None` while one is missing.
fn changed(chain: &Path, key: &Path) -> Times {
    let of = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    Some((of(chain)?, of(key)?))
}
