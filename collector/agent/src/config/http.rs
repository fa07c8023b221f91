//! `http`: the address of health, metrics and status, and how it is protected.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Section;
use super::key::{Key, Reader};
use super::value;

static LISTEN: Key = Key {
    section: "http",
    name: "listen",
    default: "\"127.0.0.1:8080\"",
    allowed: "an address and port such as \"127.0.0.1:8080\"; port 0 takes a free one",
    meaning: "TCP address of `/health/live`, `/health/ready`, `/metrics`, `/api/v1/status`, `/api/v1/flows/top`, `/api/v1/captures` and, for target groups of older collectors, `/api/2.0/status`, which is `/health/ready`. Plain HTTP, or HTTPS with `http.tls_certificate`. A load balancer's health check needs the address of the interface it reaches.",
    reason: "Counters tell about traffic; they leave the host only where somebody decided so.",
};

static TOKEN_FILE: Key = Key {
    section: "http",
    name: "token_file",
    default: "\"\"",
    allowed: "an absolute path, or \"\" for none",
    meaning: "File whose first line is the bearer token of `/api/v1/`: at least 16 visible ASCII characters. The environment variable `ENIGMA_HTTP_TOKEN` comes before it. Without a token `/api/v1/status` (counters only) answers everybody while `/api/v1/flows/top` (who talks with whom) and `/api/v1/captures` (packets) answer nobody; with one, all ask for it. Health checks and metrics never do.",
    reason: "A secret does not belong into a file that people mail around; and traffic is shown to nobody until somebody decided to whom.",
};

static TLS_CERTIFICATE: Key = Key {
    section: "http",
    name: "tls_certificate",
    default: "\"\"",
    allowed: "an absolute path, or \"\" for none",
    meaning: "PEM file of the server's certificate and, behind it, those that lead to an authority. With it the server speaks TLS 1.2 and 1.3 (HTTP/1.1 inside) and answers nobody who does not: set the health check's protocol to HTTPS. Needs `http.tls_key`. A certificate that has expired is used, with a warning. A reload (SIGHUP) reads both files again; new connections are shown the new certificate, and one that cannot be used changes nothing.",
    reason: "A certificate is made by who runs the host. Without one let nobody but the load balancer reach the port, or send no token over it.",
};

static TLS_KEY: Key = Key {
    section: "http",
    name: "tls_key",
    default: "\"\"",
    allowed: "an absolute path, or \"\" for none",
    meaning: "PEM file of the certificate's private key (PKCS #8, PKCS #1 or SEC 1; not encrypted). It may be the same file. The collector's user must be able to read it, also later, when it is replaced.",
    reason: "As above: both or none.",
};

/// `[http]`.
pub(crate) static SECTION: Section = Section {
    name: "http",
    about: "Health, metrics, status and captures on demand over HTTP. Nothing there changes what is received or recorded.",
    keys: &[&LISTEN, &TLS_CERTIFICATE, &TLS_KEY, &TOKEN_FILE],
};

/// The HTTP server's part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Http {
    /// TCP address; port 0 means any.
    pub(crate) listen: SocketAddr,
    /// `None`: plain HTTP.
    pub(crate) tls: Option<TlsFiles>,
    /// Where the bearer token of the API stands.
    pub(crate) token_file: Option<PathBuf>,
}

/// Where the server's certificate and its key stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl TlsFiles {
    /// Path of the key of the configuration that names the one or the other file.
    pub(crate) fn named_by(is_key: bool) -> String {
        if is_key { TLS_KEY.path() } else { TLS_CERTIFICATE.path() }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let certificate = reader.get(&TLS_CERTIFICATE, value::optional_path);
        let key = reader.get(&TLS_KEY, value::optional_path);
        match (certificate, key) {
            (Some(certificate), Some(key)) => return Some(Self { certificate, key }),
            (Some(_), None) if !reader.is_wrong(&TLS_KEY) => reader.object(&TLS_CERTIFICATE, &lone(&TLS_KEY)),
            (None, Some(_)) if !reader.is_wrong(&TLS_CERTIFICATE) => {
                reader.object(&TLS_KEY, &lone(&TLS_CERTIFICATE));
            }
            _ => {}
        }
        None
    }
}

fn lone(other: &Key) -> String {
    format!("stands without {}, allowed: both or none", other.path())
}

impl Http {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            listen: reader.get(&LISTEN, value::socket_address),
            tls: TlsFiles::read(reader),
            token_file: reader.get(&TOKEN_FILE, value::optional_path),
        }
    }
}
