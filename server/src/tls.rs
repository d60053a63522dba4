//! TLS in the process, for HTTP and, on the same port, for TURN.

use std::{path::PathBuf, sync::Arc};

use chapar_signaling::relay::certificate::{Certificate, CertificateError, LOOK};
use tokio_rustls::TlsAcceptor;

use crate::relays::TURN;

/// Offers TLS with a certificate chain and key in PEM, and takes up newer ones when the files change or on SIGHUP. With
/// `turn` clients may choose TURN in place of HTTP by its name.
///
/// # Errors
/// When the files cannot be used now.
pub fn acceptor(cert: PathBuf, key: PathBuf, turn: bool) -> Result<TlsAcceptor, CertificateError> {
    let mut protocols: Vec<&[u8]> = vec![b"http/1.1"];
    if turn {
        protocols.extend(TURN);
    }
    let config = Certificate::watched(cert, key, LOOK)?.config(&protocols)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
