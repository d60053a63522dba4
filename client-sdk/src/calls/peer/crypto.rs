//! The cryptography under the media: `ring` where it has the primitive, RustCrypto's AES where SRTP wants one that ring
//! does not show. The DTLS protocol itself is `dimpl`'s, with short timers: see [`Dtls`].
//!
//! str0m's own provider without OpenSSL would bring a second C library (aws-lc) beside ring only to sign certificates.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use ctr::cipher::{KeyIvInit, StreamCipher};
use ring::{aead, digest, hmac};
use str0m::{
    config::CryptoProvider,
    crypto::{
        AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80Cipher, CryptoError, Sha1HmacProvider, Sha1Provider,
        Sha256Provider, SrtpProvider, SupportedAeadAes128Gcm, SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
        dtls::{DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion},
    },
};

/// The first retransmission of a DTLS flight comes after this. RFC 6347 section 4.2.4.1 recommends 1 s for a path that
/// nobody knows; ICE has measured this one, and the driver repeats each record anyway.
const FLIGHT_RTO: Duration = Duration::from_millis(400);
/// How often a flight is sent before the handshake fails.
const FLIGHT_RETRIES: usize = 8;
/// The end of a handshake. The call itself ends after 30 s without media.
const HANDSHAKE: Duration = Duration::from_secs(25);
const TAG: usize = 16;

/// The provider that every peer connection uses.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider {
            srtp_provider: &Srtp,
            sha1_hmac_provider: &Hashes,
            sha1_provider: &Hashes,
            sha256_provider: &Hashes,
            dtls_provider: &Dtls,
        })
    });
    Arc::clone(&PROVIDER)
}

/// A fresh self-signed certificate: each call has its own, so that nobody can be followed by it.
pub(crate) fn certificate() -> Option<DtlsCert> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).ok()?;
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).ok()?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "call");
    let serial: [u8; 16] = rand::random();
    params.serial_number = Some(serial.to_vec().into());
    let certificate = params.self_signed(&key).ok()?;
    Some(DtlsCert { certificate: certificate.der().to_vec(), private_key: key.serialize_der() })
}

#[derive(Debug)]
struct Hashes;

impl Sha1HmacProvider for Hashes {
    fn sha1_hmac(&self, key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let mut context = hmac::Context::with_key(&key);
        for part in payloads {
            context.update(part);
        }
        let mut out = [0; 20];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

impl Sha1Provider for Hashes {
    fn sha1(&self, data: &[u8]) -> [u8; 20] {
        let mut out = [0; 20];
        out.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data).as_ref());
        out
    }
}

impl Sha256Provider for Hashes {
    fn sha256(&self, data: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
        out
    }
}

#[derive(Debug)]
struct Srtp;

impl SrtpProvider for Srtp {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &Cm
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Gcm
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Gcm
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        ecb::<aes::Aes128>(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        ecb::<aes::Aes256>(key, input, output);
    }
}

/// One block for the key derivation (RFC 3711 section 4.3).
fn ecb<C: BlockCipherEncrypt + KeyInit>(key: &[u8], input: &[u8], output: &mut [u8]) {
    let Ok(cipher) = C::new_from_slice(key) else { return };
    let mut block = aes::cipher::Block::<C>::default();
    let length = block.len().min(input.len()).min(output.len());
    block[..length].copy_from_slice(&input[..length]);
    cipher.encrypt_block(&mut block);
    output[..length].copy_from_slice(&block[..length]);
}

#[derive(Debug)]
struct Cm;

impl SupportedAes128CmSha1_80 for Cm {
    fn create_cipher(&self, key: [u8; 16], _encrypt: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        Box::new(CmCipher(key))
    }
}

struct CmCipher([u8; 16]);

impl std::fmt::Debug for CmCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CmCipher")
    }
}

impl CmCipher {
    fn apply(&self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        let mut stream = ctr::Ctr128BE::<aes::Aes128>::new(&self.0.into(), iv.into());
        let output = output.get_mut(..input.len()).ok_or_else(too_short)?;
        output.copy_from_slice(input);
        stream.apply_keystream(output);
        Ok(())
    }
}

impl Aes128CmSha1_80Cipher for CmCipher {
    fn encrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.apply(iv, input, output)
    }

    fn decrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.apply(iv, input, output)
    }
}

#[derive(Debug)]
struct Gcm;

impl SupportedAeadAes128Gcm for Gcm {
    fn create_cipher(&self, key: [u8; 16], _encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        Box::new(GcmCipher::new(&aead::AES_128_GCM, &key))
    }
}

impl SupportedAeadAes256Gcm for Gcm {
    fn create_cipher(&self, key: [u8; 32], _encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(GcmCipher::new(&aead::AES_256_GCM, &key))
    }
}

/// `None` would mean a key of another length than its algorithm's, which the callers' types rule out.
#[derive(Debug)]
struct GcmCipher(Option<aead::LessSafeKey>);

impl GcmCipher {
    fn new(algorithm: &'static aead::Algorithm, key: &[u8]) -> Self {
        Self(aead::UnboundKey::new(algorithm, key).ok().map(aead::LessSafeKey::new))
    }

    fn seal(&self, iv: &[u8; 12], aad: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        let key = self.0.as_ref().ok_or_else(too_short)?;
        let output = output.get_mut(..input.len() + TAG).ok_or_else(too_short)?;
        let (text, tag) = output.split_at_mut(input.len());
        text.copy_from_slice(input);
        let nonce = aead::Nonce::assume_unique_for_key(*iv);
        let made = key.seal_in_place_separate_tag(nonce, aead::Aad::from(aad), text).map_err(|_| too_short())?;
        tag.copy_from_slice(made.as_ref());
        Ok(())
    }

    fn open(&self, iv: &[u8; 12], aads: &[&[u8]], input: &[u8], output: &mut [u8]) -> Result<usize, CryptoError> {
        let key = self.0.as_ref().ok_or_else(too_short)?;
        let mut text = input.to_vec();
        let nonce = aead::Nonce::assume_unique_for_key(*iv);
        let aad = aads.concat();
        let opened = key
            .open_in_place(nonce, aead::Aad::from(aad), &mut text)
            .map_err(|_| CryptoError::Other("a packet that fails its authentication".to_owned()))?;
        output.get_mut(..opened.len()).ok_or_else(too_short)?.copy_from_slice(opened);
        Ok(opened.len())
    }
}

/// str0m has one trait for each length of key; a cipher of ring knows its own.
macro_rules! gcm_cipher {
    ($($length:ident),*) => {$(
        impl $length for GcmCipher {
            fn encrypt(
                &mut self,
                iv: &[u8; 12],
                aad: &[u8],
                input: &[u8],
                output: &mut [u8],
            ) -> Result<(), CryptoError> {
                self.seal(iv, aad, input, output)
            }

            fn decrypt(
                &mut self,
                iv: &[u8; 12],
                aads: &[&[u8]],
                input: &[u8],
                output: &mut [u8],
            ) -> Result<usize, CryptoError> {
                self.open(iv, aads, input, output)
            }
        }
    )*};
}

gcm_cipher!(AeadAes128GcmCipher, AeadAes256GcmCipher);

fn too_short() -> CryptoError {
    CryptoError::Other("a buffer or key of the wrong length".to_owned())
}

/// DTLS with short timers for flights.
#[derive(Debug)]
struct Dtls;

impl DtlsProvider for Dtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        // ICE has proved that the other side receives what is sent to it, which is what the cookie is for.
        let mut builder = dimpl::Config::builder()
            .use_server_cookie(false)
            .flight_start_rto(FLIGHT_RTO)
            .flight_retries(FLIGHT_RETRIES)
            .handshake_timeout(HANDSHAKE);
        if let Some(mtu) = mtu {
            builder = builder.mtu(mtu);
        }
        let config = Arc::new(builder.build().map_err(|error| CryptoError::Other(error.to_string()))?);
        let certificate = cert.clone();
        let dtls = match version {
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13(config, certificate, now),
            DtlsVersion::Auto => dimpl::Dtls::new_auto(config, certificate, now),
            _ => dimpl::Dtls::new_12(config, certificate, now),
        };
        Ok(Box::new(Handshake(dtls)))
    }
}

struct Handshake(dimpl::Dtls);

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handshake")
    }
}

impl DtlsInstance for Handshake {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buf)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
