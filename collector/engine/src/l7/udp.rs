//! A UDP flow's content: datagrams, and the parser that recognised one of them.

use super::{
    Progress, Service, Sink, dhcp, dns,
    dtls::{self, Dtls},
    named::{self, Guess},
    ntp,
    quic::{self, Quic},
};
use crate::key::Side;

/// Datagrams that may be nothing known before a flow is left alone. Media streams begin with one kind and go on
/// with another; a protocol that is of interest shows itself in the first of either side.
const TRIES: u8 = 4;

/// STUN messages that may go before DTLS: both sides try every path there is, several times (RFC 8445).
const MAX_STUN: u8 = 64;

#[derive(Debug, Default)]
enum Parser {
    #[default]
    Undecided,
    Dhcp,
    Dns(dns::Exchange),
    Dtls(Box<Dtls>),
    Ntp,
    Quic(Box<Quic>),
}

/// A flow's parser, or how often there was none.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    tries: u8,
    stun: u8,
    parser: Parser,
    /// What may have been a question, until it is known what the flow is.
    question: Option<Box<ntp::Question>>,
}

impl Exchange {
    pub(super) fn bytes(&self) -> usize {
        let parser = match &self.parser {
            Parser::Undecided | Parser::Dhcp | Parser::Ntp => 0,
            Parser::Dns(exchange) => exchange.bytes(),
            Parser::Dtls(dtls) => dtls.bytes(),
            Parser::Quic(quic) => quic.bytes(),
        };
        parser + self.question.as_ref().map_or(0, |question| question.bytes())
    }

    pub(super) fn datagram(
        &mut self,
        side: Side,
        data: &[u8],
        is_whole: bool,
        sink: &mut Sink<'_>,
    ) -> Progress {
        let mut is_first = matches!(self.parser, Parser::Undecided);
        if is_first {
            match self.decide(side, data, is_whole, sink) {
                Ok(parser) => self.parser = parser,
                // What is agreed on with it follows in the same flow: DTLS for calls in browsers (RFC 5764).
                Err(Service::Stun) if self.stun < MAX_STUN => {
                    self.stun += 1;
                    return Progress::More;
                }
                Err(_) => return Progress::Done,
            }
            let question = self.question.take();
            if let (Parser::Ntp, Some(question)) = (&self.parser, question) {
                ntp::asked(&question, sink);
                is_first = false;
            }
        }
        match &mut self.parser {
            Parser::Undecided => {
                self.tries += 1;
                self.question = ntp::Question::of(side, data, sink.at);
                return if self.tries < TRIES { Progress::More } else { Progress::Done };
            }
            Parser::Dhcp => dhcp::message(side, data, sink),
            Parser::Dns(exchange) => exchange.message(data, sink),
            Parser::Ntp => ntp::message(side, data, is_first, sink),
            Parser::Dtls(dtls) => return dtls.datagram(side, data, sink),
            Parser::Quic(quic) => return quic.datagram(side, data, sink),
        }
        Progress::More
    }

    /// The parser of a flow whose first known datagram is this; the name where there is no more to know.
    fn decide(
        &self,
        side: Side,
        data: &[u8],
        is_whole: bool,
        sink: &mut Sink<'_>,
    ) -> Result<Parser, Service> {
        let ports = [sink.port(side), sink.port(side.other())];
        if dns::looks_like(data, ports.into_iter().any(dns::is_usual_port), is_whole) {
            return Ok(Parser::Dns(dns::Exchange::default()));
        }
        if let Some(quic) = quic::begins(side, data, ports, sink.at) {
            return Ok(Parser::Quic(Box::new(quic)));
        }
        match dtls::looks_like(data) {
            Guess::Yes => return Ok(Parser::Dtls(Box::default())),
            Guess::Maybe => {
                sink.confirm(Service::Dtls);
                return Err(Service::Dtls);
            }
            Guess::No => {}
        }
        if dhcp::looks_like(data) {
            sink.confirm(Service::Dhcp);
            return Ok(Parser::Dhcp);
        }
        if ntp::looks_like(side, data, self.question.as_deref(), ports, sink.at) {
            sink.confirm(Service::Ntp);
            return Ok(Parser::Ntp);
        }
        match named::udp(data, ports) {
            // Junk before a query.
            Some(_) if ports.into_iter().any(dns::is_usual_port) => Ok(Parser::Undecided),
            Some(service) => {
                sink.confirm(service);
                Err(service)
            }
            None => Ok(Parser::Undecided),
        }
    }

    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        match &mut self.parser {
            Parser::Undecided | Parser::Ntp => {}
            Parser::Dhcp => dhcp::finish(sink),
            Parser::Dns(exchange) => exchange.finish(sink),
            Parser::Dtls(dtls) => dtls.finish(sink),
            Parser::Quic(quic) => quic.finish(sink),
        }
    }
}
