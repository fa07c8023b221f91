//! Heads of messages, a line at a time: what a record needs of a line is read, and the rest goes by without being kept.

use enigma_wire::http;

use super::{Exchange, Framing, Http, Place, Step, Told, answering, asking, exchange, is_status, line_end};
use crate::{
    key::Side,
    l7::{Service, Sink},
};

/// What is read of a line: more than is kept of any text. What is behind it is a ticket or a token.
const MAX_LINE: usize = 6 << 10;

/// So much of a head may go by before it counts as none, and the connection is left alone. Four times the longest that
/// load balancers take (AWS, "Quotas for your Application Load Balancers": 64 K).
const MAX_HEAD: usize = 256 << 10;

/// A line, or as much of it as is read.
struct Line<'a> {
    /// Without its end.
    text: &'a [u8],
    /// Bytes it has, as far as they have come.
    taken: usize,
    /// Its end has come.
    is_over: bool,
}

impl Http {
    /// Before a message: reads its first line.
    pub(super) fn start(&mut self, side: Side, is_request: bool, data: &[u8], sink: &mut Sink<'_>) -> Step {
        // Empty lines before a request are forgiven (RFC 9112 section 2.2).
        let blank = data.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank > 0 {
            return Step::Took(blank as u64);
        }
        if data.is_empty() {
            return Step::Wait;
        }
        if !is_request && !is_status(data) {
            return self.headless(side, sink);
        }
        match self.line(side, data) {
            Some(line) if is_request => self.request(side, &line, sink),
            Some(line) => self.response(side, &line, sink),
            None => Step::Wait,
        }
    }

    /// Within a head: reads its next line, and at an empty one what all of them said.
    pub(super) fn header(&mut self, side: Side, is_request: bool, data: &[u8], sink: &mut Sink<'_>) -> Step {
        let Some(line) = self.line(side, data) else {
            if exchange::goes_by(data) {
                let line = Line { text: &[], taken: data.len(), is_over: false };
                return self.pass(side, &line, sink);
            }
            return Step::Wait;
        };
        if line.text.is_empty() && line.is_over {
            return self.end_of_head(side, is_request, line.taken, sink);
        }
        let told = &mut self.halves[side as usize].told;
        let exchange = if is_request { asking(&mut self.waiting) } else { answering(&mut self.waiting) };
        let Some(exchange) = exchange else { return Step::Stop };
        if let Some((name, value)) = http::headers(line.text).next() {
            if is_request {
                exchange.request_header(name, value, told);
            } else {
                exchange.response_header(name, value, told);
            }
        }
        self.pass(side, &line, sink)
    }

    /// Passes over the rest of a line.
    pub(super) fn pass_line(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Step {
        if data.is_empty() {
            return Step::Wait;
        }
        let end = line_end(data);
        let line = Line { text: &[], taken: end.unwrap_or(data.len()), is_over: end.is_some() };
        self.pass(side, &line, sink)
    }

    /// The line that begins here, if it is whole or longer than what is read of one.
    fn line<'a>(&mut self, side: Side, data: &'a [u8]) -> Option<Line<'a>> {
        let seen = &mut self.halves[side as usize].seen;
        let end = data.get(*seen..).and_then(line_end).map(|end| *seen + end);
        if end.is_none() && data.len() <= MAX_LINE {
            *seen = data.len();
            return None;
        }
        *seen = 0;
        let text = end.map_or(data, |end| http::split_line(&data[..end]).0);
        let text = &text[..text.len().min(MAX_LINE)];
        Some(Line { text, taken: end.unwrap_or(data.len()), is_over: end.is_some() })
    }

    /// Goes on behind a line of a head, within the bound.
    fn pass(&mut self, side: Side, line: &Line<'_>, sink: &mut Sink<'_>) -> Step {
        let half = &mut self.halves[side as usize];
        half.seen = 0;
        half.passed += line.taken;
        if half.passed > MAX_HEAD {
            sink.stats.l7_lost += 1;
            return Step::Stop;
        }
        half.place = if line.is_over { Place::Headers } else { Place::Line };
        Step::Took(line.taken as u64)
    }

    fn request(&mut self, side: Side, line: &Line<'_>, sink: &mut Sink<'_>) -> Step {
        let request = http::request_line(line.text);
        if request.method.is_empty() {
            return Step::Stop;
        }
        self.make_room(sink);
        self.depth += 1;
        let mut exchange = Exchange::new(sink.head(sink.at), self.depth);
        exchange.request(&request, line.is_over, sink.read_up_to);
        self.has_pipelined |=
            self.waiting.last().is_some_and(|before| before.answer_at() == exchange.answer_at());
        self.waiting.push(exchange);
        self.begin_head(side);
        // HTTP/0.9 has one line.
        if request.version.is_none() && line.is_over {
            return self.frame(side, Framing::Length(0), line.taken);
        }
        self.pass(side, line, sink)
    }

    fn response(&mut self, side: Side, line: &Line<'_>, sink: &mut Sink<'_>) -> Step {
        self.find_asked(sink);
        let Some(exchange) = answering(&mut self.waiting) else { return Step::Stop };
        exchange.response(line.text);
        self.begin_head(side);
        self.pass(side, line, sink)
    }

    fn begin_head(&mut self, side: Side) {
        let half = &mut self.halves[side as usize];
        (half.passed, half.told) = (0, Told::default());
    }

    /// All of a head was read: its last line had `len` bytes.
    fn end_of_head(&mut self, side: Side, is_request: bool, len: usize, sink: &mut Sink<'_>) -> Step {
        let told = self.halves[side as usize].told;
        if is_request {
            return self.frame(side, told.request_framing(), len);
        }
        let Some(exchange) = answering(&mut self.waiting) else { return Step::Stop };
        let reply = exchange.reply(told);
        if reply.becomes_other {
            if reply.is_websocket {
                sink.confirm(Service::Websocket);
            }
            return Step::Again(len as u64);
        }
        if reply.is_interim {
            self.halves[side as usize].place = Place::Start;
            return Step::Took(len as u64);
        }
        self.frame(side, reply.framing, len)
    }

    /// Reads the first line of a head that will not become whole.
    pub(super) fn part(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) {
        let is_request = self.client == Some(side);
        if self.halves[side as usize].place != Place::Start
            || data.is_empty()
            || !(is_request || is_status(data))
        {
            return;
        }
        let line = Line { text: data, taken: data.len(), is_over: false };
        let _step =
            if is_request { self.request(side, &line, sink) } else { self.response(side, &line, sink) };
    }
}
