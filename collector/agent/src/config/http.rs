//! `http`: the address of health, metrics and status.

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
    meaning: "TCP address of `/health/live`, `/health/ready`, `/metrics`, `/api/v1/status`, `/api/v1/flows/top` and, for target groups of older collectors, `/api/2.0/status`, which is `/health/ready`. Plain HTTP. A load balancer's health check needs the address of the interface it reaches.",
    reason: "Counters tell about traffic; they leave the host only where somebody decided so.",
};

static TOKEN_FILE: Key = Key {
    section: "http",
    name: "token_file",
    default: "\"\"",
    allowed: "an absolute path, or \"\" for none",
    meaning: "File whose first line is the bearer token of `/api/v1/`: at least 16 visible ASCII characters. The environment variable `ENIGMA_HTTP_TOKEN` comes before it. Without a token `/api/v1/status` (counters only) answers everybody and `/api/v1/flows/top` (who talks with whom) nobody; with one, both ask for it. Health checks and metrics never do.",
    reason: "A secret does not belong into a file that people mail around; and addresses of traffic are shown to nobody until somebody decided to whom.",
};

/// `[http]`.
pub(crate) static SECTION: Section = Section {
    name: "http",
    about: "Health, metrics and status over HTTP. Read-only.",
    keys: &[&LISTEN, &TOKEN_FILE],
};

/// The HTTP server's part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Http {
    /// TCP address; port 0 means any.
    pub(crate) listen: SocketAddr,
    /// Where the bearer token of the API stands.
    pub(crate) token_file: Option<PathBuf>,
}

impl Http {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            listen: reader.get(&LISTEN, value::socket_address),
            token_file: reader.get(&TOKEN_FILE, value::optional_path),
        }
    }
}
