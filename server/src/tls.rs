//! TLS in the process. A renewed certificate is taken up without a restart.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// The names of TURN and STUN in TLS (RFC 7443).
pub const TURN: [&[u8]; 2] = [b"stun.turn", b"stun.nat-discovery"];

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Read(PathBuf, #[source] io::Error),
    /// A file is not PEM, or holds nothing of the kind.
    #[error("{0} holds no usable {1}")]
    Pem(PathBuf, &'static str),
    /// Certificate and key do not fit, or the key is of an unknown kind.
    #[error("certificate and key cannot be used together: {0}")]
    Pair(#[from] tokio_rustls::rustls::Error),
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::Read(path.to_owned(), error))
}

fn load(cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(cert)?)
        .collect::<Result<_, _>>()
        .ok()
        .filter(|chain: &Vec<_>| !chain.is_empty())
        .ok_or_else(|| TlsError::Pem(cert.to_owned(), "certificate"))?;
    let private =
        PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| TlsError::Pem(key.to_owned(), "private key"))?;
    Ok(CertifiedKey::from_der(chain, private, &ring::default_provider())?)
}

/// When either file was last changed.
fn changed(cert: &Path, key: &Path) -> Option<(SystemTime, SystemTime)> {
    let of = |path: &Path| std::fs::metadata(path).and_then(|it| it.modified()).ok();
    Some((of(cert)?, of(key)?))
}

/// Offers TLS 1.2 and 1.3 with a certificate chain and key in PEM, and takes up newer ones when the files change. A
/// broken pair is logged, and the old one stays. With `turn` clients may choose TURN in place of HTTP by its name.
///
/// # Errors
/// When the files cannot be used now.
pub fn acceptor(cert: PathBuf, key: PathBuf, turn: bool) -> Result<TlsAcceptor, TlsError> {
    // Looked at before they are read: a change meanwhile is then seen as one.
    let mut known = changed(&cert, &key);
    let current = Arc::new(Current(ArcSwap::from_pointee(load(&cert, &key)?)));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(current.clone());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if turn {
        config.alpn_protocols.extend(TURN.map(<[u8]>::to_vec));
    }
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = changed(&cert, &key);
            if now == known {
                continue;
            }
            match load(&cert, &key) {
                Ok(pair) => {
                    current.0.store(Arc::new(pair));
                    known = now;
                    tracing::info!("took up a renewed certificate");
                }
                // Perhaps only one of the two is written yet: looked at again.
                Err(error) => tracing::warn!(%error, "a renewed certificate cannot be used; the old one stays"),
            }
        }
    });
    Ok(TlsAcceptor::from(Arc::new(config)))
}
