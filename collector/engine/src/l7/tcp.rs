//! A TCP connection's content: both directions in order, and the parser that recognised it.

use enigma_wire::{Tcp, tcp_flags::SYN};

use super::{
    Progress, Service, Sink, dns,
    http::Http,
    named::{self, Guess},
    ssh::Ssh,
    ssl::{self, Ssl},
    stream::{Stream, Taken},
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
}

impl Conversation {
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
        data: &[u8],
        sink: &mut Sink<'_>,
    ) -> Progress {
        // The number is the SYN's, content begins behind it.
        let sequence = tcp.sequence.wrapping_add(u32::from(tcp.flags & SYN != 0));
        let own = side as usize;
        let taken = self.streams[own].take(first, sequence, data, tcp.payload_len);
        sink.is_cut = self.streams[own].is_cut();
        sink.is_joined = self.streams[own].is_joined();
        let others = self.streams[side.other() as usize].next();
        sink.acknowledged = others.map(|next| tcp.acknowledgement.wrapping_sub(next) as i32);
        let end = match taken {
            Ok(Taken::Nothing) => return Progress::More,
            Ok(Taken::Direct(new)) => {
                let fed = self.feed(side, new, sink);
                let left = self.streams[own].leave(new, fed.consumed);
                left.map(|()| fed.next)
            }
            Ok(Taken::Ready) => {
                let ready = core::mem::take(&mut self.streams[own]);
                let fed = self.feed(side, ready.ready(), sink);
                self.streams[own] = ready;
                let left = self.streams[own].consume(fed.consumed);
                left.map(|()| fed.next)
            }
            Err(lost) => Err(lost),
        };
        match end {
            Ok(Next::More) => return Progress::More,
            Ok(Next::Done | Next::Again) => {}
            Err(_) => {
                sink.stats.l7_lost += 1;
                if let Parser::Http(http) = &mut self.parser {
                    http.part(side, self.streams[own].ready(), sink);
                }
                self.lost();
            }
        }
        self.finish(sink);
        Progress::Done
    }

    /// Shows what `side` has sent to the parser, or finds one.
    fn feed(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Fed {
        let mut consumed = 0;
        // Twice: a parser that is done may leave the rest to another one.
        for _ in 0..2 {
            let data = data.get(consumed as usize..).unwrap_or_default();
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
            self.finish(sink);
            (self.parser, self.tries) = (Parser::Undecided, 0);
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
            Service::Http => Parser::Http(Box::default()),
            Service::Ssh => Parser::Ssh(Box::default()),
            Service::Ssl => Parser::Ssl(Box::default()),
            _ if may_turn => Parser::MayTurnToTls(WATCHED),
            _ => return Guess::No,
        };
        // What the other side said before was kept because nobody knew what it was.
        if !self.streams[other as usize].ready().is_empty() {
            let before = core::mem::take(&mut self.streams[other as usize]);
            // It was kept whole; only what comes now may be cut.
            let is_cut = core::mem::take(&mut sink.is_cut);
            let fed = self.parse(other, before.ready(), sink);
            sink.is_cut = is_cut;
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

    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        // What was waited for does not come.
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
