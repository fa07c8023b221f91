//! What the HTTP server shows of itself over TLS: a certificate with its chain, and the key that belongs to it. Both are
//! PEM files (RFC 7468), read and checked whole before anything comes into force; what is in force can be swapped while
//! connections go on. TLS 1.2 and 1.3: a load balancer's health check does not speak to who has 1.3 alone
//! (Elastic Load Balancing, health checks of target groups, <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html>).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use enigma_wire::x509;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::config::http::TlsFiles;

/// The one protocol that is spoken inside (RFC 7301 section 6): a client that offers others only is refused at once.
const ALPN: &[u8] = b"http/1.1";

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, is_key: bool, source: io::Error },
    #[error("{} is not whole PEM: {why}", path.display())]
    Pem { path: PathBuf, is_key: bool, why: &'static str },
    #[error(
        "{} holds no certificate (PEM, which begins with -----BEGIN CERTIFICATE-----)",
        path.display()
    )]
    NoCertificate { path: PathBuf },
    #[error(
        "{} holds no private key (PEM, which begins with -----BEGIN PRIVATE KEY----- or with RSA or EC before PRIVATE; an \
         encrypted one cannot be read)",
        path.display()
    )]
    NoKey { path: PathBuf },
    #[error("the first certificate in {} cannot be used: {cause}", path.display())]
    Certificate { path: PathBuf, cause: rustls::Error },
    #[error("the key in {} cannot be used: {cause}", path.display())]
    Key { path: PathBuf, cause: rustls::Error },
    #[error(
        "the key in {} does not fit the first certificate in {}, which must be the server's own",
        path.display(),
        certificate.display()
    )]
    Mismatch { path: PathBuf, certificate: PathBuf },
}

impl IdentityError {
    /// Whether the file of the key is at fault, and not that of the certificate.
    pub(crate) const fn is_of_key(&self) -> bool {
        match self {
            Self::Read { is_key, .. } | Self::Pem { is_key, .. } => *is_key,
            Self::NoKey { .. } | Self::Key { .. } | Self::Mismatch { .. } => true,
            Self::NoCertificate { .. } | Self::Certificate { .. } => false,
        }
    }
}

/// A certificate and key that fit each other.
pub(crate) struct Identity {
    /// The server's own certificate first, then those that lead to an authority.
    chain: Vec<CertificateDer<'static>>,
    path: PathBuf,
    server: Arc<ServerConfig>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.path.display())
    }
}

impl Identity {
    /// Reads and checks both files.
    ///
    /// # Errors
    /// Everything that is wrong, which is more than one thing where both files cannot be read.
    pub(crate) fn load(files: &TlsFiles) -> Result<Self, Vec<IdentityError>> {
        let certificate = read(&files.certificate, false).and_then(|text| chain(&files.certificate, &text));
        let key = read(&files.key, true).and_then(|text| private_key(&files.key, &text));
        match (certificate, key) {
            (Ok(chain), Ok(key)) => Self::new(files, chain, key).map_err(|error| vec![error]),
            (certificate, key) => Err(certificate.err().into_iter().chain(key.err()).collect()),
        }
    }

    fn new(
        files: &TlsFiles,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, IdentityError> {
        let refused = |cause: rustls::Error| match cause {
            rustls::Error::InconsistentKeys(_) => {
                IdentityError::Mismatch { path: files.key.clone(), certificate: files.certificate.clone() }
            }
            rustls::Error::InvalidCertificate(_) => {
                IdentityError::Certificate { path: files.certificate.clone(), cause }
            }
            cause => IdentityError::Key { path: files.key.clone(), cause },
        };
        let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain.clone(), key))
            .map_err(refused)?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { chain, path: files.certificate.clone(), server: Arc::new(server) })
    }

    /// What takes connections over TLS.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.server))
    }

    /// Whether clients are shown the same. A certificate has one key, so the key needs no comparison.
    pub(crate) fn shows_the_same(&self, other: &Self) -> bool {
        self.chain == other.chain
    }

    /// Seconds since 1970 until which the server's own certificate is valid.
    pub(crate) fn not_after(&self) -> Option<i64> {
        self.own()?.not_after
    }

    fn own(&self) -> Option<x509::Certificate<'_>> {
        x509::Certificate::decode(self.chain.first()?).ok()
    }

    /// What a client that checks the certificate would hold against it at `now`. Load balancers do not check it.
    pub(crate) fn doubt(&self, now: SystemTime) -> Option<String> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let certificate = self.own()?;
        let said = match (certificate.not_before, certificate.not_after) {
            (_, Some(end)) if end < now => format!("expired at {}", date(end)),
            (Some(begin), _) if begin > now => format!("is not valid before {}", date(begin)),
            _ => return None,
        };
        let path = self.path.display();
        Some(format!("the certificate in {path} {said}: clients that check it will not go on"))
    }
}

fn read(path: &Path, is_key: bool) -> Result<Vec<u8>, IdentityError> {
    std::fs::read(path).map_err(|source| IdentityError::Read { path: path.to_owned(), is_key, source })
}

fn chain(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|error| IdentityError::Pem { path: path.to_owned(), is_key: false, why: why(&error) })?;
    if chain.is_empty() {
        return Err(IdentityError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

fn private_key(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, IdentityError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => IdentityError::NoKey { path: path.to_owned() },
        error => IdentityError::Pem { path: path.to_owned(), is_key: true, why: why(&error) },
    })
}

/// In our words: the library's show bytes of the file, which may be a key.
const fn why(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a block has no END line",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is cut short",
        pem::Error::Base64Decode(_) => "a block is not base64",
        _ => "a block cannot be read",
    }
}

fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "a time beyond all calendars".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests;
