//! A TCP connection's content: both directions in order, and the parser that recognised it.

use enigma_wire::{Tcp, tcp_flags::SYN};

use super::{Progress, Service, Sink, dns, stream::Stream};
use crate::key::Side;

/// What the connection is.
#[derive(Clone, Debug, Default)]
enum Parser {
    #[default]
    Undecided,
    Dns(dns::Exchange),
}

/// What the beginning of a direction looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Guess {
    No,
    /// Too little to tell.
    Maybe,
    Yes,
}

/// Both directions and their parser.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conversation {
    streams: [Stream; 2],
    /// Directions whose beginning is nothing known.
    is_foreign: [bool; 2],
    parser: Parser,
}

impl Conversation {
    pub(super) fn bytes(&self) -> usize {
        let parser = match &self.parser {
            Parser::Undecided => 0,
            Parser::Dns(exchange) => exchange.bytes(),
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
        let stream = &mut self.streams[side as usize];
        match stream.take(first, sequence, data, tcp.payload_len) {
            Ok(false) => return Progress::More,
            Ok(true) => {}
            Err(_) => {
                sink.stats.l7_lost += 1;
                self.finish(sink);
                return Progress::Done;
            }
        }
        if matches!(self.parser, Parser::Undecided) && !self.decide(side, sink) {
            let is_hopeless = self.is_foreign[side as usize];
            return if is_hopeless { Progress::Done } else { Progress::More };
        }
        let [low, high] = &mut self.streams;
        let streams = match side {
            Side::Low => [low, high],
            Side::High => [high, low],
        };
        let [stream, _] = streams;
        match &mut self.parser {
            Parser::Undecided => Progress::More,
            Parser::Dns(exchange) => exchange.stream(stream, sink),
        }
    }

    /// Finds the parser by what `side` has sent; says whether there is one.
    fn decide(&mut self, side: Side, sink: &mut Sink<'_>) -> bool {
        let ready = self.streams[side as usize].ready();
        let is_dns_port =
            dns::is_usual_port(sink.port(Side::Low)) || dns::is_usual_port(sink.port(Side::High));
        let guesses = [(dns::looks_like_stream(ready, is_dns_port), Service::Dns)];
        if let Some((_, service)) = guesses.iter().find(|(guess, _)| *guess == Guess::Yes) {
            self.parser = match service {
                Service::Dns => Parser::Dns(dns::Exchange::default()),
            };
            return true;
        }
        self.is_foreign[side as usize] = guesses.iter().all(|(guess, _)| *guess == Guess::No);
        false
    }

    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        match &mut self.parser {
            Parser::Undecided => {}
            Parser::Dns(exchange) => exchange.finish(sink),
        }
    }
}
