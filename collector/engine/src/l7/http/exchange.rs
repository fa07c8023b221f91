//! One request and its response, as they become a record.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use enigma_wire::http::{self, headers};

use super::Framing;
use crate::{HttpBody, HttpRecord, Record, Timestamp, l7::Sink, record::Head};

/// Text that is kept of one header or of what was asked for. Longer ones are attacks or tokens that nobody reads.
const MAX_TEXT: usize = 4096;

/// Headers by which proxies tell of themselves, Zeek's `HTTP::proxy_headers`.
const PROXY_HEADERS: [&str; 7] = [
    "FORWARDED",
    "X-FORWARDED-FOR",
    "X-FORWARDED-FROM",
    "CLIENT-IP",
    "VIA",
    "XROXY-CONNECTION",
    "PROXY-CONNECTION",
];

#[derive(Clone, Debug)]
pub(super) struct Exchange {
    record: Box<HttpRecord>,
    is_head: bool,
    is_connect: bool,
    has_version: bool,
    has_request: bool,
    has_response: bool,
    is_request_over: bool,
    is_response_over: bool,
}

/// What a response's head says of what follows.
pub(super) struct Reply {
    pub(super) framing: Framing,
    /// The final response is still to come.
    pub(super) is_interim: bool,
    /// The connection is no longer HTTP.
    pub(super) becomes_other: bool,
    pub(super) is_websocket: bool,
}

impl Exchange {
    pub(super) fn new(head: Head, depth: u32) -> Self {
        let record = HttpRecord {
            head,
            depth,
            method: None,
            host: None,
            uri: None,
            referrer: None,
            version: None,
            user_agent: None,
            origin: None,
            request: HttpBody::default(),
            response: HttpBody::default(),
            status: None,
            info: None,
            username: None,
            proxied: Vec::new(),
        };
        Self {
            record: Box::new(record),
            is_head: false,
            is_connect: false,
            has_version: false,
            has_request: false,
            has_response: false,
            is_request_over: false,
            is_response_over: false,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let record = &self.record;
        let texts = [&record.uri, &record.referrer, &record.user_agent, &record.host];
        let text: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
        size_of::<Self>() + size_of::<HttpRecord>() + text
    }

    pub(super) fn request_body(&mut self) -> &mut HttpBody {
        &mut self.record.request
    }

    pub(super) fn response_body(&mut self) -> &mut HttpBody {
        &mut self.record.response
    }

    /// Notes a request; says how its content ends.
    pub(super) fn request(&mut self, line: &[u8], block: &[u8]) -> Framing {
        let line = http::request_line(line);
        let record = &mut *self.record;
        self.has_request = true;
        self.is_head = line.method == b"HEAD";
        self.is_connect = line.method == b"CONNECT";
        self.has_version = line.version.is_some();
        record.method = Some(short(line.method));
        record.uri = Some(unescaped(line.uri));
        let mut body = Body::default();
        for (name, value) in headers(block) {
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            if is("host") {
                record.host = Some(short(value));
            } else if is("referer") {
                record.referrer = Some(short(value));
            } else if is("user-agent") {
                record.user_agent = Some(short(value));
            } else if is("origin") {
                record.origin = Some(short(value));
            } else if is("authorization") || is("proxy-authorization") {
                record.username = username(value);
            } else if let Some(known) = PROXY_HEADERS.iter().find(|known| is(known)) {
                record.proxied.push([known.as_bytes(), b" -> ", &short(value)].concat().into());
            } else {
                body.note(name, value, &mut record.request);
            }
        }
        if body.is_chunked { Framing::Chunks } else { Framing::Length(body.len.unwrap_or(0)) }
    }

    /// Notes a response.
    pub(super) fn response(&mut self, line: &[u8], block: &[u8]) -> Reply {
        let record = &mut *self.record;
        let (code, reason) = match http::status_line(line) {
            Some(status) => {
                record.version = Some(status.version);
                (status.code, short(status.reason))
            }
            None => (0, Box::default()),
        };
        let (mut body, mut is_websocket) = (Body::default(), false);
        for (name, value) in headers(block) {
            is_websocket |= name.eq_ignore_ascii_case(b"upgrade") && value.eq_ignore_ascii_case(b"websocket");
            body.note(name, value, &mut record.response);
        }
        if (100..200).contains(&code) {
            record.info = Some((code, reason.clone()));
        }
        record.status = Some((code, reason));
        self.has_response = true;
        let becomes_other = code == 101 || (self.is_connect && (200..300).contains(&code));
        let is_interim = (100..200).contains(&code) && !becomes_other;
        let has_none = self.is_head || matches!(code, 204 | 304);
        let framing = match body.len {
            _ if has_none => Framing::Length(0),
            _ if body.is_chunked => Framing::Chunks,
            Some(len) => Framing::Length(len),
            None => Framing::UntilClose,
        };
        Reply { framing, is_interim, becomes_other, is_websocket: is_websocket && code == 101 }
    }

    /// Notes that content came without a head; says whether that is what the request asked for.
    pub(super) fn answer_headless(&mut self, _at: Timestamp) -> bool {
        if self.has_version || !self.has_request {
            return false;
        }
        self.record.version = Some(*b"0.9");
        // Zeek's words for a status that is not there.
        self.record.status = Some((0, b"<empty>"[..].into()));
        self.has_response = true;
        true
    }

    /// Notes that the request or the response has ended; says whether this completes the exchange.
    pub(super) fn end(&mut self, is_request: bool) -> bool {
        if is_request {
            self.is_request_over = true;
        } else {
            self.is_response_over = true;
        }
        self.is_complete()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_response_over && (self.is_request_over || !self.has_request)
    }

    pub(super) fn write(self, sink: &mut Sink<'_>) {
        sink.push(Record::Http(self.record));
    }
}

/// What headers say of content.
#[derive(Default)]
struct Body {
    len: Option<u64>,
    is_chunked: bool,
}

impl Body {
    fn note(&mut self, name: &[u8], value: &[u8], body: &mut HttpBody) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("content-length") {
            self.len = Some(http::content_length(value).unwrap_or(0));
        } else if is("transfer-encoding") {
            let mut codings = value.split(|byte| *byte == b',');
            self.is_chunked |= codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        } else if is("content-encoding") {
            body.is_encoded = !value.eq_ignore_ascii_case(b"identity");
        } else if is("content-disposition") {
            body.filename = http::parameter(value, b"filename").map(short);
        } else if is("content-type") && body.filename.is_none() {
            body.filename = http::parameter(value, b"name").map(short);
        }
    }
}

fn short(text: &[u8]) -> Box<[u8]> {
    text[..text.len().min(MAX_TEXT)].into()
}

/// The name in basic authentication. The password behind it is not looked at.
fn username(value: &[u8]) -> Option<Box<[u8]>> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(rest.trim_ascii()).ok()?;
    let name = decoded.split(|byte| *byte == b':').next()?;
    Some(short(name))
}

/// Resolves `%` escapes, as far as they are ones.
fn unescaped(uri: &[u8]) -> Box<[u8]> {
    let uri = &uri[..uri.len().min(MAX_TEXT)];
    let digit = |at: usize| uri.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut text, mut at) = (Vec::with_capacity(uri.len()), 0);
    while let Some(&byte) = uri.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                text.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                text.push(byte);
                at += 1;
            }
        }
    }
    text.into()
}
