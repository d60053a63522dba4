//! Whom a TLS connection trusts. rustls with ring; nothing is fetched from anywhere.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};

/// The certificates that a server's own must lead to.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Those that the machine trusts.
    #[default]
    System,
    /// Only these, in PEM: for an operator with an own certificate authority.
    Only(Vec<u8>),
}

/// The trusted certificates cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TlsError {
    /// The PEM text holds no certificate, or one that is broken.
    #[error("no readable certificate in the given PEM")]
    BadPem,
    /// The machine has no trusted certificates.
    #[error("this machine trusts no certificate authority; name one")]
    NoSystemRoots,
    /// rustls refused the set-up.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// Makes the configuration that WebSocket and HTTP share. Make it once: reading the machine's certificates takes milliseconds.
///
/// # Errors
/// [`TlsError`].
pub fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::System => {
            let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if added == 0 {
                return Err(TlsError::NoSystemRoots);
            }
        }
        Trust::Only(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                roots.add(certificate.map_err(|_| TlsError::BadPem)?).map_err(|_| TlsError::BadPem)?;
            }
            if roots.is_empty() {
                return Err(TlsError::BadPem);
            }
        }
    }
    let config = builder()?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

/// A set-up that trusts nobody, for plain connections through libraries that want one.
pub(crate) fn nobody() -> Result<ClientConfig, TlsError> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))
}
