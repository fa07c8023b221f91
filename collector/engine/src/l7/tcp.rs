//! A TCP connection's content: both directions in order, and the parser that recognised it.

use enigma_wire::{
    Packet, Tcp,
    tcp_flags::{ACK, SYN},
};

use super::{
    Progress, Service, Sink, dns,
    http::Http,
    named::{self, Guess},
    ssh::Ssh,
    ssl::{self, Ssl},
    stream::{Lost, Segment, Stream, Taken},
};
use crate::key::Side;

/// Segments that may go by before a connection is recognised. Greetings come in one or two, and both sides have had
/// their say by then.
const TRIES: u8 = 8;

/// Bytes that may come one by one without being counted: what tells the protocols that begin with numbers.
const FEW: usize = 16;

/// Plain content that is looked through for a TLS hello after STARTTLS and its like: the dialogues before it take
/// a few hundred bytes, a mail that is sent without it takes more.
const WATCHED: u32 = 16 << 10;

/// Segments that may begin no message, where one is to be found again, since the last that did: some megabytes of a
/// response whose head was lost. The connection may have become something else with what was lost.
const MAX_SOUGHT: u16 = 4096;

/// An IP packet in the shortest Ethernet frame, which has 64 bytes with its header and its check sum: what is shorter is
/// filled with zeros, and some boxes on the way count these as content.
const MIN_PACKET: u32 = 46;

/// What the connection is.
#[derive(Clone, Debug, Default)]
enum Parser {
    #[default]
    Undecided,
    Dns(dns::Exchange),
    Http(Box<Http>),
    Ssh(Box<Ssh>),
    Ssl(Box<Ssl>),
    /// A protocol that may turn to TLS, and how many bytes it has left to do so.
    MayTurnToTls(u32),
}

/// What a parser made of the bytes it was shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fed {
    /// Bytes it needs no more, also of those still to come.
    pub(super) consumed: u64,
    pub(super) next: Next,
}

impl Fed {
    pub(super) const fn more(consumed: u64) -> Self {
        Self { consumed, next: Next::More }
    }

    pub(super) const DONE: Self = Self { consumed: 0, next: Next::Done };
}

/// What comes after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    More,
    Done,
    /// The connection becomes something else, to be recognised anew.
    Again,
}

/// Both directions and their parser.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conversation {
    streams: [Stream; 2],
    parser: Parser,
    tries: u8,
    /// Sides of which nothing is read before a segment of theirs begins a message.
    seeks: [bool; 2],
    /// Segments that began none.
    sought: u16,
    /// Something of interest was missing or cut off.
    has_lost: bool,
    /// What may be the filling of a short frame, until the number of the next segment tells.
    doubts: [Option<Doubt>; 2],
}

/// A few zeros at a place in a direction.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    sequence: u32,
    len: u32,
}

impl Doubt {
    /// What comes with an acknowledgement in the shortest frame, and is nothing but zeros.
    fn of(sequence: u32, tcp: &Tcp, packet: &Packet<'_>) -> Option<Self> {
        let is_short = packet.total_len <= MIN_PACKET && tcp.flags & !SYN == ACK && tcp.payload_len <= 6;
        let is_empty = is_short && packet.payload.iter().all(|byte| *byte == 0);
        is_empty.then_some(Self { sequence, len: tcp.payload_len })
    }
}

impl Conversation {
    /// A connection whose beginning was not seen, if what a segment brings can be read without it; and what it is.
    pub(super) fn resumed(data: &[u8]) -> Option<(Self, Service)> {
        let service = named::begins(data)?;
        let (parser, must_seek) = match service {
            Service::Http => (Parser::Http(Box::new(Http::from_the_middle())), true),
            Service::Dns => (Parser::Dns(dns::Exchange::default()), true),
            // What answers a hello begins a record.
            Service::Ssl => (Parser::Ssl(Box::default()), false),
            _ => return None,
        };
        Some((Self { parser, seeks: [must_seek; 2], ..Self::default() }, service))
    }

    pub(super) fn bytes(&self) -> usize {
        let parser = match &self.parser {
            Parser::Undecided | Parser::MayTurnToTls(_) => 0,
            Parser::Dns(exchange) => exchange.bytes(),
            Parser::Http(http) => http.bytes(),
            Parser::Ssh(ssh) => ssh.bytes(),
            Parser::Ssl(ssl) => ssl.bytes(),
        };
        parser + self.streams.iter().map(Stream::bytes).sum::<usize>()
    }

    pub(super) fn segment(
        &mut self,
        side: Side,
        first: u32,
        tcp: &Tcp,
        packet: &Packet<'_>,
        sink: &mut Sink<'_>,
    ) -> Progress {
        let data = packet.payload;
        // The number is the SYN's, content begins behind it.
        let sequence = tcp.sequence.wrapping_add(u32::from(tcp.flags & SYN != 0));
        let read_up_to = (tcp.flags & ACK != 0).then_some(tcp.acknowledgement);
        let segment = Segment { sequence, read_up_to, data, wire_len: tcp.payload_len };
        // What was seen of a side before its content may have been a probe, whose number is one too low.
        let first = if sink.is_from_the_middle() { sequence } else { first };
        let end = match self.pass_read(side.other(), read_up_to, sink) {
            Ok(Next::More) => self.take_sure(side, first, (segment, Doubt::of(sequence, tcp, packet)), sink),
            end => end,
        };
        match end {
            Ok(Next::More) => return Progress::More,
            Ok(Next::Done | Next::Again) => {}
            Err(Lost) => {
                sink.stats.l7_lost += u64::from(!self.has_lost);
                self.lost();
            }
        }
        self.conclude(sink);
        let was_seen = end.is_ok() && !sink.is_from_the_middle();
        if was_seen || sink.is_recognised() { Progress::Done } else { Progress::NotYet }
    }

    /// Whether messages can be found again behind a loss.
    const fn may_resume(&self) -> bool {
        matches!(self.parser, Parser::Http(_) | Parser::Dns(_))
    }

    /// Takes a segment, unless it may be less than content. What may have been so before was content if this one is behind it,
    /// and not if this one takes its place.
    fn take_sure(
        &mut self,
        side: Side,
        first: u32,
        (segment, doubt): (Segment<'_>, Option<Doubt>),
        sink: &mut Sink<'_>,
    ) -> Result<Next, Lost> {
        let before = core::mem::replace(&mut self.doubts[side as usize], doubt);
        if let Some(Doubt { sequence, len }) = before
            && sequence.wrapping_add(len) == segment.sequence
        {
            let data = &[0; 6][..len as usize];
            let zeros = Segment { sequence, read_up_to: None, data, wire_len: len };
            let next = self.take(side, first, zeros, sink)?;
            if next != Next::More {
                return Ok(next);
            }
        }
        if doubt.is_some() {
            return Ok(Next::More);
        }
        self.take(side, first, segment, sink)
    }

    /// Takes a segment. If there is no room to wait for what is missing before it, that is given up.
    fn take(
        &mut self,
        side: Side,
        first: u32,
        segment: Segment<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Next, Lost> {
        let own = side as usize;
        loop {
            match self.streams[own].take(first, segment) {
                Ok(taken) => return self.show(side, taken, segment.read_up_to, sink),
                Err(Lost) if !self.may_resume() => return Err(Lost),
                Err(Lost) => {}
            }
            let is_before = |held: &u32| held.wrapping_sub(segment.sequence) as i32 <= 0;
            let until = self.streams[own].first_held().filter(is_before).unwrap_or(segment.sequence);
            let next = self.pass_hole(side, until, sink)?;
            if next != Next::More {
                return Ok(next);
            }
        }
    }

    /// Gives up what is missing of `side`'s content as far as the other side has read it: it will not be sent again.
    fn pass_read(&mut self, side: Side, read_up_to: Option<u32>, sink: &mut Sink<'_>) -> Result<Next, Lost> {
        let Some(read) = read_up_to else { return Ok(Next::More) };
        let is_read = |held: &u32| read.wrapping_sub(*held) as i32 >= 0;
        if matches!(self.parser, Parser::Undecided)
            && self.streams[side as usize].first_held().is_some_and(|held| is_read(&held))
        {
            return Err(Lost);
        }
        while self.may_resume()
            && let Some(held) = self.streams[side as usize].first_held().filter(is_read)
        {
            let next = self.pass_hole(side, held, sink)?;
            if next != Next::More {
                return Ok(next);
            }
        }
        Ok(Next::More)
    }

    /// Gives up what is missing before the number `until`, and takes what is held one by one: each may begin a message.
    fn pass_hole(&mut self, side: Side, until: u32, sink: &mut Sink<'_>) -> Result<Next, Lost> {
        let own = side as usize;
        let held = self.streams[own].take_held();
        let missing = self.streams[own].missing_before(until);
        self.lose(side, missing, Some(until), sink);
        for held in &held {
            let segment = held.segment();
            let taken = self.streams[own].take(until, segment)?;
            let next = self.show(side, taken, segment.read_up_to, sink)?;
            if next != Next::More {
                return Ok(next);
            }
        }
        Ok(Next::More)
    }

    /// Shows the parser what a segment has brought.
    fn show(
        &mut self,
        side: Side,
        taken: Taken<'_>,
        read_up_to: Option<u32>,
        sink: &mut Sink<'_>,
    ) -> Result<Next, Lost> {
        let own = side as usize;
        sink.is_cut = self.streams[own].is_cut();
        sink.is_joined = self.streams[own].is_joined();
        let others = self.streams[side.other() as usize].next();
        sink.acknowledged = others.zip(read_up_to).map(|(next, read)| read.wrapping_sub(next) as i32);
        sink.read_up_to = read_up_to;
        let (fed, left) = match taken {
            Taken::Nothing => return Ok(Next::More),
            Taken::Direct(new) => {
                sink.position = self.streams[own].position(new.len());
                let fed = self.feed(side, new, sink);
                (fed, self.streams[own].leave(new, fed.consumed))
            }
            Taken::Ready => {
                let ready = core::mem::take(&mut self.streams[own]);
                sink.position = ready.position(ready.ready().len());
                let fed = self.feed(side, ready.ready(), sink);
                self.streams[own] = ready;
                (fed, self.streams[own].consume(fed.consumed))
            }
        };
        if self.seeks[own] {
            self.streams[own].go_on(None);
        } else if left.is_err() {
            if fed.next != Next::More || !self.may_resume() {
                return Err(Lost);
            }
            let missing = self.streams[own].missing();
            self.lose(side, missing, None, sink);
        }
        Ok(fed.next)
    }

    /// Bytes of `side` will not come, `missing` of them, or not all that is wanted of them: goes on with the next message
    /// from the number `until` on, or from what comes next.
    fn lose(&mut self, side: Side, missing: u64, until: Option<u32>, sink: &mut Sink<'_>) {
        let own = side as usize;
        let stream = core::mem::take(&mut self.streams[own]);
        let content = match &mut self.parser {
            Parser::Http(http) if !self.seeks[own] => http.lose(side, stream.ready(), missing, sink),
            _ => None,
        };
        self.streams[own] = stream;
        // Content is passed over, whether it was seen or not.
        if content.is_some_and(|len| self.streams[own].consume(len).is_ok()) {
            return;
        }
        self.streams[own].go_on(until);
        self.seeks[own] = true;
        sink.stats.l7_lost += u64::from(!self.has_lost);
        self.has_lost = true;
    }

    /// Whether a segment of `side` begins a message of what the connection is.
    fn begins(&self, side: Side, data: &[u8]) -> bool {
        match &self.parser {
            Parser::Http(http) => match http.is_client(side) {
                Some(true) => named::begins_request(data),
                Some(false) => named::begins_response(data),
                None => named::begins_request(data) || named::begins_response(data),
            },
            Parser::Dns(_) => named::begins_dns(data),
            _ => true,
        }
    }

    /// Shows what `side` has sent to the parser, or finds one.
    fn feed(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Fed {
        if self.seeks[side as usize] && !data.is_empty() {
            if !self.begins(side, data) {
                self.sought = self.sought.saturating_add(1);
                let next = if self.sought > MAX_SOUGHT { Next::Done } else { Next::More };
                return Fed { consumed: data.len() as u64, next };
            }
            (self.seeks[side as usize], self.sought) = (false, 0);
        }
        let (mut consumed, begin) = (0_u64, sink.position);
        // Twice: a parser that is done may leave the rest to another one.
        for _ in 0..2 {
            let data = data.get(consumed as usize..).unwrap_or_default();
            sink.position = begin.wrapping_add(consumed as u32);
            if matches!(self.parser, Parser::Undecided) {
                if data.is_empty() {
                    break;
                }
                match self.decide(side, data, sink) {
                    Guess::Yes => {}
                    Guess::Maybe => return Fed::more(consumed),
                    Guess::No => return Fed { consumed, next: Next::Done },
                }
            }
            let fed = self.parse(side, data, sink);
            consumed += fed.consumed;
            if fed.next != Next::Again {
                return Fed { consumed, next: fed.next };
            }
            self.conclude(sink);
            (self.parser, self.tries, self.seeks) = (Parser::Undecided, 0, [false; 2]);
        }
        Fed::more(consumed)
    }

    fn parse(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Fed {
        match &mut self.parser {
            Parser::Undecided => Fed::more(0),
            Parser::Dns(exchange) => exchange.stream(data, sink),
            Parser::Http(http) => http.data(side, data, sink),
            Parser::Ssh(ssh) => ssh.data(side, data, sink),
            Parser::Ssl(ssl) => ssl.data(side, data, sink),
            Parser::MayTurnToTls(left) => match ssl::looks_like(data) {
                Guess::Yes => Fed { consumed: 0, next: Next::Again },
                Guess::Maybe => Fed::more(0),
                Guess::No => {
                    *left = left.saturating_sub(data.len() as u32);
                    let next = if *left == 0 { Next::Done } else { Next::More };
                    Fed { consumed: data.len() as u64, next }
                }
            },
        }
    }

    /// Finds the parser by what `side` has sent, and the other before it; shows it the latter.
    fn decide(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Guess {
        let other = side.other();
        let ports = [sink.port(side), sink.port(other)];
        let theirs = self.streams[other as usize].ready();
        let (service, may_turn) = match named::tcp(data, theirs, ports) {
            named::Verdict::Is(service) => (service, false),
            named::Verdict::MayTurnToTls(service) => (service, true),
            named::Verdict::Maybe => {
                self.tries += u8::from(data.len() > FEW);
                return if self.tries < TRIES { Guess::Maybe } else { Guess::No };
            }
            named::Verdict::Unknown => return Guess::No,
        };
        sink.confirm(service);
        self.parser = match service {
            Service::Dns => Parser::Dns(dns::Exchange::default()),
            Service::Http if sink.is_from_the_middle() => Parser::Http(Box::new(Http::from_the_middle())),
            Service::Http => Parser::Http(Box::default()),
            Service::Ssh => Parser::Ssh(Box::default()),
            Service::Ssl => Parser::Ssl(Box::default()),
            _ if may_turn => Parser::MayTurnToTls(WATCHED),
            _ => return Guess::No,
        };
        // It may be within a message.
        self.seeks[other as usize] =
            self.may_resume() && sink.is_from_the_middle() && self.streams[other as usize].next().is_none();
        // What the other side said before was kept because nobody knew what it was.
        if !self.streams[other as usize].ready().is_empty() {
            let before = core::mem::take(&mut self.streams[other as usize]);
            // It was kept whole; only what comes now may be cut.
            let is_cut = core::mem::take(&mut sink.is_cut);
            let read_up_to = core::mem::take(&mut sink.read_up_to);
            let position = core::mem::replace(&mut sink.position, before.position(before.ready().len()));
            let fed = self.parse(other, before.ready(), sink);
            (sink.is_cut, sink.read_up_to, sink.position) = (is_cut, read_up_to, position);
            self.streams[other as usize] = before;
            if self.streams[other as usize].consume(fed.consumed).is_err() {
                sink.stats.l7_lost += 1;
                return Guess::No;
            }
            if fed.next == Next::Done {
                return Guess::No;
            }
        }
        Guess::Yes
    }

    /// What comes from here on will not be seen.
    pub(super) fn lost(&mut self) {
        if let Parser::Ssh(ssh) = &mut self.parser {
            ssh.lost();
        }
    }

    /// The connection is over: puts out what is left.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        // What was waited for does not come. What was asked goes before what was answered.
        let originator = sink.flow.conn.originator();
        for side in [originator, originator.other()] {
            while self.may_resume()
                && let Some(held) = self.streams[side as usize].first_held()
                && self.pass_hole(side, held, sink) == Ok(Next::More)
            {}
        }
        self.conclude(sink);
    }

    /// Puts out what is known.
    fn conclude(&mut self, sink: &mut Sink<'_>) {
        if self.streams.iter().any(Stream::is_waiting) {
            self.lost();
        }
        match &mut self.parser {
            Parser::Undecided | Parser::MayTurnToTls(_) => {}
            Parser::Dns(exchange) => exchange.finish(sink),
            Parser::Http(http) => {
                let ahead = [&self.streams[0], &self.streams[1]].map(Stream::skipped_ahead);
                let ready = [self.streams[0].ready(), self.streams[1].ready()];
                http.finish(ahead, ready, sink);
            }
            Parser::Ssh(ssh) => ssh.finish(sink),
            Parser::Ssl(ssl) => ssl.finish(sink),
        }
    }
}
