//! Which protocol a flow speaks, told by how its content begins. Ports only break ties.
//!
//! Every test reads a bounded prefix of what one side sent, and sometimes what the other said before. A test says
//! "maybe" as long as what is there could become what it looks for, so that nothing depends on how bytes were cut.

mod binary;
mod datagram;
mod middle;
mod text;

pub(super) use datagram::udp;
pub(super) use middle::{begins, begins_dns, begins_request, begins_response};

use super::{Service, dns, ssl};

/// What the beginning of a direction looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Guess {
    No,
    /// Too little to tell.
    Maybe,
    Yes,
}

/// What a connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Is(Service),
    /// This, and it may go on in TLS (or, after a proxy's greeting, in anything).
    MayTurnToTls(Service),
    Maybe,
    Unknown,
}

/// Judges a TCP connection by what one side has sent and what the other sent before; `ports` are those of the two in
/// the same order. Pure: the same bytes give the same verdict.
pub(super) fn tcp(mine: &[u8], theirs: &[u8], ports: [u16; 2]) -> Verdict {
    let is_dns_port = ports.into_iter().any(dns::is_usual_port);
    let simple = [
        (ssl::looks_like(mine), Verdict::Is(Service::Ssl)),
        (prefix(mine, b"SSH-"), Verdict::Is(Service::Ssh)),
        (prefix(mine, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Verdict::Is(Service::Http2)),
        (text::http(mine), Verdict::Is(Service::Http)),
        (dns::looks_like_stream(mine, is_dns_port), Verdict::Is(Service::Dns)),
    ];
    let mut is_open = false;
    let mut judge = |tests: &[(Guess, Verdict)]| {
        tests.iter().find_map(|&(guess, verdict)| match guess {
            Guess::Yes => Some(verdict),
            Guess::Maybe => {
                is_open = true;
                None
            }
            Guess::No => None,
        })
    };
    // Most connections are of the first kinds: the others are not even tried on them.
    let found = judge(&simple)
        .or_else(|| judge(&text::tests(mine, theirs)))
        .or_else(|| judge(&binary::tests(mine, theirs, ports)));
    if let Some(verdict) = found {
        return verdict;
    }
    if is_open { Verdict::Maybe } else { Verdict::Unknown }
}

/// Whether content begins with `expected`, or has not got so far.
fn prefix(data: &[u8], expected: &[u8]) -> Guess {
    if data.starts_with(expected) {
        Guess::Yes
    } else if expected.starts_with(data) {
        Guess::Maybe
    } else {
        Guess::No
    }
}

/// Whether `pattern` (in lower case) occurs in the first 256 bytes, whatever the case.
fn contains(data: &[u8], pattern: &[u8]) -> bool {
    let data = &data[..data.len().min(256)];
    data.windows(pattern.len()).any(|window| window.eq_ignore_ascii_case(pattern))
}

pub(super) const fn when(condition: bool) -> Guess {
    if condition { Guess::Yes } else { Guess::No }
}

#[cfg(test)]
mod tests;
