//! The `http` record: one request and its response, with Zeek's fields.

use super::{Head, json::Object};

/// What one side sent as content.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HttpBody {
    /// Bytes as they were transferred, without the framing of chunks.
    pub len: u64,
    /// Name of a file, from the headers.
    pub filename: Option<Box<[u8]>>,
    /// Kind of content, by how it begins.
    pub mime_type: Option<&'static str>,
    /// It is compressed, so that its beginning says nothing.
    pub is_encoded: bool,
}

/// A request and its response, or one of them alone.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpRecord {
    /// The flow; `ts` is the request's time, or the response's if no request was seen.
    pub head: Head,
    /// Number of the exchange in its connection, from 1.
    pub depth: u32,
    /// Method of the request.
    pub method: Option<Box<[u8]>>,
    /// Host header.
    pub host: Option<Box<[u8]>>,
    /// What was asked for, with `%` escapes resolved.
    pub uri: Option<Box<[u8]>>,
    /// Referer header.
    pub referrer: Option<Box<[u8]>>,
    /// Version of the response.
    pub version: Option<[u8; 3]>,
    /// User-Agent header.
    pub user_agent: Option<Box<[u8]>>,
    /// Origin header.
    pub origin: Option<Box<[u8]>>,
    /// Content of the request.
    pub request: HttpBody,
    /// Content of the response.
    pub response: HttpBody,
    /// Status of the response.
    pub status: Option<(u16, Box<[u8]>)>,
    /// Status of the last informational (1xx) response before it.
    pub info: Option<(u16, Box<[u8]>)>,
    /// User name of basic authentication. Passwords are never kept.
    pub username: Option<Box<[u8]>>,
    /// Headers that tell of proxies, as `NAME -> value`.
    pub proxied: Vec<Box<[u8]>>,
}

impl HttpRecord {
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(out);
        self.head.begin(&mut object);
        object.number("trans_depth", u64::from(self.depth));
        object.optional_text("method", self.method.as_deref());
        object.optional_text("host", self.host.as_deref());
        object.optional_text("uri", self.uri.as_deref());
        object.optional_text("referrer", self.referrer.as_deref());
        if let Some(version) = &self.version {
            object.text("version", version);
        }
        object.optional_text("user_agent", self.user_agent.as_deref());
        object.optional_text("origin", self.origin.as_deref());
        object.number("request_body_len", self.request.len);
        object.number("response_body_len", self.response.len);
        if let Some((code, message)) = &self.status {
            object.number("status_code", u64::from(*code));
            object.text("status_msg", message);
        }
        if let Some((code, message)) = &self.info {
            object.number("info_code", u64::from(*code));
            object.text("info_msg", message);
        }
        object.texts("tags", core::iter::empty());
        object.optional_text("username", self.username.as_deref());
        if !self.proxied.is_empty() {
            object.texts("proxied", self.proxied.iter().map(|text| &**text));
        }
        for (names, body) in [
            (["orig_filenames", "orig_mime_types"], &self.request),
            (["resp_filenames", "resp_mime_types"], &self.response),
        ] {
            let [filenames, mime_types] = names;
            if let Some(name) = &body.filename {
                object.texts(filenames, [&**name].into_iter());
            }
            if let Some(kind) = body.mime_type {
                object.texts(mime_types, [kind.as_bytes()].into_iter());
            }
        }
        self.head.end(object);
    }
}
