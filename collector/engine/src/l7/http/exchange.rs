//! One request and its response, as they become a record.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use enigma_wire::http::{self, RequestLine};

use super::Framing;
use crate::{HttpBody, HttpRecord, Record, Timestamp, l7::Sink, record::Head};

/// Text that is kept of one header or of what was asked for. Longer ones are attacks or tokens that nobody reads.
const MAX_TEXT: usize = 4096;

/// Text that is kept of one exchange: room for an address, a page before it and a few more that are as long as may be. What
/// comes behind it in a head goes by.
const MAX_TEXTS: usize = 4 * MAX_TEXT;

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

/// The other headers of which records tell, or which say where content ends.
const HEADERS: [&str; 12] = [
    "HOST",
    "REFERER",
    "USER-AGENT",
    "ORIGIN",
    "AUTHORIZATION",
    "PROXY-AUTHORIZATION",
    "CONTENT-LENGTH",
    "TRANSFER-ENCODING",
    "CONTENT-ENCODING",
    "CONTENT-DISPOSITION",
    "CONTENT-TYPE",
    "UPGRADE",
];

/// Whether a line that begins so, whose end is still to come, is a header of which nobody wants anything.
pub(super) fn goes_by(begun: &[u8]) -> bool {
    let colon = begun.iter().position(|byte| *byte == b':');
    colon.is_some_and(|colon| {
        let is_name = |known: &&str| begun[..colon].trim_ascii().eq_ignore_ascii_case(known.as_bytes());
        !HEADERS.iter().chain(&PROXY_HEADERS).any(is_name)
    })
}

#[derive(Clone, Debug)]
pub(super) struct Exchange {
    record: Box<HttpRecord>,
    /// Bytes of text that were kept.
    kept: usize,
    /// Number of the responder's first byte that the client had not read when it asked.
    answer_at: Option<u32>,
    is_head: bool,
    is_connect: bool,
    has_version: bool,
    has_request: bool,
    has_response: bool,
    is_interim: bool,
    is_request_over: bool,
    is_response_over: bool,
}

/// What the lines of one head have said of what follows it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    len: Option<u64>,
    is_chunked: bool,
    is_websocket: bool,
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
            kept: 0,
            answer_at: None,
            is_head: false,
            is_connect: false,
            has_version: false,
            has_request: false,
            has_response: false,
            is_interim: false,
            is_request_over: false,
            is_response_over: false,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of::<HttpRecord>() + self.kept
    }

    pub(super) fn request_body(&mut self) -> &mut HttpBody {
        &mut self.record.request
    }

    pub(super) fn response_body(&mut self) -> &mut HttpBody {
        &mut self.record.response
    }

    /// Where the answer begins, if nothing else is sent before it: the responder's first byte that the client had not
    /// read when it asked.
    pub(super) fn answer_at(&self) -> Option<u32> {
        self.answer_at
    }

    pub(super) fn has_request(&self) -> bool {
        self.has_request
    }

    /// Whether its response is over; its request may go on for all that.
    pub(super) fn is_answered(&self) -> bool {
        self.is_response_over
    }

    /// Whether a response has begun and is not over.
    pub(super) fn is_being_answered(&self) -> bool {
        self.has_response && !self.is_response_over
    }

    /// Whether the response so far was not the final one.
    pub(super) fn awaits_final(&self) -> bool {
        self.is_interim
    }

    /// Notes a request's first line, which may be less than all of it, and how far its sender has read.
    pub(super) fn request(&mut self, line: &RequestLine<'_>, is_whole: bool, answer_at: Option<u32>) {
        self.answer_at = answer_at;
        self.has_request = true;
        self.is_head = line.method == b"HEAD";
        self.is_connect = line.method == b"CONNECT";
        // What is missing of a line is where its version would be.
        self.has_version = line.version.is_some() || !is_whole;
        self.record.method = self.keep(line.method);
        self.record.uri = self.keep(line.uri).map(|uri| unescaped(&uri));
    }

    /// Notes a header of the request.
    pub(super) fn request_header(&mut self, name: &[u8], value: &[u8], told: &mut Told) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("host") {
            let kept = self.keep(value);
            put(&mut self.record.host, kept);
        } else if is("referer") {
            let kept = self.keep(value);
            put(&mut self.record.referrer, kept);
        } else if is("user-agent") {
            let kept = self.keep(value);
            put(&mut self.record.user_agent, kept);
        } else if is("origin") {
            let kept = self.keep(value);
            put(&mut self.record.origin, kept);
        } else if is("authorization") || is("proxy-authorization") {
            let kept = username(value).and_then(|name| self.keep(&name));
            put(&mut self.record.username, kept);
        } else if let Some(known) = PROXY_HEADERS.iter().find(|known| is(known)) {
            if let Some(value) = self.keep(value) {
                self.kept += size_of::<Box<[u8]>>() + known.len();
                self.record.proxied.push([known.as_bytes(), b" -> ", &value].concat().into());
            }
        } else if let Some(filename) = told.note(name, value, &mut self.record.request) {
            let kept = self.keep(filename);
            put(&mut self.record.request.filename, kept);
        }
    }

    /// Notes a response's first line.
    pub(super) fn response(&mut self, line: &[u8]) {
        let (code, reason) = match http::status_line(line) {
            Some(status) => {
                self.record.version = Some(status.version);
                (status.code, self.keep(status.reason).unwrap_or_default())
            }
            None => (0, Box::default()),
        };
        if (100..200).contains(&code) {
            self.record.info = Some((code, reason.clone()));
        }
        self.record.status = Some((code, reason));
        self.has_response = true;
        self.is_interim = false;
    }

    /// Notes a header of the response.
    pub(super) fn response_header(&mut self, name: &[u8], value: &[u8], told: &mut Told) {
        told.is_websocket |=
            name.eq_ignore_ascii_case(b"upgrade") && value.eq_ignore_ascii_case(b"websocket");
        if let Some(filename) = told.note(name, value, &mut self.record.response) {
            let kept = self.keep(filename);
            put(&mut self.record.response.filename, kept);
        }
    }

    /// What follows the response's head.
    pub(super) fn reply(&mut self, told: Told) -> Reply {
        let code = self.record.status.as_ref().map_or(0, |(code, _)| *code);
        let becomes_other = code == 101 || (self.is_connect && (200..300).contains(&code));
        let is_interim = (100..200).contains(&code) && !becomes_other;
        self.is_interim = is_interim;
        let has_none = self.is_head || matches!(code, 204 | 304);
        let framing = match told.len {
            _ if has_none => Framing::Length(0),
            _ if told.is_chunked => Framing::Chunks,
            Some(len) => Framing::Length(len),
            None => Framing::UntilClose,
        };
        Reply { framing, is_interim, becomes_other, is_websocket: told.is_websocket && code == 101 }
    }

    /// The beginning of a text, unless too much of others was kept.
    fn keep(&mut self, text: &[u8]) -> Option<Box<[u8]>> {
        let text = &text[..text.len().min(MAX_TEXT)];
        if self.kept + text.len() > MAX_TEXTS {
            return None;
        }
        self.kept += text.len();
        Some(text.into())
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

impl Told {
    /// What follows a request's head.
    pub(super) fn request_framing(&self) -> Framing {
        if self.is_chunked { Framing::Chunks } else { Framing::Length(self.len.unwrap_or(0)) }
    }

    /// Notes what a header says of content; gives back the name of a file, if it is that.
    fn note<'a>(&mut self, name: &[u8], value: &'a [u8], body: &mut HttpBody) -> Option<&'a [u8]> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("content-length") {
            self.len = Some(http::content_length(value).unwrap_or(0));
        } else if is("transfer-encoding") {
            let mut codings = value.split(|byte| *byte == b',');
            self.is_chunked |= codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        } else if is("content-encoding") {
            body.is_encoded = !value.eq_ignore_ascii_case(b"identity");
        } else if is("content-disposition") {
            return http::parameter(value, b"filename");
        } else if is("content-type") && body.filename.is_none() {
            return http::parameter(value, b"name");
        }
        None
    }
}

/// The last of several counts, if it was kept.
fn put(field: &mut Option<Box<[u8]>>, kept: Option<Box<[u8]>>) {
    if kept.is_some() {
        *field = kept;
    }
}

/// The name in basic authentication. The password behind it is not looked at.
fn username(value: &[u8]) -> Option<Box<[u8]>> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(rest.trim_ascii()).ok()?;
    let name = decoded.split(|byte| *byte == b':').next()?;
    Some(name.into())
}

/// Resolves `%` escapes, as far as they are ones.
fn unescaped(uri: &[u8]) -> Box<[u8]> {
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
