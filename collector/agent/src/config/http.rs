//! `http`: the address of health, metrics and status.

use std::net::SocketAddr;

use super::Section;
use super::key::{Key, Reader};
use super::value;

static LISTEN: Key = Key {
    section: "http",
    name: "listen",
    default: "\"127.0.0.1:8080\"",
    allowed: "an address and port such as \"127.0.0.1:8080\"; port 0 takes a free one",
    meaning: "TCP address of `/health/live`, `/health/ready`, `/metrics` and `/api/v1/status`. A load balancer's health check needs the address of the interface it reaches.",
    reason: "Counters tell about traffic; they leave the host only where somebody decided so.",
};

/// `[http]`.
pub(crate) static SECTION: Section =
    Section { name: "http", about: "Health, metrics and status over HTTP. Read-only.", keys: &[&LISTEN] };

/// The HTTP server's part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Http {
    /// TCP address; port 0 means any.
    pub(crate) listen: SocketAddr,
}

impl Http {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self { listen: reader.get(&LISTEN, value::socket_address) }
    }
}
