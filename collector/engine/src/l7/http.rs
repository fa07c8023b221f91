//! HTTP/1 as Zeek's `http` records: one for each request, with its response.
//!
//! Heads are read line by line, so they may be of any length; content is counted and skipped, but for its first bytes,
//! which tell its kind. Requests may be sent before their predecessors are answered. After an upgrade or CONNECT the
//! connection is something else.

mod exchange;
mod head;
mod loss;

use enigma_wire::http;

use self::exchange::{Exchange, Told};
use super::{
    Sink, mime,
    tcp::{Fed, Next},
};
use crate::{HttpBody, key::Side};

/// Requests that may wait for their responses; browsers that did this at all sent six. When there are more the oldest goes
/// without its response, and which of those to come belongs to which request is not certain.
const MAX_WAITING: usize = 16;

/// A trailer's line is no longer.
const MAX_TRAILER: usize = 4096;

/// Bytes of content that tell its kind, if there are so many.
const TELLING: u64 = 64;

/// Content that ends with the connection. No content is so long.
const UNTIL_CLOSE: u64 = 1 << 62;

/// Where one direction is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Place {
    /// Before a message, or within its first line.
    #[default]
    Start,
    /// Before or within one of the head's other lines.
    Headers,
    /// Within a line of a head of which no more is wanted.
    Line,
    /// Before content of this length whose kind is not known yet.
    Content { len: u64 },
    /// The content's bytes are being skipped, all of them.
    Skipping,
    /// Before or within the line that says how long the next chunk is.
    Chunk,
    /// Behind the last chunk: lines up to an empty one.
    Trailer,
}

/// One direction.
#[derive(Clone, Debug, Default)]
struct Half {
    place: Place,
    /// Of the line that is waited for so much was looked through and is not its end.
    seen: usize,
    /// Bytes of the head that is being read.
    passed: usize,
    /// What that head has said so far of what follows it.
    told: Told,
}

/// A connection's exchanges.
#[derive(Clone, Debug, Default)]
pub(super) struct Http {
    halves: [Half; 2],
    client: Option<Side>,
    /// Requests without a complete response, and the one that is being answered, in their order.
    waiting: Vec<Exchange>,
    depth: u32,
    /// Messages may be missing: which response belongs to which request is not known by their order.
    is_unsure: bool,
    /// A request was sent before its predecessor was answered.
    has_pipelined: bool,
}

impl Http {
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.waiting.iter().map(Exchange::bytes).sum::<usize>()
    }

    /// Reads what `side` sent. Empty data says that what was skipped has ended.
    pub(super) fn data(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Fed {
        if self.client.is_none() {
            self.client = Some(if data.starts_with(b"HTTP/") { side.other() } else { side });
        }
        let is_request = self.client == Some(side);
        let (mut at, begin) = (0_usize, sink.position);
        loop {
            let rest = data.get(at..).unwrap_or_default();
            sink.position = begin.wrapping_add(at as u32);
            let step = match self.halves[side as usize].place {
                Place::Start => self.start(side, is_request, rest, sink),
                Place::Headers => self.header(side, is_request, rest, sink),
                Place::Line => self.pass_line(side, rest, sink),
                Place::Content { len } => self.content(side, is_request, len, rest, sink),
                Place::Skipping => {
                    self.end(side, is_request, sink);
                    Step::Took(0)
                }
                Place::Chunk => self.chunk(side, is_request, rest, sink),
                Place::Trailer => match line_end(rest) {
                    Some(end) => {
                        if http::split_line(rest).0.is_empty() {
                            self.end(side, is_request, sink);
                        }
                        Step::Took(end as u64)
                    }
                    // Nobody's trailer is so long.
                    None if rest.len() > MAX_TRAILER => Step::Stop,
                    None => Step::Wait,
                },
            };
            match step {
                Step::Took(count) => {
                    let behind = at as u64 + count;
                    if behind > data.len() as u64 || (behind == data.len() as u64 && self.rests(side)) {
                        return Fed::more(behind);
                    }
                    at = behind as usize;
                }
                Step::Wait => return Fed::more(at as u64),
                Step::Stop => return Fed { consumed: at as u64, next: Next::Done },
                Step::Again(count) => return Fed { consumed: at as u64 + count, next: Next::Again },
            }
        }
    }

    /// Whether nothing is to be done before more bytes come.
    fn rests(&self, side: Side) -> bool {
        self.halves[side as usize].place != Place::Skipping
    }

    /// A response without a head: HTTP/0.9, if that is what was asked.
    fn headless(&mut self, side: Side, sink: &Sink<'_>) -> Step {
        let Some(exchange) = answering(&mut self.waiting) else { return Step::Stop };
        if !exchange.answer_headless(sink.at) {
            return Step::Stop;
        }
        self.halves[side as usize].place = Place::Content { len: UNTIL_CLOSE };
        Step::Took(0)
    }

    /// Goes on behind a head whose last line has `len` bytes.
    fn frame(&mut self, side: Side, framing: Framing, len: usize) -> Step {
        self.halves[side as usize].place = match framing {
            // Nothing comes: what would be behind it is at its end now.
            Framing::Length(0) => Place::Skipping,
            Framing::Length(len) => Place::Content { len },
            Framing::UntilClose => Place::Content { len: UNTIL_CLOSE },
            Framing::Chunks => Place::Chunk,
        };
        Step::Took(len as u64)
    }

    /// Content begins: its kind is told, and the rest passed over.
    fn content(&mut self, side: Side, is_request: bool, len: u64, data: &[u8], sink: &Sink<'_>) -> Step {
        if (data.len() as u64) < len.min(TELLING) && !sink.is_cut {
            return Step::Wait;
        }
        let begin = &data[..data.len().min(len.min(TELLING) as usize)];
        if let Some(body) = self.body(is_request) {
            body.len += len;
            mime::note(body, begin);
        }
        self.halves[side as usize].place = Place::Skipping;
        Step::Took(len)
    }

    fn chunk(&mut self, side: Side, is_request: bool, data: &[u8], sink: &Sink<'_>) -> Step {
        let Some(end) = line_end(data) else {
            // A line that does not end is no size.
            return if data.len() > 256 { Step::Stop } else { Step::Wait };
        };
        let (line, behind) = data.split_at(end);
        let taken = end as u64;
        let size = http::chunk_size(line).unwrap_or(0);
        if size == 0 {
            self.halves[side as usize].place = Place::Trailer;
            return Step::Took(taken);
        }
        let Some(body) = self.body(is_request) else { return Step::Stop };
        if body.len == 0 {
            if (behind.len() as u64) < size.min(TELLING) && !sink.is_cut {
                return Step::Wait;
            }
            mime::note(body, &behind[..behind.len().min(size.min(TELLING) as usize)]);
        }
        body.len += size;
        // The chunk, and the line's end behind it.
        Step::Took(taken + size + 2)
    }

    /// The content that `side` is sending.
    fn body(&mut self, is_request: bool) -> Option<&mut HttpBody> {
        if is_request {
            asking(&mut self.waiting).map(Exchange::request_body)
        } else {
            answering(&mut self.waiting).map(Exchange::response_body)
        }
    }

    /// A message has ended.
    fn end(&mut self, side: Side, is_request: bool, sink: &mut Sink<'_>) {
        self.halves[side as usize].place = Place::Start;
        let exchange = if is_request { asking(&mut self.waiting) } else { answering(&mut self.waiting) };
        let Some(exchange) = exchange else { return };
        if exchange.end(is_request) {
            let done =
                self.waiting.iter().position(Exchange::is_complete).map(|index| self.waiting.remove(index));
            if let Some(done) = done {
                done.write(sink);
            }
        }
    }

    /// Writes what is left; `ahead` is what was counted of each side's content and did not come, `ready` what came and
    /// was not counted.
    pub(super) fn finish(&mut self, ahead: [u64; 2], ready: [&[u8]; 2], sink: &mut Sink<'_>) {
        if let Some(client) = self.client {
            for (side, is_request) in [(client, true), (client.other(), false)] {
                let missing = ahead[side as usize];
                let is_chunked = self.halves[side as usize].place == Place::Chunk;
                if let Place::Content { .. } = self.halves[side as usize].place
                    && let Some(body) = self.body(is_request)
                {
                    body.len += ready[side as usize].len() as u64;
                    mime::note(body, ready[side as usize]);
                }
                if let Some(body) = self.body(is_request)
                    && missing > 0
                {
                    let missing = if is_chunked { missing.saturating_sub(2) } else { missing };
                    body.len = body.len.saturating_sub(missing);
                }
            }
        }
        for exchange in self.waiting.drain(..) {
            exchange.write(sink);
        }
    }
}

/// What one part of a message was.
enum Step {
    /// So many bytes, also of those still to come.
    Took(u64),
    Wait,
    Stop,
    Again(u64),
}

/// How the end of content is told (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Framing {
    Length(u64),
    Chunks,
    UntilClose,
}

/// The exchange whose request is being sent, or was last.
fn asking(waiting: &mut [Exchange]) -> Option<&mut Exchange> {
    waiting.iter_mut().rfind(|exchange| exchange.has_request())
}

/// The exchange whose response is being sent, or is next.
fn answering(waiting: &mut [Exchange]) -> Option<&mut Exchange> {
    waiting.iter_mut().find(|exchange| !exchange.is_answered())
}

/// Behind the first line, if it has an end.
fn line_end(data: &[u8]) -> Option<usize> {
    data.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}

fn is_status(data: &[u8]) -> bool {
    let begin = b"HTTP/";
    let len = data.len().min(begin.len());
    data[..len] == begin[..len]
}
