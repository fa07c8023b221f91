//! Where a connection can be read from, if its beginning was not seen: segments that begin a message.
//!
//! Stricter than at the beginning of a connection: here content of every kind is asked, and again and again.

use enigma_wire::http::{request_line, status_line};

use super::{Guess, Service, dns, ssl};

/// What is known to be a method by itself, where the version is in a later segment.
const METHODS: [&[u8]; 9] =
    [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PATCH", b"OPTIONS", b"PROPFIND", b"REPORT"];

/// What a segment begins, of the protocols that can be read from any of their messages on.
pub(in crate::l7) fn begins(data: &[u8]) -> Option<Service> {
    if begins_request(data) || begins_response(data) {
        Some(Service::Http)
    } else if begins_dns(data) {
        Some(Service::Dns)
    } else if data.first() == Some(&22) && ssl::looks_like(data) == Guess::Yes {
        Some(Service::Ssl)
    } else {
        None
    }
}

/// Whether a segment begins with a request of HTTP/1: a method, and a version at the end of its line or, where the line
/// goes on behind the segment, nothing that an address could not have.
pub(in crate::l7) fn begins_request(data: &[u8]) -> bool {
    let is_method = |byte: &&u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
    let len = data.iter().take(32).take_while(is_method).count();
    if len < 3 || data.get(len) != Some(&b' ') {
        return false;
    }
    let (method, rest) = data.split_at(len);
    match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            request_line(&data[..len + end]).version.is_some_and(|version| version.starts_with(b"1."))
        }
        None => {
            let is_address = matches!(rest.get(1), Some(b'/' | b'h' | b'*'));
            is_address
                && METHODS.contains(&method)
                && rest[1..].iter().all(|byte| *byte > b' ' && *byte != 0x7f)
        }
    }
}

/// Whether a segment begins with a response of HTTP/1.
pub(in crate::l7) fn begins_response(data: &[u8]) -> bool {
    let is_status = |status: enigma_wire::http::StatusLine<'_>| {
        status.version.starts_with(b"1.") && (100..600).contains(&status.code)
    };
    data.starts_with(b"HTTP/1.") && status_line(&data[..data.len().min(13)]).is_some_and(is_status)
}

/// Whether a segment begins with a DNS message that is there to its last byte.
pub(in crate::l7) fn begins_dns(data: &[u8]) -> bool {
    dns::looks_like_stream(data, false) == Guess::Yes
}
